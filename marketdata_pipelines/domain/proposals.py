"""Jumps in daily bars that look like splits nobody has told of. Proposals only: nothing here applies them."""

import math
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.action_weights import EPOCH, day_numbers, places, symbol_numbers, symbol_positions

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PROPOSAL_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("ex_date", pa.date32()),
        ("ratio", pa.float64()),
        ("confidence", pa.float64()),
        ("why", pa.string()),
    ]
)

_FORWARD = (Fraction(3, 2), Fraction(5, 2), *map(Fraction, (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100)))
SIMPLE_RATIOS = tuple(sorted({*_FORWARD, *(1 / ratio for ratio in _FORWARD)}))
_LOGARITHMS = np.log([float(ratio) for ratio in SIMPLE_RATIOS])
# How near the jump must be to a simple ratio, by the open or by the close; a split shows at the open already.
NEAR, NEAR_AT_THE_OPEN = 0.03, 0.15
# Between sessions further apart than this, a price may well have doubled by itself.
LONGEST_PAUSE_DAYS = 10
VOLUME_SESSIONS = 5
# Volume in shares moves with a split's ratio (1); it is called against it where it moves the other way by half as much.
VOLUME_AGAINST = -0.5


@dataclass(frozen=True, slots=True)
class _Daily:
    """1d bars sorted by (symbol, day) as arrays."""

    codes: Ints
    days: Ints
    opens: Floats
    closes: Floats
    volumes: Floats
    names: list[str]


def propose_actions(daily: pa.Table, known: pa.Table | None = None) -> pa.Table:
    """Split-like jumps from one session to the next.

    Shape:   raw 1d bars with symbol, session_date, open, close and volume, in any order; known actions of
             ACTION_SCHEMA. Returns PROPOSAL_SCHEMA sorted by (symbol, ex_date), a row a jump.
    Values:  a jump is within 3 % of p/q (SIMPLE_RATIOS) by the open or the close, and volume does not move against it.
             Where an action of the symbol is known between the two sessions, none is proposed. `confidence` lies in
             0..1; a fall by half on bad news looks the same, so it never is 1.
    """
    bars = _arrays(daily)
    jump = np.flatnonzero(_neighbours(bars)) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        by_open = bars.closes[jump - 1] / bars.opens[jump]
        by_close = bars.closes[jump - 1] / bars.closes[jump]
    nearest = _nearest(by_open)
    off_open, off_close = _offset(by_open, nearest), _offset(by_close, nearest)
    found = (np.minimum(off_open, off_close) <= NEAR) & (off_open <= NEAR_AT_THE_OPEN)
    found &= ~_is_known(bars, jump, known)
    rows = []
    for at, position in zip(jump[found].tolist(), np.flatnonzero(found).tolist(), strict=True):
        offsets = (float(off_open[position]), float(off_close[position]))
        rows += _proposal(bars, at, SIMPLE_RATIOS[int(nearest[position])], offsets)
    return pa.Table.from_pylist(rows, PROPOSAL_SCHEMA)


def _arrays(daily: pa.Table) -> _Daily:
    codes, names = symbol_numbers(daily["symbol"])
    # By name, whatever order a dictionary has.
    rank = np.empty(len(names), np.int64)
    rank[sorted(range(len(names)), key=lambda position: names[position])] = np.arange(len(names))
    codes = rank[codes] if len(names) else codes
    days = day_numbers(daily["session_date"])
    order = np.argsort(places(codes, days), kind="stable")
    opens, closes, volumes = (daily[name].to_numpy().astype(np.float64)[order] for name in ("open", "close", "volume"))
    return _Daily(codes[order], days[order], opens, closes, volumes, sorted(names))


def _neighbours(bars: _Daily) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = np.diff(bars.days) <= LONGEST_PAUSE_DAYS
    return (np.diff(bars.codes) == 0) & near


def _nearest(jumps: Floats) -> Ints:
    """The position of each jump's nearest simple ratio, by the logarithm."""
    edges = (_LOGARITHMS[1:] + _LOGARITHMS[:-1]) / 2
    found: Ints = np.searchsorted(edges, np.log(np.where(jumps > 0, jumps, 1.0)))
    return found


def _offset(jumps: Floats, ratios: Ints) -> Floats:
    """How far each jump is off its ratio, as a share of it; infinite where a price is missing."""
    off: Floats = np.abs(jumps / np.exp(_LOGARITHMS[ratios]) - 1)
    return np.where(jumps > 0, off, np.inf)


def _is_known(bars: _Daily, jump: Ints, known: pa.Table | None) -> NDArray[np.bool_]:
    """Whether an action of the symbol has its ex date after the session before and not after the jump's."""
    if known is None or not known.num_rows:
        return np.zeros(len(jump), bool)
    at = np.sort(places(symbol_positions(known["symbol"], bars.names), day_numbers(known["ex_date"])))
    before = np.searchsorted(at, places(bars.codes[jump], bars.days[jump - 1]), "right")
    until = np.searchsorted(at, places(bars.codes[jump], bars.days[jump]), "right")
    return until > before


def _proposal(bars: _Daily, at: int, ratio: Fraction, offsets: tuple[float, float]) -> list[dict[str, object]]:
    before, after = _usual_volume(bars, at, -1), _usual_volume(bars, at, 1)
    move = math.log(after / before) / math.log(ratio) if before and after else None
    if move is not None and move < VOLUME_AGAINST:
        return []
    volume = "volume unknown" if move is None else f"volume times {after / before:.3g}"
    moved = f"{bars.closes[at - 1]:g} closed, {bars.opens[at]:g} opened, {bars.closes[at]:g} closed"
    written = f"{ratio.numerator}:{ratio.denominator}"
    return [
        {
            "symbol": bars.names[int(bars.codes[at])],
            "ex_date": EPOCH + timedelta(days=int(bars.days[at])),
            "ratio": float(ratio),
            "confidence": _confidence(ratio, offsets, move),
            "why": f"{moved}: near {written} ({min(offsets):.1%} off); {volume}",
        }
    ]


def _confidence(ratio: Fraction, offsets: tuple[float, float], move: float | None) -> float:
    """Greater where open and close agree, the ratio is rare among falls and rises, and volume moved as a split's."""
    score = 0.4
    score += 0.2 if max(offsets) <= NEAR else 0.0
    score += 0.1 if min(offsets) <= NEAR / 3 else 0.0
    score += 0.15 if max(ratio, 1 / ratio) >= 3 else 0.0
    score += 0.1 * min(max(1 - abs(move - 1), 0.0), 1.0) if move is not None else 0.0
    return round(score, 2)


def _usual_volume(bars: _Daily, at: int, direction: int) -> float:
    """The median volume of the sessions before a jump (-1) or from it on (1); 0 where none is known."""
    first, last = (at - VOLUME_SESSIONS, at) if direction < 0 else (at, at + VOLUME_SESSIONS)
    window = slice(max(first, 0), last)
    volumes = bars.volumes[window][bars.codes[window] == bars.codes[at]]
    volumes = volumes[~np.isnan(volumes)]
    return float(np.median(volumes)) if len(volumes) else 0.0
