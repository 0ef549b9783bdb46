"""Hands a backfill to the daemon that runs on this home and follows it: the same path as launching it in the UI.

How it looks on a terminal is the CLI's; without a daemon the CLI runs the same jobs itself (see `runs`).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    AssetMaterialization,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    Definitions,
    RunsFilter,
    TableMetadataValue,
)
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.storage.tags import BACKFILL_ID_TAG

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import QUALITY, REJECTED_BARS, feed_tables
from marketdata_pipelines.errors import WorkFailed
from marketdata_pipelines.orchestration.assets.graph import feed_graph
from marketdata_pipelines.orchestration.assets.walking import OnOutcome
from marketdata_pipelines.orchestration.history.instance import dagster_home
from marketdata_pipelines.orchestration.keys import asset_key, asset_name
from marketdata_pipelines.orchestration.running.backfills import OPEN, open_periods
from marketdata_pipelines.orchestration.running.liveness import daemon_is_living
from marketdata_pipelines.orchestration.running.runs import RunReport, failure_text
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.quality.outcome import CheckOutcome, Facts
from marketdata_pipelines.settings.environment import Settings

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_WITHOUT_DAEMON = 60.0
_PAGE = 2_000
_TOLD = {DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_CHECK_EVALUATION}


def has_daemon(settings: Settings) -> bool:
    """Whether a backfill of this home would be taken up by a daemon now."""
    return daemon_is_living(dagster_home(settings))


def hand_over(
    instance: DagsterInstance,
    settings: Settings,
    feed: Feed,
    work: Mapping[Period, Sequence[str]],
    assets: frozenset[str] | None,
    tags: Mapping[str, str],
) -> str | None:
    """Ask the daemon for partitions by period; the backfill's id.

    None where the daemon's graph does not have all of them: history from before the feed's first partition.
    """
    graph = Definitions(assets=feed_graph(feed, settings, datetime.now(UTC).date())).get_repository_def().asset_graph
    for period, keys in work.items():
        if not set(keys) <= _known(graph, feed, period):
            return None
    first, last = _span(work)
    return open_periods(
        instance, graph, feed, work, assets=assets, title=f"{feed.name} {first} … {last} (command line)", tags=tags
    )


def follow(
    instance: DagsterInstance,
    settings: Settings,
    backfill_id: str,
    on_outcome: OnOutcome,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> list[RunReport]:
    """Tell each partition as it is recorded, until the backfill is over; then how its runs ended.

    Errors: WorkFailed when the daemon is gone and nothing goes on any more.
    """
    followed: dict[str, FollowedRun] = {}
    seen_at = time.monotonic()
    while True:
        backfill = instance.get_backfill(backfill_id)
        over = backfill is None or backfill.status not in OPEN
        for run in _runs(instance, backfill_id):
            ended = over or run.is_finished
            for outcome in followed.setdefault(run.run_id, FollowedRun(run)).news(instance, over=ended):
                on_outcome(outcome)
        if over:
            status = "gone" if backfill is None else backfill.status.value
            return _reports(instance, followed, backfill_id, status)
        seen_at = time.monotonic() if has_daemon(settings) else seen_at
        if time.monotonic() - seen_at > _SECONDS_WITHOUT_DAEMON:
            raise WorkFailed(
                f"backfill {backfill_id} stands still: no daemon runs on this data folder any more; "
                "start `marketdata up`, and it goes on"
            )
        sleep(_SECONDS_BETWEEN_LOOKS)


def cancel(instance: DagsterInstance, backfill_id: str) -> None:
    """Ask the daemon to stop a backfill: what is written stays."""
    backfill = instance.get_backfill(backfill_id)
    if backfill is not None and backfill.status is BulkActionStatus.REQUESTED:
        instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELING))  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class FollowedRun:
    """One run's events, gathered to partitions."""

    run: DagsterRun
    cursor: str | None = None
    gathered: "list[AssetMaterialization | AssetCheckEvaluation]" = field(default_factory=list)

    def news(self, instance: DagsterInstance, *, over: bool) -> Iterator[PartitionOutcome]:
        """The partitions recorded since the last call; the one in hand only once the run is `over`."""
        while True:
            page = instance.get_records_for_run(self.run.run_id, self.cursor, of_type=_TOLD, limit=_PAGE)
            self.cursor = page.cursor
            for record in page.records:
                event = _told(record.event_log_entry)
                if self.gathered and event.partition != self.gathered[0].partition:
                    yield self._outcome()
                self.gathered.append(event)
            if not page.has_more:
                break
        if over and self.gathered:
            yield self._outcome()

    def _outcome(self) -> PartitionOutcome:
        events, self.gathered = self.gathered, []
        results = tuple(_result(event) for event in events if isinstance(event, AssetMaterialization))
        checks = tuple(_check(event) for event in events if isinstance(event, AssetCheckEvaluation))
        failed = [f"{check.name}: {check.message}" for check in checks if check.blocking and not check.passed]
        feed = events[0].asset_key.path[0]
        return PartitionOutcome(feed, str(events[0].partition), results, checks, "; ".join(failed) or None)


