"""By how much bars are displaced: a session by hours, or every bar by one interval; judged by the exchange's sessions.

Which sessions are displaced is a quality rule's finding; here is what would put them right, and how sure that is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketdata_pipelines.domain.intervals import HOUR_US, MINUTE_US
from marketdata_pipelines.domain.session_grid import Ints, SessionGrid

_QUARTER_US = 15 * MINUTE_US
# No zone is further from another than this.
_FURTHEST_US = 14 * HOUR_US
# Of a session's rows after the shift; fewer, and something else is wrong with them.
_LEAST_INSIDE = 0.9
_ROWS_OF_SUPPORT = 10
_BOTH = 2


@dataclass(frozen=True, slots=True)
class Shift:
    """What is to be added to every open, in microseconds, how sure that is, and why."""

    us: int
    confidence: float
    evidence: str


def session_shift(ts: Ints, grid: SessionGrid, width_us: int, day: int | None = None) -> Shift | None:
    """The shift by quarters of an hour that puts one symbol's displaced session where the exchange was open.

    Shape:       opens of one symbol's bars, as they were labelled, displaced ones out of session included. `day`: the
                 session they are to lie in, in days since 1970; None: any. Bars that lie in a session already are
                 moved only where they fill it whole then.
    Confidence:  share of bars inside x alignment x support by the number of bars. Alignment is 1 where the bars then
                 begin at the open and end with the session, 1/2 where one of both, else one part of as many shifts as
                 would do.
    """
    if not len(ts):
        return None
    tried = [us for us in range(-_FURTHEST_US, _FURTHEST_US + 1, _QUARTER_US) if us]
    inside = [_inside(ts + us, grid, day) for us in tried]
    best, now = max(inside), _inside(ts, grid)
    if best < _LEAST_INSIDE or best < now:
        return None
    equal = [us for us, share in zip(tried, inside, strict=True) if share == best]
    aligned = {us: _ends_met(ts + us, grid, width_us) for us in equal}
    # Of shifts that do equally well the shortest, in whole hours where there is one.
    chosen = min(equal, key=lambda us: (-aligned[us], us % HOUR_US != 0, abs(us)))
    met = aligned[chosen]
    if now >= _LEAST_INSIDE and (met < _BOTH or _ends_met(ts, grid, width_us) == _BOTH):
        return None
    rivals = sum(1 for us in equal if aligned[us] == met)
    alignment = met / _BOTH / rivals if met else 1 / len(equal)
    ends = ("", "begin or end with the session", "fill the session from open to close")[met]
    text = f"{_hours(chosen)}: {best:.0%} of {len(ts)} bars lie in the session then" + (f" and {ends}" if ends else "")
    return Shift(chosen, best * alignment * _support(len(ts)), text)


def label_shift(codes: Sequence[int] | Ints, ts: Ints, grid: SessionGrid, width_us: int) -> Shift | None:
    """Whether all bars are labelled one interval late (by their end) or early; by symbol-sessions.

    Shape:       symbol codes and opens of a file's bars of one partition, in any order.
    Confidence:  the share of symbol-sessions that begin at the open and end with the session after the shift and did
                 not before, x share of bars inside x support by the number of those bars.
    """
    keys = np.asarray(codes, np.int64)
    if not len(ts):
        return None
    found = []
    for us, label in ((-width_us, "end"), (width_us, "start")):
        whole, count = _whole_sessions(keys, ts + us, grid, width_us)
        before, _ = _whole_sessions(keys, ts, grid, width_us)
        inside = _inside(ts + us, grid)
        share = max(whole - before, 0) / count if count else 0.0
        text = (
            f"{whole} of {count} symbol-sessions begin at the open and end with the session when each bar is moved by "
            f"{_interval(us)}, {before} as they are: bars are labelled by their {label}"
        )
        found.append(Shift(us, share * inside * _support(len(ts)), text))
    best = max(found, key=lambda shift: shift.confidence)
    return best if best.confidence > 0 else None


def _inside(ts: Ints, grid: SessionGrid, day: int | None = None) -> float:
    """The share of bars in a regular session: any, or that of a day."""
    placement = grid.place(ts)
    inside = (placement.session >= 0) & placement.regular
    if day is not None and len(grid.dates):
        inside &= grid.dates[np.maximum(placement.session, 0)] == day
    return float(np.mean(inside))


def _ends_met(ts: Ints, grid: SessionGrid, width_us: int) -> int:
    """How many of a session's two ends a block of bars meets."""
    session = grid.place(ts[[int(ts.argmin())]]).session[0]
    if session < 0:
        return 0
    return int(ts.min() == grid.opens[session]) + int(ts.max() == grid.closes[session] - width_us)


def _whole_sessions(codes: Ints, ts: Ints, grid: SessionGrid, width_us: int) -> tuple[int, int]:
    """How many symbol-sessions reach from open to close, and how many there are."""
    placement = grid.place(ts)
    regular: NDArray[np.bool_] = (placement.session >= 0) & placement.regular
    if not regular.any():
        return 0, 0
    keys = codes[regular] * len(grid.dates) + placement.session[regular]
    order = np.lexsort((ts[regular], keys))
    keys, moments = keys[order], ts[regular][order]
    first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    last = np.r_[first[1:] - 1, len(keys) - 1]
    session = keys[first] % len(grid.dates)
    whole = (moments[first] == grid.opens[session]) & (moments[last] == grid.closes[session] - width_us)
    return int(whole.sum()), len(first)


def _support(rows: int) -> float:
    """One session of minutes says nearly all there is to say, a few bars say little."""
    return float(1 - 0.5 ** (rows // _ROWS_OF_SUPPORT + 1))


def _hours(us: int) -> str:
    sign, minutes = ("+" if us > 0 else "-"), abs(us) // MINUTE_US
    return f"{sign}{minutes // 60}:{minutes % 60:02d} h"


def _interval(us: int) -> str:
    return f"{us / MINUTE_US:+g} min"
