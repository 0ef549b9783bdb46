"""Freshness of a feed's tables: a check by the calendar, and the sensor that keeps it told.

The check is exact by session (`pipeline.lateness`); Dagster's own policy is in `assets.freshness_policy`.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from dagster import (
    AssetCheckEvaluation,
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    DagsterInstance,
    DefaultSensorStatus,
    MetadataValue,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    multi_asset_check,
    sensor,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)
from dagster._core.storage.event_log.base import AssetRecord

from marketdata_pipelines.domain.due import is_watched, schedule_of
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines.pipeline.lateness import LateTable, expected_session, late_tables
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

CHECK = "is_fresh"
SENSOR = "table_freshness"
_SECONDS_BETWEEN = 60
# A verdict is told again when it is this old, so that its age never looks as if nobody watched.
_SECONDS_TOLD = 3600
_UNDECIDED = AssetCheckExecutionRecordStatus.PLANNED
Verdict = tuple[bool, AssetCheckSeverity, str, dict[str, MetadataValue]]


def freshness_checks(feed: Feed, settings: Settings) -> AssetChecksDefinition | None:
    """`is_fresh` of each of a watched feed's assets; None for any other.

    No job of a feed runs them, the sensor tells them without a run; executed from the UI they answer at once.
    """
    if not is_watched(feed):
        return None
    specs = [
        AssetCheckSpec(
            CHECK,
            asset=asset_key(feed.name, table_set.name),
            description=f"Holds every session of calendar {feed.calendar.name} "
            f"{schedule_of(feed).late_after_minutes} minutes after its close.",
        )
        for table_set in feed_tables(feed)
    ]

    @multi_asset_check(name=f"{feed.name}__freshness", specs=specs, can_subset=True)
    def freshness(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        verdicts = feed_verdicts(Lake(settings.lake), feed, time.time_ns() // 1000)
        for key in sorted(context.selected_asset_check_keys):
            passed, severity, text, facts = verdicts[key.asset_key]
            yield AssetCheckResult(
                passed=passed, asset_key=key.asset_key, check_name=key.name, severity=severity, description=text,
                metadata=facts,
            )  # fmt: skip

    return freshness


def freshness_sensor(feeds: Iterable[Feed], settings: Settings) -> SensorDefinition | None:
    """Keeps `is_fresh` of every watched feed told, without runs; None where no feed is watched."""
    watched = [feed for feed in feeds if is_watched(feed)]
    if not watched:
        return None

    @sensor(
        name=SENSOR,
        minimum_interval_seconds=_SECONDS_BETWEEN,
        default_status=DefaultSensorStatus.RUNNING,
        description="Compares every table with its calendar each minute and tells where one is late or has recovered.",
    )
    def table_freshness(context: SensorEvaluationContext) -> SkipReason:
        told = tell_freshness(context.instance, Lake(settings.lake), watched, datetime.now(UTC))
        return SkipReason("; ".join(told) if told else "nothing has changed")

    return table_freshness


def tell_freshness(instance: DagsterInstance, lake: Lake, feeds: Sequence[Feed], now: datetime) -> list[str]:
    """Store the verdict on each table whose last one differs, judged older data, or is an hour old.

    Returns a line for each feed with a change. What Dagster shows is itself the memory: no cursor can fall behind it.
    """
    lines = []
    for feed in feeds:
        verdicts = feed_verdicts(lake, feed, int(now.timestamp() * SECOND_US))
        changed = tell_verdicts(instance, verdicts, now)
        late = [key.path[-1] for key in verdicts if not verdicts[key][0]]
        if changed:
            lines.append(f"{feed.name}: " + (f"late: {', '.join(late)}" if late else "everything is on time"))
    return lines


def tell_verdicts(instance: DagsterInstance, verdicts: Mapping[AssetKey, Verdict], now: datetime) -> list[str]:
    """Store those of these verdicts that are not told yet; the names of the assets whose verdict is another now."""
    stored = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [AssetCheckKey(key, CHECK) for key in verdicts]
    )
    records = {record.asset_entry.asset_key: record for record in instance.get_asset_records(list(verdicts))}
    changed = []
    for key, verdict in verdicts.items():
        last, target = stored.get(AssetCheckKey(key, CHECK)), _target(records.get(key))
        if not _is_told(last, verdict, target, now):
            instance.report_runless_asset_event(_evaluation(key, verdict, target))
            changed += [key.path[-1]] if _passed(last) is not verdict[0] else []
    return changed


def feed_verdicts(lake: Lake, feed: Feed, now_us: int) -> dict[AssetKey, Verdict]:
    """Whether each of a feed's assets is on time, how bad it is, a sentence, and the facts behind it."""
    late = {table.asset: table for table in late_tables(lake, feed, now_us)}
    session = expected_session(feed, now_us)
    on_time = "no session is expected yet" if session is None else f"holds session {session.date}, the newest expected"
    fresh: Verdict = (True, AssetCheckSeverity.WARN, on_time, {})
    names = [table_set.name for table_set in feed_tables(feed)]
    return {asset_key(feed.name, name): _verdict(late[name]) if name in late else fresh for name in names}


