"""Sessions of one feed over a span of dates as arrays: which session and segment an instant is in.

The vectorised counterpart of `sessions`: built once a partition, asked with whole columns.
"""

from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US, SECOND_US
from marketdata_pipelines.domain.sessions import (
    EPOCH,
    Calendar,
    Session,
    days_between,
    local_us,
    midnight_us,
    open_calendar,
    utc_days,
)

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
_FAR = np.int64(2**62)


def feed_calendar(feed: Feed) -> Calendar:
    """The calendar a feed's sessions come from: the exchange's, or UTC days of it for `anchor: utc`."""
    return utc_days(feed.calendar) if feed.anchor is Anchor.UTC else open_calendar(feed.calendar)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where instants belong. `session` is a position in the grid, -1 outside every session and its extended hours.

    `regular` tells the regular session from extended hours. `anchor` and `limit` are the start and end of the
    trading segment (UTC microseconds), `complete` when a bucket cut at `limit` is complete.
    """

    session: Ints
    regular: Mask
    anchor: Ints
    limit: Ints
    complete: Ints


class SessionGrid:
    """The sessions of `feed` with start <= date <= end.

    For `anchor: utc` every calendar day is a session, nothing is outside, and buckets count from 1970.
    """

    def __init__(self, feed: Feed, start: date, end: date) -> None:
        self._feed = feed
        self.start, self.end = start, end
        # Bars of several days carry a label, not a session.
        several_days = not feed.interval.is_intraday and feed.interval.us != DAY_US
        self._everything = feed.anchor is Anchor.UTC or several_days
        if self._everything:
            days = days_between(start, end)
            self.dates = np.array([(day - EPOCH).days for day in days], np.int32)
            self.opens = np.array([midnight_us(day) for day in days], np.int64)
            self.closes = self.opens + DAY_US
            self.completes = self.closes
            self._joins_close = False
            return
        calendar = open_calendar(feed.calendar)
        sessions = calendar.sessions(start, end)
        self.dates = np.array([(s.date - EPOCH).days for s in sessions], np.int32)
        self.opens = np.array([s.open for s in sessions], np.int64)
        self.closes = np.array([s.close for s in sessions], np.int64)
        self._joins_close = feed.closing_auction is ClosingAuction.OWN_BAR and feed.interval.is_intraday
        self.completes = self.closes + (feed.interval.us if self._joins_close else 0)
        self._set_segments(sessions)
        self._set_extended(sessions, calendar)

    def place(self, ts: Ints) -> Placement:
        """Place bars by their open.

        Bounds: a bar of a minute or less belongs where its open is; a coarser one to the session it overlaps.
        """
        if self._everything:
            day = ts // DAY_US
            session = day - (self.dates[0] if len(self.dates) else 0)
            inside = (session >= 0) & (session < len(self.dates))
            origin, far = np.broadcast_to(np.int64(0), len(ts)), np.broadcast_to(_FAR, len(ts))
            return Placement(np.where(inside, session, -1), np.ones(len(ts), bool), origin, far, far)
        if not self._feed.interval.is_intraday:
            return self._place_dates(ts)
        session = self._session_of(ts)
        segment, regular = self._segment_of(ts)
        if self._feed.extended_hours is None:
            # Without extended hours a break inside the session is outside it.
            session = np.where(regular, session, -1)
        if not len(self._segment_open):
            nothing = np.zeros(len(ts), np.int64)
            return Placement(session, regular, nothing, nothing, nothing)
        at = np.where(regular, segment, 0)
        return Placement(session, regular, self._segment_open[at], self._segment_close[at], self._segment_complete[at])

    def spans(self) -> tuple[Ints, Ints]:
        """For each session the instants [start, end) at which its bars may open, extended hours included.

        Daily bars open at midnight UTC of their date; with `anchor: utc` every calendar day is one span. A coarse bar
        may open before its session, but not before the end of the one before, to which it belongs then: so the first
        span is right only if the grid begins with an earlier session.
        """
        if self._everything:
            return self.opens, self.closes
        if not self._feed.interval.is_intraday:
            midnights = self.dates.astype(np.int64) * DAY_US
            return midnights, midnights + DAY_US
        starts = self._extended_open - self._reach()
        starts[1:] = np.maximum(starts[1:], self._extended_close[:-1])
        return starts, self._extended_close

    def with_extended_segments(self) -> "SessionGrid":
        """The same sessions with the hours before the open, in breaks and after the close as segments of their own.

        For bars that include the extended hours: their buckets count from the start of those hours and are cut where
        regular trading begins and ends.
        """
        if self._everything or not len(self.dates) or self._feed.extended_hours is None:
            return self
        grid = copy(self)
        pauses, resumes = self._breaks()
        begins = np.concatenate((self._segment_open, self._extended_open, pauses, self.completes))
        until = np.concatenate((self._segment_close, self.opens, resumes, self._extended_close))
        member = np.concatenate((self._segment_end, self.opens, resumes, self._extended_close))
        complete = np.concatenate((self._segment_complete, self.opens, resumes, self._extended_close))
        order = np.argsort(begins, kind="stable")
        order = order[(until > begins)[order]]
        grid._segment_open, grid._segment_close = begins[order], until[order]
        grid._segment_end, grid._segment_complete = member[order], complete[order]
        grid.completes = np.maximum(self.completes, self._extended_close)
        return grid

    def local_dates(self, ts: Ints) -> NDArray[np.int32]:
        """The exchange-local date of instants, as days since 1970 (UTC dates for `anchor: utc`)."""
        return (self.local_clock(ts) // DAY_US).astype(np.int32)

    def local_clock(self, ts: Ints) -> Ints:
        """The exchange's wall clock at instants between the years 1 and 9999, as if it were UTC."""
        if self._everything or not self._feed.interval.is_intraday:
            return ts
        zone = ZoneInfo(open_calendar(self._feed.calendar).zone)
        quarters, where = np.unique(ts // (15 * MINUTE_US), return_inverse=True)
        offsets = [_utc_offset_us(int(quarter) * 15 * MINUTE_US, zone) for quarter in quarters]
        return ts + np.array(offsets, np.int64)[where]

    def _breaks(self) -> tuple[Ints, Ints]:
        """When the breaks inside sessions begin and end."""
        session = np.searchsorted(self.opens, self._segment_open, "right")
        inside = session[1:] == session[:-1]
        return self._segment_close[:-1][inside], self._segment_open[1:][inside]

    def _place_dates(self, ts: Ints) -> Placement:
        # A daily bar carries a date: it is its session's, whatever the hours.
        nothing = np.zeros(len(ts), np.int64)
        if not len(self.dates):
            return Placement(np.full(len(ts), -1, np.int64), np.zeros(len(ts), bool), nothing, nothing, nothing)
        near = np.minimum(np.searchsorted(self.dates, ts // DAY_US), len(self.dates) - 1)
        inside = self.dates[near] == ts // DAY_US
        session = np.where(inside, near, -1).astype(np.int64)
        return Placement(session, inside, self.opens[near], self.closes[near], self.completes[near])

    def _reach(self) -> int:
        """How far before its session's open a bar may begin and still overlap it."""
        width = self._feed.interval.us
        return width - 1 if width > MINUTE_US and self._feed.interval.is_intraday else 0

    def _session_of(self, ts: Ints) -> Ints:
        if not len(self.dates):
            return np.full(len(ts), -1, np.int64)
        at = np.searchsorted(self._extended_close, ts, "right")
        near = np.minimum(at, len(self.dates) - 1)
        inside = (at < len(self.dates)) & (ts + self._reach() >= self._extended_open[near])
        return np.where(inside, near, -1).astype(np.int64)

    def _segment_of(self, ts: Ints) -> tuple[Ints, Mask]:
        if not len(self._segment_open):
            return np.zeros(len(ts), np.int64), np.zeros(len(ts), bool)
        at = np.searchsorted(self._segment_end, ts, "right")
        near = np.minimum(at, len(self._segment_end) - 1)
        inside = (at < len(self._segment_end)) & (ts + self._reach() >= self._segment_open[near])
        return near.astype(np.int64), inside

    def _set_segments(self, sessions: list[Session]) -> None:
        pairs = [segment for session in sessions for segment in session.segments]
        last = [segment is session.segments[-1] for session in sessions for segment in session.segments]
        self._segment_open = np.array([begins for begins, _ in pairs], np.int64)
        self._segment_close = np.array([ends for _, ends in pairs], np.int64)
        # With own_bar the bar AT the close belongs to the last bucket, which is complete one bar later.
        extra = np.array(last, np.int64) * (self._feed.interval.us if self._joins_close else 0)
        self._segment_end = self._segment_close + (extra > 0)
        self._segment_complete = self._segment_close + extra

    def _set_extended(self, sessions: list[Session], calendar: Calendar) -> None:
        ends = self._segment_end_of_sessions(sessions)
        if self._feed.extended_hours is None or not sessions:
            self._extended_open, self._extended_close = self.opens, ends
            return
        first, last = self._feed.extended_hours
        usual = calendar.usual_close()
        opens, closes = [], []
        for session, end in zip(sessions, ends, strict=True):
            early = local_us(session.date, usual, calendar.zone) - session.close
            opens.append(min(session.open, local_us(session.date, first, calendar.zone)))
            closes.append(max(int(end), local_us(session.date, last, calendar.zone) - max(early, 0)))
        self._extended_open, self._extended_close = np.array(opens, np.int64), np.array(closes, np.int64)

    def _segment_end_of_sessions(self, sessions: list[Session]) -> Ints:
        extra = 1 if self._joins_close else 0
        return np.array([session.close + extra for session in sessions], np.int64)


def feed_grid(feed: Feed, first: date, last: date) -> SessionGrid:
    """A grid that covers whatever session bars dated around first..last can belong to."""
    return SessionGrid(feed, first - timedelta(days=4), last + timedelta(days=4))


def _utc_offset_us(us: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(us // SECOND_US, tz=UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * SECOND_US
