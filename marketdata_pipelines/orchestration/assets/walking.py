"""The body of every asset step: acquire, walk the run's partitions one by one, report each at once.

What a partition goes through is decided in `pipeline.walk`; here its outcome becomes events while the step runs.
"""

import time
from collections.abc import Iterator

from dagster import AssetExecutionContext, Failure, MetadataValue

from marketdata_pipelines.domain.feeds import SourceKind
from marketdata_pipelines.domain.tables import QUALITY, raw_asset
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.orchestration.assets.continuing import remaining
from marketdata_pipelines.orchestration.assets.judging import Judging
from marketdata_pipelines.orchestration.assets.progress import Progress
from marketdata_pipelines.orchestration.assets.ranges import ACQUIRE_TAG, REFETCH, narrowed
from marketdata_pipelines.orchestration.assets.reporting import PartitionReporter
from marketdata_pipelines.orchestration.assets.task import OnOutcome as OnOutcome
from marketdata_pipelines.orchestration.assets.task import Walk as Walk
from marketdata_pipelines.orchestration.keys import asset_name
from marketdata_pipelines.pipeline.acquire import acquire
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.pipeline.walk import clear_lake, walk_partitions
from marketdata_pipelines.pipeline.walkers import own_walkers
from marketdata_pipelines.stores.lake.lake import Lake

# Partitions whose source is asked at once: enough to fill a vendor's request, few enough to begin walking soon.
_AT_ONCE = {SourceKind.SIMULATED: 16}
_AT_ONCE_PULLED = 32
_NAMED = 20


def walk_step(context: AssetExecutionContext, walk: Walk) -> None:
    """Walk the run's partitions, reporting each one's events before the next begins (docs/decisions/0002).

    Errors: Failure after the last partition when any was blocked, naming them; at once when the source or the lake
    fails, naming the partition in hand.
    """
    keys = narrowed(context.partition_keys, context.run.tags)
    assets = frozenset(context.selected_asset_keys)
    checks = frozenset(context.selected_asset_check_keys)
    asked = frozenset(map(asset_name, assets)) | {check.asset_key.path[-1] for check in checks}
    wanted = asked - {QUALITY}
    lake = Lake(walk.settings.lake)
    walked = frozenset(key for key in assets if asset_name(key) != QUALITY)
    left = remaining(context.instance, context.run, walked, keys, lake, walk.feed, walk.period) if wanted else []
    if wanted and len(left) < len(keys):
        context.log.info(f"{len(keys) - len(left)} of {len(keys)} partitions were done by the run this one goes on for")
    acquires = raw_asset(walk.feed) in wanted and context.run.tags.get(ACQUIRE_TAG) != "false"
    brought = _brought(context, walk, lake, left) if acquires else iter(left)
    judging = Judging(context, walk, lake, keys) if QUALITY in asked else None
    blocked: dict[str, str] = {}
    try:
        for outcome in _recorded(context, walk, _outcomes(context, walk, lake, brought, len(left), wanted), len(left)):
            if outcome.blocked is not None:
                blocked[outcome.partition] = outcome.blocked
            if judging is not None:
                judging.walked(outcome.partition)
    except BaseException:
        # Cancelled or failed: what has been walked is judged, so that going on begins where this ended.
        if judging is not None:
            judging.flush()
        raise
    if judging is not None:
        # Why a partition is blocked says more than that it cannot be judged for that.
        blocked = {**judging.finish(), **blocked}
    if blocked:
        raise _failure(walk, blocked, len(left))


def _recorded(
    context: AssetExecutionContext, walk: Walk, outcomes: Iterator[PartitionOutcome], total: int
) -> Iterator[PartitionOutcome]:
    """The outcomes, each once it is in the instance and told."""
    progress = Progress(f"{walk.feed.name} by {walk.period}", total, time.monotonic)
    reporter = PartitionReporter(context, lambda name: name != QUALITY)
    for outcome in outcomes:
        reporter.report(outcome)
        if outcome.blocked is not None:
            context.log.warning(f"{walk.feed.name} {outcome.partition} is blocked: {outcome.blocked}")
        line = progress.step(outcome.partition, blocked=outcome.blocked is not None)
        if line is not None:
            context.log.info(line)
        if walk.on_outcome is not None:
            walk.on_outcome(outcome)
        yield outcome


def _acquire(context: AssetExecutionContext, walk: Walk, lake: Lake, keys: list[str]) -> None:
    path = walk.feed.source.path
    source = None if path is None else walk.settings.source_path(path)
    try:
        report = acquire(
            lake, walk.feed, source, keys,
            run_id=context.run.run_id, now_us=time.time_ns() // 1000,
            refetch=context.run.tags.get(ACQUIRE_TAG) == REFETCH,
        )  # fmt: skip
    except MarketDataError as error:
        text = str(error) if walk.feed.is_pulled else f"the source of {walk.feed.name} gave nothing: {error}"
        raise Failure(text, allow_retries=False) from error
    for message in report.messages:
        context.log.warning(message)
    elsewhere = sorted(set(report.partitions) - set(keys))
    if elsewhere:
        context.log.info(
            f"new data also for {_names(elsewhere)} of {walk.feed.name}, outside this run; materialize these too"
        )


def _brought(context: AssetExecutionContext, walk: Walk, lake: Lake, keys: list[str]) -> Iterator[str]:
    """The partitions, each once its source has been asked for it; files and samples are taken in whole at once."""
    size = _AT_ONCE.get(walk.feed.source.kind, _AT_ONCE_PULLED if walk.feed.is_pulled else len(keys))
    for at in range(0, len(keys), max(size, 1)):
        chunk = keys[at : at + size]
        _acquire(context, walk, lake, chunk)
        yield from chunk


def _outcomes(
    context: AssetExecutionContext, walk: Walk, lake: Lake, keys: Iterator[str], total: int, wanted: frozenset[str]
) -> Iterator[PartitionOutcome]:
    done = 0
    try:
        for outcome in _walked(context, walk, lake, keys, total, wanted):
            done += 1
            yield outcome
    except MarketDataError as error:
        raise Failure(f"{error} ({done} of {total} partitions are done and stay)", allow_retries=False) from error


def _walked(
    context: AssetExecutionContext, walk: Walk, lake: Lake, keys: Iterator[str], total: int, wanted: frozenset[str]
) -> Iterator[PartitionOutcome]:
    walkers = own_walkers()
    if walkers is None or total <= walkers.count:
        yield from walk_partitions(lake, walk.feed, walk.period, keys, wanted, run_id=context.run.run_id)
    else:
        clear_lake(lake, walk.feed)
        # What is asked of the source next is asked while these are walked.
        yield from walkers.walk(lake, walk.feed, walk.period, keys, wanted, context.run.run_id)


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
