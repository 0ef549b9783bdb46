"""What a run's end means to people: which feed, job and partitions it was about, why it failed, what to do now."""

from collections.abc import Mapping
from dataclasses import dataclass

from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun
from dagster._core.storage.tags import WILL_RETRY_TAG

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.notices import Happening, NoticeKind
from marketdata_pipelines.domain.tables import asset_sets
from marketdata_pipelines.orchestration.assets.ranges import ONLY_TAG, PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from marketdata_pipelines.orchestration.keys import FEED_TAG, job_name

_IMPLICIT_JOB = "__ASSET_JOB"
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class RunSubject:
    """What a run was about. `job` names the same work however it was launched: by a job, a backfill or the UI."""

    feed: str
    job: str
    where: str


def run_subject(run: DagsterRun, feeds: Mapping[str, Feed]) -> RunSubject:
    """The feed, job and partitions of a run; the feed is empty for a job of somebody else's."""
    selected = sorted(run.asset_selection or (), key=lambda key: key.path)
    named = run.tags.get(FEED_TAG) or (selected[0].path[0] if selected else run.job_name.partition("__")[0])
    feed = feeds.get(named)
    job = run.job_name
    if feed is not None and job.startswith(_IMPLICIT_JOB) and selected:
        names = {key.path[-1] for key in selected}
        periods = dict.fromkeys(each.period for each in asset_sets(feed) if each.name in names)
        job = " and ".join(job_name(feed.name, period) for period in periods) or job
    return RunSubject(named if feed is not None else "", job, _where(run))


def will_be_retried(run: DagsterRun) -> bool:
    """Whether Dagster itself tries the run again: its failure is not the last word."""
    return run.tags.get(WILL_RETRY_TAG) == "true"


def failure(
    instance: DagsterInstance, run: DagsterRun, event: DagsterEvent, subject: RunSubject, ui_url: str | None
) -> Happening:
    """The failure of a run, to tell."""
    reason = failure_reason(instance, run, event)
    return Happening(
        id=f"failure {run.run_id}",
        kind=NoticeKind.FAILURE,
        feed=subject.feed,
        subject=subject.job,
        text=reason,
        at_us=ended_us(instance, run),
        where=subject.where,
        advice="" if "marketdata " in reason else _advice(run, subject),
        link=run_link(run, ui_url),
    )


def recovery(run: DagsterRun, subject: RunSubject, at_us: int, ui_url: str | None) -> Happening:
    """The first success after failures, to tell."""
    return Happening(
        id=f"recovery {run.run_id}",
        kind=NoticeKind.RECOVERY,
        feed=subject.feed,
        subject=subject.job,
        text="it succeeded for the first time since it failed",
        at_us=at_us,
        where=subject.where,
        link=run_link(run, ui_url),
    )


def failure_reason(instance: DagsterInstance, run: DagsterRun, event: DagsterEvent) -> str:
    """The first thing that went wrong, in the words of whoever raised it."""
    records = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.STEP_FAILURE, limit=1).records
    step = records[0].event_log_entry.dagster_event if records else None
    if step is not None and step.is_step_failure:
        data = step.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            return data.user_failure_data.description
        error = data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            return error.message.strip()
    return event.message or "the run failed before any of its steps began"


def ended_us(instance: DagsterInstance, run: DagsterRun) -> int:
    """When a run ended, UTC microseconds."""
    record = instance.get_run_record_by_id(run.run_id)
    if record is None:
        return 0
    end = record.end_time if record.end_time is not None else record.update_timestamp.timestamp()
    return round(end * _MICROSECONDS)


def run_link(run: DagsterRun, ui_url: str | None) -> str:
    """The run's page; empty where nobody said where the pages are."""
    return f"{ui_url.rstrip('/')}/runs/{run.run_id}" if ui_url else ""


def _where(run: DagsterRun) -> str:
    if PARTITION_TAG in run.tags:
        return run.tags[PARTITION_TAG]
    if ONLY_TAG in run.tags:
        return run.tags[ONLY_TAG].replace("..", " … ").replace(",", ", ")
    start, end = run.tags.get(RANGE_START_TAG), run.tags.get(RANGE_END_TAG)
    if not start or not end:
        return ""
    return start if start == end else f"{start} … {end}"


def _advice(run: DagsterRun, subject: RunSubject) -> str:
    first = run.tags.get(PARTITION_TAG) or run.tags.get(RANGE_START_TAG)
    last = run.tags.get(PARTITION_TAG) or run.tags.get(RANGE_END_TAG)
    if not subject.feed or not first or not last:
        return "Look at the run's log, mend the cause and run it again."
    return (
        "Look at the run's log, mend the cause and run again: "
        f"marketdata backfill {subject.feed} --start {first} --end {last}"
    )
