"""The graph of one feed: its multi-assets over partitions that begin where its data does, and a job for each."""

from collections.abc import Iterable
from datetime import date

from dagster import AssetsDefinition, AssetSelection, define_asset_job, in_process_executor
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.assets.assets_factory import feed_assets
from marketdata_pipelines.orchestration.assets.partitions import feed_partitions
from marketdata_pipelines.orchestration.assets.walking import OnOutcome
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_name, job_of_step
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
    """A job for each multi-asset with its own checks; its one step needs no process of its own."""
    return [_job(definition, job_of_step(definition.op.name)) for definition in assets]


def _job(assets: AssetsDefinition, name: str) -> UnresolvedAssetJobDefinition:
    feed, _, period = name.rpartition("__")
    return define_asset_job(
        name=name,
        selection=AssetSelection.assets(*assets.keys).without_checks() | AssetSelection.checks(*assets.check_keys),
        description=_job_text(feed, period, sorted(map(asset_name, assets.keys))),
        tags={FEED_TAG: feed},
        executor_def=in_process_executor,
    )


def _job_text(feed: str, period: str, names: list[str]) -> str:
    """What the job makes, and how to run it for several partitions."""
    brings = any(name.startswith("raw_") for name in names)
    what = "brings and derives" if brings else "derives from stored daily bars"
    return (
        f"Every {period} of `{feed}`: {what} {', '.join(f'`{name}`' for name in names)}. "
        f"One run takes any range of {period}s: choose the partitions under Materialize, or run "
        f"`marketdata backfill {feed} --start D --end D`."
    )
