"""Puts one walked partition's events into the instance while the step runs: assets first, then their checks.

A check's status counts for a partition only when it names the materialization it judges. What the events say is in
`events`; how the embedded storage writes them in `event_batches`.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from dagster import (
    AssetCheckEvaluation,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetRecordsFilter,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from dagster._core.events.log import EventLogEntry

from marketdata_pipelines.orchestration.assets.events import check_evaluations, materializations, withheld
from marketdata_pipelines.orchestration.history.postgres_storage import PostgresEvents
from marketdata_pipelines.orchestration.history.storage import HomeEventLogStorage
from marketdata_pipelines.orchestration.keys import asset_name
from marketdata_pipelines.pipeline.outcome import PartitionOutcome


class PartitionReporter:
    """Reports the partitions of one step, for the assets and checks that were selected; `only` narrows them by name."""

    def __init__(self, context: AssetExecutionContext, only: Callable[[str], bool] = lambda _: True) -> None:
        self._context = context
        self._instance = context.instance
        self._assets = frozenset(key for key in context.selected_asset_keys if only(asset_name(key)))
        self._checks = frozenset(key for key in context.selected_asset_check_keys if only(asset_name(key.asset_key)))

    def report(self, outcome: PartitionOutcome) -> None:
        """Store everything of one partition; it is in the instance when this returns."""
        keys = {AssetKey([outcome.feed, check.asset]) for check in outcome.checks}
        self.store(
            materializations(outcome, self._assets),
            keys,
            lambda judged: check_evaluations(outcome, self._checks, judged),
            outcome.partition,
        )
        if outcome.blocked is not None:
            self._mark_withheld(outcome.partition, withheld(outcome, self._assets))

    def store(
        self,
        made: Sequence[AssetMaterialization],
        checked: Collection[AssetKey],
        judge: Callable[[Mapping[AssetKey, Target | None]], Sequence[AssetCheckEvaluation]],
        partition: str,
    ) -> None:
        """Store materializations, then what `judge` says of them; `checked` are the assets its checks are of."""
        targets = self._store_materializations(made)
        judged: dict[AssetKey, Target | None] = {**targets}
        # Of a partition that was not written the checks judge what stands from earlier, if anything does.
        judged |= {
            key: _latest_materialization(self._instance, key, partition) for key in checked if key not in targets
        }
        self._store_evaluations(judge(judged))

    def mark_failed(self, partition: str, names: Collection[str]) -> None:
        """Let the UI show a partition of these assets as failed."""
        self._mark_withheld(partition, sorted(key for key in self._assets if asset_name(key) in names))

    def _store_materializations(self, made: Sequence[AssetMaterialization]) -> dict[AssetKey, Target]:
        storage = self._instance.event_log_storage
        if isinstance(storage, HomeEventLogStorage | PostgresEvents):
            entries = [self._materialized(item) for item in made]
            ids = storage.store_partition_events(entries) if entries else []
            return {
                item.asset_key: Target(storage_id=event_id, run_id=entry.run_id, timestamp=entry.timestamp)
                for item, entry, event_id in zip(made, entries, ids, strict=True)
            }
        step = self._context.op_execution_context.get_step_execution_context()
        found = {}
        for item in made:
            DagsterEvent.asset_materialization(step, item)
            stored = _latest_materialization(self._instance, item.asset_key, str(item.partition))
            if stored is not None:
                found[item.asset_key] = stored
        return found

    def _store_evaluations(self, evaluations: Sequence[AssetCheckEvaluation]) -> None:
        storage = self._instance.event_log_storage
        if not isinstance(storage, HomeEventLogStorage | PostgresEvents):
            step = self._context.op_execution_context.get_step_execution_context()
            for evaluation in evaluations:
                DagsterEvent.asset_check_evaluation(step, evaluation)
        elif evaluations:
            storage.store_partition_events([self._evaluated(evaluation) for evaluation in evaluations])

    def _materialized(self, item: AssetMaterialization) -> EventLogEntry:
        text = f"{item.asset_key.to_user_string()} {item.partition} is written."
        return self._entry(DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(item), text)

    def _evaluated(self, evaluation: AssetCheckEvaluation) -> EventLogEntry:
        verdict = "passed" if evaluation.passed else "did not pass"
        about = f": {evaluation.description}" if evaluation.description else "."
        what = f"{evaluation.check_name} of {evaluation.asset_key.to_user_string()}"
        text = f"{what} {evaluation.partition} {verdict}{about}"
        return self._entry(DagsterEventType.ASSET_CHECK_EVALUATION, evaluation, text)

    def _entry(
        self, kind: DagsterEventType, data: StepMaterializationData | AssetCheckEvaluation, text: str
    ) -> EventLogEntry:
        """What Dagster's log manager makes of a yielded event."""
        step = self._context.op_execution_context.get_step_execution_context()
        event = DagsterEvent(
            event_type_value=kind.value,
            job_name=step.job_name,
            step_handle=step.step.handle,
            node_handle=step.step.node_handle,
            step_kind_value=step.step.kind.value,
            logging_tags=step.event_tags,
            event_specific_data=data,
            message=text,
            pid=os.getpid(),
        )
        return EventLogEntry(  # type: ignore[no-untyped-call]
            error_info=None,
            level=logging.DEBUG,
            user_message=text,
            run_id=self._context.run.run_id,
            timestamp=time.time(),
            step_key=step.step.key,
            job_name=step.job_name,
            dagster_event=event,
        )

    def _mark_withheld(self, partition: str, keys: Sequence[AssetKey]) -> None:
        """Let the UI show the partition as failed: planned by a run that failed, and not materialized."""
        if not self._instance.event_log_storage.supports_partition_subset_in_asset_materialization_planned_events:
            return  # Dagster then has planned every partition by itself.
        for key in keys:
            planned = DagsterEvent.build_asset_materialization_planned_event(
                self._context.run.job_name, str(self._context.op_execution_context.op_handle),
                AssetMaterializationPlannedData(key, partition=partition),
            )  # fmt: skip
            self._instance.report_dagster_event(planned, self._context.run.run_id, logging.DEBUG)


def _latest_materialization(instance: DagsterInstance, key: AssetKey, partition: str) -> Target | None:
    found = instance.fetch_materializations(AssetRecordsFilter(key, asset_partitions=[partition]), limit=1).records
    if not found:
        return None
    entry = found[0].event_log_entry
    return Target(storage_id=found[0].storage_id, run_id=entry.run_id, timestamp=entry.timestamp)
