"""Which partitions of a feed others are at: those of open backfills and unfinished runs, so that none is done twice."""

from datetime import UTC, datetime
from typing import Any

from dagster import AssetKey, DagsterInstance
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.errors import DagsterDefinitionChangedDeserializationError
from dagster._core.execution.backfill import BulkActionsFilter, PartitionBackfill
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, DagsterRunStatus

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import asset_sets
from marketdata_pipelines.orchestration.automation.asking import existing_keys, flights
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines.orchestration.running.backfills import OPEN

# Not those that are not launched yet: a crash may have left one behind, and its run key launches it.
UNFINISHED = [*IN_PROGRESS_RUN_STATUSES, DagsterRunStatus.QUEUED]
_LISTED = 500


def claimed_partitions(
    instance: DagsterInstance, asset_graph: BaseAssetGraph[Any], feed: Feed
) -> dict[Period, frozenset[str]]:
    """The partitions of a feed that a backfill or a run has been asked for and is not over with, by period."""
    assets = {asset_key(feed.name, each.name): each.period for each in asset_sets(feed)}
    claimed: dict[Period, set[str]] = {period: set() for period in assets.values()}
    for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=list(OPEN)), limit=_LISTED):
        for key, keys in _targets(backfill, asset_graph).items():
            if key in assets:
                claimed[assets[key]] |= keys
    first_of = {period: key for key, period in reversed(assets.items())}
    for period, key in first_of.items():
        existing = existing_keys(asset_graph, key, datetime.now(UTC))
        for flight in flights(instance, feed, period, existing):
            claimed[period] |= flight.keys
    return {period: frozenset(keys) for period, keys in claimed.items()}


def _targets(backfill: PartitionBackfill, asset_graph: BaseAssetGraph[Any]) -> dict[AssetKey, set[str]]:
    if not backfill.is_asset_backfill:
        return {}
    try:
        target = backfill.get_asset_backfill_data(asset_graph).target_subset
    except DagsterDefinitionChangedDeserializationError:
        return {}  # it was asked for with partitions that are no more
    return {key: set(subset.get_partition_keys()) for key, subset in target.partitions_subsets_by_asset_key.items()}
