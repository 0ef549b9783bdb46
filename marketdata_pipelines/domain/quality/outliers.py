"""Returns and volumes out of all proportion to those of the sessions before."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.action_weights import places
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values
from marketdata_pipelines.domain.quality.finding_rows import FindingRow, count_text, finding_row, percent
from marketdata_pipelines.domain.quality.history import (
    NORMAL,
    Floats,
    Ints,
    Mask,
    PastSessions,
    counts,
    medians,
    second_greatest,
)
from marketdata_pipelines.domain.quality.openings import Openings
from marketdata_pipelines.domain.quality.records import Suspicion
from marketdata_pipelines.domain.quality.rules import QualityRule
from marketdata_pipelines.domain.sessions import EPOCH

Row = Mapping[str, Any]
# Two jumps of about one size (by this share of it) are a way out and the way back.
_ALIKE = 0.2
# A way back this many intervals later belongs to the way out, whatever its size; a great leap's may come any time
# later.
_SOON, _GREAT = 30, 0.4
# A jump this many intervals after what another finding covers is the way back from there.
_NEXT = 5
# Volumes of a symbol that trades less often than every other interval have no proportion to be out of.
_DENSE = 0.5
_RANGES, _RARE_RANGES = 2.0, 5.0
# So few bars a session, far between, have no usual move.
_FEW = 30


def jump_outliers(
    feed: Feed, rule: QualityRule, past: PastSessions, openings: Openings, suspects: pa.Table, told: Sequence[Row]
) -> list[FindingRow]:
    """Jumps between bars of one session beyond what the sessions before allow.

    Values:  the limit is max(`floor`, `scales` x the median return scale of the sessions before, 2 x the median range
             of a whole session, 5 x where most intervals have no bar), and there must be `sessions` of them. A way out
             and the way back are one finding, over the bars away. What findings of other rules (`told`) say already is
             not said again, and the move from the session before is none within this one.
    """
    jumps = suspects.filter(pc.equal(suspects["kind"], str(Suspicion.JUMP)))
    if not jumps.num_rows:
        return []
    rows = _too_far(rule, past, openings, jumps)
    width, covered = timedelta(microseconds=max(feed.interval.us, 1)), _spans(told)
    found = []
    for first, ends in _excursions(rows, width, _odd_starts(openings, rows)):
        spans = covered.get((first["symbol"], first["session_date"]), ())
        if any(begins <= first["ts"] <= last + _NEXT * width for begins, last in spans):
            continue
        size, most = abs(first["value"]), first["limit"]
        back = "" if ends is None else ", and back later"
        message = f"moved by {percent(size)} from one bar to the next{back}; {percent(most)} is the most allowed here"
        # As many as fit between: where some are missing, fewer are concerned.
        count = 1 if ends is None else 1 + (ends - first["ts"]) // width
        place = {**first, "ts_last": ends or first["ts"], "bars": count}
        found.append(finding_row(rule, place, size, most, message))
    return found


def _too_far(rule: QualityRule, past: PastSessions, openings: Openings, jumps: pa.Table) -> list[Row]:
    """The jumps within a session beyond their limit, as rows that hold it."""
    codes, days = past.positions(jumps["symbol"]), int_values(jumps["session_date"])
    # A cheap price moves by several percent with every tick; so does its usual session. Where bars are rare, the next
    # one may come after half a session's move.
    with np.errstate(invalid="ignore"):
        rare = medians(past.before("share", codes, days)) < _DENSE
        unknown = rare & (medians(past.before("bars", codes, days)) < _FEW)
    ranges = np.where(rare, _RARE_RANGES, _RANGES) * medians(past.before("range", codes, days))
    floor = np.where(unknown, np.inf, np.fmax(rule.limits["floor"], ranges))
    limits = _limits(rule, past.before("return_scale", codes, days), floor)
    values = np.abs(float_values(jumps["value"]))
    over = np.flatnonzero((values > limits) & ~_are_openings(openings, codes, days, int_values(jumps["ts"]), values))
    if not len(over):
        return []
    return [row | {"limit": limit} for row, limit in zip(jumps.take(over).to_pylist(), limits[over], strict=True)]


def opening_outliers(
    feed: Feed, rule: QualityRule, past: PastSessions, openings: Openings, excused: Mask, told: Sequence[Row]
) -> list[FindingRow]:
    """Moves from one session to the next beyond what those before allow: of opens, or of closes for daily bars.

    Values:  the limit is max(`floor` of daily bars and `opening` of finer ones, `scales` x the scale of the moves from
             close to close before). `excused` openings have a better explanation; a move that undoes the one before it
             is none.
    """
    daily = not feed.interval.is_intraday
    moves = openings.moves(openings.closes if daily else openings.opens)
    windows = NORMAL * np.abs(past.moves_before(openings.codes, openings.days))
    limits = _limits(rule, windows, rule.limits["floor" if daily else "opening"])
    over = (np.abs(moves) > limits) & ~excused & ~openings.returns(moves)
    covered, found = _spans(told), []
    for at in np.flatnonzero(over).tolist():
        place = {**openings.place(at), "bars": 1}
        spans = covered.get((place["symbol"], place["session_date"]), ())
        if place.get("ts") is not None and any(begins <= place["ts"] <= last for begins, last in spans):
            continue
        size, most = abs(float(moves[at])), float(limits[at])
        message = f"moved by {percent(size)} from the close before; {percent(most)} is the most allowed here"
        found.append(finding_row(rule, place, size, most, message))
    return found


def volume_outliers(rule: QualityRule, past: PastSessions, profiles: pa.Table, suspects: pa.Table) -> list[FindingRow]:
    """Bars, and sessions as a whole, with more volume than any before makes likely.

    Values:  a session's limit is `scales` x the second greatest volume of the sessions before (so that one bad session
             does not hide the next); a bar's is less by the root of the usual number of bars, but never less than that
             volume. Symbols that trade in less than half of all intervals are not asked.
    """
    found = list(_bulky_bars(rule, past, suspects.filter(pc.equal(suspects["kind"], str(Suspicion.VOLUME)))))
    told = {(row["symbol"], row["session_date"]) for row in found if row["standing"]}
    totals = float_values(profiles["volume"])[past.rows]
    limits = _volume_limits(rule, past, past.codes, past.dates, by_bar=False)
    for at in np.flatnonzero(totals > limits).tolist():
        place = profiles.slice(int(past.rows[at]), 1).select(["symbol", "session_date", "bars"]).to_pylist()[0]
        if (place["symbol"], place["session_date"]) not in told:
            message = (
                f"volume {count_text(totals[at])} in the session; {count_text(limits[at])} is the most allowed here"
            )
            found.append(finding_row(rule, place, totals[at], limits[at], message))
    return found


def _bulky_bars(rule: QualityRule, past: PastSessions, rows: pa.Table) -> Iterator[FindingRow]:
    if not rows.num_rows:
        return
    codes, days, values = past.positions(rows["symbol"]), int_values(rows["session_date"]), float_values(rows["value"])
    limits = _volume_limits(rule, past, codes, days, by_bar=True)
    over = np.flatnonzero(values > limits)
    for row, limit in zip(rows.take(over).to_pylist(), limits[over], strict=True):
        message = f"volume {count_text(row['value'])}; {count_text(limit)} is the most allowed here"
        yield finding_row(rule, row, row["value"], limit, message)


def _limits(rule: QualityRule, windows: Floats, floor: float | Floats) -> Floats:
    """What each row of a window of scales allows; infinite where too few sessions are known."""
    enough = counts(windows) >= rule.limits["sessions"]
    scales = np.nan_to_num(medians(windows))
    return np.where(enough, np.maximum(floor, rule.limits["scales"] * scales), np.inf)


def _volume_limits(
    rule: QualityRule, past: PastSessions, codes: np.ndarray, days: np.ndarray, *, by_bar: bool
) -> Floats:
    volumes, shares = past.before("volume", codes, days), medians(past.before("share", codes, days))
    bars = medians(past.before("bars", codes, days))
    with np.errstate(invalid="ignore"):
        asked = (counts(volumes) >= rule.limits["sessions"]) & (shares >= _DENSE)
        factor = np.maximum(1.0, rule.limits["scales"] / np.sqrt(bars)) if by_bar else rule.limits["scales"]
        greatest = second_greatest(volumes)
        return np.where(asked & (greatest > 0), factor * greatest, np.inf)


def _spans(told: Sequence[Row]) -> dict[tuple[Any, Any], list[tuple[datetime, datetime]]]:
    """The times findings cover, by symbol and session."""
    spans: dict[tuple[Any, Any], list[tuple[datetime, datetime]]] = {}
    for row in told:
        if row.get("ts") is not None:
            last = row.get("ts_last") or row["ts"]
            spans.setdefault((row.get("symbol"), row.get("session_date")), []).append((row["ts"], last))
    return spans


def _are_openings(openings: Openings, codes: Ints, days: Ints, ts: Ints, values: Floats) -> Mask:
    """Which jumps lead into a session: to its first bar, or before it by as much as the session opens away."""
    found = np.zeros(len(codes), bool)
    standing = openings.sources < 0
    keys = places(openings.codes[standing], openings.days[standing])
    if not len(keys):
        return found
    order = np.argsort(keys)
    wanted = places(codes, days)
    at = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    firsts, opens, raw = (column[standing][at] for column in (openings.firsts, openings.opens, openings.raw))
    good = (opens > 0) & (raw > 0)
    move = np.abs(np.log(np.where(good, opens, np.nan) / np.where(good, raw, 1.0)))
    with np.errstate(invalid="ignore"):
        as_far = np.abs(values - move) <= _ALIKE * np.maximum(values, move)
    return (keys[at] == wanted) & ((ts == firsts) | ((ts < firsts) & as_far))


def _odd_starts(openings: Openings, rows: Sequence[Row]) -> dict[tuple[Any, Any], tuple[float, Row]]:
    """Of these jumps' sessions, those that begin away from the close before and end near it: by how far, where."""
    opened, closed = np.abs(openings.moves(openings.opens)), np.abs(openings.moves(openings.closes))
    wanted = {(row["symbol"], row["session_date"]) for row in rows if row["standing"]}
    found = {}
    for at in np.flatnonzero(closed < opened / 2).tolist():
        key = (openings.names[openings.codes[at]], EPOCH + timedelta(days=int(openings.days[at])))
        if key in wanted:
            found[key] = (float(opened[at]), openings.place(at))
    return found


