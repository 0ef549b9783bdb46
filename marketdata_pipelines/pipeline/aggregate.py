"""One partition's validated bars into aggregates of every timeframe, and 1d bars into coarser ones."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.aggregation import BarColumns, aggregate_groups, aggregate_widths
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import (
    aggregate_columns,
    bar_columns,
    bucket_table,
    int_values,
    label_days,
    placed_session_days,
)
from marketdata_pipelines.domain.intervals import DAY_US, INTRADAY, parse_interval, table_name
from marketdata_pipelines.domain.labels import day_buckets
from marketdata_pipelines.domain.session_grid import Ints, SessionGrid


def aggregate_intraday(feed: Feed, grid: SessionGrid, bars: pa.Table, horizon_us: int) -> dict[str, pa.Table]:
    """The intraday tables of a partition, by lake table name, all in one pass.

    Shape:   `bars` has BAR_SCHEMA; extended-hours bars are left out for `anchor: session`.
    """
    names = [name for name in feed.timeframes if name in INTRADAY]
    if not names:
        return {}
    columns, symbols = bar_columns(bars)
    columns = _regular(columns, bars)
    placement = grid.place(columns.ts)
    widths = tuple(parse_interval(name).us for name in names)
    made = aggregate_widths(columns, placement.anchor, placement.limit, placement.complete, widths)
    tables = {}
    for name, buckets in zip(names, made, strict=True):
        days = placed_session_days(grid.place(buckets.ints[:, 5].copy()), grid.dates)
        tables[table_name(name)] = bucket_table(buckets, symbols, days, horizon_us)
    return tables


def aggregate_sessions(feed: Feed, grid: SessionGrid, bars: pa.Table, horizon_us: int) -> pa.Table:
    """One bar a symbol and session (AGGREGATE_SCHEMA), labelled at midnight UTC of the session date.

    For feeds of daily bars these are the bars themselves with their sums.
    """
    columns, symbols = bar_columns(bars)
    columns = _regular(columns, bars)
    if not len(columns) or not len(grid.dates):
        return AGGREGATE_SCHEMA.empty_table()
    session = grid.place(columns.ts).session
    labels = grid.dates.astype(np.int64) * DAY_US
    buckets = aggregate_groups(columns, session, labels, grid.completes)
    return bucket_table(buckets, symbols, label_days(buckets), horizon_us)


def aggregate_days(feed: Feed, daily: pa.Table, timeframe: str, horizon_us: int) -> pa.Table:
    """2d, 1w or 1M bars (AGGREGATE_SCHEMA) of 1d bars that cover their buckets whole."""
    columns, symbols = aggregate_columns(daily)
    if not len(columns):
        return AGGREGATE_SCHEMA.empty_table()
    days = columns.ts // DAY_US
    group, labels, ends = day_buckets(feed, days, timeframe)
    buckets = aggregate_groups(columns, group, labels * DAY_US, ends)
    return bucket_table(buckets, symbols, label_days(buckets), horizon_us)


def labelled_between(aggregates: pa.Table, start: date, end: date) -> pa.Table:
    """The rows whose label lies in start..end, both included."""
    first = (start - date(1970, 1, 1)).days * DAY_US
    last = (end + timedelta(days=1) - date(1970, 1, 1)).days * DAY_US
    ts: Ints = int_values(aggregates["ts"])
    return aggregates.filter(pa.array((ts >= first) & (ts < last)))


def _regular(columns: BarColumns, bars: pa.Table) -> BarColumns:
    regular = bars["regular"].to_numpy()
    return columns if regular.all() else columns.take(regular)
