"""Statistics of a column of numbers, taken in pieces of any size and in any order; the memory does not grow with them.

Exact: count, nulls, zeros, least, greatest, mean, standard deviation, and everything up to 4,096 distinct values. With
more of them quantiles are right to 0.1 % of the value, the number of distinct values to about 3 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Buckets of a quantile are this much wider each, so that their middle is off by half of it at most.
_GROWTH = np.log(1.002)
_KEPT_HASHES = 4096
_HASHED_AT_ONCE = 4 * _KEPT_HASHES
_HASHES = float(2**64)
_BLOCKS = "▁▂▃▄▅▆▇█"
# A histogram leaves out this share at either end, or one value would decide its scale.
_TAIL = 0.005


@dataclass(frozen=True, slots=True)
class Summary:
    """What was measured of one column. Without any value, `count` is 0 and everything else None."""

    count: int
    nulls: int
    zeros: int
    distinct: int
    least: float | None
    greatest: float | None
    mean: float | None
    deviation: float | None
    quantiles: tuple[float | None, ...]
    histogram: str


class ColumnStatistics:
    """Takes in values piece by piece."""

    def __init__(self) -> None:
        self.count = self.nulls = self.zeros = 0
        self._mean = self._squares = 0.0
        self._least, self._greatest = np.inf, -np.inf
        # Each value with its count while they are few; then buckets.
        self._few: tuple[Floats, Ints] | None = (np.zeros(0), np.zeros(0, np.int64))
        self._above, self._below = _Buckets(), _Buckets()
        self._hashes = np.zeros(0, np.uint64)

    def add(self, values: Floats) -> None:
        """Take in values; NaN counts as null, infinities as nothing at all."""
        missing = np.isnan(values)
        self.nulls += int(missing.sum())
        found = values[np.isfinite(values)]
        if not len(found):
            return
        self._add_moments(found)
        self._least, self._greatest = min(self._least, float(found.min())), max(self._greatest, float(found.max()))
        self.zeros += len(found) - int(np.count_nonzero(found))
        if self._few is None:
            self._add_many(found, np.ones(len(found), np.int64))
            return
        values, counts = np.unique(np.concatenate((found + 0.0, self._few[0])), return_counts=True)
        counts[np.searchsorted(values, self._few[0])] += self._few[1] - 1
        self._few = (values, counts)
        if len(values) > _KEPT_HASHES:
            self._few = None
            self._add_many(values, counts)

    def quantile(self, share: float) -> float | None:
        """The value below which this share of the values lies; None without any."""
        if not self.count:
            return None
        values, counts = self._steps()
        rank = min(max(share, 0.0), 1.0) * (self.count - 1)
        at = int(np.searchsorted(np.cumsum(counts), rank, "right"))
        return float(np.clip(values[min(at, len(values) - 1)], self._least, self._greatest))

    def summary(self, quantiles: Sequence[float]) -> Summary:
        """Everything, with these quantiles."""
        some = self.count > 0
        return Summary(
            count=self.count,
            nulls=self.nulls,
            zeros=self.zeros,
            distinct=self.distinct,
            least=float(self._least) if some else None,
            greatest=float(self._greatest) if some else None,
            mean=self._mean if some else None,
            deviation=float(np.sqrt(self._squares / (self.count - 1))) if self.count > 1 else None,
            quantiles=tuple(self.quantile(share) for share in quantiles),
            histogram=self.histogram(),
        )

    @property
    def distinct(self) -> int:
        """How many different values there are, about."""
        if self._few is not None:
            return len(self._few[0])
        return round((_KEPT_HASHES - 1) * _HASHES / float(self._hashes[-1]))

    def histogram(self, bars: int = 20) -> str:
        """The middle 99 % of the values as a line of blocks; empty without values, one block where all are equal."""
        if not self.count:
            return ""
        low, high = self.quantile(_TAIL) or 0.0, self.quantile(1 - _TAIL) or 0.0
        if high <= low:
            return _BLOCKS[-1]
        values, counts = self._steps()
        inside = (values >= low) & (values <= high)
        heights, _ = np.histogram(values[inside], bars, (low, high), weights=counts[inside])
        # A bar that has any value is to be seen.
        levels = np.ceil(heights / heights.max() * (len(_BLOCKS) - 1)).astype(int)
        return "".join(_BLOCKS[level] for level in levels)

    def _steps(self) -> tuple[Floats, Ints]:
        """The values, or the middles of their buckets, in order with their counts."""
        if self._few is not None:
            return self._few
        below, below_counts = self._below.steps()
        above, above_counts = self._above.steps()
        zero = np.zeros(1 if self.zeros else 0)
        values = np.concatenate((-below[::-1], zero, above))
        counts = np.concatenate((below_counts[::-1], np.full(len(zero), self.zeros, np.int64), above_counts))
        return values, counts

    def _add_many(self, values: Floats, counts: Ints) -> None:
        positive, negative = values > 0, values < 0
        self._above.add(values[positive], counts[positive])
        self._below.add(-values[negative], counts[negative])
        self._add_hashes(values)

    def _add_moments(self, found: Floats) -> None:
        # Chan's way of joining two means and sums of squares: exact in any order up to rounding.
        count, mean = len(found), float(found.mean())
        total, apart = self.count + count, mean - self._mean
        self._squares += float(((found - mean) ** 2).sum()) + apart**2 * self.count * count / total
        self._mean += apart * count / total
        self.count = total

    def _add_hashes(self, found: Floats) -> None:
        """Keep the smallest hashes: how small the greatest of them is tells how many there are."""
        # -0.0 is 0.0.
        bits = (found + 0.0).view(np.uint64)
        with np.errstate(over="ignore"):
            bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits ^= bits >> np.uint64(31)
        while len(bits):
            # A few at a time until there are enough: then nearly all others are seen to be too great.
            if len(self._hashes) == _KEPT_HASHES:
                bits = bits[bits < self._hashes[-1]]
            piece, bits = bits[:_HASHED_AT_ONCE], bits[_HASHED_AT_ONCE:]
            self._hashes = np.unique(np.concatenate((self._hashes, piece)))[:_KEPT_HASHES]


class _Buckets:
    """Counts of positive values in buckets that widen with the value."""

    def __init__(self) -> None:
        self._first = 0
        self._counts = np.zeros(0, np.int64)

    def add(self, values: Floats, counts: Ints) -> None:
        if not len(values):
            return
        places = np.floor(np.log(values) / _GROWTH).astype(np.int64)
        first, last = int(places.min()), int(places.max())
        if not len(self._counts):
            self._first = first
        low, high = min(first, self._first), max(last + 1, self._first + len(self._counts))
        if (low, high) != (self._first, self._first + len(self._counts)):
            wider = np.zeros(high - low, np.int64)
            wider[self._first - low : self._first - low + len(self._counts)] = self._counts
            self._first, self._counts = low, wider
        self._counts[first - low : last - low + 1] += np.bincount(
            places - first, counts, minlength=last - first + 1
        ).astype(np.int64)

    def steps(self) -> tuple[Floats, Ints]:
        """Middles of the buckets that have values, in order, and their counts."""
        used = np.flatnonzero(self._counts)
        return np.exp((used + self._first + 0.5) * _GROWTH), self._counts[used]
