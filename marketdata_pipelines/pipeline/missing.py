"""What the calendar says a feed should hold and the lake does not: the partitions worth asking the source for again.

Gaps inside a session are `domain.gaps`'; here whole sessions count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from marketdata_pipelines.domain.feeds import Feed, SourceKind
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.partitions import Period, is_partition_key, partition_key, partition_span, period_of
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.pipeline.changes import stale_partitions
from marketdata_pipelines.stores.lake.lake import Lake

# A source needs a while after the close until it has the session.
SETTLE_SECONDS = 3600
_GIVEN_ONCE = (SourceKind.FILES, SourceKind.SAMPLE)


@dataclass(frozen=True, slots=True)
class Missing:
    """What a feed lacks. `sessions`: base partitions with sessions that have not come in since their close, newest
    first, with how many; `stale`: partitions whose tables are behind their raw data, by period."""

    sessions: Mapping[str, int]
    stale: Mapping[Period, list[str]]


def can_be_asked_again(feed: Feed) -> bool:
    """Whether the feed's source answers for any session at any time; files come when they come."""
    return feed.source.kind not in _GIVEN_ONCE


def find_missing(lake: Lake, feed: Feed, now_us: int) -> Missing:
    """What the feed lacks up to the last session that closed an hour ago."""
    sessions = missing_sessions(lake, feed, now_us) if can_be_asked_again(feed) else {}
    return Missing(sessions, stale_partitions(lake, feed))


def missing_sessions(lake: Lake, feed: Feed, now_us: int) -> dict[str, int]:
    """Base partitions, newest first, with closed sessions that no raw data can hold, and how many: it came earlier.

    From the feed's start, or its first raw data where that is earlier; a feed with neither lacks nothing.
    """
    period = period_of(feed.partition)
    horizons: dict[str, int] = {}
    for standing in lake.catalog.standing_parts(feed.name):
        # An empty answer for a session that was held may only have come too early.
        if standing.part.rows and is_partition_key(standing.part.partition, period):
            known = max(horizons.get(standing.part.partition, 0), standing.ingest.known_at_us)
            horizons[standing.part.partition] = known
    first = _first_day(feed, min(horizons, default=None))
    if first is None:
        return {}
    until_us = now_us - SETTLE_SECONDS * SECOND_US
    last = datetime.fromtimestamp(until_us / SECOND_US, tz=UTC).date() + timedelta(days=1)
    counts: dict[str, int] = {}
    for session in feed_calendar(feed).sessions(first, last) if first <= last else []:
        key = partition_key(session.date, period)
        if horizons.get(key, 0) < session.close <= until_us:
            counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items(), reverse=True))


def _first_day(feed: Feed, earliest: str | None) -> date | None:
    known = [] if feed.start is None else [feed.start]
    if earliest is not None:
        known.append(partition_span(earliest, period_of(feed.partition))[0])
    return min(known, default=None)
