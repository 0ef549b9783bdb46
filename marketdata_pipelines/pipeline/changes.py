"""Which partitions must be walked: touched by changed raw parts, or stored from other inputs than there are now."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from marketdata_pipelines.domain.corrections import CORRECTIONS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import (
    Period,
    is_partition_key,
    partition_key,
    partition_span,
    period_of,
)
from marketdata_pipelines.domain.quality.records import QUALITY_TABLES
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS, feed_tables
from marketdata_pipelines.pipeline.coarse import SEVERAL_DAYS, CoarseBars, bucket_inputs
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite

_Place = tuple[str, str]


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
    a partition that a check blocks is not stale, nor is a table that was never asked for.
    """
    versions, base = Versions(feed), period_of(feed.partition)
    keys = [key for key in lake.catalog.raw_partitions(feed.name) if is_partition_key(key, base)]
    parts: dict[str, list[str]] = {key: [] for key in keys}
    for standing in lake.catalog.standing_parts(feed.name):
        if standing.part.partition in parts:
            parts[standing.part.partition].append(standing.part.part_id)
    stored = lake.catalog.stored_inputs(feed.name)
    derived = _derived_tables(feed)
    stale = {key for key, ids in parts.items() if _is_behind(derived, key, ids, stored, versions)}
    sources = CoarseBars(lake, feed).source_inputs()
    stale |= _stale_shared(lake, feed, stored, sources, versions)
    affected = affected_partitions(feed, stale)
    for period in _coarser_periods(feed):
        affected[period] = sorted({*affected[period], *_stale_coarse(feed, period, stored, sources, versions)})
    return affected


def misplaced_tables(lake: Lake, feed: Feed) -> list[TableWrite]:
    """Removals of stored tables whose partitions no longer exist: the feed was partitioned another way before."""
    periods = {name: table_set.period for table_set in feed_tables(feed) for name in table_set.tables}
    periods |= dict.fromkeys([CORRECTIONS, *QUALITY_TABLES], period_of(feed.partition))
    return [
        TableWrite(name, key, None, "")
        for name, key in sorted(lake.catalog.stored_inputs(feed.name))
        if name in periods and not is_partition_key(key, periods[name])
    ]


def _is_behind(
    derived: Sequence[str], key: str, ids: list[str], stored: Mapping[_Place, str], versions: Versions
) -> bool:
    walked, validated = stored.get((REJECTED_BARS, key)), stored.get((VALIDATED_BARS, key))
    if not ids:
        return walked is not None or validated is not None
    if walked not in (versions.part_inputs(ids, in_order=True), versions.part_inputs(ids, in_order=False)):
        return True
    if validated != walked:
        return False
    expected = versions.inputs([validated])
    found = {stored.get((name, key)) for name in derived}
    return bool(found - {expected, None})


def _derived_tables(feed: Feed) -> list[str]:
    """Tables of the base partitioning that are derived from their own partition's validated bars only."""
    base = period_of(feed.partition)
    names = [
        name
        for table_set in feed_tables(feed)
        if table_set.period is base and table_set.upstream and table_set.name not in (VALIDATED_BARS, REJECTED_BARS)
        for name in table_set.tables
    ]
    return [name for name in names if name not in SEVERAL_DAYS]


def _stale_shared(
    lake: Lake, feed: Feed, stored: Mapping[_Place, str], sources: Mapping[str, str], versions: Versions
) -> set[str]:
    """Base partitions to walk because weeks or months that share their partitioning are behind their days."""
    base, coarse = period_of(feed.partition), CoarseBars(lake, feed)
    found = set()
    for name, key in stored:
        if name in SEVERAL_DAYS and base is not Period.DAY and is_partition_key(key, base):
            first, last = coarse.source_keys(*partition_span(key, base), name)
            used = {source: inputs for source, inputs in sources.items() if first <= source <= last}
            if stored[name, key] != bucket_inputs(versions, used):
                found |= set(used)
    return found


def _stale_coarse(
    feed: Feed, period: Period, stored: Mapping[_Place, str], sources: Mapping[str, str], versions: Versions
) -> set[str]:
    base = period_of(feed.partition)
    names = [name for table_set in feed_tables(feed) if table_set.period is period for name in table_set.tables]
    # A week that is stored and has no days any more is behind too.
    used: dict[str, dict[str, str]] = {key: {} for name, key in stored if name in names}
    for source, inputs in sources.items():
        for key in _keys_of(source, base, period):
            used.setdefault(key, {})[source] = inputs
    expected = {key: bucket_inputs(versions, inputs) for key, inputs in used.items() if is_partition_key(key, period)}
    return {key for name in names for key in expected if stored.get((name, key)) != expected[key]}


def _coarser_periods(feed: Feed) -> list[Period]:
    base = period_of(feed.partition)
    periods = {table_set.period for table_set in feed_tables(feed)}
    return [period for period in (Period.WEEK, Period.MONTH) if period in periods and period is not base]


def _keys_of(key: str, base: Period, period: Period) -> set[str]:
    start, end = partition_span(key, base)
    days = [start + timedelta(days=offset) for offset in range((end - start).days + 1)]
    return {partition_key(day, period) for day in days}
