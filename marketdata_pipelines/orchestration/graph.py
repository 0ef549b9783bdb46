"""The graph of one feed: its multi-assets over partitions that begin where its data does, and a job for each."""

from collections.abc import Iterable
from datetime import date

from dagster import AssetsDefinition, AssetSelection, define_asset_job, in_process_executor
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.assets_factory import feed_assets
from marketdata_pipelines.orchestration.keys import job_of_step
from marketdata_pipelines.orchestration.partitions import feed_partitions
from marketdata_pipelines.orchestration.walking import OnOutcome
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake


def feed_graph(
    feed: Feed, settings: Settings, today: date, on_outcome: OnOutcome | None = None
) -> list[AssetsDefinition]:
    """The feed's assets, one definition a period.

    Partitions begin at the feed's `start` or its earliest raw data, whichever is earlier: data from before that,
    ingested later, gets its partitions when the code location is loaded again.
    """
    earliest = next(iter(Lake(settings.lake).catalog.raw_partitions(feed.name)), None)
    return feed_assets(feed, feed_partitions(feed, earliest, today), settings, on_outcome)


def period_jobs(assets: Iterable[AssetsDefinition]) -> list[UnresolvedAssetJobDefinition]:
    """A job for each multi-asset; its one step needs no process of its own."""
    return [_job(definition, job_of_step(definition.op.name)) for definition in assets]


def _job(assets: AssetsDefinition, name: str) -> UnresolvedAssetJobDefinition:
    feed, _, period = name.rpartition("__")
    return define_asset_job(
        name=name,
        selection=AssetSelection.assets(*assets.keys),
        description=f"Everything of {feed} that is partitioned by {period}.",
        executor_def=in_process_executor,
    )
