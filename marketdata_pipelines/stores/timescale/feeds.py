"""A feed's own part of the SQL store: its schema, tables, rollups and views, made, adapted and taken down.

What the rows are is elsewhere: here is only what they lie in.
"""

import logging
from dataclasses import replace
from datetime import timedelta

from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAILY, MONTHLY, WEEKLY, table_name
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.store_tables import TRADES, has_trades
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.chunks import list_chunks
from marketdata_pipelines.stores.timescale.feed_layout import (
    FeedLayout,
    Numbers,
    check_name,
    definition_of,
    read_layout,
    write_layout,
)
from marketdata_pipelines.stores.timescale.feed_views import create_views
from marketdata_pipelines.stores.timescale.locks import Connection, lock_layout
from marketdata_pipelines.stores.timescale.roles import grant_schema
from marketdata_pipelines.stores.timescale.rollups import BARS, TIMEFRAMES, create_rollups, feed_rollups
from marketdata_pipelines.stores.timescale.templates import statement
from marketdata_pipelines.stores.timescale.trade_tables import create_trades

logger = logging.getLogger(__name__)

# By kind of relation: a continuous aggregate is a view to PostgreSQL. Views named bars_… are dropped with their table.
_DROPS = {
    "r": sql.SQL("drop table {} cascade"),
    "p": sql.SQL("drop table {} cascade"),
    "v": sql.SQL("drop materialized view {} cascade"),
}
_COARSE = tuple(map(table_name, (*DAILY, *WEEKLY, *MONTHLY)))


def coarse_tables(feed: Feed) -> tuple[str, ...]:
    """The tables of a feed that are stored as the lake holds them: bars of a session or several."""
    return tuple(name for table_set in feed_tables(feed) for name in table_set.tables if name in _COARSE)


def make_feed(
    connection: Connection, feed: Feed, *, is_timescale: bool, numbers: Numbers = "ticks", chunk_days: int | None = None
) -> FeedLayout:
    """Make what the feed needs where it is not there, in the connection's transaction; its layout afterwards.

    Rows that do not fit any more (another interval, anchor or partitioning; ticks where doubles are needed) are taken
    down with their ledger: everything is then published again. Doubles never become ticks again by themselves.
    """
    check_name(feed.name)
    lock_layout(connection, feed.name, exclusively=True)
    layout = read_layout(connection, feed.name)
    if layout is None:
        _check_schema_is_free(connection, feed.name)
        first, last = partition_span_days(feed)
        layout = FeedLayout(feed.name, numbers, chunk_days or (last - first), "", vwap_ticks=True)
    elif not layout.holds(feed) or (numbers == "double" and layout.numbers == "ticks"):
        why = "keeps prices as doubles from now on" if layout.holds(feed) else "is declared otherwise"
        logger.warning("%s %s: everything of it is published anew", feed.name, why)
        take_down(connection, feed.name)
        kept: Numbers = numbers if layout.holds(feed) else "ticks"
        layout = replace(layout, numbers=kept, chunk_days=chunk_days or layout.chunk_days, vwap_ticks=True)
    elif chunk_days is not None and not list_chunks(connection, feed.name, is_timescale=is_timescale):
        layout = replace(layout, chunk_days=chunk_days)
    layout = write_layout(connection, feed, layout)
    _make_tables(connection, feed, layout, is_timescale=is_timescale)
    return layout


def partition_span_days(feed: Feed) -> tuple[int, int]:
    """How many days a partition of the feed covers at most, as a span from 0."""
    first, last = partition_span("2024-01-01", period_of(feed.partition))
    return 0, (last - first).days + 1


def needs_making(feed: Feed, layout: FeedLayout | None) -> bool:
    """Whether `make_feed` has something to do before rows of the feed can be written."""
    return layout is None or layout.definition != definition_of(feed)


def take_down(connection: Connection, feed_name: str) -> None:
    """Remove the feed's bars in every table, and what is known of them; tables of others in its schema stay."""
    # What is made of other tables goes before them: continuous aggregates do not go with what they are made of.
    for table in (*(f"rollup_{name}" for name in reversed(TIMEFRAMES)), BARS, TRADES, *_COARSE):
        kind = connection.execute(
            "select relkind::text from pg_class where oid = to_regclass(format('%%I.%%I', %s::text, %s::text))",
            [feed_name, table],
        ).fetchone()
        if kind is not None and kind[0] in _DROPS:
            connection.execute(_DROPS[kind[0]].format(sql.Identifier(feed_name, table)))
    for table in ("published", "session_clock"):
        connection.execute(
            sql.SQL("delete from marketdata.{} where feed = %s").format(sql.Identifier(table)), [feed_name]
        )


def _check_schema_is_free(connection: Connection, feed_name: str) -> None:
    row = connection.execute(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = %s and c.relname = any(%s) limit 1",
        [feed_name, [BARS, TRADES, *_COARSE]],
    ).fetchone()
    if row is not None:
        raise StoreError(
            f"the schema {feed_name} already has a table {row[0]} that this store did not make; rename one of them, or "
            "publish to another database"
        )


def _make_tables(connection: Connection, feed: Feed, layout: FeedLayout, *, is_timescale: bool) -> None:
    schema = sql.Identifier(feed.name)
    connection.execute(statement("postgres", "create_feed_schema", schema=schema))
    grant_schema(connection, feed.name)
    options = sql.SQL("") if is_timescale else sql.SQL("partition by range (st)")
    connection.execute(statement("postgres", "create_bars", schema=schema, number=layout.number_type, options=options))
    if is_timescale:
        _make_hypertable(connection, feed, layout)
    create_rollups(connection, feed, layout.number_type, is_timescale=is_timescale)
    for table in coarse_tables(feed):
        connection.execute(statement("postgres", "create_coarse_bars", schema=schema, table=sql.Identifier(table)))
    create_views(connection, feed, feed_rollups(feed))
    if has_trades(feed):
        create_trades(connection, feed.name, layout.number_type, is_timescale=is_timescale)


def _make_hypertable(connection: Connection, feed: Feed, layout: FeedLayout) -> None:
    table = sql.Literal(sql.Identifier(feed.name, BARS).as_string(connection))
    width = sql.Literal(timedelta(days=layout.chunk_days))
    connection.execute(statement("timescale", "create_hypertable", table=table, width=width))
    connection.execute(sql.SQL("select set_chunk_time_interval({table}, {width})").format(table=table, width=width))
    enabled = connection.execute(
        "select compression_enabled from timescaledb_information.hypertables"
        " where hypertable_schema = %s and hypertable_name = %s",
        [feed.name, BARS],
    ).fetchone()
    if enabled != (True,):
        schema = sql.Identifier(feed.name)
        connection.execute(statement("timescale", "enable_columnstore", schema=schema, table=sql.Identifier(BARS)))
