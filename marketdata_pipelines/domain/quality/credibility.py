"""Which of two feeds is likelier right about a value: by the majority of three feeds, else by the bars around.

The bars around are those on which both sides agree: a side that leaps away from them while the other does not is
likelier wrong. What cannot be told stays unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.frames import float_values
from marketdata_pipelines.domain.quality.bar_pairs import BarPairs, Floats, Ints, Mask
from marketdata_pipelines.domain.quality.disputes import Disputed, Tolerance
from marketdata_pipelines.domain.quality.scales import Stretches, log_ratio, medians, relative

OWN, UNKNOWN, OTHER = 1, 0, -1
_AROUND = 3
# The side farther from the bars around is doubted when it is this many usual moves away, and twice as far as the other.
_FAR_MOVES, _FARTHER = 4.0, 2.0
# What a price moves at least from one bar to the next, where the bars around tell of less or are not there.
_LEAST_MOVE, _LEAST_DAILY_MOVE = 1e-4, 5e-3
# A minute's volume is easily three times the one before.
_VOLUME_MOVE = float(np.log(3.0))


@dataclass(frozen=True, slots=True)
class Verdicts:
    """By dispute: `side` is OWN, OTHER or UNKNOWN; `by_third` where a third feed decided."""

    side: Ints
    by_third: Mask


class Credibility:
    """Judges disputes of one pair; `disputed` holds by field the rows on which the sides do not agree."""

    def __init__(
        self, pairs: BarPairs, disputed: Mapping[Disputed, Mask], stretches: Stretches, *, by_session: bool
    ) -> None:
        self._pairs, self._stretches = pairs, stretches
        self._least_move = _LEAST_MOVE if by_session else _LEAST_DAILY_MOVE
        self._usual: Floats | None = None
        agreed = pairs.both & ~disputed[Disputed.CLOSE]
        self._closes = np.where(agreed, pairs.own.values["close"], np.nan)
        volumes_agreed = pairs.both & ~disputed[Disputed.VOLUME]
        self._volumes = np.where(volumes_agreed, pairs.own.values["volume"], np.nan)

    def of_values(self, field: Disputed, rows: Ints) -> Ints:
        """The likelier side about a value that both have."""
        if not len(rows):
            return np.zeros(0, np.int64)
        own, other = self._pairs.own.values[field][rows], self._pairs.other.values[field][rows]
        if field is Disputed.VOLUME:
            around = self._around(self._volumes, rows)
            other = other * self._stretches.volume_factor[rows]
            apart = [np.abs(_log_volume(side) - _log_volume(around)) for side in (own, other)]
            return _nearer(apart[0], apart[1], np.full(len(rows), _VOLUME_MOVE))
        # Where only another price of a bar is disputed, its close tells most.
        around = self._closes[rows]
        around = np.where(np.isnan(around), self._around(self._closes, rows), around)
        apart = [np.abs(relative(side, around)) for side in (own, other * self._stretches.factor[rows])]
        return _nearer(apart[0], apart[1], _FAR_MOVES * self._moves(rows))

    def of_presence(self, rows: Ints) -> Ints:
        """The likelier side about whether there is a bar: the one that has it, if it fits in among the others."""
        if not len(rows):
            return np.zeros(0, np.int64)
        has_own = self._pairs.own.has[rows]
        close = np.where(has_own, self._pairs.own.values["close"][rows], self._pairs.other.values["close"][rows])
        apart = np.abs(relative(close, self._around(self._closes, rows)))
        fits = apart <= 2 * _FAR_MOVES * self._moves(rows)
        return np.where(fits, np.where(has_own, OWN, OTHER), UNKNOWN)

    def _around(self, values: Floats, rows: Ints) -> Floats:
        """The median of the agreed values up to three bars before and after, in the same span; NaN for none."""
        span, last = self._pairs.span, len(self._pairs.span) - 1
        near = []
        for step in (*range(-_AROUND, 0), *range(1, _AROUND + 1)):
            at = np.clip(rows + step, 0, last)
            inside = (rows + step == at) & (span[at] == span[rows])
            near.append(np.where(inside, values[at], np.nan))
        found = np.full(len(rows), np.nan)
        table = np.array(near).T.reshape(len(rows), 2 * _AROUND)
        some = ~np.isnan(table).all(axis=1)
        found[some] = np.nanmedian(table[some], axis=1)
        return found

    def _moves(self, rows: Ints) -> Floats:
        """A symbol's usual move from one agreed close to the next, as a share of the price."""
        if self._usual is None:
            moves = np.abs(relative(self._closes[1:], self._closes[:-1]))
            same = self._pairs.span[1:] == self._pairs.span[:-1]
            self._usual = medians(np.where(same, moves, np.nan), self._pairs.code[1:], len(self._pairs.symbols))
        return np.fmax(self._usual[self._pairs.code[rows]], self._least_move)


def ask_thirds(pairs: BarPairs, thirds: Sequence[pa.Table], tolerance: Tolerance, field: Disputed, rows: Ints) -> Ints:
    """What third feeds say, each with one voice: OWN where more of them agree with the own side than with the other."""
    voices = np.zeros(len(rows), np.int64)
    for table in thirds if len(rows) else ():
        place, bars = pairs.place_of(table)
        known = np.zeros(len(pairs.ts), bool)
        known[place[place >= 0]] = True
        if field is Disputed.BAR:
            present = np.where(pairs.own.has[rows], OWN, OTHER)
            voices += np.where(known[rows], present, np.where(_covers(pairs, known)[rows], -present, 0))
            continue
        name = "close" if field is Disputed.SCALE else str(field)
        value = np.full(len(pairs.ts), np.nan)
        value[place[place >= 0]] = float_values(bars[name])[place >= 0]
        limit = tolerance.price if name in PRICES else tolerance.volume
        with_own = np.abs(relative(pairs.own.values[name][rows], value[rows])) <= limit
        with_other = np.abs(relative(pairs.other.values[name][rows], value[rows])) <= limit
        voices += with_own.astype(np.int64) - with_other.astype(np.int64)
    return np.sign(voices).astype(np.int64)


def _covers(pairs: BarPairs, known: Mask) -> Mask:
    """Rows in spans of which the third feed has most bars: only then does it say something by not having one."""
    count = int(pairs.span.max()) + 1 if len(pairs.span) else 0
    share = np.bincount(pairs.span, known, count) / np.maximum(np.bincount(pairs.span, minlength=count), 1)
    covers: Mask = share[pairs.span] >= 0.5
    return covers


def _nearer(own: Floats, other: Floats, least: Floats) -> Ints:
    """Which of two distances is clearly the smaller one."""
    near, far = np.fmin(own, other), np.fmax(own, other)
    clear = ~np.isnan(own) & ~np.isnan(other) & (far > least) & (far > _FARTHER * near)
    return np.where(clear, np.where(own < other, OWN, OTHER), UNKNOWN)


def _log_volume(volume: Floats) -> Floats:
    return log_ratio(volume + 1.0, np.ones(len(volume)))
