"""When a market trades: sessions, their trading segments, extended hours, and where an instant belongs.

Times are UTC microseconds unless a name says otherwise. Calendars come from `exchange_calendars`
(loaded on first use: it costs a fifth of a second) with the feed's overlays; `24/7` and `fx` are ours.
"""

import hashlib
import warnings
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from marketdata_pipelines.domain.feeds import CalendarSpec
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US, SECOND_US
from marketdata_pipelines.errors import SettingsInvalid

EPOCH = date(1970, 1, 1)
FIRST_DATE = date(1960, 1, 1)
FX_ZONE = "America/New_York"
Segment = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day: its exchange-local date and the segments [start, end) in which it trades."""

    date: date
    segments: tuple[Segment, ...]

    @property
    def open(self) -> int:
        return self.segments[0][0]

    @property
    def close(self) -> int:
        return self.segments[-1][1]

    @property
    def minutes(self) -> int:
        return sum(end - start for start, end in self.segments) // MINUTE_US


class Calendar(Protocol):
    """A market's sessions. `zone` is the exchange's zone; `version` changes when its hours may change."""

    @property
    def name(self) -> str: ...

    @property
    def zone(self) -> str: ...

    @property
    def version(self) -> str: ...

    def sessions(self, start: date, end: date) -> list[Session]:
        """The sessions with start <= date <= end, in order; days without trading are left out."""
        ...

    def usual_close(self) -> time:
        """The local time at which most sessions close."""
        ...


def days_between(start: date, end: date) -> list[date]:
    """Every date from start to end, both included."""
    return [start + timedelta(days=offset) for offset in range((end - start).days + 1)]


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exactly."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds


def local_us(day: date, at: time, zone: str) -> int:
    """The instant of a local wall-clock time (the first one where it occurs twice)."""
    return to_us(datetime.combine(day, at, tzinfo=ZoneInfo(zone)))


def midnight_us(day: date) -> int:
    """Midnight UTC of a date."""
    return (day - EPOCH).days * DAY_US


def date_of_us(us: int) -> date:
    """The UTC date of an instant."""
    return EPOCH + timedelta(days=us // DAY_US)


@lru_cache(maxsize=32)
def open_calendar(spec: CalendarSpec) -> Calendar:
    """The calendar of a spec, cached.

    Errors: SettingsInvalid for a name nobody knows.
    """
    base: Calendar
    if spec.name == "24/7":
        base = _AlwaysOpen()
    elif spec.name == "fx":
        base = _ForeignExchange()
    else:
        base = _Exchange(spec.name)
    return _Overlaid(base, spec) if spec.breaks or spec.closed else base


def check_calendar(name: str) -> None:
    """Errors: SettingsInvalid naming the known calendars when this is none."""
    if name not in ("24/7", "fx"):
        _factory(name)


@lru_cache(maxsize=32)
def utc_days(spec: CalendarSpec) -> Calendar:
    """The same market cut into UTC days: for feeds anchored on UTC."""
    return open_calendar(spec) if spec.name == "24/7" else _UtcDays(open_calendar(spec))


class _AlwaysOpen:
    name, zone, version = "24/7", "UTC", "24/7"

    def sessions(self, start: date, end: date) -> list[Session]:
        return [Session(day, ((midnight_us(day), midnight_us(day) + DAY_US),)) for day in days_between(start, end)]

    def usual_close(self) -> time:
        return time(0)


class _ForeignExchange:
    """Trading days end at 17:00 New York; Monday's begins on Sunday at 17:00, Friday's ends the week."""

    name, zone, version = "fx", FX_ZONE, "fx-1"

    def sessions(self, start: date, end: date) -> list[Session]:
        roll = time(17)
        return [
            Session(day, ((local_us(day - timedelta(days=1), roll, FX_ZONE), local_us(day, roll, FX_ZONE)),))
            for day in days_between(start, end)
            if day.weekday() < 5
        ]

    def usual_close(self) -> time:
        return time(17)


class _Exchange:
    """A calendar of `exchange_calendars`, read once into plain lists."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._dates, self._sessions, self.zone, self.version = _load_exchange(name)

    def sessions(self, start: date, end: date) -> list[Session]:
        return self._sessions[bisect_left(self._dates, start) : bisect_right(self._dates, end)]

    def usual_close(self) -> time:
        zone = ZoneInfo(self.zone)
        recent = self._sessions[-750:]
        closes = Counter(datetime.fromtimestamp(s.close / SECOND_US, tz=zone).time() for s in recent)
        return closes.most_common(1)[0][0]


def _factory(name: str) -> Any:
    import exchange_calendars

    factories = exchange_calendars.calendar_utils._default_calendar_factories
    aliases = exchange_calendars.calendar_utils._default_calendar_aliases
    factory = factories.get(aliases.get(name, name))
    if factory is None:
        known = ", ".join(sorted(factories))
        raise SettingsInvalid(f"calendar {name!r} is unknown; use 24/7, fx or one of: {known}")
    return factory


