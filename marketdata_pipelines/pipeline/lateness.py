"""Which tables of a feed are late: what the calendar expects by now against what the lake holds.

Exact by session, so that no weekend, holiday or half-day looks late. Reads the index and a few file footers only;
who is told is not decided here.
"""

from dataclasses import dataclass
from datetime import date

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.due import (
    complete_us,
    deadline_us,
    is_watched,
    newest_label_us,
    partition_of,
    sessions_expected,
)
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US, SECOND_US
from marketdata_pipelines.domain.partitions import Period, partition_key, period_of
from marketdata_pipelines.domain.repairs.records import REPAIR
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.pipeline.coarse import SEVERAL_DAYS
from marketdata_pipelines.pipeline.standing import is_combined, is_derived, is_validated, is_walked
from marketdata_pipelines.stores.lake.lake import Lake


@dataclass(frozen=True, slots=True)
class LateTable:
    """An asset that lacks sessions whose deadline has passed.

    `since_us` is the deadline of the first one it lacks (UTC microseconds); `first` and `last` are session dates,
    `partition` is where the last one belongs.
    """

    feed: str
    asset: str
    partition: str
    first: date
    last: date
    sessions: int
    since_us: int
    reason: str
    command: str


def late_tables(lake: Lake, feed: Feed, now_us: int) -> list[LateTable]:
    """The feed's assets that are late at an instant, upstream first; none for a feed that is not watched."""
    expected = sessions_expected(feed, now_us) if is_watched(feed) else []
    if not expected:
        return []
    lacking = _lacking(lake, feed, expected)
    found = []
    for table_set in t.feed_tables(feed):
        missing, reason = _missing(lake, feed, table_set, expected, lacking)
        if missing:
            found.append(_late(feed, table_set, missing, reason))
    return found


def expected_session(feed: Feed, now_us: int) -> Session | None:
    """The newest session whose deadline has passed; None for a feed that is not watched, or before its first."""
    expected = sessions_expected(feed, now_us) if is_watched(feed) else []
    return expected[-1] if expected else None


@dataclass(frozen=True, slots=True)
class _Lacking:
    """The newest sessions in a row that have not come in, and those that came in but hold no valid bars yet."""

    raw: list[Session]
    valid: list[Session]


def _lacking(lake: Lake, feed: Feed, expected: list[Session]) -> _Lacking:
    raw: list[Session] = []
    valid: list[Session] = []
    for session in reversed(expected):
        came_in = _has_come_in(lake, feed, session)
        if came_in and _is_stored(lake, feed, session):
            break
        valid.insert(0, session)
        if not came_in:
            raw.insert(0, session)
    return _Lacking(raw, valid)


def _missing(
    lake: Lake, feed: Feed, table_set: t.TableSet, expected: list[Session], lacking: _Lacking
) -> tuple[list[Session], str]:
    """The sessions an asset lacks, and why."""
    name, newest = table_set.name, expected[-1]
    key = partition_of(feed, newest)
    if name == t.raw_asset(feed):
        return lacking.raw, "its source has not brought all of"
    if lacking.raw and newest in lacking.raw:
        return lacking.valid, "not all has come in of"
    if not is_walked(lake, feed, key):
        return lacking.valid or [newest], "new raw data is not validated yet for"
    if name == t.REJECTED_BARS:
        return [], ""
    if lacking.valid or not is_validated(lake, feed, key):
        return lacking.valid or [newest], "a check blocks"
    if name == t.VALIDATED_BARS or _follows(lake, feed, table_set, newest):
        return [], ""
    return [newest], "it is not derived yet for"


def _has_come_in(lake: Lake, feed: Feed, session: Session) -> bool:
    """Whether the source has told what it has of a session: after its end, or up to its last bar."""
    key, label = partition_of(feed, session), newest_label_us(feed, session)
    one_session = period_of(feed.partition) is Period.DAY
    for standing in lake.catalog.standing_parts(feed.name, [key]):
        ingest, last_us = standing.ingest, standing.ingest.last_ts_us
        if ingest.pulled is not None and ingest.pulled.provider == REPAIR:
            continue
        # A vendor that answers with nothing has answered; a file's empty part only deletes.
        if not standing.part.rows and ingest.pulled is None:
            continue
        reaches_it = label is None or (last_us is not None and last_us >= label)
        if (one_session or reaches_it) and ingest.known_at_us >= complete_us(feed, session):
            return True
        if reaches_it and last_us is not None and _reaches_the_end(feed, session, last_us):
            return True
    return False


def _reaches_the_end(feed: Feed, session: Session, last_us: int) -> bool:
    return feed.interval.us >= DAY_US or last_us + feed.interval.us >= session.close


def _is_stored(lake: Lake, feed: Feed, session: Session) -> bool:
    stored = lake.catalog.stored_partition(t.VALIDATED_BARS, feed.name, partition_of(feed, session))
    label = newest_label_us(feed, session)
    return stored is not None and (label is None or (stored.last_ts_us is not None and stored.last_ts_us >= label))


def _follows(lake: Lake, feed: Feed, table_set: t.TableSet, session: Session) -> bool:
    """Whether every table of a derived asset was made of what is stored upstream for a session."""
    base = period_of(feed.partition)
    if table_set.period is not base:
        key = partition_key(session.date, table_set.period)
        return all(is_combined(lake, feed, table, key) for table in table_set.tables)
    key = partition_of(feed, session)
    # Pairs of days and the like lie where their label is, perhaps a partition before; what they miss shows in 1d.
    own = [table for table in table_set.tables if table not in SEVERAL_DAYS]
    shared = [table for table in table_set.tables if table in SEVERAL_DAYS and base is not Period.DAY]
    return all(is_derived(lake, feed, table, key) for table in own) and all(
        is_combined(lake, feed, table, key) for table in shared
    )


def _late(feed: Feed, table_set: t.TableSet, missing: list[Session], reason: str) -> LateTable:
    first, last = missing[0], missing[-1]
    span = f"session {last.date}" if first is last else f"{len(missing)} sessions, {first.date} … {last.date}"
    return LateTable(
        feed=feed.name,
        asset=table_set.name,
        partition=partition_of(feed, last)
        if table_set.period is period_of(feed.partition)
        else partition_key(last.date, table_set.period),
        first=first.date,
        last=last.date,
        sessions=len(missing),
        since_us=deadline_us(feed, first) // SECOND_US * SECOND_US,
        reason=f"{reason} {span}",
        command=f"marketdata backfill {feed.name} --start {first.date} --end {last.date}",
    )
