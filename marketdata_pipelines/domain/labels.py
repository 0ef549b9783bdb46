"""Buckets of several days: which 2d, 1w or 1M bucket a session or UTC day belongs to, and when it is complete."""

from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from marketdata_pipelines.domain.feeds import Anchor, CalendarSpec, Feed
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.partitions import Period, period_end, period_start
from marketdata_pipelines.domain.session_grid import Ints, SessionGrid
from marketdata_pipelines.domain.sessions import EPOCH, FIRST_DATE, open_calendar

# Pairs of sessions are counted from the calendar's first session on or after this day.
PAIRS_FROM = date(1998, 1, 2)
_LAST_DATE = date(2100, 1, 1)
_PERIODS = {"1w": Period.WEEK, "1M": Period.MONTH}


def bucket_days(feed: Feed, day: date, timeframe: str) -> tuple[date, date]:
    """The first and last calendar day (both included) of the 2d, 1w or 1M bucket that contains a session date.

    For 2d the first is the bucket's label; for 1w the label is the Monday, for 1M the first of the month.
    """
    period = _PERIODS.get(timeframe)
    if period is not None:
        start = period_start(day, period)
        return start, period_end(start, period)
    if feed.anchor is Anchor.UTC:
        start = EPOCH + timedelta(days=(day - EPOCH).days // 2 * 2)
        return start, start + timedelta(days=1)
    return _session_pair(feed, day)


def day_buckets(feed: Feed, days: Ints, timeframe: str) -> tuple[Ints, Ints, Ints]:
    """Group days (since 1970) into buckets.

    Shape:   returns each day's group, and by group its label in days since 1970 and when it is complete (UTC
             microseconds): the close of its last session, or the end of its last UTC day.
    """
    distinct, where = np.unique(days, return_inverse=True)
    spans = [bucket_days(feed, EPOCH + timedelta(days=int(day)), timeframe) for day in distinct]
    starts = np.array([(start - EPOCH).days for start, _ in spans], np.int64)
    labels, first, group = np.unique(starts, return_index=True, return_inverse=True)
    ends = np.array([_complete_us(feed, *spans[position]) for position in first], np.int64)
    return group.astype(np.int64)[where], labels, ends


def label_ends(feed: Feed, ts: Ints) -> Ints:
    """When bars of several days (2d, 1w, 1M …) labelled at `ts` are complete, UTC microseconds."""
    if feed.interval.name not in ("2d", *_PERIODS):
        return ts + feed.interval.us
    group, _, ends = day_buckets(feed, ts // DAY_US, feed.interval.name)
    return ends[group]


def _session_pair(feed: Feed, day: date) -> tuple[date, date]:
    dates, position, anchor = _counted_sessions(feed.calendar)
    at = position.get(day)
    if at is None:
        return day, day
    first = anchor + (at - anchor) // 2 * 2
    return dates[max(first, 0)], dates[min(first + 1, len(dates) - 1)]


@lru_cache(maxsize=32)
def _counted_sessions(spec: CalendarSpec) -> tuple[list[date], dict[date, int], int]:
    """All session dates of a calendar, their positions, and the position pairs are counted from."""
    dates = [session.date for session in open_calendar(spec).sessions(FIRST_DATE, _LAST_DATE)]
    anchor = next((at for at, day in enumerate(dates) if day >= PAIRS_FROM), len(dates))
    return dates, {day: at for at, day in enumerate(dates)}, anchor


def _complete_us(feed: Feed, start: date, end: date) -> int:
    if feed.anchor is Anchor.UTC:
        return ((end - EPOCH).days + 1) * DAY_US
    grid = SessionGrid(feed, start, end)
    return int(grid.completes[-1]) if len(grid.completes) else ((end - EPOCH).days + 1) * DAY_US
