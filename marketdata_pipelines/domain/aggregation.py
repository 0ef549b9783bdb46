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
    price = np.where(np.isnan(vwap), (high + low + close) / 3.0, vwap)
    return price * volume


def aggregate_widths(
    bars: BarColumns, anchor: Ints, limit: Ints, complete: Ints, widths_us: tuple[int, ...]
) -> list[Buckets]:
    """Combine bars into buckets of each fixed width, all widths in one pass.

    Shape:   N bars sorted by (code, ts); one `Buckets` per width, in the order of `widths_us`.
    Bounds:  bucket = anchor + floor((ts - anchor) / width) * width, end exclusive and cut at `limit`; a bar that
             opens before its anchor (it only overlaps the segment) counts as opening at it. `complete` is when a
             bucket that reaches `limit` is complete.
    """
    widths = np.array(widths_us, np.int64)
    counts = np.zeros(len(widths), np.int64)
    arguments = (bars.code, bars.ts, anchor, limit, widths)
    _count_buckets(*arguments, counts)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    floats = np.empty((int(offsets[-1]), 6))
    ints = np.empty((int(offsets[-1]), 8), np.int64)
    _fold_widths(
        *arguments, complete, bars.open, bars.high, bars.low, bars.close, bars.volume, bars.notional,
        bars.trades, bars.bars, bars.first, bars.last, offsets[:-1].copy(), floats, ints,
    )  # fmt: skip
    return [Buckets(floats[a:b], ints[a:b]) for a, b in zip(offsets[:-1], offsets[1:], strict=True)]


def aggregate_groups(bars: BarColumns, group: Ints, labels: Ints, ends: Ints) -> Buckets:
    """Combine runs of bars with the same (code, group).

    Shape:   `group` gives each bar's position in `labels` (the bucket's ts) and `ends` (when it is complete);
             it must not decrease within a code.
    """
    count = int(_count_groups(bars.code, group))
    floats = np.empty((count, 6))
    ints = np.empty((count, 8), np.int64)
    _fold_groups(
        bars.code, bars.ts, group, labels, ends, bars.open, bars.high, bars.low, bars.close, bars.volume,
        bars.notional, bars.trades, bars.bars, bars.first, bars.last, floats, ints,
    )  # fmt: skip
    return Buckets(floats, ints)


@nb.njit(inline="always")
def _start(f, i, k, code, bucket, end, complete, o, h, l, c, v, q, trades, bars, first, last):  # type: ignore[no-untyped-def]  # noqa: E741
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
def _add(f, i, k, h, l, c, v, q, trades, bars, last):  # type: ignore[no-untyped-def]  # noqa: E741
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
def _count_buckets(code, ts, anchor, limit, widths, counts):  # type: ignore[no-untyped-def]
    end = np.full(len(widths), np.int64(-(2**62)))
    previous = np.int64(-1)
    for n in range(len(ts)):
        at = max(ts[n], anchor[n])
        fresh = code[n] != previous
        previous = code[n]
        for w in range(len(widths)):
            if fresh or at >= end[w]:
                counts[w] += 1
                end[w] = min(anchor[n] + ((at - anchor[n]) // widths[w] + 1) * widths[w], max(limit[n], at + 1))


@nb.njit(cache=True, nogil=True)
def _fold_widths(code, ts, anchor, limit, widths, complete, o, h, l, c, v, q, trades, bars, first, last, at_row, f, i):  # type: ignore[no-untyped-def]  # noqa: E741
    slots = at_row - 1
    end = np.full(len(widths), np.int64(-(2**62)))
    previous = np.int64(-1)
    for n in range(len(ts)):
        at = max(ts[n], anchor[n])
        fresh = code[n] != previous
        previous = code[n]
        for w in range(len(widths)):
            if fresh or at >= end[w]:
                slots[w] += 1
                bucket = anchor[n] + (at - anchor[n]) // widths[w] * widths[w]
                whole = bucket + widths[w]
                end[w] = min(whole, max(limit[n], at + 1))
                done = whole if whole < limit[n] else complete[n]
                _start(f, i, slots[w], code[n], bucket, end[w], done, o[n], h[n], l[n], c[n], v[n], q[n],
                       trades[n], bars[n], first[n], last[n])  # fmt: skip
            else:
                _add(f, i, slots[w], h[n], l[n], c[n], v[n], q[n], trades[n], bars[n], last[n])


@nb.njit(cache=True, nogil=True)
def _count_groups(code, group):  # type: ignore[no-untyped-def]
    count = 0
    for n in range(len(code)):
        if n == 0 or code[n] != code[n - 1] or group[n] != group[n - 1]:
            count += 1
    return count


@nb.njit(cache=True, nogil=True)
def _fold_groups(code, ts, group, labels, ends, o, h, l, c, v, q, trades, bars, first, last, f, i):  # type: ignore[no-untyped-def]  # noqa: E741
    k = -1
    for n in range(len(ts)):
        if n == 0 or code[n] != code[n - 1] or group[n] != group[n - 1]:
            k += 1
            g = group[n]
            _start(f, i, k, code[n], labels[g], ends[g], ends[g], o[n], h[n], l[n], c[n], v[n], q[n],
                   trades[n], bars[n], first[n], last[n])  # fmt: skip
        else:
            _add(f, i, k, h[n], l[n], c[n], v[n], q[n], trades[n], bars[n], last[n])
