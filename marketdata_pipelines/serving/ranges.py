"""Start and end of a question: dates mean session dates (both included), instants mean bar opens (end excluded)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from marketdata_pipelines.domain.partitions import Period, partition_key, partition_span
from marketdata_pipelines.errors import SettingsInvalid

Moment = date | datetime | str | None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range by session dates, by instants (UTC), or open on a side."""

    start_date: date | None = None
    end_date: date | None = None
    start_ts: datetime | None = None
    end_ts: datetime | None = None

    def ends_early(self) -> bool:
        """Whether the end lies before the start; a date and an instant may be a day apart in any zone."""
        if self.start_date and self.end_ts:
            return self.end_ts.date() < self.start_date - timedelta(days=1)
        if self.start_ts and self.end_date:
            return self.end_date < self.start_ts.date() - timedelta(days=1)
        dates = bool(self.start_date and self.end_date and self.end_date < self.start_date)
        return dates or bool(self.start_ts and self.end_ts and self.end_ts < self.start_ts)

    def parameters(self) -> dict[str, object]:
        """The bounds under the names queries use."""
        return {name: getattr(self, name) for name in ("start_ts", "end_ts", "start_date", "end_date")}

    def covers(self, partitions: Sequence[str], period: Period) -> bool:
        """Whether every row of these partitions, in order, is within the range; false where instants bound it."""
        if self.start_ts is not None or self.end_ts is not None or not partitions:
            return False
        starts = self.start_date is None or self.start_date <= partition_span(partitions[0], period)[0]
        return starts and (self.end_date is None or partition_span(partitions[-1], period)[1] <= self.end_date)

    def partitions(self, period: Period) -> tuple[str, str]:
        """The first and last partition key that can hold rows of the range."""
        start = self.start_date or (self.start_ts.date() - timedelta(days=2) if self.start_ts else None)
        end = self.end_date or (self.end_ts.date() + timedelta(days=2) if self.end_ts else None)
        return (partition_key(start, period) if start else "", partition_key(end, period) if end else "9999-99-99")


def date_range(start: Moment, end: Moment) -> TimeRange:
    """Like `time_range`, for questions about whole sessions.

    Errors: SettingsInvalid also for times.
    """
    found = time_range(start, end)
    for given, instant in ((start, found.start_ts), (end, found.end_ts)):
        if instant is not None:
            raise SettingsInvalid(f"{given} is a time; give a session date like {instant.date()}")
    return found


def time_range(start: Moment, end: Moment) -> TimeRange:
    """Read a range from dates, datetimes or ISO texts; naive datetimes are UTC.

    Errors: SettingsInvalid for a text that is neither, or an end before its start.
    """
    start_date, start_ts = _moment(start)
    end_date, end_ts = _moment(end)
    found = TimeRange(start_date, end_date, start_ts, end_ts)
    if found.ends_early():
        raise SettingsInvalid(f"the range ends ({end}) before it starts ({start})")
    return found


def day_of(value: Moment) -> date | None:
    """A date, or the UTC day of an instant.

    Errors: SettingsInvalid for a text that is neither.
    """
    day, moment = _moment(value)
    return day if moment is None else moment.astimezone(UTC).date()


def instant_us(value: Moment, what: str = "as of") -> int | None:
    """The instant up to which things were known, UTC microseconds; a date means its whole UTC day.

    Errors: SettingsInvalid for a text that is neither a date nor a time.
    """
    day, moment = _moment(value)
    if day is not None:
        moment = datetime.combine(day, time.max, UTC)
    if moment is None:
        return None
    if moment.year < 1970:
        raise SettingsInvalid(f"{what} {value} is before 1970")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _moment(value: Moment) -> tuple[date | None, datetime | None]:
    if value is None:
        return None, None
    if isinstance(value, str):
        value = _parse(value)
    if isinstance(value, datetime):
        return None, value if value.tzinfo else value.replace(tzinfo=UTC)
    return value, None


def _parse(text: str) -> date | datetime:
    try:
        return date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsInvalid(f"{text!r} is no date (2024-03-08) or time (2024-03-08T14:30:00Z)") from error
