"""The session clock: a time without a zone on which plain buckets of 5m, 1h and 1d are the lake's buckets.

Each session has a calendar day of it to itself: its trading segments stand there one after the other, each from a
full hour on, and then its extended hours. Which session a bar is in is decided in `session_grid`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.intervals import DAY_US, HOUR_US, MINUTE_US, SECOND_US, parse_interval
from marketdata_pipelines.domain.session_grid import SessionGrid
from marketdata_pipelines.domain.sessions import EPOCH, Session, midnight_us, open_calendar

Ints = NDArray[np.int64]
_MINUTE = parse_interval("1m")


@dataclass(frozen=True, slots=True)
class ClockSegment:
    """A stretch of one session, [start, end), in UTC microseconds and on the session clock.

    `clock_*` are microseconds of the clock since 1970-01-01 00:00; `segment` counts along the clock from 0 in each
    session: regular trading first, then the extended hours.
    """

    session_date: date
    segment: int
    regular: bool
    clock_start_us: int
    clock_end_us: int
    ts_start_us: int
    ts_end_us: int


@dataclass(frozen=True, slots=True)
class _Hours:
    """A stretch of a session before it is laid on the clock; `last` where the closing auction's own bar joins it."""

    begins: int
    ends: int
    regular: bool
    last: bool = False


