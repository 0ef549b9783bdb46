"""Bars away from those around them: spikes of one bar or a few, opens alone, and jumps that do not come back.

Only what stands out is told; `local_rules` and `judging` decide what is too much.
"""

from dataclasses import dataclass

import numpy as np

from marketdata_pipelines.domain.quality.grouped_bars import (
    Floats,
    GroupedBars,
    Ints,
    Suspects,
    log_ratio,
    masked_median,
)
from marketdata_pipelines.domain.quality.profile_kernel import MAD_SCALE
from marketdata_pipelines.domain.quality.records import Suspicion
from marketdata_pipelines.domain.quality.suspect_kernel import APART, MOVED, OPENED

# Several bars away from the rest, or bars at an edge of the group, which have a neighbour on one side only, must be as
# far away as no market goes and comes back; at an edge it may never have come back.
RUN_LEAST, EDGE_LEAST = 0.3, 0.5
_LONGEST_RUN, _LONGEST_COARSE_RUN, _LONGEST_EDGE = 120, 10, 3
_LEVEL_AROUND = 7
# A leap over k intervals without a bar may be sqrt(k) as wide.
_WIDEST_PAUSE = 400
_ORDINARY = 0.05


@dataclass(frozen=True, slots=True)
class _Run:
    first: int
    last: int
    value: float


def find_leaps(bars: GroupedBars, marks: np.ndarray) -> list[Suspects]:
    """Spikes and jumps among the marked bars, each bar told once.

    Units: values and scales are |ln| of price ratios; a spike's value is the smaller of its two leaps.
    """
    rows = np.flatnonzero(marks & MOVED)
    moves = bars.moves(rows)
    single, value = _single_spikes(bars, marks, rows, moves)
    legs = np.union1d(single, single + 1)
    rest = ~np.isin(rows, legs)
    runs, run_legs = _runs(bars, rows[rest], moves[rest])
    away = np.concatenate([single, *(np.arange(run.first, run.last + 1) for run in runs)]).astype(np.int64)
    opens, open_value = _open_spikes(bars, marks, away)
    firsts = np.array([run.first for run in runs], np.int64)
    lasts = np.array([run.last for run in runs], np.int64)
    first = np.concatenate((single, firsts, opens))
    last = np.concatenate((single, lasts, opens))
    values = np.concatenate((value, [run.value for run in runs], open_value))
    spikes = Suspects(Suspicion.SPIKE, first, last, last - first + 1, values, _scales(bars, first))
    jumps = rest & ~np.isin(rows, run_legs)
    at = rows[jumps]
    return [
        spikes,
        Suspects(Suspicion.JUMP, at, at, np.ones(len(at), np.int64), np.abs(moves[jumps]), _scales(bars, at)),
    ]


def _single_spikes(bars: GroupedBars, marks: np.ndarray, rows: Ints, moves: Floats) -> tuple[Ints, Floats]:
    ends = bars.starts[bars.groups_of(rows) + 1]
    inner = (rows + 1 < ends) & (marks[np.minimum(rows + 1, len(marks) - 1)] & MOVED > 0)
    rows, moves = rows[inner], moves[inner]
    back = bars.moves(rows + 1)
    opposite = moves * back < 0
    rows, value = rows[opposite], np.minimum(np.abs(moves), np.abs(back))[opposite]
    # Of two spikes with one bar between, that bar leaps to both sides as well: it is not what is away.
    level = _level(bars, rows)
    away = np.abs(log_ratio(bars.close[rows], level)) >= value / 2
    return rows[away], value[away]


def _level(bars: GroupedBars, rows: Ints) -> Floats:
    at = rows[:, None] + np.array([n for n in range(-_LEVEL_AROUND, _LEVEL_AROUND + 1) if n])
    group = bars.groups_of(rows)
    inside = (at >= bars.starts[group][:, None]) & (at < bars.starts[group + 1][:, None])
    return masked_median(bars.close[np.where(inside, at, 0)], inside)


def _runs(bars: GroupedBars, rows: Ints, moves: Floats) -> tuple[list[_Run], Ints]:
    """Runs of bars that are away by far, and the rows of the moves to and from them."""
    far = np.abs(moves) >= RUN_LEAST
    rows, moves = rows[far], moves[far]
    found: list[_Run] = []
    legs: list[int] = []
    position = 0
    while position < len(rows):
        run, used = _run_at(bars, rows, moves, position)
        if run is not None:
            found.append(run)
            legs += rows[position : position + used].tolist()
        position += used
    return found, np.array(legs, np.int64)


