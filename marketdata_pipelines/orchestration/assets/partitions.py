"""Partition definitions of a feed: which days, weeks, months and years Dagster knows.

Every definition of one feed is in the feed's zone and its windows end at a midnight, so that windows of different
periods nest. Keys are those of `domain.partitions`. A year of minutes is 252 keys; 22 years take 0.1 s.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dagster import TimeWindowPartitionsDefinition

from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.partitions import Period, period_start
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import Session, days_between
from marketdata_pipelines.domain.tables import feed_tables

KEY_FORMAT = "%Y-%m-%d"
PERIOD_CRON = {Period.DAY: "0 0 * * *", Period.WEEK: "0 0 * * 1", Period.MONTH: "0 0 1 * *", Period.YEAR: "0 0 1 1 *"}
# How far ahead closed days are left out; a code location lives shorter than that without a reload.
_AHEAD = timedelta(days=300)


def feed_periods(feed: Feed) -> tuple[Period, ...]:
    """The periods of a feed's assets, the base one first."""
    return tuple(dict.fromkeys(table_set.period for table_set in feed_tables(feed)))


def feed_zone(feed: Feed) -> str:
    """The zone in which all partitions of a feed begin and end."""
    return "UTC" if feed.anchor is Anchor.UTC else feed_calendar(feed).zone


def first_day(feed: Feed, earliest: str | None, today: date) -> date:
    """The first day a feed has partitions for.

    `earliest` is the key of its earliest raw partition, if any. Without that and without `start`: January 1st.
    """
    known = [day for day in (feed.start, date.fromisoformat(earliest) if earliest else None) if day is not None]
    return min(known) if known else today.replace(month=1, day=1)


def feed_partitions(feed: Feed, earliest: str | None, today: date) -> dict[Period, TimeWindowPartitionsDefinition]:
    """The partition definition of each period of a feed's assets."""
    start = first_day(feed, earliest, today)
    return {period: partitions_for(feed, period, start, today) for period in feed_periods(feed)}


def partitions_for(feed: Feed, period: Period, start: date, today: date) -> TimeWindowPartitionsDefinition:
    """Every partition of `period` from the one that contains `start`, the open one of now included.

    Days of a feed anchored on sessions are the sessions of its calendar; the first is the first on or after `start`.
    """
    days = _sessions(feed, start, today) if period is Period.DAY and feed.anchor is Anchor.SESSION else []
    first = period_start(days[0].date if days else start, period)
    return TimeWindowPartitionsDefinition(
        start=datetime.combine(first, time()),
        fmt=KEY_FORMAT,
        cron_schedule=PERIOD_CRON[period],
        timezone=feed_zone(feed),
        end_offset=2 if _opens_on_the_evening_before(feed, days) else 1,
        exclusions=_closed_days(days) or None,
    )


def _sessions(feed: Feed, start: date, today: date) -> list[Session]:
    return feed_calendar(feed).sessions(start, max(start, today) + _AHEAD)


def _closed_days(sessions: list[Session]) -> list[str | datetime]:
    """What to leave out between the first and last session: weekdays that never trade as cron, others one by one."""
    if not sessions:
        return []
    open_days = {session.date for session in sessions}
    closed = [day for day in days_between(sessions[0].date, sessions[-1].date) if day not in open_days]
    # Dagster walks through listed dates on every question, through a cron string only as far as asked.
    never = {weekday for weekday in range(7) if all(day.weekday() != weekday for day in open_days)}
    exclusions: list[str | datetime] = [datetime.combine(day, time()) for day in closed if day.weekday() not in never]
    if never:
        exclusions.append(f"0 0 * * {','.join(str((weekday + 1) % 7) for weekday in sorted(never))}")
    return exclusions


def _opens_on_the_evening_before(feed: Feed, sessions: list[Session]) -> bool:
    # Futures and fx: Thursday's evening already is Friday's session, whose partition must exist then.
    if not sessions:
        return False
    last = sessions[-1]
    return datetime.fromtimestamp(last.open / SECOND_US, tz=ZoneInfo(feed_zone(feed))).date() < last.date
