"""A feed in the SQL store: what is published, and its bars, newest bars and totals as answers.

Statements are `read_statements`', answers `read_answers`'; who gives connections for them is `reading`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.stores.timescale.database import Connection
from marketdata_pipelines.stores.timescale.read_answers import (
    LATEST_SCHEMA,
    TOTALS_SCHEMA,
    ClockRows,
    base_answer,
    bucket_answer,
    coarse_answer,
    latest_answer,
    totals_answer,
    unpack_clock,
)
from marketdata_pipelines.stores.timescale.read_bounds import ReadRange, on_sessions
from marketdata_pipelines.stores.timescale.read_rows import (
    STREAMED,
    BarRows,
    from_stream,
    merged,
    merged_symbols,
    newest,
    read_series,
    unpack,
)
from marketdata_pipelines.stores.timescale.read_statements import (
    Which,
    asked_query,
    bars_query,
    coarse_query,
    ledger_table,
    packed_text,
    streamed,
    table_period,
)
from marketdata_pipelines.stores.timescale.templates import statement

EVERYTHING = ReadRange()
# More rows than these come as a stream: packed ones are held by the server.
STREAM_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class PublishedPart:
    """One partition in the ledger: what it was made of, its size, until when it was known, whether it is rolled up, and
    when it was published."""

    partition: str
    inputs: str
    rows: int
    symbols: int
    horizon_us: int
    rolled: bool
    published_at: datetime


class Snapshot:
    """Reads one feed, each statement from one moment; `is_whole` tells whether all of them were from the same one.

    A transaction would not do: who replaces a partition empties its chunk, and a reader whose transaction is older
    than that finds neither the old rows nor the new ones.
    """

    def __init__(self, connection: Connection, feed: Feed) -> None:
        self._connection, self._feed = connection, feed
        self._seen: dict[tuple[str, ReadRange], list[PublishedPart]] = {}

    def is_whole(self) -> bool:
        """Whether nothing was published of what was looked at in the ledger since."""
        return all(self._published(table, wanted) == parts for (table, wanted), parts in self._seen.items())

    def published(self, table: str, wanted: ReadRange = EVERYTHING) -> list[PublishedPart]:
        """The ledger's partitions of a table that can hold rows of a range, in order."""
        found = self._published(table, wanted)
        self._seen.setdefault((table, wanted), found)
        return found

    def bars(
        self,
        symbols: Sequence[str] | None,
        timeframe: str,
        wanted: ReadRange,
        *,
        regular_only: bool = True,
        ledger: Sequence[PublishedPart] | None = None,
    ) -> pa.Table:
        """Bars of one timeframe by (symbol, ts), in the columns of `LakeReader.bars`; symbols None: all.

        Buckets hold the regular session; `regular_only` is about the feed's own bars. `ledger` is what `published`
        says of this range, where the caller has asked already.
        Errors: SettingsInvalid for a timeframe the feed does not have; PartitionMissing when nothing is published.
        """
        feed, table = self._feed, ledger_table(self._feed, timeframe)
        parts = self._some_published(table, wanted, ledger)
        if table != VALIDATED_BARS or timeframe == feed.interval.name:
            estimate = _estimate(parts, symbols, 1)
            return self.stored_bars(symbols, timeframe, wanted, regular_only=regular_only, estimate=estimate)
        rolled = all(part.rolled for part in parts)
        which = Which(feed, timeframe, wanted.shape, symbols is not None, regular_only, rolled)
        width = parse_interval(timeframe).us // feed.interval.us
        rows = merged(self._rows(which, self._values(symbols, wanted), _estimate(parts, symbols, width)))
        horizons = {part.partition: part.horizon_us for part in parts}
        return _inside(bucket_answer(feed, timeframe, rows, self._clock(wanted), horizons), wanted)

    def stored_bars(
        self,
        symbols: Sequence[str] | None,
        timeframe: str,
        wanted: ReadRange,
        *,
        regular_only: bool = True,
        estimate: float = 0.0,
    ) -> pa.Table:
        """As `bars`, for timeframes that are stored as they are, whether anything is published or not."""
        feed, table = self._feed, ledger_table(self._feed, timeframe)
        values = self._values(symbols, wanted)
        if table != VALIDATED_BARS:
            return coarse_answer(
                timeframe, self._ask(_coarse_text(feed, table, wanted.shape, symbols is not None), values)
            )
        which = Which(feed, timeframe, wanted.shape, symbols is not None, regular_only)
        return base_answer(feed, self._rows(which, values, estimate))

    def rolled_bars(self, symbols: Sequence[str], timeframe: str, wanted: ReadRange) -> pa.Table | None:
        """As `bars`, for intraday buckets of few rows, in one statement; None where the rollups are behind or empty."""
        feed = self._feed
        which = Which(feed, timeframe, wanted.shape, True)
        first, last = wanted.partitions(table_period(feed, VALIDATED_BARS))
        values = {**self._values(symbols, wanted), "table": VALIDATED_BARS, "first": first, "last": last}
        row = self._ask(packed_text(which, "buckets"), values)[0]
        packed, clock, (partitions, horizons, rolled) = row[:16], row[16:20], row[20:]
        if not rolled:
            return None
        rows = merged(unpack(packed, has_vwaps=False))
        known = dict(zip(partitions, horizons, strict=True))
        return _inside(bucket_answer(feed, timeframe, rows, unpack_clock(*clock), known), wanted)

    def latest(self, symbols: Sequence[str] | None = None) -> pa.Table:
        """The last bar of each symbol, by symbol; extended hours count. Errors: as `bars`."""
        self._some_published(VALIDATED_BARS, EVERYTHING, None)
        return self.newest_bars(symbols)

    def newest_bars(self, symbols: Sequence[str] | None) -> pa.Table:
        """As `latest`, whether anything is published or not."""
        which = Which(self._feed, self._feed.interval.name, EVERYTHING, symbols is not None)
        row = self._ask(packed_text(which, "newest"), self._values(symbols, EVERYTHING))[0]
        rows = newest(unpack(row, has_vwaps=True))
        return latest_answer(self._feed, rows) if len(rows) else LATEST_SCHEMA.empty_table()

    def totals(
        self,
        symbols: Sequence[str] | None,
        wanted: ReadRange,
        *,
        regular_only: bool = True,
        ledger: Sequence[PublishedPart] | None = None,
    ) -> pa.Table:
        """All bars of a window as one for each symbol, with notional and vwap; symbols without bars give no row.

        Shape:   symbol, first_ts, last_ts, open, high, low, close, volume, notional, vwap, trade_count, bar_count.
        Bounds:  as for bars of the feed's own interval.
        """
        parts = self._some_published(VALIDATED_BARS, wanted, ledger)
        rolled = all(part.rolled for part in parts)
        which = Which(self._feed, self._feed.interval.name, wanted.shape, symbols is not None, regular_only, rolled)
        row = self._ask(packed_text(which, "totals"), self._values(symbols, wanted))[0]
        rows = merged_symbols(unpack(row, has_vwaps=False))
        return totals_answer(rows) if len(rows) else TOTALS_SCHEMA.empty_table()

    def _published(self, table: str, wanted: ReadRange) -> list[PublishedPart]:
        first, last = wanted.partitions(table_period(self._feed, table))
        values = {"feed": self._feed.name, "table": table, "first": first, "last": last}
        try:
            return [PublishedPart(*row) for row in self._ask(_text("read_known_partitions"), values)]
        except psycopg.errors.UndefinedTable as error:
            raise PartitionMissing(
                f"nothing was ever published to the SQL store; run: marketdata publish {self._feed.name}"
            ) from error

    def _some_published(
        self, table: str, wanted: ReadRange, ledger: Sequence[PublishedPart] | None
    ) -> Sequence[PublishedPart]:
        parts = self.published(table, wanted) if ledger is None else ledger
        if parts:
            return parts
        everything = self.published(table)
        where = f"; published: {everything[0].partition} to {everything[-1].partition}" if everything else ""
        name = self._feed.name
        raise PartitionMissing(
            f"{name} has no {table} of that range in the SQL store{where}; run: marketdata publish {name}"
        )

    def _rows(self, which: Which, values: Mapping[str, object], estimate: float) -> BarRows:
        has_vwaps = which.timeframe == self._feed.interval.name
        if estimate < STREAM_ROWS:
            return unpack(self._ask(packed_text(which, "bars"), values)[0], has_vwaps=has_vwaps)
        # What reads streams is compiled: only large answers wait for the compiler.
        from marketdata_pipelines.stores.timescale.copied import copy_out

        asked = sorted(self._ask(asked_query().as_string(), values))
        series = read_series(*zip(*asked, strict=True)) if asked else read_series(*[None] * 5)
        streamed_rows = copy_out(self._connection, streamed(bars_query(which)), STREAMED, values)
        return from_stream(series, streamed_rows, has_vwaps=has_vwaps)

    def _clock(self, wanted: ReadRange) -> ClockRows:
        if not on_sessions(self._feed):
            return unpack_clock(None, None, None, None)
        values = {"feed": self._feed.name, **wanted.parameters()}
        (packed,) = self._ask(_text("read_session_clock"), values)
        return unpack_clock(*packed)

    def _values(self, symbols: Sequence[str] | None, wanted: ReadRange) -> dict[str, object]:
        listed = None if symbols is None else list(symbols)
        return {"feed": self._feed.name, "symbols": listed, **wanted.parameters()}

    def _ask(self, text: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        # The texts are this room's own, made of its files with identifiers that the driver quoted.
        return self._connection.execute(text.encode(), values, prepare=True, binary=True).fetchall()


@cache
def _text(name: str) -> str:
    return statement("postgres", name).as_string()


@cache
def _coarse_text(feed: Feed, table: str, shape: ReadRange, some_symbols: bool) -> str:
    return coarse_query(feed, table, shape, some_symbols=some_symbols).as_string()


def _estimate(parts: Sequence[PublishedPart], symbols: Sequence[str] | None, bars_a_bucket: int) -> float:
    """About how many rows an answer has."""
    rows = sum(part.rows for part in parts)
    most = max((part.symbols for part in parts), default=0)
    share = 1.0 if symbols is None or not most else min(len(symbols) / most, 1.0)
    return rows * share / bars_a_bucket


def _inside(bars: pa.Table, wanted: ReadRange) -> pa.Table:
    """Buckets that begin in the range: statements let neighbours through."""
    for bound, keep in ((wanted.start_ts, pc.greater_equal), (wanted.end_ts, pc.less)):
        if bound is not None:
            bars = bars.filter(keep(bars["ts"], pa.scalar(bound, TS)))
    return bars
