from datetime import UTC, datetime

import pytest
from dagster import AssetKey, DagsterInstance, Definitions
from dagster._core.definitions.assets.graph.remote_asset_graph import RemoteRepositoryAssetGraph
from dagster._core.execution.asset_backfill import AssetBackfillData
from dagster._core.remote_representation.external import RemoteRepository
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._core.remote_representation.handle import RepositoryHandle
from dagster._serdes import deserialize_value, serialize_value

from marketdata_pipelines.orchestration.graph import period_jobs
from marketdata_pipelines_tests.orchestration.conftest import Workshop


def targets(workshop: Workshop, graph: object, days: list[str]) -> dict[str, list[str]]:
    """The partitions a backfill over these days launches, by asset."""
    with DagsterInstance.ephemeral() as instance:
        data = AssetBackfillData.from_partitions_by_assets if False else AssetBackfillData.from_asset_partitions
        found = data(
            asset_graph=graph,
            partition_names=days,
            asset_selection=[AssetKey(["demo", name]) for name in ("raw_bars", "validated_bars", "daily_bars", "weekly_bars", "monthly_bars")],
            dynamic_partitions_store=instance,
            all_partitions=False,
            backfill_start_timestamp=datetime.now(UTC).timestamp(),
        )
    return found


def test_it() -> None:
    pass