def _excursions(
    rows: Sequence[Row], width: timedelta, odd_starts: Mapping[tuple[Any, Any], tuple[float, Row]]
) -> Iterator[tuple[Row, datetime | None]]:
    """Jumps in order, each with the open of the last bar away where a later one leads back, else None."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        part = None if row["standing"] else row["part"]
        groups.setdefault((row["symbol"], row["session_date"], part), []).append(row)
    for (symbol, day, part), jumps in groups.items():
        jumps.sort(key=lambda row: row["ts"])
        if part is None and (symbol, day) in odd_starts and jumps[0]["standing"]:
            size, place = odd_starts[symbol, day]
            if place.get("ts") is not None and _is_alike(size, abs(jumps[0]["value"])):
                jumps.insert(0, {**place, "value": size, "limit": jumps[0]["limit"]})
        at = 0
        while at < len(jumps):
            back = at + 1 < len(jumps) and _leads_back(jumps[at], jumps[at + 1], width)
            yield jumps[at], jumps[at + 1]["ts"] - width if back else None
            at += 2 if back else 1


def _leads_back(first: Row, second: Row, width: timedelta) -> bool:
    soon = second["ts"] - first["ts"] <= _SOON * width or abs(first["value"]) >= _GREAT
    return soon and _is_alike(abs(first["value"]), abs(second["value"]))


def _is_alike(one: float, other: float) -> bool:
    return abs(one - other) <= _ALIKE * max(one, other)
