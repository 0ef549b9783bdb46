"""Asks the daemon for a backfill, and says which are open: the same as launching one in the UI.

What a backfill of a range consists of for the command line is not here (see `cli.backfill_work`).
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from dagster import AssetKey, DagsterInstance
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.partitions.subset import PartitionsSubset
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import asset_sets
from marketdata_pipelines.errors import WorkFailed
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_key
from marketdata_pipelines.pipeline.changes import affected_partitions

OPEN = (BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING)
_LISTED = 500


def open_backfill(
    instance: DagsterInstance,
    asset_graph: BaseAssetGraph[Any],
    feed: Feed,
    keys: Sequence[str],
    *,
    assets: frozenset[str] | None = None,
    title: str,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Ask for the base partitions `keys` of a feed and the weeks and months they lie in; returns the backfill's id.

    The daemon launches one run per contiguous range and period, coarser periods once their days are there.
    `assets` narrows what is written. `asset_graph` is that of the loaded code location.

    Errors: WorkFailed when none of the keys is a partition Dagster knows.
    """
    return open_periods(
        instance, asset_graph, feed, affected_partitions(feed, keys), assets=assets, title=title, tags=tags
    )


def open_periods(
    instance: DagsterInstance,
    asset_graph: BaseAssetGraph[Any],
    feed: Feed,
    work: Mapping[Period, Sequence[str]],
    *,
    assets: frozenset[str] | None = None,
    title: str,
    tags: Mapping[str, str] | None = None,
) -> str:
    """As `open_backfill`, for partitions listed by period.

    Errors: as `open_backfill`.
    """
    subsets = _subsets(asset_graph, feed, work, assets)
    if not subsets:
        asked = sorted({key for keys in work.values() for key in keys})
        span = f"{asked[0]} … {asked[-1]}" if asked else "nothing"
        raise WorkFailed(
            f"{feed.name} has no partition in Dagster for {span}; data older or newer than what is loaded appears "
            "once the code location is loaded again: Deployment, Reload, or start `marketdata up` again"
        )
    backfill = PartitionBackfill.from_asset_graph_subset(
        backfill_id=make_new_backfill_id(),
        backfill_timestamp=time.time(),
        tags={**(tags or {}), FEED_TAG: feed.name},
        dynamic_partitions_store=instance,
        asset_graph_subset=AssetGraphSubset(subsets),  # type: ignore[call-arg]
        title=title,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    return backfill.backfill_id


def open_backfills(instance: DagsterInstance, feed: str) -> list[str]:
    """The ids of a feed's backfills that are not over yet, whoever launched them."""
    found = instance.get_backfills(filters=BulkActionsFilter(statuses=list(OPEN)), limit=_LISTED)
    return [backfill.backfill_id for backfill in found if feed in _feeds_of(backfill)]


def _subsets(
    asset_graph: BaseAssetGraph[Any], feed: Feed, work: Mapping[Period, Sequence[str]], assets: frozenset[str] | None
) -> dict[AssetKey, PartitionsSubset[str]]:
    subsets = {}
    for table_set in asset_sets(feed):
        key, keys = asset_key(feed.name, table_set.name), set(work.get(table_set.period, ()))
        if not keys or not asset_graph.has(key) or (assets is not None and table_set.name not in assets):
            continue
        partitions = asset_graph.get(key).partitions_def
        existing = [] if partitions is None else partitions.get_partition_keys()
        chosen = [name for name in existing if name in keys]
        if partitions is not None and chosen:
            subsets[key] = partitions.subset_with_partition_keys(chosen)
    return subsets


def _feeds_of(backfill: PartitionBackfill) -> set[str]:
    tagged = backfill.tags.get(FEED_TAG)
    return {tagged} if tagged else {key.path[0] for key in backfill.asset_selection or ()}
