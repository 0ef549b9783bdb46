"""Which sessions are due when: pure functions of a feed, an instant, and what is stored.

A session is due its delay after its close; until then its feed may still be bringing bars. Instants are UTC
microseconds; nothing here reads a clock or a store.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed, SourceKind
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US, SECOND_US
from marketdata_pipelines.domain.labels import bucket_days
from marketdata_pipelines.domain.partitions import Period, partition_key, period_of
from marketdata_pipelines.domain.schedules import Schedule
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import Session, date_of_us, midnight_us

_DAYS_PAST = timedelta(days=730)
_DAYS_AHEAD = timedelta(days=365)
# Long enough for every kind of holiday; a calendar that ends earlier has shown them all.
_DECADE = date(2020, 1, 1), date(2029, 12, 31)
_SEVERAL_DAYS = ("2d", "1w", "1M")
_CRON_DAYS = ("0", "1", "2", "3", "4", "5", "6")


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What is known of a base partition: when it was last walked, its newest bar's open, and whether a check blocks it.

    A blocked one that was walked after its session was due waits for a person: asking again gives the same answer.
    """

    walked_us: int | None
    last_ts_us: int | None
    blocked: bool = False


def schedule_of(feed: Feed) -> Schedule:
    """The feed's schedule; one that is not enabled where it names none."""
    return Schedule(enabled=False) if feed.schedule is None else feed.schedule


def is_scheduled(feed: Feed) -> bool:
    """Whether the feed's data can be asked for on a schedule at all: the packaged sample never changes."""
    return feed.source.kind is not SourceKind.SAMPLE


def is_watched(feed: Feed) -> bool:
    """Whether the feed is expected to be on time."""
    return is_scheduled(feed) and schedule_of(feed).enabled


def complete_us(feed: Feed, session: Session) -> int:
    """When the session's last bar is complete: its close, or one bar later where the auction has a bar of its own."""
    own_bar = feed.closing_auction is ClosingAuction.OWN_BAR and feed.anchor is Anchor.SESSION
    return session.close + (feed.interval.us if own_bar and feed.interval.is_intraday else 0)


def due_us(feed: Feed, session: Session) -> int:
    """When the session's data is asked for."""
    return complete_us(feed, session) + schedule_of(feed).after_close_minutes * MINUTE_US


def deadline_us(feed: Feed, session: Session) -> int:
    """When the session's data is late."""
    return complete_us(feed, session) + schedule_of(feed).late_after_minutes * MINUTE_US


def sessions_due(feed: Feed, now_us: int) -> list[Session]:
    """The sessions whose delay has passed, oldest first; at most as many as the feed catches up on.

    Of a feed with bars of several days only the sessions that complete one.
    """
    due = [session for session in _recent(feed, now_us) if due_us(feed, session) <= now_us]
    return [session for session in due if _completes_a_bar(feed, session)][-_count(feed) :]


def sessions_expected(feed: Feed, now_us: int) -> list[Session]:
    """As `sessions_due`, for the sessions whose deadline has passed."""
    expected = [session for session in _recent(feed, now_us) if deadline_us(feed, session) <= now_us]
    return [session for session in expected if _completes_a_bar(feed, session)][-_count(feed) :]


def running_session(feed: Feed, now_us: int) -> Session | None:
    """The newest session that has opened and is not due yet."""
    recent = [session for session in _recent(feed, now_us) if session.open <= now_us < due_us(feed, session)]
    return recent[-1] if recent else None


def session_due_at(feed: Feed, now_us: int) -> Session | None:
    """The session that becomes due in the minute that begins at `now_us`."""
    minute = now_us // MINUTE_US * MINUTE_US
    found = [session for session in _recent(feed, now_us) if _up_to_minute(due_us(feed, session)) == minute]
    return found[-1] if found else None


def next_due(feed: Feed, now_us: int) -> tuple[Session, int] | None:
    """The next session to become due, and when; None beyond the calendar's end."""
    today = date_of_us(now_us)
    coming = feed_calendar(feed).sessions(today - timedelta(days=4), today + timedelta(days=40))
    return next(((session, due_us(feed, session)) for session in coming if due_us(feed, session) > now_us), None)


def newest_label_us(feed: Feed, session: Session) -> int | None:
    """The earliest open that shows a session's bars are there; for bars of several days, that of the bar it is in.

    None where the feed's interval has no place in the calendar (`3d`): when such bars are due is not known.
    """
    if feed.interval.is_intraday:
        # A coarser bar belongs to the session it overlaps.
        return session.open - feed.interval.us + 1
    if feed.interval.us == DAY_US:
        return midnight_us(session.date)
    if feed.interval.name not in _SEVERAL_DAYS:
        return None
    return midnight_us(bucket_days(feed, session.date, feed.interval.name)[0])