def _run_at(bars: GroupedBars, rows: Ints, moves: Floats, position: int) -> tuple[_Run | None, int]:
    at, move = int(rows[position]), float(moves[position])
    group = int(bars.groups_of(rows[position : position + 1])[0])
    begins, ends = int(bars.starts[group]), int(bars.starts[group + 1])
    if position + 1 < len(rows) and rows[position + 1] < ends:
        until, back = int(rows[position + 1]), float(moves[position + 1])
        value = min(abs(move), abs(back))
        longest = _LONGEST_RUN if bars.is_fine else _LONGEST_COARSE_RUN
        returns = move * back < 0 and abs(move + back) <= value / 2 and until - at <= longest
        if returns and _is_away(bars, at, until, begins, ends, value):
            return _Run(at, until - 1, value), 2
    longest = _LONGEST_EDGE if bars.is_fine else 1
    if abs(move) >= EDGE_LEAST and ends - begins >= 10:
        for first, until in ((begins, at), (at, ends)):
            if until - first <= longest and _is_away(bars, first, until, begins, ends, abs(move)):
                return _Run(first, until - 1, abs(move)), 1
    return None, 1


def _is_away(bars: GroupedBars, first: int, until: int, begins: int, ends: int, value: float) -> bool:
    """Whether bars first..until are off the level of the bars around them."""
    around = max(60 if bars.is_fine else _LEVEL_AROUND, until - first)
    low, high = max(begins, first - around), min(ends, until + around)
    others = np.concatenate((bars.close[low:first], bars.close[until:high]))
    if len(others) <= until - first:
        return False
    level = np.full(until - first, np.median(others))
    return bool(np.median(np.abs(log_ratio(bars.close[first:until], level))) >= value / 2)


def _open_spikes(bars: GroupedBars, marks: np.ndarray, away: Ints) -> tuple[Ints, Floats]:
    """Bars whose open alone is away from the close before and their own."""
    rows = np.flatnonzero(marks & OPENED)
    rows = rows[~np.isin(rows, away) & ~np.isin(rows - 1, away)]
    to, back = log_ratio(bars.open[rows], bars.close[rows - 1]), log_ratio(bars.close[rows], bars.open[rows])
    value = np.where(to * back < 0, np.minimum(np.abs(to), np.abs(back)), 0.0)
    returned = value > np.abs(to) / 2
    firsts = bars.starts[:-1][marks[bars.starts[:-1]] & APART > 0]
    firsts = firsts[~np.isin(firsts, away)]
    firsts = firsts[firsts + 1 < bars.starts[bars.groups_of(firsts) + 1]]
    apart = np.abs(log_ratio(bars.open[firsts], bars.close[firsts]))
    goes_on = np.abs(log_ratio(bars.open[np.minimum(firsts + 1, len(bars.open) - 1)], bars.close[firsts])) <= apart / 4
    return np.concatenate((rows[returned], firsts[goes_on])), np.concatenate((value[returned], apart[goes_on]))


def _scales(bars: GroupedBars, rows: Ints) -> Floats:
    """How far closes usually move around each row: the greater of the group's scale and the neighbours', widened."""
    if not len(rows):
        return np.zeros(0)
    groups = bars.groups_of(rows)
    own = np.nan_to_num(bars.return_scale[groups])
    for group in np.unique(groups[own == 0]):
        own[groups == group] = _thin_scale(bars, int(group))
    scale = np.fmax(own, np.nan_to_num(bars.near_moves(rows)))
    return scale * np.sqrt(_pauses(bars, rows, groups)) if bars.is_fine else scale


def _thin_scale(bars: GroupedBars, group: int) -> float:
    """Where most closes do not move at all: the mean of the ordinary moves."""
    moves = np.abs(bars.moves(np.arange(bars.starts[group] + 1, bars.starts[group + 1])))
    ordinary = moves[moves <= _ORDINARY]
    return float(MAD_SCALE * np.mean(ordinary)) if len(ordinary) else 0.0


def _pauses(bars: GroupedBars, rows: Ints, groups: Ints) -> Floats:
    """The greater number of intervals from the bar before and to the bar after."""
    before = np.where(rows > bars.starts[groups], bars.ts[rows] - bars.ts[np.maximum(rows - 1, 0)], bars.width_us)
    after_row = np.minimum(rows + 1, len(bars.ts) - 1)
    after = np.where(rows + 1 < bars.starts[groups + 1], bars.ts[after_row] - bars.ts[rows], bars.width_us)
    return np.clip(np.maximum(before, after) / bars.width_us, 1, _WIDEST_PAUSE)
