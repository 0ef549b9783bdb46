"""Runs of bars that repeat one bar's prices, and how usual that is for the symbol."""

import numpy as np

from marketdata_pipelines.domain.quality.grouped_bars import Floats, GroupedBars, Ints, Suspects
from marketdata_pipelines.domain.quality.records import Suspicion
from marketdata_pipelines.domain.quality.suspect_kernel import REPEATED, REPEATED_VOLUME

# Shorter runs are never told.
_LEAST_BARS = 10
_AROUND = 60
_LEAST_FILLED = 0.1
_MOSTLY = 0.8


def find_stale_runs(bars: GroupedBars, marks: np.ndarray) -> Suspects:
    """Runs of at least ten bars with equal prices.

    `value` is the run's length in bars, `scale` the probability that a bar of this symbol repeats the one before: the
    greater share of the whole group and of the bars around, the run left out. Where the run's volumes repeat too (or
    are all zero, or unknown) only such repetitions count as usual. A run whose bars have a range begins after the bar
    that is repeated, one at a single price with its first bar; one without volume ends where bars have some. Where
    trades are rare, prices that stay are no sign: a run with volume must have a bar in one of ten intervals.
    """
    rows = np.flatnonzero(marks & REPEATED)
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    first = rows[np.concatenate(([0], breaks))] if len(rows) else rows
    last = rows[np.concatenate((breaks - 1, [len(rows) - 1]))] if len(rows) else rows
    flat = bars.high[first] == bars.low[first]
    begin = np.where(flat, first - 1, first)
    long = last - begin + 1 >= _LEAST_BARS
    ends = [_trimmed(bars, int(a), int(b)) for a, b in zip(begin[long], last[long], strict=True)]
    begin, last = np.array(ends, np.int64).reshape(-1, 2).T
    told = (last - begin + 1 >= _LEAST_BARS) & _fills(bars, begin, last)
    begin, last = begin[told], last[told]
    usual = np.array([_usual_share(bars, marks, int(a), int(b)) for a, b in zip(begin, last, strict=True)], float)
    length = last - begin + 1
    return Suspects(Suspicion.FLAT, begin, last, length, length.astype(float), usual)


def _trimmed(bars: GroupedBars, first: int, last: int) -> tuple[int, int]:
    """A run that has hardly any volume without the bars at its ends that have some."""
    empty = np.flatnonzero(bars.volume[first : last + 1] == 0)
    if len(empty) < _MOSTLY * (last - first + 1):
        return first, last
    return first + int(empty[0]), first + int(empty[-1])


def _fills(bars: GroupedBars, first: Ints, last: Ints) -> np.ndarray:
    room = (bars.ts[last] - bars.ts[first]) // bars.width_us + 1
    empty = [not bars.volume[a + 1 : b + 1].any() for a, b in zip(first, last, strict=True)]
    return (not bars.is_fine) | (last - first + 1 >= _LEAST_FILLED * room) | np.array(empty, bool)


def _usual_share(bars: GroupedBars, marks: np.ndarray, first: int, last: int) -> float:
    kind = REPEATED_VOLUME if (marks[first + 1 : last + 1] & REPEATED_VOLUME > 0).all() else REPEATED
    group = int(bars.groups_of(np.array([first]))[0])
    if kind == REPEATED and not bars.return_scale[group] > 0:
        # It is traded, and most bars close where the one before did: what stands still is the market.
        return 1.0
    begins, ends = int(bars.starts[group]), int(bars.starts[group + 1])
    around = max(_AROUND, last - first + 1)
    whole = _share(marks, kind, begins, first, last, ends)
    return max(whole, _share(marks, kind, max(begins, first - around), first, last, min(ends, last + 1 + around)))


def _share(marks: np.ndarray, kind: int, begins: int, first: int, last: int, ends: int) -> float:
    others = np.concatenate((marks[begins + 1 : first + 1], marks[last + 2 : ends]))
    # One more of each than was seen: few bars prove little.
    return float((np.count_nonzero(others & kind) + 1) / (len(others) + 2))


def expected_runs(bars: Ints, length: Floats, share: Floats) -> Floats:
    """How many runs of at least `length` bars so many bars of independent repetitions would hold, at most."""
    return np.asarray(bars * np.power(share, np.maximum(length - 1, 0)), np.float64)