def partition_of(feed: Feed, session: Session) -> str:
    """The base partition a session's bars lie in: that of their label."""
    several_days = not feed.interval.is_intraday and feed.interval.name in _SEVERAL_DAYS
    day = bucket_days(feed, session.date, feed.interval.name)[0] if several_days else session.date
    return partition_key(day, period_of(feed.partition))


def is_taken_in(feed: Feed, session: Session, state: PartitionState | None) -> bool:
    """Whether a session needs no asking for: its partition was walked after it became due, with its bars.

    What a running session's cadence, or somebody before the delay had passed, has written does not count.
    """
    if state is None or state.walked_us is None or state.walked_us < due_us(feed, session):
        return False
    if state.blocked or period_of(feed.partition) is Period.DAY:
        return True
    label = newest_label_us(feed, session)
    return label is None or (state.last_ts_us is not None and state.last_ts_us >= label)


def due_partitions(feed: Feed, now_us: int, states: Mapping[str, PartitionState]) -> list[str]:
    """The base partitions to ask for at an instant, oldest first.

    `states` holds those that were ever written; the feed's first day bounds what was never asked for.
    """
    due = [(session, partition_of(feed, session)) for session in sessions_due(feed, now_us)]
    return list(dict.fromkeys(key for session, key in due if not is_taken_in(feed, session, states.get(key))))


def due_crons(feed: Feed, today: date) -> list[str]:
    """Cron expressions, in the calendar's zone, of the times at which the feed's sessions become due.

    Taken from the sessions around today, so that half-days are among them. The last one is hourly: it asks again
    for what failed, catches up after downtime, and finds closes that were announced since.
    """
    days: dict[tuple[int, int], set[int]] = {}
    often: Counter[int] = Counter()
    zone = ZoneInfo(feed_calendar(feed).zone)
    for session in feed_calendar(feed).sessions(today - _DAYS_PAST, today + _DAYS_AHEAD):
        local = datetime.fromtimestamp(_up_to_minute(due_us(feed, session)) // SECOND_US, tz=zone)
        days.setdefault((local.hour, local.minute), set()).add(local.isoweekday() % 7)
        often[local.minute] += 1
    crons = [f"{minute} {hour} * * {_weekdays(found)}" for (hour, minute), found in sorted(days.items())]
    minute = often.most_common(1)[0][0] if often else schedule_of(feed).after_close_minutes % 60
    return [*crons, f"{minute} * * * *"]


def view_cron(minutes: int) -> str:
    """The cron expression of a cadence of `schedules.CADENCES_MINUTES`."""
    if minutes == 1440:
        return "0 0 * * *"
    if minutes >= 60:
        return "0 * * * *" if minutes == 60 else f"0 */{minutes // 60} * * *"
    return "* * * * *" if minutes == 1 else f"*/{minutes} * * * *"


@lru_cache(maxsize=256)
def longest_wait(feed: Feed) -> timedelta:
    """The longest time between two sessions' closes in this decade: over the calendar's longest closure."""
    closes = [complete_us(feed, session) for session in feed_calendar(feed).sessions(*_DECADE)]
    gaps = [later - earlier for earlier, later in pairwise(closes)]
    return timedelta(microseconds=max(gaps, default=DAY_US))


def _recent(feed: Feed, now_us: int) -> list[Session]:
    """More of the newest sessions than are ever asked for, the running ones included."""
    today = date_of_us(now_us)
    start = today - timedelta(days=_count(feed) * 2 + 30)
    if feed.start is not None:
        start = max(start, feed.start)
    return feed_calendar(feed).sessions(start, today + timedelta(days=2)) if start <= today + timedelta(days=2) else []


def _count(feed: Feed) -> int:
    return schedule_of(feed).catch_up_sessions


def _completes_a_bar(feed: Feed, session: Session) -> bool:
    if feed.interval.is_intraday or feed.interval.name not in _SEVERAL_DAYS:
        return True
    last = bucket_days(feed, session.date, feed.interval.name)[1]
    return not feed_calendar(feed).sessions(session.date + timedelta(days=1), last)


def _up_to_minute(moment_us: int) -> int:
    return -(-moment_us // MINUTE_US) * MINUTE_US


def _weekdays(days: set[int]) -> str:
    if len(days) == 7:
        return "*"
    if days == {1, 2, 3, 4, 5}:
        return "1-5"
    return ",".join(_CRON_DAYS[day] for day in sorted(days))
