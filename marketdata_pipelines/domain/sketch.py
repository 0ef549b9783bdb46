"""The course of one symbol's bars in a few points, for a glance at a partition; how it is drawn is not here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.frames import float_values, int_values

POINTS = 48
# So few bars are shown one by one; fewer than the least show no course.
FEW, LEAST = 16, 4
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sketch:
    """One symbol's bars of one lake table, in at most POINTS buckets of equal width.

    Clock: buckets are equal in time where all bars are of one session date (a hole shows as a hole), else in bars.
    Empty: a bucket without bars has NaN prices and volume 0; a bucket whose volume is unknown has NaN volume.
    Span:  `first_ts` and `last_ts` are the opens of the first and last bar, UTC.
    """

    table: str
    symbol: str
    symbols: int
    bars: int
    first_ts: datetime
    last_ts: datetime
    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    volumes: Floats


def sketch_tables(tables: Mapping[str, pa.Table], points: int = POINTS) -> Sketch | None:
    """The most traded symbol of tables of the same bars, finest first: few bars as they are, else the finest thinned.

    Each table is sorted by (symbol, ts). The symbol with the greatest sum of close x volume is taken, where no volume
    is known the one with the most bars. None where it has fewer than LEAST bars in every table.
    """
    if not tables or not all({"close", "volume", "ts"} <= set(table.column_names) for table in tables.values()):
        return None
    coarsest = list(tables.values())[-1]
    if not coarsest.num_rows:
        return None
    codes, names = _coded(coarsest)
    starts = np.concatenate([[0], np.flatnonzero(codes[1:] != codes[:-1]) + 1])
    symbol = names[int(codes[starts[_most_traded(coarsest, starts)]])].as_py()
    chosen = _chosen(tables, symbol)
    return None if chosen is None else _sketch(*chosen, symbol, len(starts), points)


def _coded(table: pa.Table) -> tuple[NDArray[np.int32], pa.Array]:
    """The code of each row's symbol, and the symbols by code."""
    column = table["symbol"].combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    return array.indices.to_numpy(zero_copy_only=False), array.dictionary


def _most_traded(table: pa.Table, starts: NDArray[np.int64]) -> int:
    """The position of the run of rows, one run a symbol, with the greatest value."""
    value = float_values(table["close"]) * float_values(table["volume"])
    if table["volume"].null_count:
        value[np.isnan(value)] = 0.0
    traded = np.add.reduceat(value, starts)
    if traded.max() <= 0:
        traded = np.diff(np.append(starts, table.num_rows)).astype(np.float64)
    return int(traded.argmax())


def _bars_of(table: pa.Table, symbol: str) -> pa.Table:
    codes, names = _coded(table)
    code = names.index(symbol).as_py()
    rows = np.flatnonzero(codes == code)
    return table.slice(int(rows[0]), len(rows)) if len(rows) else table.slice(0, 0)


def _chosen(tables: Mapping[str, pa.Table], symbol: str) -> tuple[str, pa.Table] | None:
    """The symbol's bars in the finest table where they are few, else in the finest."""
    found: tuple[str, pa.Table] | None = None
    for name, table in tables.items():
        bars = _bars_of(table, symbol) if table.num_rows else table
        if bars.num_rows < LEAST:
            break
        found = found or (name, bars)
        if bars.num_rows <= FEW:
            return name, bars
    return found


def _sketch(name: str, bars: pa.Table, symbol: str, symbols: int, points: int) -> Sketch:
    bucket, count = _buckets(bars, points)
    opens, highs, lows, closes, volumes = (
        float_values(bars[column]) for column in ("open", "high", "low", "close", "volume")
    )
    starts = np.concatenate([[0], np.flatnonzero(bucket[1:] != bucket[:-1]) + 1])
    ends = np.append(starts[1:], len(bucket)) - 1
    place = bucket[starts]

    def spread(values: Floats, empty: float) -> Floats:
        made = np.full(count, empty)
        made[place] = values
        return made

    ts = bars["ts"]
    return Sketch(
        name, symbol, symbols, bars.num_rows, ts[0].as_py(), ts[-1].as_py(),
        opens=spread(opens[starts], np.nan),
        highs=spread(np.maximum.reduceat(highs, starts), np.nan),
        lows=spread(np.minimum.reduceat(lows, starts), np.nan),
        closes=spread(closes[ends], np.nan),
        volumes=spread(np.add.reduceat(volumes, starts), 0.0),
    )  # fmt: skip


def _buckets(bars: pa.Table, points: int) -> tuple[NDArray[np.int64], int]:
    """The bucket of each bar, not decreasing, and how many buckets there are."""
    total = bars.num_rows
    dates = bars["session_date"] if "session_date" in bars.column_names else None
    if total <= points or dates is None or dates[0] != dates[-1]:
        # As many bars in every bucket but the last, or their volumes could not be compared.
        each = -(-total // points)
        return np.arange(total) // each, -(-total // each)
    ts = int_values(bars["ts"])
    return (ts - ts[0]) * points // (ts[-1] - ts[0] + 1), points
