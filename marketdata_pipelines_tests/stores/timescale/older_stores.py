"""A store as programs of layout 0005 left it, whose series had no scale of vwaps; nothing here asserts."""

from dataclasses import replace

import pyarrow as pa
import pytest
from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.timescale import migrating, templates
from marketdata_pipelines.stores.timescale.base_rows import COLUMNS, PreparedBars, Series, arrange_rows, prepare_bars
from marketdata_pipelines.stores.timescale.chunks import make_chunks
from marketdata_pipelines.stores.timescale.copying import copy_into
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.feed_layout import definition_of
from marketdata_pipelines.stores.timescale.ledger import checksum_of, write_published
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.migrating import migrations
from marketdata_pipelines.stores.timescale.partitions import Told
from marketdata_pipelines.stores.timescale.replacing import replace_clock
from marketdata_pipelines.stores.timescale.roles import grant_schema
from marketdata_pipelines.stores.timescale.rollups import Window, create_rollups, refresh_buckets, replace_buckets
from marketdata_pipelines.stores.timescale.templates import statement
from marketdata_pipelines.stores.timescale.windows import partition_window, window_clock
from marketdata_pipelines_tests.builders import LATER

# The statements of then, where they were others.
_VIEW = """
create or replace view {schema}.{view} as
select s.symbol,
       b.ts,
       {ts_close} as ts_close,
       b.st::date as session_date,
       b.open / power(10::float8, s.price_scale::float8) as open,
       b.high / power(10::float8, s.price_scale::float8) as high,
       b.low / power(10::float8, s.price_scale::float8) as low,
       b.close / power(10::float8, s.price_scale::float8) as close,
       b.volume / power(10::float8, s.volume_scale::float8) as volume,
       b.vwap,
       b.trade_count,
       b.regular,
       b.st
from {schema}.bars b
join marketdata.series s on s.series_id = b.series_id
"""
_CONTINUOUS = """
create materialized view if not exists {schema}.{rollup}
with (timescaledb.continuous, timescaledb.materialized_only = true) as
select b.series_id,
       time_bucket({width}, b.st) as st,
       first(b.open, b.st) as open,
       max(b.high) as high,
       min(b.low) as low,
       last(b.close, b.st) as close,
       case when count(b.volume) = count(*) then sum(b.volume)::{number} end as volume,
       case when count(b.volume) = count(*) then
           coalesce(sum(b.vwap * b.volume), 0) / power(10::float8, min(s.volume_scale)::float8)
           + coalesce(sum(
               (b.high::float8 + b.low::float8 + b.close::float8) * b.volume::float8
             ) filter (where b.vwap is null), 0)
           / (3 * power(10::float8, (min(s.price_scale) + min(s.volume_scale))::float8))
       end as notional,
       count(*) as bar_count,
       case when count(b.trade_count) = count(*) then sum(b.trade_count)::bigint end as trade_count,
       min(b.ts) as first_ts,
       max(b.ts) as last_ts
from {schema}.bars b
join marketdata.series s on s.series_id = b.series_id
where b.regular
group by b.series_id, time_bucket({width}, b.st)
with no data
"""
_INSERT = """
insert into {schema}.{rollup} (
    series_id, st, open, high, low, close, volume, notional, bar_count, trade_count, first_ts, last_ts
)
select b.series_id,
       date_bin({width}, b.st, timestamp '2000-01-03') as bucket,
       (array_agg(b.open order by b.st))[1],
       max(b.high),
       min(b.low),
       (array_agg(b.close order by b.st))[count(*)::int],
       case when count(b.volume) = count(*) then sum(b.volume)::{number} end,
       case when count(b.volume) = count(*) then
           coalesce(sum(b.vwap * b.volume), 0) / power(10::float8, min(s.volume_scale)::float8)
           + coalesce(sum(
               (b.high::float8 + b.low::float8 + b.close::float8) * b.volume::float8
             ) filter (where b.vwap is null), 0)
           / (3 * power(10::float8, (min(s.price_scale) + min(s.volume_scale))::float8))
       end,
       count(*),
       case when count(b.trade_count) = count(*) then sum(b.trade_count)::bigint end,
       min(b.ts),
       max(b.ts)
from {schema}.bars b
join marketdata.series s on s.series_id = b.series_id
where b.regular
  and b.st >= %(first)s
  and b.st < %(last)s
  and (%(series)s::int[] is null or b.series_id = any(%(series)s::int[]))
group by b.series_id, bucket
"""
_OLDER = {"create_bars_view": _VIEW, "create_rollup_of_bars": _CONTINUOUS, "insert_rollup_of_bars": _INSERT}
_CHUNK_DAYS = 7
_BIGINT = sql.SQL("bigint")


