"""The assets that publish a feed's bars to PostgreSQL or TimescaleDB, one multi-asset a period.

One step walks the partitions of its range; how one is published and compared is in `pipeline.publishing`.
"""

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from dagster import (
    AssetCheckSpec,
    AssetDep,
    AssetExecutionContext,
    AssetMaterialization,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    BackfillPolicy,
    Failure,
    MetadataValue,
    PreviewWarning,
    TimeWindowPartitionsDefinition,
    define_asset_job,
    in_process_executor,
    multi_asset,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.store_tables import StoreSet, published_tables, store_periods, store_sets
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.orchestration.assets.columns import column_schema
from marketdata_pipelines.orchestration.assets.mappings import mapping_between
from marketdata_pipelines.orchestration.assets.partitions import feed_partitions
from marketdata_pipelines.orchestration.assets.progress import Progress
from marketdata_pipelines.orchestration.assets.publish_events import (
    EQUALS_LAKE,
    ROLLUPS_AGREE,
    publication,
    publication_checks,
)
from marketdata_pipelines.orchestration.assets.ranges import narrowed
from marketdata_pipelines.orchestration.assets.reporting import PartitionReporter
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_key, asset_name, asset_owners, asset_tags
from marketdata_pipelines.pipeline.publishing import Publisher, PublishOutcome, behind_of, sql_example
from marketdata_pipelines.pipeline.serving_stores import timescale_store
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

if TYPE_CHECKING:
    from marketdata_pipelines.stores.timescale.publishing import TimescaleStore

_NAMED, _LISTED = 20, 200
_TEXT = {
    EQUALS_LAKE: "The store's rows are the lake's: counts and sums by symbol, and row by row where these differ.",
    ROLLUPS_AGREE: "What the store has combined (5m, 1h, 1d) is what the lake has.",
}


@dataclass(frozen=True, slots=True)
class PublishTask:
    """One step's task: the publishing assets of one period of a feed."""

    feed: Feed
    period: Period
    settings: Settings

    @property
    def sets(self) -> list[StoreSet]:
        return [each for each in store_sets(self.feed) if each.period is self.period]


def is_published(feed: Feed, settings: Settings) -> bool:
    """Whether a feed goes to a PostgreSQL: one is configured, and its `publish` does not say no."""
    return settings.timescale_dsn is not None and feed.publish.timescale


def publish_job_name(feed: str, period: Period) -> str:
    """The job that publishes a feed's assets of one period: `us_equities_1m__publish_day`."""
    return f"{feed}__publish_{period}"


def publishing_assets(feeds: Iterable[Feed], settings: Settings, today: date) -> list[AssetsDefinition]:
    """One multi-asset a published feed and period; none where no server is configured."""
    return [
        _period_assets(PublishTask(feed, period, settings), partitions)
        for feed in feeds
        if is_published(feed, settings)
        for period, partitions in _partitions(feed, settings, today).items()
        if period in store_periods(feed)
    ]


def publish_jobs(assets: Iterable[AssetsDefinition]) -> list[UnresolvedAssetJobDefinition]:
    """A job for each of these."""
    return [_job(definition) for definition in assets]


def _partitions(feed: Feed, settings: Settings, today: date) -> Mapping[Period, TimeWindowPartitionsDefinition]:
    earliest = next(iter(Lake(settings.lake).catalog.raw_partitions(feed.name)), None)
    return feed_partitions(feed, earliest, today)


def _job(assets: AssetsDefinition) -> UnresolvedAssetJobDefinition:
    feed, period = next(iter(assets.keys)).path[0], assets.op.name.rpartition("_")[2]
    return define_asset_job(
        name=publish_job_name(feed, Period(period)),
        selection=AssetSelection.assets(*assets.keys).without_checks() | AssetSelection.checks(*assets.check_keys),
        description=f"Publishes every {period} of `{feed}` to the serving store: `marketdata publish {feed}`.",
        tags={FEED_TAG: feed},
        executor_def=in_process_executor,
    )


def _period_assets(task: PublishTask, partitions: TimeWindowPartitionsDefinition) -> AssetsDefinition:
    @multi_asset(
        name=f"store_{publish_job_name(task.feed.name, task.period)}",
        specs=[_spec(task, each, partitions) for each in task.sets],
        check_specs=_check_specs(task, partitions),
        partitions_def=partitions,
        can_subset=True,
        backfill_policy=BackfillPolicy.single_run(),
        pool=f"{task.feed.name}_publish",
    )
    def publish_bars(context: AssetExecutionContext) -> Iterator[AssetMaterialization]:
        publish_step(context, task, partitions.get_first_partition_key() or "")
        # Everything is reported already. Only a generator may leave all its outputs out.
        yield from ()

    return publish_bars


def _spec(task: PublishTask, store_set: StoreSet, partitions: TimeWindowPartitionsDefinition) -> AssetSpec:
    feed = task.feed
    return AssetSpec(
        key=asset_key(feed.name, store_set.name),
        deps=[
            AssetDep(
                asset_key(feed.name, store_set.upstream), partition_mapping=mapping_between(task.period, task.period)
            )
        ],
        description=(
            f"The {store_set.upstream} of `{feed.name}` in PostgreSQL, with or without TimescaleDB: schema "
            f'"{feed.name}". Tables: {", ".join(f"`{name}`" for name in published_tables(feed, store_set))}.\n\n'
            f"A partition is replaced in one transaction; what is equal already is not written again. On the command "
            f"line: `marketdata publish {feed.name}`"
        ),
        group_name=feed.name,
        kinds={"postgres"},
        owners=asset_owners(feed),
        tags=asset_tags(feed),
        metadata={
            "tables": ", ".join(published_tables(feed, store_set)),
            "dagster/column_schema": column_schema(store_set.upstream),
        },
        partitions_def=partitions,
        skippable=True,
    )


def _check_specs(task: PublishTask, partitions: TimeWindowPartitionsDefinition) -> list[AssetCheckSpec]:
    with warnings.catch_warnings():
        # Partitioned checks are marked preview; the result is stored and shown by partition.
        warnings.simplefilter("ignore", PreviewWarning)
        return [
            AssetCheckSpec(
                name, asset=asset_key(task.feed.name, each.name), description=_TEXT[name], partitions_def=partitions
            )
            for each in task.sets
            for name in ((EQUALS_LAKE, ROLLUPS_AGREE) if VALIDATED_BARS in each.tables else (EQUALS_LAKE,))
        ]


def publish_step(context: AssetExecutionContext, task: PublishTask, first: str = "") -> None:
    """Publish the run's partitions, reporting each one's events before the next begins.

    What the lake has from before `first`, the oldest partition Dagster knows, goes along without events: the pair of
    sessions that the feed's first session is the second of.

    Errors: Failure after the last partition when any failed, naming them; at once when the server does not answer.
    """
    run = _PublishRun(context, task, first)
    try:
        with timescale_store(task.settings) as store:
            run.publish(store)
    except MarketDataError as error:
        raise Failure(
            f"{task.feed.name} was not published to the end: {error} ({run.done} partitions are done and stay)"
        ) from error
    if run.failed:
        raise _failure(task.feed.name, run.failed, run.done)


class _PublishRun:
    """One step at work: how many partitions are done, and which failed with the reason."""

    def __init__(self, context: AssetExecutionContext, task: PublishTask, first: str) -> None:
        self._context, self._task, self._first = context, task, first
        self._keys = narrowed(context.partition_keys, context.run.tags)
        names = {asset_name(key) for key in context.selected_asset_keys}
        names |= {asset_name(check.asset_key) for check in context.selected_asset_check_keys}
        self._sets = [each for each in task.sets if each.name in names]
        total = len(self._keys) * len(self._sets)
        self._progress = Progress(f"{task.feed.name} to the store", total, time.monotonic)
        self._reporter = PartitionReporter(context)
        self.failed: dict[str, str] = {}
        self.done = 0

    def publish(self, store: "TimescaleStore") -> None:
        """Everything the run was asked for, then what the store does afterwards."""
        lake, feed = Lake(self._task.settings.lake), self._task.feed
        publisher = Publisher(lake, store, feed, run_id=self._context.run.run_id)
        publisher.ready()
        engine = store.database.engine.label
        for store_set in self._sets:
            for outcome in publisher.publish(store_set, self._keys):
                sql = sql_example(feed, store_set, outcome.partition)
                _report(self._context, self._reporter, outcome, engine, sql)
                self._count(outcome)
                line = self._progress.step(outcome.partition, blocked=outcome.failed is not None)
                if line is not None:
                    self._context.log.info(line)
            earlier = [key for key in behind_of(lake, store, feed, store_set) if key < self._first]
            for outcome in publisher.publish(store_set, earlier):
                self._count(outcome)
        publisher.settle()

    def _count(self, outcome: PublishOutcome) -> None:
        self.done += 1
        if outcome.failed is not None:
            self.failed[outcome.partition] = outcome.failed


def _report(
    context: AssetExecutionContext, reporter: PartitionReporter, outcome: PublishOutcome, engine: str, sql: str
) -> None:
    key = asset_key(outcome.feed, outcome.asset)
    checks = frozenset(context.selected_asset_check_keys)
    if outcome.failed is not None:
        context.log.warning(f"{outcome.partition} of {outcome.feed} was not published: {outcome.failed}")
        reporter.mark_failed(outcome.partition, [outcome.asset])
        return
    made = [publication(outcome, engine, sql)] if key in context.selected_asset_keys else []
    reporter.store(made, [key], lambda judged: publication_checks(outcome, checks, judged), outcome.partition)


def _failure(feed: str, failed: Mapping[str, str], total: int) -> Failure:
    first, reason = next(iter(failed.items()))
    named = ", ".join(list(failed)[:_NAMED]) + (f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else "")
    again = f"marketdata publish {feed} --start {min(failed)} --end {max(failed)}"
    rows = [f"| {key} | {text.replace('|', ' ')} |" for key, text in list(failed.items())[:_LISTED]]
    table = "\n".join(["| partition | reason |", "| --- | --- |", *rows])
    return Failure(
        f"{len(failed)} of {total} partitions of {feed} were not published: {named}; the others are. First reason "
        f"({first}): {reason}. Once that is mended: {again}",
        metadata={"failed": len(failed), "partitions": MetadataValue.md(table)},
        allow_retries=False,
    )