class SessionClock:
    """Where the bars of `feed` stand on the session clock, for its sessions with first <= date <= last.

    Rule:   inside a segment the clock runs as time does, so a bar's day on the clock is its session's date, and
            floors of it by widths that divide an hour, or by a day, are the buckets of `aggregation`.
    Dates:  for `anchor: utc`, and for bars of a day or more, the clock is UTC.
    Errors: ValueError naming the first session whose segments do not fit into the 24 hours of its day.
    """

    def __init__(self, feed: Feed, first: date, last: date) -> None:
        self._feed = feed
        self._joins_close = feed.closing_auction is ClosingAuction.OWN_BAR and feed.interval.is_intraday
        self._on_sessions = feed.anchor is Anchor.SESSION and feed.interval.is_intraday
        self._reach = feed.interval.us - 1 if self._on_sessions and feed.interval.us > MINUTE_US else 0
        laid = self._lay_sessions(first, last) if self._on_sessions else list(_whole_days(feed, first, last))
        self.segments: tuple[ClockSegment, ...] = tuple(
            sorted((segment for segment, _ in laid), key=lambda segment: segment.clock_start_us)
        )
        # Bars are looked up in the order of time: `from`..`to` are the opens that belong to a segment.
        self._from = np.array([slot[0] for _, slot in laid], np.int64)
        self._to = np.array([slot[1] for _, slot in laid], np.int64)
        self._ts_start = np.array([segment.ts_start_us for segment, _ in laid], np.int64)
        self._ts_end = np.array([segment.ts_end_us for segment, _ in laid], np.int64)
        self._clock_start = np.array([segment.clock_start_us for segment, _ in laid], np.int64)
        self._clock_end = np.array([segment.clock_end_us for segment, _ in laid], np.int64)
        self._overlapped = self._where_bars_overlap(first, last)
        self._day = (self._clock_start // DAY_US).astype(np.int32)

    def to_clock(self, ts_us: Ints, session_days: NDArray[np.int32]) -> Ints:
        """The clock times of bars.

        Shape:   N opens in UTC microseconds, and the session date of each in days since 1970; N microseconds of the
                 clock, which differ wherever the opens of one session differ.
        Bounds:  a bar that opens before its segment, which it only overlaps, stands within the segment's first
                 second (so does one at its start where such bars may be), and the closing auction's own bar at its
                 last microsecond. So in a segment the clock increases with the opens.
        Errors:  ValueError naming the first bar that is in no segment of its session.
        """
        at = self._slots_of(ts_us, session_days)
        clock: Ints = ts_us + (self._clock_start - self._ts_start)[at]
        if self._reach:
            start = self._ts_start[at]
            early = np.flatnonzero((ts_us < start) | (ts_us == start) & self._overlapped[at])
            # In the order of their opens, each on its own microsecond: opens are whole seconds.
            ahead = (ts_us[early] - start[early] + self._feed.interval.us) // SECOND_US
            clock[early] = self._clock_start[at[early]] + ahead
        if self._joins_close:
            late = np.flatnonzero(ts_us >= self._ts_end[at])
            clock[late] = self._clock_end[at[late]] - 1
        return clock

    def buckets(self, clock_us: Ints, width_us: int) -> tuple[Ints, Ints]:
        """The lake's `ts` and `ts_close`, in UTC microseconds, of regular buckets that begin at clock times.

        Bounds:  widths that divide an hour, or a day; a bucket's `clock_us` is a floor by its width.
        Errors:  ValueError naming the first clock time that is in no segment.
        """
        order = np.argsort(self._clock_start)
        starts = self._clock_start[order]
        near = np.searchsorted(starts, clock_us, "right") - 1
        outside = (near < 0) | (clock_us >= self._clock_end[order][near]) if len(starts) else np.ones(len(near), bool)
        if outside.any():
            where = _text(int(clock_us[int(np.flatnonzero(outside)[0])]))
            raise ValueError(f"{self._feed.name} has no session hours at {where} of the session clock")
        if width_us == DAY_US:
            return clock_us, self._day_ends(clock_us)
        at = order[near]
        begins = clock_us - (self._clock_start - self._ts_start)[at]
        ends, limit = begins + width_us, self._ts_end[at]
        return begins, np.where(ends < limit, ends, limit + self._extra(at))

    def span(self, start_us: int, end_us: int) -> tuple[int, int] | None:
        """The narrowest [from, to) of the clock that holds every bar which opens at start <= ts < end; None: no bar.

        Other bars may stand in it too: extended hours stand after the regular ones.
        """
        touched = (self._from < end_us) & (self._to > start_us)
        if start_us >= end_us or not touched.any():
            return None
        clock, opens = self._clock_start[touched], self._ts_start[touched]
        last = self._clock_end[touched]
        lower = np.minimum(clock + np.maximum(start_us - opens, 0), last - 1)
        upper = np.minimum(clock + np.maximum(end_us - opens, SECOND_US), last)
        return int(lower.min()), int(upper.max())

    def _where_bars_overlap(self, first: date, last: date) -> NDArray[np.bool_]:
        """The segments before whose start bars may open: it is off the feed's interval, of UTC or the exchange."""
        width = self._feed.interval.us
        if not self._reach:
            return np.zeros(len(self._ts_start), bool)
        local = SessionGrid(self._feed, first, last).local_clock(self._ts_start)
        overlapped: NDArray[np.bool_] = (self._ts_start % width != 0) | (local % width != 0)
        return overlapped

    def _slots_of(self, ts_us: Ints, session_days: NDArray[np.int32]) -> Ints:
        if not len(ts_us):
            return np.zeros(0, np.int64)
        if not len(self._from):
            raise ValueError(self._outside(int(ts_us[0]), int(session_days[0])))
        at = np.searchsorted(self._from, ts_us, "right") - 1
        inside = (at >= 0) & (ts_us < self._to[at]) & (self._day[at] == session_days)
        if not inside.all():
            first = int(np.argmin(inside))
            raise ValueError(self._outside(int(ts_us[first]), int(session_days[first])))
        return at

    def _outside(self, ts_us: int, day: int) -> str:
        session = EPOCH + timedelta(days=day)
        return (
            f"{self._feed.name}: a bar of session {session} opens at {_text(ts_us)} UTC, outside every segment of that "
            f"session in calendar {self._feed.calendar.name}; validate {session} again, with the calendar of today"
        )

    def _extra(self, at: Ints) -> Ints:
        """How long after their ends segments are complete: with an auction of its own, the last one by a bar."""
        extra = np.where(self._to[at] > self._ts_end[at], self._feed.interval.us, 0) if self._joins_close else 0
        return np.broadcast_to(extra, len(at)).astype(np.int64)

    def _day_ends(self, clock_us: Ints) -> Ints:
        if not self._on_sessions:
            first, last = (EPOCH + timedelta(days=int(edge) // DAY_US) for edge in (clock_us.min(), clock_us.max()))
            grid = SessionGrid(self._feed, first, last)
            completes: Ints = grid.completes[np.searchsorted(grid.dates, clock_us // DAY_US)]
            return completes
        regular = {s.session_date: s.ts_end_us for s in self.segments if s.regular}
        extra = self._feed.interval.us if self._joins_close else 0
        ends = {(day - EPOCH).days: end + extra for day, end in regular.items()}
        return np.array([ends[int(day)] for day in clock_us // DAY_US], np.int64)

    def _lay_sessions(self, first: date, last: date) -> list[tuple[ClockSegment, tuple[int, int]]]:
        # From a few days earlier: a coarse bar may open before its session, but not before the end of the one before.
        start = first - timedelta(days=4)
        sessions = open_calendar(self._feed.calendar).sessions(start, last)
        # Of bars of a minute the spans are the hours themselves, without the reach of coarse bars.
        spans = SessionGrid(replace(self._feed, interval=_MINUTE), start, last).spans()
        laid = []
        cursor = np.iinfo(np.int64).min
        for session, begins, ends in zip(sessions, *(edge.tolist() for edge in spans), strict=True):
            if session.date < first:
                cursor = ends
                continue
            hours = self._hours(session, begins, ends)
            where = dict(zip(hours, self._laid(session, hours), strict=True))
            inside = sorted(hours, key=lambda part: part.begins)
            for position, part in enumerate(inside):
                opens = max(cursor, part.begins - self._reach)
                until = part.ends + (1 if part.last and self._joins_close else 0)
                if position + 1 < len(inside) and not part.regular:
                    # A bar that overlaps regular trading belongs to it.
                    until = min(until, inside[position + 1].begins - self._reach)
                cursor = max(opens, until)
                laid.append((where[part], (opens, cursor)))
        return laid

    def _hours(self, session: Session, begins: int, ends: int) -> list[_Hours]:
        """Regular trading first, then the extended hours (and, where there are such, the breaks) in order."""
        final = len(session.segments) - 1
        hours = [_Hours(*segment, True, at == final) for at, segment in enumerate(session.segments)]
        if self._feed.extended_hours is None:
            return hours
        edges = [begins, *(edge for segment in session.segments for edge in segment), ends]
        pauses = list(zip(edges[::2], edges[1::2], strict=True))
        complete = session.close + (self._feed.interval.us if self._joins_close else 0)
        # As in the answers with all hours: those after the close count from when the auction is over.
        pauses[-1] = (complete if complete < ends else session.close, ends)
        if ends <= session.close + (1 if self._joins_close else 0):
            pauses.pop()
        return hours + [_Hours(start, end, False) for start, end in pauses if start < end]

    def _laid(self, session: Session, hours: list[_Hours]) -> list[ClockSegment]:
        for extended_step in (HOUR_US, 1):
            offsets = list(_offsets(hours, extended_step))
            if offsets[-1] + hours[-1].ends - hours[-1].begins <= DAY_US:
                break
        else:
            raise ValueError(
                f"{self._feed.name}: the {len(hours)} segments of session {session.date} take more than the 24 hours "
                f"that a session has on the session clock; give the feed `anchor: utc` or fewer breaks"
            )
        midnight = midnight_us(session.date)
        return [
            ClockSegment(
                session.date, at, part.regular,
                midnight + offset, midnight + offset + part.ends - part.begins, part.begins, part.ends,
            )
            for at, (part, offset) in enumerate(zip(hours, offsets, strict=True))
        ]  # fmt: skip


def _offsets(hours: list[_Hours], extended_step: int) -> Iterator[int]:
    """Where each stretch begins on its day: on the next full hour, extended ones on a multiple of the step."""
    end = 0
    for part in hours:
        step = HOUR_US if part.regular else extended_step
        begins = -(-end // step) * step
        yield begins
        end = begins + part.ends - part.begins


def _whole_days(feed: Feed, first: date, last: date) -> Iterator[tuple[ClockSegment, tuple[int, int]]]:
    for day in SessionGrid(feed, first, last).dates.tolist():
        begins, ends = day * DAY_US, (day + 1) * DAY_US
        yield ClockSegment(EPOCH + timedelta(days=day), 0, True, begins, ends, begins, ends), (begins, ends)


def _text(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).strftime("%Y-%m-%d %H:%M:%S")