def make_older_store(database: Database, feed: Feed, partition: str, bars: pa.Table, inputs: str) -> None:
    """One partition of a feed whose values are decimal, as it was published then."""
    is_timescale = database.engine.is_timescale
    window = partition_window(feed, VALIDATED_BARS, partition)
    clock = window_clock(feed, window)
    prepared = prepare_bars(feed, window, clock, bars)
    current = templates._text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrating, "migrations", lambda: migrations()[:5])
        patch.setattr(templates, "_text", lambda engine, name: _OLDER.get(name) or current(engine, name))
        database.migrate()
        with database.connection() as connection:
            _make_feed(connection, feed, is_timescale=is_timescale)
        with database.connection() as connection:
            _write_rows(connection, feed, window, prepared, is_timescale=is_timescale)
            replace_clock(connection, feed, window, clock)
            _note(connection, feed, partition, prepared, inputs)
        if is_timescale:
            with database.connection(autocommit=True) as connection:
                refresh_buckets(connection, feed, window)


def _make_feed(connection: Connection, feed: Feed, *, is_timescale: bool) -> None:
    schema = sql.Identifier(feed.name)
    connection.execute(
        "insert into marketdata.feeds (feed, layout, chunk_days, definition, interval_us)"
        " values (%s, 'ticks', %s, %s, %s)",
        [feed.name, _CHUNK_DAYS, definition_of(feed), feed.interval.us],
    )
    connection.execute(statement("postgres", "create_feed_schema", schema=schema))
    grant_schema(connection, feed.name)
    options = sql.SQL("" if is_timescale else "partition by range (st)")
    connection.execute(statement("postgres", "create_bars", schema=schema, number=_BIGINT, options=options))
    if is_timescale:
        table = sql.Literal(f"{feed.name}.bars")
        width = sql.SQL("interval '7 days'")
        connection.execute(statement("timescale", "create_hypertable", table=table, width=width))
        connection.execute(statement("timescale", "enable_columnstore", schema=schema, table=sql.Identifier("bars")))
    create_rollups(connection, feed, _BIGINT, is_timescale=is_timescale)
    minutes = sql.SQL("b.ts + interval '1 minute'")
    connection.execute(
        statement("postgres", "create_bars_view", schema=schema, view=sql.Identifier("bars_1m"), ts_close=minutes)
    )


def _write_rows(
    connection: Connection, feed: Feed, window: Window, prepared: PreparedBars, *, is_timescale: bool
) -> None:
    scales = zip(prepared.symbols, prepared.price_scales.tolist(), prepared.volume_scales.tolist(), strict=True)
    series = []
    for symbol, price_scale, volume_scale in scales:
        row = connection.execute(
            "insert into marketdata.series (feed, symbol, price_scale, volume_scale) values (%s, %s, %s, %s)"
            " returning series_id",
            [feed.name, symbol, price_scale, volume_scale],
        ).fetchone()
        assert row is not None
        series.append(Series(row[0], price_scale, volume_scale))
    if not is_timescale:
        make_chunks(connection, feed.name, _CHUNK_DAYS, window)
    copy_into(connection, feed.name, "bars", COLUMNS, arrange_rows(prepared, series, in_ticks=True).table)
    if not is_timescale:
        replace_buckets(connection, feed, _BIGINT, window, None)


def _note(connection: Connection, feed: Feed, partition: str, prepared: PreparedBars, inputs: str) -> None:
    told = Told(VALIDATED_BARS, partition, inputs, LATER).entry(feed.name)
    sizes = (prepared.bars.num_rows, len(prepared.symbols))
    entry = replace(told, rows=sizes[0], symbols=sizes[1], checksum=checksum_of([]), rolled=True)
    write_published(connection, entry)
