"""The range of a read, and how statements on the session clock say it. What is selected is `read_statements`'."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg import sql

from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.intervals import Interval
from marketdata_pipelines.domain.partitions import Period, partition_key

# An instant may lie in the session of the day before or after, in any zone.
_APART = timedelta(days=2)
# Where an instant of the range is on the clock: the least and the greatest place of the segments it touches. A bar
# coarser than a minute may open before its segment, and stands within the segment's first second.
_LOWER = """
coalesce((
    select min(c.clock_start + greatest(least(%(start_ts)s - c.ts_start, c.clock_end - c.clock_start - '1us'), '0s'))
    from marketdata.session_clock as c
    where c.feed = %(feed)s
      and c.session_date between %(start_ts)s::date - 2 and {last_day}
      and c.ts_end >= %(start_ts)s
), (%(start_ts)s::date - 2)::timestamp) - {pad}
"""
_UPPER = """
coalesce((
    select max(c.clock_start + greatest(least(%(end_ts)s - c.ts_start, c.clock_end - c.clock_start), '1s'))
    from marketdata.session_clock as c
    where c.feed = %(feed)s
      and c.session_date between {first_day} and %(end_ts)s::date + 2
      and c.ts_start < %(end_ts)s + {width}
), (%(end_ts)s::date + 3)::timestamp) + {pad}
"""


@dataclass(frozen=True, slots=True)
class ReadRange:
    """Session dates (both included) or opens (UTC, the end excluded); None is open on that side."""

    start_date: date | None = None
    end_date: date | None = None
    start_ts: datetime | None = None
    end_ts: datetime | None = None

    @property
    def days(self) -> tuple[date | None, date | None]:
        """The first and last session date that can hold rows of the range."""
        first = self.start_date or (self.start_ts.date() - _APART if self.start_ts else None)
        last = self.end_date or (self.end_ts.date() + _APART if self.end_ts else None)
        return first, last

    def partitions(self, period: Period) -> tuple[str, str]:
        """The first and last partition key that can hold rows of the range."""
        first, last = self.days
        return (partition_key(first, period) if first else "", partition_key(last, period) if last else "9999-99-99")

    @property
    def shape(self) -> "ReadRange":
        """A range that has the same sides open: what the text of a statement depends on."""
        some, instant = date(2000, 1, 1), datetime(2000, 1, 1, tzinfo=UTC)
        return ReadRange(
            self.start_date and some, self.end_date and some, self.start_ts and instant, self.end_ts and instant
        )

    def parameters(self) -> dict[str, object]:
        """The bounds under the names statements use."""
        first, last = self.days
        bounds: dict[str, object] = {
            name: getattr(self, name) for name in ("start_date", "end_date", "start_ts", "end_ts")
        }
        return {**bounds, "first_day": first, "last_day": last}


def on_sessions(feed: Feed) -> bool:
    """Whether the clock of a feed is its sessions'; else it is UTC."""
    return feed.anchor is Anchor.SESSION and feed.interval.is_intraday


def clock_bounds(feed: Feed, wanted: ReadRange, bucket: Interval | None = None) -> list[sql.Composable]:
    """Conditions on `st` that every row of the range fulfils; rows of instants just outside may too.

    `bucket`: what rows are combined to; all rows of a bucket that begins in the range are let through then.
    """
    pad = sql.Literal(timedelta(microseconds=0 if bucket is None else bucket.us))
    found: list[sql.Composable] = []
    if wanted.start_date is not None:
        found.append(sql.SQL("b.st >= %(start_date)s::date::timestamp"))
    if wanted.end_date is not None:
        found.append(sql.SQL("b.st < (%(end_date)s::date + 1)::timestamp"))
    # The days around an instant are known before the statement runs: whole chunks are left out by them.
    if wanted.start_ts is not None:
        found.append(sql.SQL("b.st >= %(first_day)s::date::timestamp"))
        found.append(sql.SQL("b.st >= ") + _lower(feed, wanted, pad))
    if wanted.end_ts is not None:
        found.append(sql.SQL("b.st < (%(last_day)s::date + 1)::timestamp"))
        found.append(sql.SQL("b.st < ") + _upper(feed, wanted, pad))
    return found


def instant_bounds(wanted: ReadRange, column: str = "ts") -> list[sql.Composable]:
    """Exact conditions on an instant of each row, for ranges by instants."""
    name = sql.Identifier("b", column)
    found: list[sql.Composable] = []
    if wanted.start_ts is not None:
        found.append(sql.SQL("{} >= %(start_ts)s").format(name))
    if wanted.end_ts is not None:
        found.append(sql.SQL("{} < %(end_ts)s").format(name))
    return found


def date_bounds(wanted: ReadRange) -> list[sql.Composable]:
    """Exact conditions on the session date of each row, for ranges by dates."""
    found: list[sql.Composable] = []
    if wanted.start_date is not None:
        found.append(sql.SQL("b.session_date >= %(start_date)s"))
    if wanted.end_date is not None:
        found.append(sql.SQL("b.session_date <= %(end_date)s"))
    return found


def _lower(feed: Feed, wanted: ReadRange, pad: sql.Literal) -> sql.Composable:
    if not on_sessions(feed):
        return sql.SQL("(%(start_ts)s::timestamptz at time zone 'UTC') - {}").format(pad)
    last = sql.SQL("%(start_ts)s::date + 30" if wanted.days[1] is None else "%(last_day)s::date")
    return sql.SQL(_LOWER).format(pad=pad, last_day=last)


def _upper(feed: Feed, wanted: ReadRange, pad: sql.Literal) -> sql.Composable:
    if not on_sessions(feed):
        return sql.SQL("(%(end_ts)s::timestamptz at time zone 'UTC') + {}").format(pad)
    first = sql.SQL("%(end_ts)s::date - 30" if wanted.days[0] is None else "%(first_day)s::date")
    return sql.SQL(_UPPER).format(pad=pad, width=sql.Literal(timedelta(microseconds=feed.interval.us)), first_day=first)
