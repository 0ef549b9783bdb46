"""One partition's validated bars into aggregates of every timeframe, and 1d bars into coarser ones."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.aggregation import (
    FIRST,
    BarColumns,
    aggregate_groups,
    aggregate_widths,
    bucket_columns,
)
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import (
    aggregate_columns,
    bucket_table,
    coded_columns,
    int_values,
    label_days,
    placed_session_days,
    symbol_codes,
)
from marketdata_pipelines.domain.intervals import DAY_US, INTRADAY, parse_interval, table_name
from marketdata_pipelines.domain.labels import day_buckets
from marketdata_pipelines.domain.session_grid import Ints, SessionGrid
from marketdata_pipelines.errors import BarsNotSorted

# Rows that fit the processor's caches with their columns; slices also go side by side on several cores.
SLICE_ROWS = 1 << 18


@dataclass(frozen=True, slots=True)
class PartitionAggregates:
    """The intraday tables of a partition by lake table name, and its 1d bars (AGGREGATE_SCHEMA)."""

    intraday: dict[str, pa.Table]
    daily: pa.Table


def aggregate_partition(feed: Feed, grid: SessionGrid, bars: pa.Table, horizon_us: int) -> PartitionAggregates:
    """Combine a partition's validated bars into every timeframe up to a session, reading them once.

    Shape:   `bars` has BAR_SCHEMA; extended-hours bars are left out for `anchor: session`.
    Labels:  1d bars are labelled at midnight UTC of the session date; of a feed of daily bars they are the bars
             themselves with their sums.
    """
    codes, symbols = symbol_codes(bars["symbol"])
    if (codes[1:] < codes[:-1]).any():
        raise BarsNotSorted("bars must increase by (symbol, ts); sort and deduplicate them")
    work = _SliceWork(feed, grid, horizon_us)
    slices = _symbol_slices(codes)
    if len(slices) == 1:
        return work.aggregate(bars, codes, symbols)
    pieces = ((bars.slice(*part), codes[part[0] : sum(part)], symbols) for part in slices)
    return _side_by_side(work, pieces)


def aggregate_batches(
    feed: Feed, grid: SessionGrid, batches: Iterable[pa.Table], horizon_us: int
) -> PartitionAggregates:
    """Like `aggregate_partition`, over consecutive batches of the sorted bars: memory is a few batches.

    Errors: BarsNotSorted also when a batch begins before the one ahead of it ends.
    """
    return _side_by_side(_SliceWork(feed, grid, horizon_us), _whole_symbols(batches))


def _side_by_side(work: "_SliceWork", pieces: Iterable["_Piece"]) -> PartitionAggregates:
    """Aggregate pieces on all cores, with no more of them in memory than cores need."""
    cores = os.cpu_count() or 1
    waiting: deque[Future[PartitionAggregates]] = deque()
    made = []
    with ThreadPoolExecutor(cores) as pool:
        for piece in pieces:
            waiting.append(pool.submit(work.aggregate, *piece))
            if len(waiting) > cores:
                made.append(waiting.popleft().result())
        made += [future.result() for future in waiting]
    if not made:
        return work.nothing()
    intraday = {name: _joined([part.intraday[name] for part in made]) for name in made[0].intraday}
    return PartitionAggregates(intraday, _joined([part.daily for part in made]))


_Piece = tuple[pa.Table, NDArray[np.int32], list[str]]


def _whole_symbols(batches: Iterable[pa.Table]) -> Iterator[_Piece]:
    """The same rows in order, cut so that no symbol is in two tables."""
    held: pa.Table | None = None
    for batch in batches:
        rows = batch if held is None else pa.concat_tables([held, batch])
        codes, symbols = symbol_codes(rows["symbol"])
        if (codes[1:] < codes[:-1]).any():
            raise BarsNotSorted("bars must increase by (symbol, ts) from batch to batch; sort and deduplicate them")
        if not len(codes):
            continue
        cut = int(np.searchsorted(codes, codes[-1], "left"))
        if cut:
            yield rows.slice(0, cut), codes[:cut], symbols
        held = rows.slice(cut)
    if held is not None:
        codes, symbols = symbol_codes(held["symbol"])
        yield held, codes, symbols


@dataclass(frozen=True, slots=True)
class _SliceWork:
    """Aggregates whole symbols: slices of a partition are independent of each other."""

    feed: Feed
    grid: SessionGrid
    horizon_us: int

    @property
    def names(self) -> list[str]:
        return [name for name in self.feed.timeframes if name in INTRADAY]

    def nothing(self) -> PartitionAggregates:
        empty = AGGREGATE_SCHEMA.empty_table()
        return PartitionAggregates({table_name(name): empty for name in self.names}, empty)

    def aggregate(self, bars: pa.Table, codes: NDArray[np.int32], symbols: list[str]) -> PartitionAggregates:
        columns = _regular(coded_columns(bars, codes), bars)
        if not len(columns) or not len(self.grid.dates):
            return self.nothing()
        placement = self.grid.place(columns.ts)
        widths = tuple(parse_interval(name).us for name in self.names)
        made = aggregate_widths(columns, placement.anchor, placement.limit, placement.complete, widths)
        intraday = {}
        for name, buckets in zip(self.names, made, strict=True):
            days = placed_session_days(self.grid.place(buckets.ints[:, FIRST]), self.grid.dates)
            intraday[table_name(name)] = bucket_table(buckets, symbols, days, self.horizon_us)
        # A session is made of whole buckets of the coarsest intraday timeframe.
        finer = bucket_columns(made[-1]) if made else columns
        session = self.grid.place(finer.first).session
        labels = self.grid.dates.astype(np.int64) * DAY_US
        sessions = aggregate_groups(finer, session, labels, self.grid.completes)
        return PartitionAggregates(intraday, bucket_table(sessions, symbols, label_days(sessions), self.horizon_us))


def _symbol_slices(codes: NDArray[np.int32]) -> list[tuple[int, int]]:
    """(start, length) of runs of whole symbols of about SLICE_ROWS rows; one slice at least."""
    slices, start = [], 0
    while len(codes) - start > SLICE_ROWS * 3 // 2:
        # The last symbol that begins within the slice's length ends it; a longer symbol is a slice of its own.
        end = int(np.searchsorted(codes, codes[start + SLICE_ROWS], "left"))
        if end <= start:
            end = int(np.searchsorted(codes, codes[start], "right"))
        slices.append((start, end - start))
        start = end
    return [*slices, (start, len(codes) - start)]


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Tables of consecutive slices as one, with one symbol dictionary of the symbols that occur, in order."""
    if len(tables) == 1:
        return tables[0]
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


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


def aggregate_all_hours(feed: Feed, grid: SessionGrid, bars: pa.Table, horizon_us: int) -> PartitionAggregates:
    """Like `aggregate_partition`, with the extended hours: their buckets are apart from the regular session's."""
    position = bars.schema.get_field_index("regular")
    everything = bars.set_column(position, "regular", pa.array(np.ones(bars.num_rows, bool)))
    return aggregate_partition(feed, grid.with_extended_segments(), everything, horizon_us)


def _regular(columns: BarColumns, bars: pa.Table) -> BarColumns:
    regular = bars["regular"].to_numpy()
    return columns if regular.all() else columns.take(regular)