def _verdict(late: LateTable) -> Verdict:
    since = datetime.fromtimestamp(late.since_us / SECOND_US, tz=UTC)
    text = f"late since {since:%Y-%m-%d %H:%M} UTC: {late.reason}; run: {late.command}"
    facts: dict[str, MetadataValue] = {
        "late_since": MetadataValue.timestamp(since),
        "missing_sessions": MetadataValue.int(late.sessions),
        "first_missing": MetadataValue.text(late.first.isoformat()),
        "last_missing": MetadataValue.text(late.last.isoformat()),
        "partition": MetadataValue.text(late.partition),
        "command": MetadataValue.md(f"`{late.command}`"),
    }
    # One session may come any minute; a second one missing is no delay any more.
    severity = AssetCheckSeverity.WARN if late.sessions == 1 else AssetCheckSeverity.ERROR
    return False, severity, text, facts


def _evaluation(
    key: AssetKey, verdict: Verdict, target: AssetCheckEvaluationTargetMaterializationData | None
) -> AssetCheckEvaluation:
    passed, severity, text, facts = verdict
    metadata: Mapping[str, MetadataValue] = facts
    return AssetCheckEvaluation(
        asset_key=key, check_name=CHECK, passed=passed, metadata=metadata, target_materialization_data=target,
        severity=severity, description=text,
    )  # fmt: skip


def _is_told(
    last: AssetCheckExecutionRecord | None,
    verdict: Verdict,
    target: AssetCheckEvaluationTargetMaterializationData | None,
    now: datetime,
) -> bool:
    """Whether what Dagster shows is this verdict, recent, and about the newest data.

    A check that a run has planned shows no verdict: not for hours of a backfill, and none at all where its step was
    skipped, as the walk reports its assets by itself.
    """
    if last is None or last.status is _UNDECIDED:
        return False
    evaluation = last.evaluation
    if evaluation is None or now.timestamp() - last.create_timestamp >= _SECONDS_TOLD:
        return False
    judged = evaluation.target_materialization_data
    same_data = target is None or (judged is not None and judged.storage_id == target.storage_id)
    return same_data and (evaluation.passed, evaluation.description) == (verdict[0], verdict[2])


def _passed(last: AssetCheckExecutionRecord | None) -> bool | None:
    return None if last is None or last.evaluation is None or last.status is _UNDECIDED else last.evaluation.passed


def _target(record: AssetRecord | None) -> AssetCheckEvaluationTargetMaterializationData | None:
    newest = None if record is None else record.asset_entry.last_materialization_record
    if newest is None:
        return None
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=newest.storage_id, run_id=newest.event_log_entry.run_id, timestamp=newest.event_log_entry.timestamp
    )
