"""The multi-asset of one feed and period, made from the feed's tables; what its step does is in `walking`."""

from collections.abc import Iterator, Mapping

from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    AssetsDefinition,
    BackfillPolicy,
    TimeWindowPartitionsDefinition,
    multi_asset,
)

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.orchestration.assets.specs import period_check_specs, period_specs
from marketdata_pipelines.orchestration.assets.walking import OnOutcome, Walk, walk_step
from marketdata_pipelines.orchestration.keys import job_name, step_name
from marketdata_pipelines.settings.environment import Settings


def feed_assets(
    feed: Feed,
    partitions: Mapping[Period, TimeWindowPartitionsDefinition],
    settings: Settings,
    on_outcome: OnOutcome | None = None,
) -> list[AssetsDefinition]:
    """One multi-asset per period of a feed; `partitions` holds the definition of each."""
    return [
        period_assets(Walk(feed, period, settings, on_outcome), definition) for period, definition in partitions.items()
    ]


def period_assets(walk: Walk, partitions: TimeWindowPartitionsDefinition) -> AssetsDefinition:
    """A feed's assets of one period: any subset of them in one step, any range of partitions in one run."""

    @multi_asset(
        name=step_name(job_name(walk.feed.name, walk.period)),
        specs=period_specs(walk.feed, walk.period, partitions),
        check_specs=period_check_specs(walk.feed, walk.period, partitions),
        partitions_def=partitions,
        can_subset=True,
        backfill_policy=BackfillPolicy.single_run(),
        pool=walk.feed.name,
    )
    def walk_assets(context: AssetExecutionContext) -> Iterator[AssetMaterialization]:
        walk_step(context, walk)
        # Everything is reported already. Only a generator may leave all its outputs out.
        yield from ()

    return walk_assets