def _load_exchange(name: str) -> tuple[list[date], list[Session], str, str]:
    import exchange_calendars
    import pandas as pd

    factory = _factory(name)
    earliest = factory.bound_min()
    start = pd.Timestamp(FIRST_DATE) if earliest is None else max(earliest, pd.Timestamp(FIRST_DATE))
    try:
        with warnings.catch_warnings():
            # It calls what newer pandas deprecates: nothing its users can mend.
            warnings.simplefilter("ignore", DeprecationWarning)
            calendar = factory(start=start)
    except (ValueError, NotImplementedError) as error:
        # A few are listed without hours of their own, or break on their own special dates.
        raise SettingsInvalid(
            f"calendar {name!r} cannot be opened by exchange_calendars {exchange_calendars.__version__} "
            f"({str(error)[:120]}); use a calendar with the same hours, with breaks and closed days of its own"
        ) from error
    dates = [day.date() for day in calendar.sessions]

    def us(series: pd.Series) -> list[int | None]:
        return [None if pd.isna(moment) else int(moment.value // 1000) for moment in series]

    columns = [us(s) for s in (calendar.opens, calendar.break_starts, calendar.break_ends, calendar.closes)]
    sessions = []
    for day, opens, pause, resume, closes in zip(dates, *columns, strict=True):
        assert opens is not None
        assert closes is not None
        whole = ((opens, closes),)
        sessions.append(Session(day, whole if pause is None or resume is None else ((opens, pause), (resume, closes))))
    return dates, sessions, str(calendar.tz), f"{name}-{exchange_calendars.__version__}"


class _Overlaid:
    """A calendar less the feed's own breaks and closures."""

    def __init__(self, base: Calendar, spec: CalendarSpec) -> None:
        self._base, self._spec = base, spec
        self.name, self.zone = base.name, base.zone
        overlay = hashlib.sha256(repr((spec.breaks, spec.closed)).encode()).hexdigest()[:8]
        self.version = f"{base.version}+{overlay}"

    def sessions(self, start: date, end: date) -> list[Session]:
        closed = set(self._spec.closed)
        cut = (self._cut(s) for s in self._base.sessions(start, end) if s.date not in closed)
        return [session for session in cut if session.segments]

    def usual_close(self) -> time:
        # Years that every calendar has sessions in.
        probe = self.sessions(date(2022, 1, 1), date(2023, 12, 31))
        zone = ZoneInfo(self.zone)
        closes = Counter(datetime.fromtimestamp(s.close / SECOND_US, tz=zone).time() for s in probe)
        return closes.most_common(1)[0][0]

    def _cut(self, session: Session) -> Session:
        segments = list(session.segments)
        for offset in (-1, 0, 1):
            day = session.date + timedelta(days=offset)
            for begins, ends in self._spec.breaks:
                until = day if ends > begins else day + timedelta(days=1)
                pause = (local_us(day, begins, self.zone), local_us(until, ends, self.zone))
                segments = [part for segment in segments for part in _subtract(segment, pause)]
        return Session(session.date, tuple(segments))


class _UtcDays:
    """Another calendar's trading segments, cut at midnight UTC and grouped by UTC day."""

    def __init__(self, base: Calendar) -> None:
        self._base = base
        self.name, self.zone, self.version = base.name, "UTC", f"{base.version}@utc"

    def sessions(self, start: date, end: date) -> list[Session]:
        days: dict[date, list[Segment]] = {}
        for session in self._base.sessions(start - timedelta(days=3), end + timedelta(days=3)):
            for begins, ends in session.segments:
                for day in days_between(date_of_us(begins), date_of_us(ends - 1)):
                    midnight = midnight_us(day)
                    part = (max(begins, midnight), min(ends, midnight + DAY_US))
                    days.setdefault(day, []).append(part)
        return [Session(day, _joined(days[day])) for day in sorted(days) if start <= day <= end]

    def usual_close(self) -> time:
        return time(0)


def _subtract(segment: Segment, pause: Segment) -> list[Segment]:
    (begins, ends), (pause_begins, pause_ends) = segment, pause
    if pause_ends <= begins or pause_begins >= ends:
        return [segment]
    parts = [(begins, pause_begins), (pause_ends, ends)]
    return [part for part in parts if part[0] < part[1]]


def _joined(segments: list[Segment]) -> tuple[Segment, ...]:
    joined: list[Segment] = []
    for begins, ends in sorted(segments):
        if joined and joined[-1][1] >= begins:
            joined[-1] = (joined[-1][0], max(ends, joined[-1][1]))
        else:
            joined.append((begins, ends))
    return tuple(joined)
