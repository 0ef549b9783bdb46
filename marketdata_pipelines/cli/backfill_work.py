"""What a backfill of a range consists of: partitions by period, and the assets up to the one asked for."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, partition_key, period_of
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.tables import asset_sets, upstream_of
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.changes import affected_partitions


@dataclass(frozen=True, slots=True)
class BackfillWork:
    """Partitions to walk by period, base period first, and the assets to write."""

    partitions: dict[Period, list[str]]
    assets: frozenset[str]


def plan_backfill(feed: Feed, start: str, end: str, to: str | None, *, today: date | None = None) -> BackfillWork:
    """The partitions whose sessions lie in start..end (dates, both included), as far as they have begun.

    Errors: SettingsInvalid for texts that are no dates, a range without sessions, or an unknown `to`.
    """
    first, last = _date(start, "--start"), _date(end, "--end")
    if last < first:
        raise SettingsInvalid(f"--end {end} is before --start {start}")
    begun = min(last, today or datetime.now(UTC).date())
    sessions = feed_calendar(feed).sessions(first, begun) if first <= begun else []
    base = period_of(feed.partition)
    keys = sorted({partition_key(session.date, base) for session in sessions})
    if not keys:
        raise SettingsInvalid(f"{feed.calendar.name} has no session between {start} and {end}; choose a longer range")
    assets = frozenset(table_set.name for table_set in asset_sets(feed)) if to is None else _up_to(feed, to)
    wanted = {period for table_set in asset_sets(feed) if table_set.name in assets for period in (table_set.period,)}
    affected = affected_partitions(feed, keys)
    return BackfillWork({period: found for period, found in affected.items() if period in wanted}, assets)


def _up_to(feed: Feed, name: str) -> frozenset[str]:
    for table_set in asset_sets(feed):
        if name == table_set.name or name in table_set.tables:
            return frozenset(upstream_of(feed, table_set.name))
    known = ", ".join(table_set.name for table_set in asset_sets(feed))
    raise SettingsInvalid(f"--to {name} is no table of {feed.name}; there: {known}, and their bars_5m, bars_1h …")


def _date(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsInvalid(f"{option} {text} is no date; write it like 2024-03-08") from error
