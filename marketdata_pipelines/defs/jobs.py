"""One job per feed and period: everything of that feed with that partitioning."""

from collections.abc import Iterable

from dagster import AssetsDefinition, AssetSelection, define_asset_job, in_process_executor
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition


def build_jobs(assets: Iterable[AssetsDefinition]) -> list[UnresolvedAssetJobDefinition]:
    """A job for each multi-asset, by the same name; its one step needs no process of its own."""
    return [
        define_asset_job(
            name=definition.op.name,
            selection=AssetSelection.assets(*definition.keys),
            description=f"Everything of {definition.op.name.replace('__', ' that is partitioned by ')}.",
            partitions_def=definition.partitions_def,
            executor_def=in_process_executor,
        )
        for definition in assets
    ]
