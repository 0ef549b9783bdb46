"""Runs of missing bars inside a session, for symbols that have most of theirs."""

from datetime import date

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.intervals import DAY_US, HOUR_US, MINUTE_US
from marketdata_pipelines.domain.quality.grouped_bars import Floats, GroupedBars, Ints, Suspects, profile_rows
from marketdata_pipelines.domain.quality.profiles import session_arrays
from marketdata_pipelines.domain.quality.records import Suspicion
from marketdata_pipelines.domain.quality.rule_dimensions import NO_FAULT
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import date_of_us

GAP = Suspicion.GAP
_LEAST_BARS = 5
_LEAST_DENSITY = 0.5
_ROUND_THE_CLOCK_US = 20 * HOUR_US
_QUARTER_US = 15 * MINUTE_US


def find_missing_runs(feed: Feed, bars: GroupedBars, profiles: pa.Table) -> Suspects:
    """Runs of at least five missing bars between two bars of one trading segment.

    `first` = `last` is the bar after the run, `bars` how many are missing, `value` for how many minutes, `scale`
    the share of the rest of the session that is there. Hourly and daily bars have none: of those whole sessions are
    missing.
    """
    rows = _pauses(bars)
    if not len(rows):
        return _told(bars, rows, rows, np.zeros(0))
    days = np.unique(bars.days[rows])
    arrays = session_arrays(feed, feed_calendar(feed).sessions(_day(days[0]), _day(days[-1])))
    if not len(arrays.days):
        return _told(bars, rows[:0], rows[:0], np.zeros(0))
    segment = np.searchsorted(arrays.begins, bars.ts[rows], "right") - 1
    inside = (segment >= 0) & (bars.ts[rows] < arrays.ends[np.maximum(segment, 0)])
    inside &= bars.ts[rows - 1] >= arrays.begins[np.maximum(segment, 0)]
    rows = rows[inside]
    missing = (bars.ts[rows] - bars.ts[rows - 1]) // bars.width_us - 1
    density = _density(bars, rows, missing, profiles)
    kept = (density >= _LEAST_DENSITY) & ~_undeclared_break(feed, bars, rows)
    return _told(bars, rows[kept], missing[kept], density[kept])


def without_rejected_runs(suspects: pa.Table, rejected: pa.Table) -> pa.Table:
    """Suspects without the gaps whose bars the file did bring, in rows that were rejected: those are told as such.

    Shape:   SUSPECT_SCHEMA with places; REJECTED_SCHEMA of the same partition. A gap is one of rejected rows where at
             least half of its bars stand as such rows right beside the bar after it.
    """
    at = np.flatnonzero(np.array(suspects["kind"].to_pylist(), object) == GAP)
    if not len(at) or not rejected.num_rows:
        return suspects
    faulty: dict[str, list[int]] = {}
    for file, row, rules in zip(*(rejected[name].to_pylist() for name in ("file", "row", "rules")), strict=True):
        if row is not None and (rules or "").split(";")[0] not in NO_FAULT:
            faulty.setdefault(file, []).append(row)
    rows = {file: np.sort(np.array(found, np.int64)) for file, found in faulty.items()}
    gaps = suspects.take(pa.array(at)).select(["file", "row", "bars"]).to_pylist()
    told = np.ones(suspects.num_rows, np.bool_)
    told[at] = [not _was_rejected(gap["row"], gap["bars"], rows.get(gap["file"])) for gap in gaps]
    return suspects.filter(pa.array(told))


def _was_rejected(row: int | None, missing: int, rejected: Ints | None) -> bool:
    if row is None or rejected is None:
        return False
    # Files in reverse have them after it.
    beside = np.searchsorted(rejected, [row - missing, row, row + 1, row + 1 + missing])
    return bool(2 * max(beside[1] - beside[0], beside[3] - beside[2]) >= missing)


def _told(bars: GroupedBars, rows: Ints, missing: Ints, density: Floats) -> Suspects:
    minutes = np.asarray(missing * (bars.width_us / MINUTE_US), np.float64)
    return Suspects(GAP, rows, rows, missing, minutes, density)


def _pauses(bars: GroupedBars) -> Ints:
    if not bars.is_fine or len(bars.ts) < 2:
        return np.zeros(0, np.int64)
    long = np.flatnonzero(np.diff(bars.ts) > _LEAST_BARS * bars.width_us) + 1
    return long[~np.isin(long, bars.starts)]


def _density(bars: GroupedBars, rows: Ints, missing: Ints, profiles: pa.Table) -> Floats:
    at = profile_rows(bars.codes[rows], bars.symbols, bars.days[rows], profiles)
    there = np.append(int_values(profiles["bars"]), 0)[at]
    room = np.append(int_values(profiles["expected"]), 0)[at]
    return there / np.maximum(room - missing, 1)


def _undeclared_break(feed: Feed, bars: GroupedBars, rows: Ints) -> np.ndarray:
    """Pauses of round-the-clock exchanges from one quarter of an hour to another.

    `exchange_calendars` lists such exchanges without their daily maintenance break; only a feed that declares its
    breaks tells them from gaps.
    """
    if feed.calendar.name in ("24/7", "fx") or feed.calendar.breaks:
        return np.zeros(len(rows), np.bool_)
    sessions = feed_calendar(feed).sessions(_day(bars.days.min()), _day(bars.days.max()))
    if not any(session.close - session.open >= _ROUND_THE_CLOCK_US for session in sessions):
        return np.zeros(len(rows), np.bool_)
    until, since = bars.ts[rows], bars.ts[rows - 1] + bars.width_us
    # Bars of thin minutes around the break may be missing too.
    slack = 5 * MINUTE_US
    return (until % _QUARTER_US <= slack) & (-since % _QUARTER_US <= slack)


def _day(number: int) -> date:
    return date_of_us(int(number) * DAY_US)
