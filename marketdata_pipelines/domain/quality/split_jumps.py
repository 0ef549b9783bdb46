"""Jumps from one session to the next of the size of a split, that no known corporate action explains.

`proposals` finds the same in daily bars, for a person to take over as actions; here a session is judged as it comes.
"""

from collections.abc import Sequence

import numpy as np

from marketdata_pipelines.domain.proposals import NEAR_AT_THE_OPEN, SIMPLE_RATIOS
from marketdata_pipelines.domain.quality.finding_rows import FindingRow, finding_row
from marketdata_pipelines.domain.quality.history import Floats, Ints, Mask, PastSessions, medians
from marketdata_pipelines.domain.quality.openings import Openings
from marketdata_pipelines.domain.quality.rules import QualityRule

_LOGARITHMS = np.log([float(ratio) for ratio in SIMPLE_RATIOS])
# A price that falls by half on three times the volume a split would bring fell on news, and so it rose.
_NEWS = np.log(3.0)


def split_like_jumps(
    rule: QualityRule, past: PastSessions, openings: Openings, told: Sequence[FindingRow]
) -> tuple[list[FindingRow], Mask]:
    """The findings, and which openings they are of; not where another finding (`told`) is of that very bar.

    Values:  open and close, beside the close before them, are within 15 % of one simple ratio and one of both within
             `tolerance`; the move is at least `least` (in logarithms), does not undo the move before it, and does not
             come with far more volume than a split brings (a takeover doubles the price too). Little volume is no
             objection: who divides prices may leave volumes alone.
    """
    by_open, by_close = openings.moves(openings.opens), openings.moves(openings.closes)
    nearest = _nearest(-by_open)
    off_open = np.abs(np.expm1(-by_open - _LOGARITHMS[nearest]))
    off_close = np.abs(np.expm1(-by_close - _LOGARITHMS[nearest]))
    with np.errstate(invalid="ignore"):
        near = np.fmin(off_open, off_close) <= rule.limits["tolerance"]
        # A superseded file's opening has no close to be looked at.
        near &= (off_open <= NEAR_AT_THE_OPEN) & ~(off_close > NEAR_AT_THE_OPEN)
        near &= np.abs(by_open) >= rule.limits["least"]
    near &= ~openings.returns(by_open) & ~_volume_objects(past, openings, nearest, near)
    found, elsewhere = [], {(row["symbol"], row["ts"]) for row in told if row["ts"] is not None}
    for at in np.flatnonzero(near).tolist():
        ratio = SIMPLE_RATIOS[int(nearest[at])]
        place = {**openings.place(at), "bars": 1}
        if (place["symbol"], place["ts"]) in elsewhere:
            near[at] = False
            continue
        off = float(np.fmin(off_open[at], off_close[at]))
        message = (
            f"opened at {openings.opens[at]:g} after {openings.raw[at]:g} closed: near a {ratio.numerator}:"
            f"{ratio.denominator} split ({off:.1%} off), and no corporate action says so"
        )
        found.append(finding_row(rule, place, float(np.exp(-by_open[at])), rule.limits["tolerance"], message))
    return found, near


def _nearest(logarithms: Floats) -> Ints:
    """The position of the simple ratio nearest to each, by the logarithm; any where it is unknown."""
    edges = (_LOGARITHMS[1:] + _LOGARITHMS[:-1]) / 2
    found: Ints = np.searchsorted(edges, np.nan_to_num(logarithms))
    return found


def _volume_objects(past: PastSessions, openings: Openings, nearest: Ints, near: Mask) -> Mask:
    """Where volume is far beyond the usual one times a split's ratio (of a reverse split, times 1): then it is news."""
    objects = np.zeros(len(near), bool)
    at = np.flatnonzero(near)
    if not len(at):
        return objects
    usual = medians(past.before("volume", openings.codes[at], openings.days[at]))
    volumes, logarithms = openings.volumes[at], _LOGARITHMS[nearest[at]]
    known = (usual > 0) & (volumes > 0)
    grown = np.log(volumes[known] / usual[known])
    objects[at[known]] = grown > np.maximum(logarithms[known], 0.0) + _NEWS
    return objects
