"""What has been asked of Dagster before asking again: runs that are not over, attempts that failed, and when
partitions were last written. What is wanted is decided by schedules and sensors.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dagster import AssetKey, AssetRecordsFilter, DagsterEventType, DagsterInstance, DagsterRun, RunsFilter
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES, DagsterRunStatus

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import asset_sets
from marketdata_pipelines.orchestration.assets.ranges import (
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    narrowed,
    partition_tags,
)
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_key, job_name

# Names what a schedule or sensor asked for, so that its failed attempts are found again.
ASKED_TAG = "marketdata/asked"
PRIORITY_TAG = "dagster/priority"
_FAILED = [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Flight:
    """An unfinished run of a feed: which assets it writes for which partitions."""

    run_id: str
    assets: frozenset[str]
    keys: frozenset[str]


def existing_keys(graph: BaseAssetGraph[Any], key: AssetKey, now: datetime) -> Sequence[str]:
    """The partitions an asset of the loaded graph has at an instant, the open one included; none where it has none."""
    if not graph.has(key):
        return []
    partitions = graph.get(key).partitions_def
    with partition_loading_context(effective_dt=now):
        return [] if partitions is None else partitions.get_partition_keys()


def existing_among(graph: BaseAssetGraph[Any], key: AssetKey, wanted: Sequence[str], now: datetime) -> list[str]:
    """Those of some keys that are partitions of an asset at an instant; does not list them all."""
    partitions = graph.get(key).partitions_def if graph.has(key) else None
    if partitions is None:
        return []
    with partition_loading_context(effective_dt=now):
        return [name for name in wanted if partitions.has_partition_key(name)]


def flights(instance: DagsterInstance, feed: Feed, period: Period, existing: Sequence[str]) -> list[Flight]:
    """The unfinished runs over a feed's partitions of one period, whoever asked for them."""
    runs = instance.get_runs(RunsFilter(statuses=list(NOT_FINISHED_STATUSES)), limit=_LISTED)
    found = []
    for run in runs:
        assets, keys = _assets_of(run, feed, period), _keys_of(run, existing)
        if assets and keys:
            found.append(Flight(run.run_id, assets, keys))
    return found


def failed_attempts(instance: DagsterInstance, asked: str) -> int:
    """How many runs that were asked for under this name have failed or were cancelled."""
    return instance.get_runs_count(RunsFilter(tags={ASKED_TAG: asked}, statuses=_FAILED))


def name_of_request(feed: Feed, *parts: str) -> str:
    """A short name for what is asked for: the same parts, the same name."""
    return hashlib.sha256("\n".join((feed.name, *parts)).encode()).hexdigest()[:16]


def request_tags(feed: Feed, asked: str, priority: int, keys: Sequence[str], existing: Sequence[str]) -> dict[str, str]:
    """The tags of a run over `keys` that a schedule or sensor asks for."""
    tags = {FEED_TAG: feed.name, ASKED_TAG: asked, PRIORITY_TAG: str(priority)}
    return tags | partition_tags(keys, existing)


def latest_ids(instance: DagsterInstance, key: AssetKey, partitions: Iterable[str]) -> dict[str, int]:
    """The storage id of each partition's latest materialization; ids grow with time."""
    wanted = set(partitions)
    if not wanted:
        return {}
    storage = instance.event_log_storage
    return dict(storage.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION, wanted))


def walked_us(
    instance: DagsterInstance, feed: Feed, assets: Iterable[str], partitions: Iterable[str]
) -> dict[str, int]:
    """When all of these assets were last written, by partition, UTC microseconds; left out where one never was."""
    wanted = list(partitions)
    times = [_written_us(instance, asset_key(feed.name, asset), wanted) for asset in assets]
    if not times:
        return {}
    return {key: min(each[key] for each in times) for key in wanted if all(key in each for each in times)}


def _written_us(instance: DagsterInstance, key: AssetKey, partitions: Sequence[str]) -> dict[str, int]:
    ids = latest_ids(instance, key, partitions)
    if not ids:
        return {}
    records = instance.fetch_materializations(AssetRecordsFilter(key, storage_ids=list(ids.values())), limit=len(ids))
    return {
        record.partition_key: int(record.timestamp * SECOND_US)
        for record in records.records
        if record.partition_key is not None
    }


def _assets_of(run: DagsterRun, feed: Feed, period: Period) -> frozenset[str]:
    names = {table_set.name for table_set in asset_sets(feed) if table_set.period is period}
    if run.asset_selection is None:
        return frozenset(names) if run.job_name == job_name(feed.name, period) else frozenset()
    return frozenset(name for name in names if asset_key(feed.name, name) in run.asset_selection)


def _keys_of(run: DagsterRun, existing: Sequence[str]) -> frozenset[str]:
    single = run.tags.get(PARTITION_TAG)
    if single is not None:
        return frozenset([single])
    first, last = run.tags.get(RANGE_START_TAG), run.tags.get(RANGE_END_TAG)
    if first is None or last is None:
        return frozenset()
    return frozenset(narrowed([key for key in existing if first <= key <= last], run.tags))


def utc_us(moment: datetime) -> int:
    """Microseconds since 1970 of an instant, to the second, as a tick has it."""
    return int(moment.astimezone(UTC).timestamp()) * SECOND_US
