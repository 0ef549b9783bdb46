"""The store's bars and rollups of one partition read back in the lake's units, to be compared or merged."""

from collections.abc import Sequence

import pyarrow as pa
from psycopg import sql

from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA, BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.stores.timescale.copied import copy_out
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.rollups import Rollup, Window
from marketdata_pipelines.stores.timescale.templates import statement

_VALUES = ("open", "high", "low", "close", "volume", "vwap", "trade_count", "regular")
BASE_ROWS = pa.schema(
    [
        ("symbol", pa.string()),
        BAR_SCHEMA.field("ts"),
        ("st", pa.timestamp("us")),
        *(BAR_SCHEMA.field(name) for name in _VALUES),
    ]
)
_BUCKET_VALUES = (
    "open", "high", "low", "close", "volume", "notional", "trade_count", "bar_count", "first_ts", "last_ts",
)  # fmt: skip
BUCKET_ROWS = pa.schema(
    [("symbol", pa.string()), BAR_SCHEMA.field("ts"), *(AGGREGATE_SCHEMA.field(name) for name in _BUCKET_VALUES)]
)
# A bucket's start in UTC: its day's label, or where the session clock stood at its start.
_LABEL = sql.SQL("(r.st at time zone 'UTC')")
_START = sql.SQL("coalesce(c.ts_start + (r.st - c.clock_start), r.st at time zone 'UTC')")


def read_bars(connection: Connection, feed_name: str, window: Window, symbols: Sequence[str]) -> pa.Table:
    """Base bars of some symbols (BASE_ROWS), sorted by (symbol, ts)."""
    first, last = window.bounds
    query = statement(
        "postgres",
        "select_base_bars",
        schema=sql.Identifier(feed_name),
        first=sql.Literal(first),
        last=sql.Literal(last),
        symbols=sql.Literal(list(symbols)),
    )
    return copy_out(connection, query, BASE_ROWS)


def read_buckets(connection: Connection, feed: Feed, window: Window, rollup: Rollup) -> pa.Table:
    """A rollup's buckets (BUCKET_ROWS), sorted by (symbol, ts)."""
    first, last = window.bounds
    query = statement(
        "postgres",
        "select_rollup",
        schema=sql.Identifier(feed.name),
        rollup=sql.Identifier(rollup.table),
        feed=sql.Literal(feed.name),
        ts=_LABEL if rollup.timeframe == "1d" else _START,
        first=sql.Literal(first),
        last=sql.Literal(last),
    )
    return copy_out(connection, query, BUCKET_ROWS)
