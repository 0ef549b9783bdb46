"""How well a bar fits those around it: the measure that every repair's confidence is made of.

    fit         1 / (1 + (off / allowed) ^ 4): 1 inside the range of the two bars on either side, 1/2 where it lies
                `allowed` outside of it, near 0 beyond twice that
    allowed     4 usual steps from close to close (times the root of the bars between) + 2 usual spreads
    support     1 - 1 / 2^(n + 1) of n bars near by, at most 10: without any the fit says little
    confidence  fit as repaired x (1 - fit as it was) x support

Usual means the median of the partition's bars of the symbol, those in question left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEAREST = 2
_NEAR = 5
# Prices are rounded; two that differ by less say the same.
_FLOOR = 2e-4
# Steps in a symbol of which nothing is known yet.
_UNKNOWN_STEP = 0.01
_FURTHEST_BARS = 30
# Volumes vary by their nature: even a steady symbol's differ by a factor of two from bar to bar. So do ranges.
_LEAST_VOLUME_STEP = 0.7
_LEAST_RANGE_STEP = 0.5


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the bars near an instant allow: a range on the scale of `SymbolBars`, and how far outside is likely.

    `before` and `after` are the prices right beside it, None where there are none; `bars` how many are near.
    """

    low: float
    high: float
    allowed: float
    bars: int
    before: float | None
    after: float | None
    usual_volume: float
    volume_step: float
    usual_range: float

    @property
    def support(self) -> float:
        """How much the neighbours' word counts, 0.5 … 1."""
        return 1 - 0.5 ** (self.bars + 1)


class SymbolBars:
    """The good bars of one symbol in one partition, by time.

    Prices are compared by their logarithm; where a feed allows prices of zero and below, in units of the median close.
    """

    def __init__(self, ts: Ints, prices: Floats, volumes: Floats, width_us: int, *, any_sign: bool = False) -> None:
        """`prices`: a row a bar of open, high, low, close; `volumes`: NaN where unknown."""
        self.ts, self.prices, self.volumes, self._width_us = ts, prices, volumes, max(width_us, 1)
        median = float(np.median(np.abs(prices[:, 3]))) if len(ts) else 1.0
        self._unit = (median or 1.0) if any_sign else 0.0
        scaled = self.scaled(prices)
        steps = np.abs(np.diff(scaled[:, 3]))
        self._step = 1.4826 * float(np.median(steps)) if len(steps) >= 3 else _UNKNOWN_STEP
        self._spread = float(np.median(scaled[:, 1] - scaled[:, 2])) if len(ts) else 0.0
        self._scaled = scaled

    def scaled(self, prices: Floats) -> Floats:
        """Prices on the scale they are compared on; infinitely far off where they cannot be prices."""
        if self._unit:
            return prices / self._unit
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = np.where(prices > 0, np.log(np.where(prices > 0, prices, 1.0)), -np.inf)
        return found

    def around(self, ts_us: int) -> Surroundings:
        """What the bars before and after an instant allow; a bar at the instant itself does not count."""
        left = int(np.searchsorted(self.ts, ts_us))
        right = left + int(left < len(self.ts) and self.ts[left] == ts_us)
        nearest, near = (_places(left, right, reach, len(self.ts)) for reach in (_NEAREST, _NEAR))
        if not len(nearest):
            return Surroundings(-np.inf, np.inf, 1.0, 0, None, None, np.nan, _LEAST_VOLUME_STEP, np.nan)
        apart = float(np.min(np.abs(self.ts[nearest] - ts_us)) / self._width_us)
        reach = np.sqrt(min(max(apart, 1.0), _FURTHEST_BARS))
        usual, step = self._usual_volume(near)
        return Surroundings(
            low=float(self._scaled[nearest, 2].min()),
            high=float(self._scaled[nearest, 1].max()),
            allowed=float(4 * self._step * reach + 2 * self._spread + _FLOOR),
            bars=len(near),
            before=float(self.prices[left - 1, 3]) if left else None,
            after=float(self.prices[right, 0]) if right < len(self.ts) else None,
            usual_volume=usual,
            volume_step=step,
            usual_range=_middle(self._scaled[near, 1] - self._scaled[near, 2]),
        )

    def fits(self, prices: Floats, around: Surroundings) -> Floats:
        """The fit of bars (rows of open, high, low, close), 0 … 1 each."""
        scaled = self.scaled(prices)
        with np.errstate(invalid="ignore", over="ignore"):
            off = np.maximum(scaled.max(axis=1) - around.high, around.low - scaled.min(axis=1))
            fit: Floats = 1 / (1 + (np.maximum(off, 0.0) / around.allowed) ** 4)
        return np.where(np.isfinite(fit), fit, 0.0)

    def fit(self, prices: Sequence[float], around: Surroundings) -> float:
        """The fit of one bar."""
        return float(self.fits(np.array([prices], np.float64), around)[0])

    def share_opening_at_close(self) -> float:
        """The share of bars that open where the one before closed: of bars made of quotes, nearly all."""
        if len(self.ts) < 2 * _NEAR:
            return 0.0
        together = np.diff(self.ts) == self._width_us
        if not together.any():
            return 0.0
        return float(np.mean((self.prices[1:, 0] == self.prices[:-1, 3])[together]))

    def _usual_volume(self, near: Ints) -> tuple[float, float]:
        found = self.volumes[near]
        found = found[np.isfinite(found) & (found > 0)]
        if not len(found):
            return float("nan"), _LEAST_VOLUME_STEP
        logs = np.log(found)
        middle = _middle(logs)
        return float(np.exp(middle)), max(1.4826 * _middle(np.abs(logs - middle)), _LEAST_VOLUME_STEP)


def range_fit(prices: Sequence[float], bars: SymbolBars, around: Surroundings) -> float:
    """How well a bar's range fits those near by: 1 up to the usual one, 1/2 where it is four times as wide."""
    scaled = bars.scaled(np.array([prices], np.float64))[0]
    wide, usual = float(scaled[1] - scaled[2]), max(around.usual_range, _FLOOR)
    if not np.isfinite(usual) or wide <= usual:
        return 1.0
    return float(1 / (1 + (np.log(wide / usual) / (3 * _LEAST_RANGE_STEP)) ** 4))


def volume_fit(volume: float, around: Surroundings) -> float:
    """How well a volume fits those near by; 1/2 where nothing is known of them."""
    if not np.isfinite(around.usual_volume):
        return 0.5
    if volume <= 0:
        return 0.5 if volume == 0 else 0.0
    off = abs(float(np.log(volume / around.usual_volume))) / (3 * around.volume_step)
    return float(1 / (1 + off**4))


def confidence(after: float, before: float, around: Surroundings, rival: float = 0.0) -> float:
    """How sure a repair is: fits as repaired and as it was, and the fit of the next best repair that says otherwise."""
    alone = 1 - 0.5 * min(rival / after, 1.0) if after > 0 else 0.0
    return after * (1 - before) * around.support * alone


def _places(left: int, right: int, reach: int, count: int) -> Ints:
    """The positions of the bars before and after, as many as `reach` on either side."""
    return np.concatenate((np.arange(max(left - reach, 0), left), np.arange(right, min(right + reach, count))))


def _middle(values: Floats) -> float:
    """The median of a few values; numpy's own takes longer to begin than these take to sort."""
    ordered = np.sort(values)
    return float((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2)
