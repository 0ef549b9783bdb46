"""What is missing, by what was there in the sessions before: bars of a session, and whole symbols."""

from datetime import timedelta

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import Anchor, AssetClass, Feed
from marketdata_pipelines.domain.frames import int_values, number_values
from marketdata_pipelines.domain.quality.finding_rows import FindingRow, finding_row
from marketdata_pipelines.domain.quality.history import WINDOW, Floats, Ints, Mask, PastSessions, usual_bars
from marketdata_pipelines.domain.quality.openings import LONGEST_PAUSE_DAYS
from marketdata_pipelines.domain.quality.rules import QualityRule
from marketdata_pipelines.domain.sessions import EPOCH

# Further below the usual than chance and the symbol's own ups and downs explain.
_SPREADS = 6
# A part of a day that holds so much of what is expected of it is not full of holes.
_FULL = 0.8
# Contracts of these end, which is nothing missing.
_ENDING = (AssetClass.FUTURE, AssetClass.OPTION)


def incomplete_sessions(rule: QualityRule, past: PastSessions, profiles: pa.Table, excused: Mask) -> list[FindingRow]:
    """Symbol-sessions with far fewer bars than usual, but for those `excused` (in the order of `past`).

    Values:  usual = median of bars / expected over the sessions before, times the bars the calendar now has room for;
             half-days and sessions still under way have less room. Nothing is said of symbols with fewer than
             `usual_least` usual bars, or with fewer than `sessions` sessions before.
    """
    kept = past.rows
    codes, days = past.codes, past.dates
    bars, room = (number_values(profiles[name])[kept] for name in ("bars", "expected"))
    usual = usual_bars(past, codes, days)
    wanted = usual.share * room
    with np.errstate(invalid="ignore"):
        least = np.minimum(rule.limits["share"] * usual.share, usual.share - _SPREADS * usual.spread) * room
        short = (bars > 0) & (bars < least) & (wanted >= rule.limits["usual_least"])
    short &= (usual.sessions >= rule.limits["sessions"]) & ~excused
    found = []
    for at in np.flatnonzero(short).tolist():
        message = f"{bars[at]:.0f} bars where {wanted[at]:.0f} are usual"
        place = {
            "symbol": past.names[codes[at]],
            "session_date": EPOCH + timedelta(days=int(days[at])),
            "bars": round(float(wanted[at] - bars[at])),
        }
        found.append(finding_row(rule, place, bars[at], float(least[at]), message))
    return found


def breaks_off(feed: Feed, past: PastSessions, profiles: pa.Table) -> Mask:
    """Which sessions of `past` are UTC days that end before their middle, as where a file does and the next goes on.

    Markets that never close are cut where the day is: the last day of a file is rarely whole, and nothing is missing.
    """
    if feed.anchor is not Anchor.UTC or not feed.interval.is_intraday:
        return np.zeros(len(past.codes), bool)
    begins, ends, last = (
        int_values(profiles[name])[past.rows] for name in ("session_open", "session_close", "last_ts")
    )
    bars, room = (number_values(profiles[name])[past.rows] for name in ("bars", "expected"))
    part = (last + feed.interval.us - begins) / np.maximum(ends - begins, 1)
    # Up to there it is as full as a whole day would be.
    return (part < 0.5) & (bars >= _FULL * room * part)


def missing_symbols(feed: Feed, rule: QualityRule, past: PastSessions, profiles: pa.Table) -> list[FindingRow]:
    """Symbols without a bar that were there in nearly all sessions before and in the last one, on the first such day.

    Bounds:  sessions are those any symbol has bars in; after a pause of more than 10 days nothing is usual. Futures and
             options are not asked: their contracts end.
    """
    if feed.asset_class in _ENDING or not len(past.rows):
        return []
    there = np.isfinite(past.matrix("bars"))
    alive: Mask = np.any(there, axis=0)
    found = []
    for day in np.unique(past.dates).tolist():
        column = int(past.columns(np.array([day]))[0])
        before = np.flatnonzero(alive[:column])[-WINDOW:]
        if len(before) < rule.limits["sessions"] or not alive[column]:
            continue
        if day - past.days[before[-1]] > LONGEST_PAUSE_DAYS:
            continue
        share: Floats = there[:, before].mean(axis=1)
        gone: Ints = np.flatnonzero((share >= rule.limits["share"]) & there[:, before[-1]] & ~there[:, column])
        for code in gone.tolist():
            place = {"symbol": past.names[code], "session_date": EPOCH + timedelta(days=day), "bars": 0}
            message = f"no bars, with {share[code]:.0%} of the {len(before)} sessions before and the last one there"
            found.append(finding_row(rule, place, 0.0, rule.limits["share"], message))
    return found
