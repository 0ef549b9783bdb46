"""Runs of the graph in this process, for the CLI: no daemon or web server needed, recorded like any other run."""

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    Definitions,
    JobDefinition,
    RunsFilter,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.errors import WorkFailed
from marketdata_pipelines.orchestration.assets.graph import feed_graph, period_jobs
from marketdata_pipelines.orchestration.assets.ranges import ACQUIRE_TAG, partition_tags
from marketdata_pipelines.orchestration.assets.walking import OnOutcome
from marketdata_pipelines.orchestration.history.instance import dagster_home, instance_for
from marketdata_pipelines.orchestration.keys import asset_key, job_name
from marketdata_pipelines.orchestration.running.run_worker import PROCESS_TAG, living
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.processes import is_alive

# The CLI shows its own progress; Dagster's console log would run through it.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended. `message` says why it failed, or what was left out; empty when there is nothing to say."""

    run_id: str
    succeeded: bool
    message: str


def run_partitions(
    settings: Settings,
    feed: Feed,
    period: Period,
    keys: Sequence[str],
    assets: Iterable[str],
    *,
    on_outcome: OnOutcome | None = None,
    acquire: bool = True,
    run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    instance: DagsterInstance | None = None,
) -> RunReport:
    """Materialize assets of one period of a feed for these partitions, in one run of this process.

    The keys need not be contiguous: the run is ranged and tagged with the keys it is narrowed to. `on_outcome` is
    called for each partition once its events are stored. `acquire=False` leaves the source alone, for data that has
    just been ingested. A key Dagster has no partition for (a week that opens tomorrow) is left out and named.

    Errors: WorkFailed when none of the keys is a partition. A failed or blocked run is a report, not an error.
    """
    if instance is None:
        with instance_for(settings) as opened:
            return run_partitions(
                settings, feed, period, keys, assets,
                on_outcome=on_outcome, acquire=acquire, run_id=run_id, tags=tags, instance=opened,
            )  # fmt: skip
    job = _job(settings, _reaching_back(feed, keys), period, on_outcome)
    existing = job.partitions_def.get_partition_keys() if job.partitions_def else []
    chosen = sorted(set(keys) & set(existing))
    missing = sorted(set(keys) - set(existing))
    if not chosen:
        raise WorkFailed(_no_partitions(feed, period, missing, existing))
    close_abandoned_runs(instance, job.name)
    run_tags = {**(tags or {}), **partition_tags(chosen, existing), PROCESS_TAG: _process()}
    if not acquire:
        run_tags[ACQUIRE_TAG] = "false"
    report = _execute(instance, job, frozenset(assets), feed.name, run_tags, run_id, dagster_home(settings))
    return _with_left_out(report, feed, period, missing) if missing and report.succeeded else report


def close_abandoned_runs(instance: DagsterInstance, job: str) -> list[str]:
    """Mark runs of a job as failed whose process on this machine is gone, so that none looks started for ever.

    Returns their ids. Their finished partitions stay; only the one in hand is lost.
    """
    closed = []
    unfinished = RunsFilter(job_name=job, statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.NOT_STARTED])
    for run in instance.get_runs(unfinished):
        host, _, pid = run.tags.get(PROCESS_TAG, "").rpartition(":")
        if host == socket.gethostname() and not is_alive(int(pid)):
            instance.report_run_failed(run, f"The process that ran it ({pid}) ended; run the command again to go on.")
            closed.append(run.run_id)
    return closed


def _reaching_back(feed: Feed, keys: Sequence[str]) -> Feed:
    """The feed with partitions from the first of these keys on: history may be asked for that is not there yet."""
    asked = [date.fromisoformat(key) for key in keys]
    return replace(feed, start=min([*asked, *([feed.start] if feed.start else [])])) if asked else feed


def _job(settings: Settings, feed: Feed, period: Period, on_outcome: OnOutcome | None) -> JobDefinition:
    assets = feed_graph(feed, settings, datetime.now(UTC).date(), on_outcome)
    return Definitions(assets=assets, jobs=period_jobs(assets)).resolve_job_def(job_name(feed.name, period))


def _execute(
    instance: DagsterInstance,
    job: JobDefinition,
    assets: frozenset[str],
    feed: str,
    tags: dict[str, str],
    run_id: str | None,
    home: Path,
) -> RunReport:
    selection = {asset_key(feed, asset) for asset in assets}
    run = instance.create_run_for_job(
        job_def=job, run_id=run_id, run_config=_QUIET, tags=tags, asset_selection=selection
    )
    failure = ""
    # The daemon's watch sees that it lives, and the UI can stop it. Events are dropped as they come: a long
    # backfill has hundreds of thousands.
    with living(home / "workers", run.run_id):
        for event in execute_run_iterator(InMemoryJob(job), run, instance):
            failure = failure or _failure_text(event)
    ended = instance.get_run_by_id(run.run_id)
    succeeded = ended is not None and ended.status is DagsterRunStatus.SUCCESS
    return RunReport(run.run_id, succeeded, "" if succeeded else failure or f"run {run.run_id} did not succeed")


def failure_text(instance: DagsterInstance, run: DagsterRun) -> str:
    """Why a run that is over did not succeed."""
    if run.status is DagsterRunStatus.CANCELED:
        return f"run {run.run_id} was cancelled; what it had written stays"
    kinds = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
    for record in instance.get_records_for_run(run.run_id, of_type=kinds).records:
        event = record.event_log_entry.get_dagster_event()
        return _failure_text(event) or event.message or f"run {run.run_id} failed"
    return f"run {run.run_id} did not succeed"


def _failure_text(event: DagsterEvent) -> str:
    if not event.is_step_failure:
        return ""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "the step failed"


def _with_left_out(report: RunReport, feed: Feed, period: Period, missing: list[str]) -> RunReport:
    text = f"left out, as {feed.name} has no such {period} partition yet: {', '.join(missing[:20])}"
    return RunReport(report.run_id, report.succeeded, text)


def _no_partitions(feed: Feed, period: Period, missing: list[str], existing: Sequence[str]) -> str:
    asked = f"{missing[0]} … {missing[-1]}" if len(missing) > 1 else (missing[0] if missing else "nothing")
    have = f"they run from {existing[0]} to {existing[-1]}" if existing else "it has none"
    return f"{feed.name} has no {period} partition for {asked} ({have}); choose trading dates within these"


def _process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