def _known(graph: BaseAssetGraph[Any], feed: Feed, period: Period) -> set[str]:
    named = next(table_set.name for table_set in feed_tables(feed) if table_set.period is period)
    partitions = graph.get(asset_key(feed.name, named)).partitions_def
    return set() if partitions is None else set(partitions.get_partition_keys())


def _runs(instance: DagsterInstance, backfill_id: str) -> list[DagsterRun]:
    found = instance.get_run_records(RunsFilter(tags={BACKFILL_ID_TAG: backfill_id}), ascending=True)
    return [record.dagster_run for record in found]


def _told(entry: EventLogEntry) -> AssetMaterialization | AssetCheckEvaluation:
    event = entry.get_dagster_event()
    if event.event_type is DagsterEventType.ASSET_MATERIALIZATION:
        return event.step_materialization_data.materialization
    return event.asset_check_evaluation_data


def _result(event: AssetMaterialization) -> AssetResult:
    asset = asset_name(event.asset_key)
    values = {name: value.value for name, value in event.metadata.items()}
    prefix = "rejected/" if asset == REJECTED_BARS else ""
    facts: Facts = {
        name.removeprefix(prefix): value
        for name, value in values.items()
        if name.startswith(prefix or ("raw_rows", "accepted_rows", "score")) and isinstance(value, int | float | str)
    }
    tables = event.metadata.get("rows by table")
    records = tables.records if isinstance(tables, TableMetadataValue) else []
    rows = _whole(values.get("dagster/row_count"))
    by_table = {str(record.data["table"]): _whole(record.data["rows"]) for record in records} or {asset: rows}
    found = event.metadata.get("by rule") if asset == QUALITY else None
    examples = tuple(dict(record.data) for record in found.records) if isinstance(found, TableMetadataValue) else ()
    symbols = _whole(values.get("symbols"))
    return AssetResult(asset, rows, symbols, None, None, 0, by_table, facts, examples=examples)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _check(event: AssetCheckEvaluation) -> CheckOutcome:
    blocking = event.blocking or event.severity is AssetCheckSeverity.ERROR
    return CheckOutcome(event.check_name, asset_name(event.asset_key), event.passed, blocking, event.description or "")


def _reports(
    instance: DagsterInstance, followed: Mapping[str, FollowedRun], backfill_id: str, status: str
) -> list[RunReport]:
    reports = []
    for run in _runs(instance, backfill_id):
        succeeded = run.status is DagsterRunStatus.SUCCESS
        message = "" if succeeded else failure_text(instance, run)
        reports.append(RunReport(run.run_id, succeeded, message))
    if not reports:
        reports.append(RunReport("", False, f"backfill {backfill_id} is {status.lower()} and launched no run"))
    return reports


def _span(work: Mapping[Period, Sequence[str]]) -> tuple[str, str]:
    keys = next(iter(work.values()))
    return keys[0], keys[-1]
