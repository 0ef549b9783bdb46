"""Which partition each parsed row belongs to.

A row belongs to its session's partition. A row outside every session, whose local date is a session's, belongs
to that date. Any other row (unreadable time, closed day, the future) rides with the nearest row before it in its
file that has a partition, so that every row is counted somewhere and none invents a partition.
"""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.partitions import Period, period_of, period_start
from marketdata_pipelines.domain.session_grid import Ints, Placement, SessionGrid, feed_calendar, feed_grid
from marketdata_pipelines.domain.sessions import EPOCH, FIRST_DATE, date_of_us, midnight_us
from marketdata_pipelines.domain.validation import MISSING_TS

# Far from every day number: those before 1970 are negative.
UNPLACED = -(2**31)
_MARGIN = timedelta(days=4)


class Placer:
    """Places the rows of one file, chunk after chunk.

    `known_us` is when the file became known: rows that start later are unplaced.
    """

    def __init__(self, feed: Feed, known_us: int) -> None:
        self._feed = feed
        self._period = period_of(feed.partition)
        self._known_us = known_us
        self._grid: SessionGrid | None = None

    def grid_for(self, ts: Ints) -> SessionGrid:
        """A session grid that covers these instants, as far as they can be data at all."""
        sane = ts[(ts >= (FIRST_DATE - EPOCH).days * DAY_US) & (ts <= self._known_us)]
        if not len(sane):
            return self._grid or feed_grid(self._feed, date_of_us(self._known_us), date_of_us(self._known_us))
        first, last = date_of_us(int(sane.min())) - _MARGIN, date_of_us(int(sane.max())) + _MARGIN
        if self._grid is None or first < self._grid.start or last > self._grid.end:
            if self._grid is not None:
                first, last = min(first, self._grid.start), max(last, self._grid.end)
            self._grid = SessionGrid(self._feed, first, last)
        return self._grid

    def days(self, ts: Ints, placement: Placement, grid: SessionGrid) -> Ints:
        """First day of each row's partition in days since 1970, or UNPLACED."""
        if not len(grid.dates):
            return np.full(len(ts), UNPLACED, np.int64)
        session_day = grid.dates[np.maximum(placement.session, 0)].astype(np.int64)
        day = np.where(placement.session >= 0, session_day, UNPLACED)
        loose = np.flatnonzero((placement.session < 0) & (ts >= midnight_us(FIRST_DATE)) & (ts <= self._known_us))
        if len(loose):
            local = grid.local_dates(ts[loose]).astype(np.int64)
            known = np.isin(local, grid.dates)
            day[loose[known]] = local[known]
        day[ts >= self._known_us] = UNPLACED
        return _period_days(day, self._period)

    def nearest_day(self, ts: Ints) -> int | None:
        """First day of the partition of the last session before the earliest of these instants, or before now.

        For files whose rows all fall on closed days or in the future; None when no time is readable.
        """
        readable = ts[ts != MISSING_TS]
        if not len(readable):
            return None
        earliest = min(max(int(readable.min()), midnight_us(FIRST_DATE)), self._known_us)
        day = date_of_us(earliest)
        sessions = feed_calendar(self._feed).sessions(day - timedelta(days=30), day)
        nearest = sessions[-1].date if sessions else day
        return (period_start(nearest, self._period) - EPOCH).days


def row_times(table: pa.Table) -> Ints:
    """The `ts` of parsed rows in UTC microseconds, MISSING_TS where unreadable."""
    ts = int_values(table["ts"], MISSING_TS)
    if pa.types.is_timestamp(table.schema.field("ts").type) and table.schema.field("ts").type.unit == "ns":
        return np.where(ts == MISSING_TS, MISSING_TS, ts // 1000)
    return ts


def ride_along(days: Ints, before: int) -> Ints:
    """Give unplaced rows the partition of the nearest placed row before them; `before` is the last one of the file.

    Rows ahead of the first placed row stay UNPLACED when `before` is.
    """
    position = np.where(days != UNPLACED, np.arange(len(days)), -1)
    nearest = np.maximum.accumulate(position) if len(position) else position
    return np.where(nearest >= 0, days[np.maximum(nearest, 0)], before)


def day_key(day: int) -> str:
    """The partition key of a day number."""
    return (EPOCH + timedelta(days=int(day))).isoformat()


def key_day(key: str) -> int:
    """The day number of a partition key."""
    return (date.fromisoformat(key) - EPOCH).days


def _period_days(days: Ints, period: Period) -> Ints:
    if period is Period.DAY:
        return days
    distinct, where = np.unique(days, return_inverse=True)
    starts: NDArray[np.int64] = np.array(
        [UNPLACED if day == UNPLACED else (_start(int(day), period) - EPOCH).days for day in distinct], np.int64
    )
    return starts[where]


def _start(day: int, period: Period) -> date:
    return period_start(EPOCH + timedelta(days=day), period)
