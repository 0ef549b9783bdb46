"""1d bars of a range, raw, wherever a feed keeps them: for answers that are combined from days."""

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.intervals import table_name
from marketdata_pipelines.domain.partitions import partition_key, partition_span, period_of
from marketdata_pipelines.serving.rows import RowSource
from marketdata_pipelines.serving.symbols import sorted_rows
from marketdata_pipelines.stores.lake.lake import Lake

_DAILY = table_name("1d")


def daily_bars(lake: Lake, source: RowSource, first: date | None, last: date | None) -> pa.Table:
    """1d bars dated first..last, both included; None is open.

    Shape:   AGGREGATE_SCHEMA, sorted by (symbol, ts); without rows where nothing is there.
    """
    feed, period = source.feed, period_of(source.feed.partition)
    keys = (partition_key(first, period) if first else "", partition_key(last, period) if last else "9999-99-99")
    stores_days = any(_DAILY in table_set.tables for table_set in t.feed_tables(feed))
    name = _DAILY if stores_days else t.VALIDATED_BARS
    horizons = {} if stores_days else source.horizons()
    tables = [AGGREGATE_SCHEMA.empty_table()]
    for key, rows in source.rows(name, *keys).tables(lake, feed.name, name):
        tables.append(rows if stores_days else _days(source, key, rows, horizons.get(key, 0)))
    whole = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    return _between(whole, first, last)


def _days(source: RowSource, key: str, bars: pa.Table, horizon_us: int) -> pa.Table:
    """Validated daily bars with their sums."""
    from marketdata_pipelines.domain.session_grid import SessionGrid
    from marketdata_pipelines.pipeline.aggregate import aggregate_partition

    start, end = partition_span(key, period_of(source.feed.partition))
    grid = SessionGrid(source.feed, start - timedelta(days=4), end + timedelta(days=4))
    return aggregate_partition(source.feed, grid, bars, horizon_us).daily


def _between(bars: pa.Table, first: date | None, last: date | None) -> pa.Table:
    for bound, keep in ((first, pc.greater_equal), (last, pc.less_equal)):
        if bound is not None:
            bars = bars.filter(keep(bars["session_date"], pa.scalar(bound, pa.date32())))
    return sorted_rows(bars, "symbol", "ts")
