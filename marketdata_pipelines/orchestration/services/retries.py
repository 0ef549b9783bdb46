"""Dagster's daemon that starts runs again whose process died, without losing one.

Dagster looks at a failed run once, when it meets its failure in the event log. Met a moment too early, before the run
itself says that it failed, or while the code cannot be loaded, the retry never comes and the run's backfill waits for
ever. When a run is retried, and how often, is configuration (`configuration`).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import WILL_RETRY_TAG
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import consume_new_runs_for_automatic_reexecution
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.daemon import DaemonIterator

from marketdata_pipelines.orchestration.keys import LOCATION

# What failed long ago is not started again because a daemon was.
_LOOKS_BACK = timedelta(days=1)


class SureRetryDaemon(EventLogConsumerDaemon):
    """Waits for the code, and looks a second time for runs whose retry has not come."""

    def __init__(self) -> None:
        super().__init__()
        self._handed_over: set[str] = set()

    def run_iteration(self, workspace_process_context: IWorkspaceProcessContext[Any]) -> DaemonIterator:
        entries = workspace_process_context.create_request_context().get_code_location_entries()
        if LOCATION in entries and entries[LOCATION].code_location is None:
            return
        yield from super().run_iteration(workspace_process_context)
        # One that is not retried after all (its backfill is over) says so in its log; once is enough.
        lost = [
            run for run in waiting_for_retry(workspace_process_context.instance) if run.run_id not in self._handed_over
        ]
        self._handed_over |= {run.run_id for run in lost}
        if lost:
            records = workspace_process_context.instance.get_run_records(RunsFilter([run.run_id for run in lost]))
            yield from consume_new_runs_for_automatic_reexecution(workspace_process_context, records, self._logger)


def waiting_for_retry(instance: DagsterInstance, now: datetime | None = None) -> list[DagsterRun]:
    """Runs that failed of late, are to be retried and have not been. `now` is an instant, UTC."""
    failed = RunsFilter(
        statuses=[DagsterRunStatus.FAILURE],
        tags={WILL_RETRY_TAG: "true"},
        updated_after=(now or datetime.now(UTC)) - _LOOKS_BACK,
    )
    return [run for run in instance.get_runs(failed) if run.is_complete_and_waiting_to_retry]
