"""Which partitions must be walked: touched by changed raw parts, or stored from other inputs than there are now."""

from collections.abc import Iterable
from datetime import timedelta

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, partition_key, partition_span, period_of
from marketdata_pipelines.domain.tables import REJECTED_BARS, feed_tables
from marketdata_pipelines.pipeline.coarse import CoarseBars
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.stores.lake.lake import Lake


def affected_partitions(feed: Feed, changed: Iterable[str]) -> dict[Period, list[str]]:
    """Partitions to walk by period, base period first, each sorted.

    A changed base partition touches the weeks and months its days lie in.
    """
    base = period_of(feed.partition)
    keys = sorted(set(changed))
    affected = {base: keys}
    for period in _coarser_periods(feed):
        affected[period] = sorted({key for base_key in keys for key in _keys_of(base_key, base, period)})
    return affected


def stale_partitions(lake: Lake, feed: Feed) -> dict[Period, list[str]]:
    """Partitions whose stored tables were derived from other inputs or versions than stand now, by period.

    Rejected rows are stored with whatever became of a partition, so their digest tells when it was last walked;
    a partition that a check blocks is not stale.
    """
    versions = Versions(feed)
    parts: dict[str, list[str]] = {key: [] for key in lake.catalog.raw_partitions(feed.name)}
    for standing in lake.catalog.standing_parts(feed.name):
        parts[standing.part.partition].append(standing.part.part_id)
    walked = {item.partition: item.inputs for item in lake.catalog.stored(REJECTED_BARS, feed.name)}
    stale = [key for key, ids in parts.items() if walked.get(key) != versions.inputs(ids)]
    affected = affected_partitions(feed, stale)
    for period in _coarser_periods(feed):
        affected[period] = sorted({*affected[period], *_stale_coarse(lake, feed, period, versions)})
    return affected


def coarse_inputs(lake: Lake, feed: Feed, period: Period, key: str, versions: Versions) -> str:
    """The digest of a weekly or monthly partition: that of the 1d bars it is made of."""
    start, end = partition_span(key, period)
    source = CoarseBars(lake, feed).source_table
    stored = lake.catalog.stored(source, feed.name, start.isoformat(), end.isoformat())
    return versions.inputs(item.inputs for item in stored)


def _stale_coarse(lake: Lake, feed: Feed, period: Period, versions: Versions) -> list[str]:
    base = period_of(feed.partition)
    names = [name for table_set in feed_tables(feed) if table_set.period is period for name in table_set.tables]
    days = [item.partition for item in lake.catalog.stored(CoarseBars(lake, feed).source_table, feed.name)]
    keys = {key for day in days for key in _keys_of(day, base, period)}
    found = set()
    for name in names:
        stored = {item.partition: item.inputs for item in lake.catalog.stored(name, feed.name)}
        found |= {key for key in keys if stored.get(key) != coarse_inputs(lake, feed, period, key, versions)}
    return sorted(found)


def _coarser_periods(feed: Feed) -> list[Period]:
    base = period_of(feed.partition)
    periods = {table_set.period for table_set in feed_tables(feed)}
    return [period for period in (Period.WEEK, Period.MONTH) if period in periods and period is not base]


def _keys_of(key: str, base: Period, period: Period) -> set[str]:
    start, end = partition_span(key, base)
    days = [start + timedelta(days=offset) for offset in range((end - start).days + 1)]
    return {partition_key(day, period) for day in days}
