"""Combining bars into coarser bars: the one kernel that batch and live bars share.

`_start` and `_add` are the rule itself: open is the first bar's, high the greatest, low the least, close the
last bar's, everything that adds up is summed in time order. Sums are carried (volume, notional, counts), never
averages. Which bucket a bar is in is decided by its open; buckets without bars give no row (see `gaps`).
"""

from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Columns of the float and integer accumulators.
OPEN, HIGH, LOW, CLOSE, VOLUME, NOTIONAL = range(6)
BUCKET, BUCKET_END, COMPLETE, TRADES, BARS, FIRST, LAST, CODE = range(8)
UNKNOWN_COUNT = -1


@dataclass(frozen=True, slots=True)
class BarColumns:
    """N bars sorted by (code, ts), unique, as arrays.

    Units: prices and notional in quote currency, volume in base units, times in UTC microseconds.
    Unknown volume and notional are NaN, an unknown trade_count is -1; both make the bucket's unknown.
    For base bars `bars`, `first` and `last` are ones, `ts` and `ts`.
    """

    code: NDArray[np.int32]
    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    notional: Floats
    trades: Ints
    bars: Ints
    first: Ints
    last: Ints

    def __len__(self) -> int:
        return len(self.ts)

    def take(self, selected: NDArray[np.bool_]) -> "BarColumns":
        return BarColumns(*(getattr(self, name)[selected] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Buckets:
    """M buckets in order of (code, bucket): floats[:, OPEN..NOTIONAL], ints[:, BUCKET..CODE]."""

    floats: Floats
    ints: Ints

    def __len__(self) -> int:
        return len(self.ints)


def typical_notional(high: Floats, low: Floats, close: Floats, volume: Floats, vwap: Floats) -> Floats:
    """Sum of price x volume of each bar: the source's vwap where given (not NaN), else (h + l + c) / 3."""
    notional: Floats = _notional(high, low, close, volume, vwap)
    return notional


def aggregate_widths(
    bars: BarColumns, anchor: Ints, limit: Ints, complete: Ints, widths_us: tuple[int, ...]
) -> list[Buckets]:
    """Combine bars into buckets of each fixed width, reading the bars once.

    Shape:   N bars sorted by (code, ts); one `Buckets` per width, in the order of `widths_us` (finest first).
    Bounds:  bucket = anchor + floor((ts - anchor) / width) * width, end exclusive and cut at `limit`; a bar that
             opens before its anchor (it only overlaps the segment) counts as opening at it, one that opens at its
             limit (the closing auction's own) joins the last bucket. `complete` is when a bucket that reaches
             `limit` is complete.
    Sums:    a width is folded from the buckets of the coarsest width before it that divides it, else from the bars.
    """
    segments = (anchor, limit, complete)
    made: list[tuple[Buckets, Ints]] = []
    for position, width in enumerate(widths_us):
        finer = [at for at in range(position) if width % widths_us[at] == 0]
        if finer:
            buckets, origin = made[finer[-1]]
            folded, rows = _fold(bucket_columns(buckets), tuple(values[origin] for values in segments), width)
            made.append((folded, origin[rows]))
        else:
            made.append(_fold(bars, segments, width))
    return [buckets for buckets, _ in made]


def _fold(bars: BarColumns, segments: tuple[Ints, ...], width: int) -> tuple[Buckets, Ints]:
    """Buckets of one width, and the row of each one's first bar."""
    anchor, limit, complete = segments
    count = int(_count_buckets(bars.code, bars.ts, anchor, limit, width))
    floats, ints = _empty_buckets(count)
    origin = np.empty(count, np.int64)
    _fold_width(
        bars.code, bars.ts, anchor, limit, complete, width, bars.open, bars.high, bars.low, bars.close, bars.volume,
        bars.notional, bars.trades, bars.bars, bars.first, bars.last, floats, ints, origin,
    )  # fmt: skip
    return Buckets(floats, ints), origin


def _empty_buckets(count: int) -> tuple[Floats, Ints]:
    # Column by column in memory: each column leaves as an Arrow array without a copy.
    return np.empty((count, 6), order="F"), np.empty((count, 8), np.int64, order="F")


def bucket_columns(buckets: Buckets) -> BarColumns:
    """Buckets as bars, to be combined further."""
    floats, ints = buckets.floats, buckets.ints
    return BarColumns(
        ints[:, CODE].astype(np.int32), ints[:, BUCKET],
        floats[:, OPEN], floats[:, HIGH], floats[:, LOW], floats[:, CLOSE], floats[:, VOLUME], floats[:, NOTIONAL],
        ints[:, TRADES], ints[:, BARS], ints[:, FIRST], ints[:, LAST],
    )  # fmt: skip


def aggregate_groups(bars: BarColumns, group: Ints, labels: Ints, ends: Ints) -> Buckets:
    """Combine runs of bars with the same (code, group).

    Shape:   `group` gives each bar's position in `labels` (the bucket's ts) and `ends` (when it is complete);
             it must not decrease within a code.
    """
    count = int(_count_groups(bars.code, group))
    floats, ints = _empty_buckets(count)
    _fold_groups(
        bars.code, bars.ts, group, labels, ends, bars.open, bars.high, bars.low, bars.close, bars.volume,
        bars.notional, bars.trades, bars.bars, bars.first, bars.last, floats, ints,
    )  # fmt: skip
    return Buckets(floats, ints)


@nb.njit(cache=True, nogil=True)
def _notional(high, low, close, volume, vwap):
    notional = np.empty(len(high))
    for n in range(len(high)):
        price = (high[n] + low[n] + close[n]) / 3.0 if np.isnan(vwap[n]) else vwap[n]
        notional[n] = price * volume[n]
    return notional


@nb.njit(inline="always")
def _start(f, i, k, code, bucket, end, complete, o, h, l, c, v, q, trades, bars, first, last):
    f[k, OPEN] = o
    f[k, HIGH] = h
    f[k, LOW] = l
    f[k, CLOSE] = c
    f[k, VOLUME] = v
    f[k, NOTIONAL] = q
    i[k, BUCKET] = bucket
    i[k, BUCKET_END] = end
    i[k, COMPLETE] = complete
    i[k, TRADES] = trades
    i[k, BARS] = bars
    i[k, FIRST] = first
    i[k, LAST] = last
    i[k, CODE] = code


@nb.njit(inline="always")
def _add(f, i, k, h, l, c, v, q, trades, bars, last):
    if h > f[k, HIGH]:
        f[k, HIGH] = h
    if l < f[k, LOW]:
        f[k, LOW] = l
    f[k, CLOSE] = c
    f[k, VOLUME] += v
    f[k, NOTIONAL] += q
    if trades == UNKNOWN_COUNT or i[k, TRADES] == UNKNOWN_COUNT:
        i[k, TRADES] = UNKNOWN_COUNT
    else:
        i[k, TRADES] += trades
    i[k, BARS] += bars
    i[k, LAST] = last


@nb.njit(cache=True, nogil=True)
def _count_buckets(code, ts, anchor, limit, width):
    count = 0
    end = np.int64(0)
    for n in range(len(ts)):
        at = min(max(ts[n], anchor[n]), limit[n] - 1)
        if n == 0 or code[n] != code[n - 1] or at >= end:
            count += 1
            end = min(anchor[n] + ((at - anchor[n]) // width + 1) * width, limit[n])
    return count


@nb.njit(cache=True, nogil=True)
def _fold_width(code, ts, anchor, limit, complete, width, o, h, l, c, v, q, trades, bars, first, last, f, i, origin):
    k = -1
    end = np.int64(0)
    for n in range(len(ts)):
        at = min(max(ts[n], anchor[n]), limit[n] - 1)
        if n == 0 or code[n] != code[n - 1] or at >= end:
            k += 1
            bucket = anchor[n] + (at - anchor[n]) // width * width
            whole = bucket + width
            end = min(whole, limit[n])
            done = whole if whole < limit[n] else complete[n]
            _start(f, i, k, code[n], bucket, end, done, o[n], h[n], l[n], c[n], v[n], q[n],
                   trades[n], bars[n], first[n], last[n])  # fmt: skip
            origin[k] = n
        else:
            _add(f, i, k, h[n], l[n], c[n], v[n], q[n], trades[n], bars[n], last[n])


@nb.njit(cache=True, nogil=True)
def _count_groups(code, group):
    count = 0
    for n in range(len(code)):
        if n == 0 or code[n] != code[n - 1] or group[n] != group[n - 1]:
            count += 1
    return count


@nb.njit(cache=True, nogil=True)
def _fold_groups(code, ts, group, labels, ends, o, h, l, c, v, q, trades, bars, first, last, f, i):
    k = -1
    for n in range(len(ts)):
        if n == 0 or code[n] != code[n - 1] or group[n] != group[n - 1]:
            k += 1
            g = group[n]
            _start(f, i, k, code[n], labels[g], ends[g], ends[g], o[n], h[n], l[n], c[n], v[n], q[n],
                   trades[n], bars[n], first[n], last[n])  # fmt: skip
        else:
            _add(f, i, k, h[n], l[n], c[n], v[n], q[n], trades[n], bars[n], last[n])
