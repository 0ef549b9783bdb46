"""The body of every asset step: acquire, walk the run's partitions one by one, report each at once.

What a partition goes through is decided in `pipeline.walk`; here its outcome becomes events while the step runs.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dagster import (
    AssetCheckEvaluation,
    AssetExecutionContext,
    AssetMaterialization,
    DagsterEvent,
    Failure,
    MetadataValue,
)
from dagster._core.events import AssetMaterializationPlannedData

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import raw_asset
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.orchestration.events import outcome_events, withheld
from marketdata_pipelines.orchestration.keys import asset_name
from marketdata_pipelines.orchestration.progress import Progress
from marketdata_pipelines.orchestration.ranges import ACQUIRE_TAG, narrowed
from marketdata_pipelines.pipeline.acquire import acquire
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.pipeline.walk import walk_partitions
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

OnOutcome = Callable[[PartitionOutcome], None]
_NAMED = 20


@dataclass(frozen=True, slots=True)
class Walk:
    """One step's task: a feed's assets of one period. `on_outcome` hears of each partition once it is recorded."""

    feed: Feed
    period: Period
    settings: Settings
    on_outcome: OnOutcome | None = None


def walk_step(context: AssetExecutionContext, walk: Walk) -> None:
    """Walk the run's partitions, reporting each one's events before the next begins (docs/decisions/0002).

    Errors: Failure after the last partition when any was blocked, naming them; at once when the source or the lake
    fails, naming the partition in hand.
    """
    keys = narrowed(context.partition_keys, context.run.tags)
    assets = frozenset(context.selected_asset_keys)
    checks = frozenset(context.selected_asset_check_keys)
    wanted = frozenset(map(asset_name, assets)) | {check.asset_key.path[-1] for check in checks}
    lake = Lake(walk.settings.lake)
    if raw_asset(walk.feed) in map(asset_name, assets) and context.run.tags.get(ACQUIRE_TAG) != "false":
        _acquire(context, walk, lake, keys)
    progress = Progress(f"{walk.feed.name} by {walk.period}", len(keys), time.monotonic)
    blocked: dict[str, str] = {}
    for outcome in _outcomes(context, walk, lake, keys, wanted):
        for event in outcome_events(outcome, assets, checks, context.instance):
            _report(context, event)
        if outcome.blocked is not None:
            blocked[outcome.partition] = outcome.blocked
            context.log.warning(f"{walk.feed.name} {outcome.partition} is blocked: {outcome.blocked}")
            _mark_withheld(context, outcome)
        line = progress.step(outcome.partition, blocked=outcome.blocked is not None)
        if line is not None:
            context.log.info(line)
        if walk.on_outcome is not None:
            walk.on_outcome(outcome)
    if blocked:
        raise _failure(walk, blocked, len(keys))


def _acquire(context: AssetExecutionContext, walk: Walk, lake: Lake, keys: list[str]) -> None:
    path = walk.feed.source.path
    source = None if path is None else walk.settings.source_path(path)
    try:
        report = acquire(lake, walk.feed, source, keys, run_id=context.run.run_id, now_us=time.time_ns() // 1000)
    except MarketDataError as error:
        raise Failure(f"the source of {walk.feed.name} gave nothing: {error}", allow_retries=False) from error
    for message in report.messages:
        context.log.warning(message)
    elsewhere = sorted(set(report.partitions) - set(keys))
    if elsewhere:
        context.log.info(
            f"new data also for {_names(elsewhere)} of {walk.feed.name}, outside this run; materialize these too"
        )


def _outcomes(
    context: AssetExecutionContext, walk: Walk, lake: Lake, keys: list[str], wanted: frozenset[str]
) -> Iterator[PartitionOutcome]:
    done = 0
    try:
        for outcome in walk_partitions(lake, walk.feed, walk.period, keys, wanted, run_id=context.run.run_id):
            done += 1
            yield outcome
    except MarketDataError as error:
        raise Failure(
            f"{walk.feed.name} stopped at {keys[done]} ({done} of {len(keys)} partitions are done and stay): {error}",
            allow_retries=False,
        ) from error


def _report(context: AssetExecutionContext, event: AssetMaterialization | AssetCheckEvaluation) -> None:
    """Store an event now, as Dagster does with a yielded one, but without keeping it until the step ends."""
    step = context.op_execution_context.get_step_execution_context()
    if isinstance(event, AssetMaterialization):
        DagsterEvent.asset_materialization(step, event)
    else:
        DagsterEvent.asset_check_evaluation(step, event)


def _mark_withheld(context: AssetExecutionContext, outcome: PartitionOutcome) -> None:
    """Let the UI show the blocked partition as failed: planned by a run that failed, and not materialized."""
    if not context.instance.event_log_storage.supports_partition_subset_in_asset_materialization_planned_events:
        return  # Dagster then has planned every partition by itself.
    for key in withheld(outcome, frozenset(context.selected_asset_keys)):
        planned = DagsterEvent.build_asset_materialization_planned_event(
            context.run.job_name, str(context.op_execution_context.op_handle),
            AssetMaterializationPlannedData(key, partition=outcome.partition),
        )  # fmt: skip
        context.instance.report_dagster_event(planned, context.run.run_id, logging.DEBUG)


def _failure(walk: Walk, blocked: dict[str, str], total: int) -> Failure:
    first, reason = next(iter(blocked.items()))
    feed = walk.feed.name
    text = (
        f"{len(blocked)} of {total} partitions of {feed} are blocked: {_names(list(blocked))}; the others are written. "
        f"First reason ({first}): {reason}. Look at the failed checks or run: marketdata rejected {feed} "
        f"--start {first} --end {max(blocked)}; mend the source and run again: "
        f"marketdata backfill {feed} --start {first} --end {max(blocked)}"
    )
    rows = [f"| {key} | {reason.replace('|', ' ')} |" for key, reason in list(blocked.items())[:200]]
    table = "\n".join(["| partition | reason |", "| --- | --- |", *rows])
    return Failure(text, metadata={"blocked": len(blocked), "partitions": MetadataValue.md(table)}, allow_retries=False)


def _names(keys: list[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(keys[:_NAMED]) + more
