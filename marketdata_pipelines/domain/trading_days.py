"""Counting in trading days: the next one, the last one until a day, the n-th before it.

Which days those are is the calendar's (see `sessions`); beyond its reach every weekday counts.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, timedelta

_DAY = timedelta(days=1)


class TradingDays:
    """The dates of a calendar's sessions, which must cover the days between the first and the last of them."""

    def __init__(self, dates: Iterable[date]) -> None:
        self._dates = sorted(set(dates))

    def is_one(self, day: date) -> bool:
        """Whether a day is a trading day."""
        if not self._dates or not self._dates[0] <= day <= self._dates[-1]:
            return day.weekday() < 5
        at = bisect_left(self._dates, day)
        return self._dates[at] == day

    def between(self, start: date, end: date) -> list[date]:
        """The trading days of start..end, both included."""
        if self._dates and self._dates[0] <= start and end <= self._dates[-1]:
            return self._dates[bisect_left(self._dates, start) : bisect_right(self._dates, end)]
        days = (start + timedelta(days=offset) for offset in range((end - start).days + 1))
        return [day for day in days if self.is_one(day)]

    def after(self, day: date) -> date:
        """The first trading day after a day."""
        day += _DAY
        while not self.is_one(day):
            day += _DAY
        return day

    def until(self, day: date) -> date:
        """The last trading day that is not after a day."""
        while not self.is_one(day):
            day -= _DAY
        return day

    def before(self, day: date, count: int = 1) -> date:
        """The `count`-th trading day before a day."""
        for _ in range(count):
            day = self.until(day - _DAY)
        return day
