"""Dagster's daemon with backfills that go on as soon as a run has changed, instead of every thirty seconds.

Run as `python -m marketdata_pipelines.orchestration.services.daemon WORKSPACE`. All else is Dagster's.
"""

import logging
import os
import sys
import time
from collections.abc import Hashable, Iterable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._cli.utils import get_instance_for_cli
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.definitions.assets.graph.remote_asset_graph import RemoteWorkspaceAssetGraph
from dagster._core.definitions.backfill_policy import BackfillPolicyType
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.definitions.temporal_context import TemporalContext
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.execution.asset_backfill import (
    _get_next_latest_storage_id,
    get_canceling_asset_backfill_iteration_data,
)
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import CodeLocationOrigin, GrpcServerCodeLocationOrigin
from dagster._core.storage.tags import BACKFILL_ID_TAG, WILL_RETRY_TAG
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.backfill import execute_backfill_jobs
from dagster._daemon.controller import create_daemons_from_instance, daemon_controller_from_instance
from dagster._daemon.daemon import BackfillDaemon, DaemonIterator, DagsterDaemon, SpanMarker
from dagster._daemon.utils import DaemonErrorCapture
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers
from filelock import FileLock

from marketdata_pipelines.orchestration.running.backfills import OPEN
from marketdata_pipelines.orchestration.running.launcher import WarmRunLauncher
from marketdata_pipelines.orchestration.running.liveness import DAEMON_LOCK, DAEMON_PROCESS
from marketdata_pipelines.orchestration.services.retries import SureRetryDaemon

_SECONDS_BETWEEN_LOOKS = 0.5
# While its runs work, a backfill's page is brought up to date this often.
_SECONDS_BETWEEN_UPDATES = 5.0
# Looking and bringing up to date take at most one part in so many of a processor.
_REST = 15
# One that was killed lets go at once; one that is ending takes a moment.
_SECONDS_FOR_THE_OTHER = 30
_SECONDS_FOR_THE_CODE = 120.0
_UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


class PromptBackfillDaemon(BackfillDaemon):
    """Goes on with a backfill when it was asked for or cancelled, or one of its runs has ended.

    While a run works, only its page is brought up to date: Dagster would otherwise launch each week as soon as its
    days are there, in a run of its own.
    """

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: Event
    ) -> DaemonIterator:
        """Dagster's loop (`execute_backfill_iteration_loop`) with another way of waiting."""
        # Each iteration tells all of its thoughts; they are kept in the backfill's own log.
        self._logger.setLevel(logging.WARNING)
        futures: dict[str, Future[Any]] = {}
        due_at: dict[str, float] = {}
        seen: dict[str, Hashable] = {}
        while not shutdown_event.is_set():
            looked = time.monotonic()
            for backfill, unfinished in open_with_runs(workspace_process_context.instance):
                name, state = backfill.backfill_id, (backfill.status, unfinished)
                busy = name in futures and not futures[name].done()
                if busy or (state == seen.get(name) and time.monotonic() < due_at.get(name, 0.0)):
                    continue
                seen[name], began = state, time.monotonic()
                yield SpanMarker.START_SPAN
                yield from self._go_on(workspace_process_context, backfill, unfinished, futures)
                yield SpanMarker.END_SPAN
                due_at[name] = time.monotonic() + max(_SECONDS_BETWEEN_UPDATES, _REST * (time.monotonic() - began))
                looked += time.monotonic() - began
            # A backfill of thousands of partitions takes a while to be read; the runs need the processor more.
            shutdown_event.wait(max(_SECONDS_BETWEEN_LOOKS, _REST * (time.monotonic() - looked)))
            yield None

    def _go_on(
        self,
        workspace_process_context: IWorkspaceProcessContext[Any],
        backfill: PartitionBackfill,
        unfinished: frozenset[str],
        futures: dict[str, Future[Any]],
    ) -> DaemonIterator:
        try:
            context = workspace_process_context.create_request_context()
            if unfinished and runs_whole_ranges(backfill, context.asset_graph):
                show_progress(backfill, workspace_process_context.instance, context.asset_graph)
                return
            yield from execute_backfill_jobs(
                workspace_process_context,
                self._logger,
                [backfill],
                threadpool_executor=self._threadpool_executor,
                backfill_futures=futures,
                submit_threadpool_executor=self._submit_threadpool_executor,
            )
        except Exception:
            # The loop must outlive any one iteration, as Dagster's own does.
            yield DaemonErrorCapture.process_exception(
                exc_info=sys.exc_info(), logger=self._logger, log_message="the backfill daemon caught an error"
            )


def open_with_runs(instance: DagsterInstance) -> list[tuple[PartitionBackfill, frozenset[str]]]:
    """The backfills that are not over, oldest first, each with the ids of its runs that are not over.

    Nor is a run over whose process died as long as its retry is still to come: else the weeks of the days done so far
    would be launched in between.
    """
    found = instance.get_backfills(filters=BulkActionsFilter(statuses=list(OPEN)))
    return [
        (backfill, _unfinished_runs(instance, backfill.backfill_id) or _runs_to_retry(instance, backfill.backfill_id))
        for backfill in sorted(found, key=lambda item: item.backfill_timestamp)
    ]


def _unfinished_runs(instance: DagsterInstance, backfill_id: str) -> frozenset[str]:
    return frozenset(instance.get_run_ids(RunsFilter(statuses=_UNFINISHED, tags={BACKFILL_ID_TAG: backfill_id})))


def _runs_to_retry(instance: DagsterInstance, backfill_id: str) -> frozenset[str]:
    failed = RunsFilter(
        statuses=[DagsterRunStatus.FAILURE], tags={BACKFILL_ID_TAG: backfill_id, WILL_RETRY_TAG: "true"}
    )
    return frozenset(run.run_id for run in instance.get_runs(failed) if run.is_complete_and_waiting_to_retry)


def runs_whole_ranges(backfill: PartitionBackfill, asset_graph: RemoteWorkspaceAssetGraph) -> bool:
    """Whether a backfill is to be left alone while one of its runs works: all its assets run in single runs."""
    if backfill.status is not BulkActionStatus.REQUESTED or not backfill.is_asset_backfill:
        return False
    assets = [asset_graph.get(key) for key in backfill.asset_selection or () if asset_graph.has(key)]
    # One without partitions is materialized once, whatever its policy.
    policies = [asset.backfill_policy for asset in assets if asset.is_partitioned]
    return bool(policies) and all(
        policy is not None and policy.policy_type is BackfillPolicyType.SINGLE_RUN for policy in policies
    )


def show_progress(
    backfill: PartitionBackfill, instance: DagsterInstance, asset_graph: RemoteWorkspaceAssetGraph
) -> None:
    """Note the partitions materialized and failed by now in the backfill, where its page finds them."""
    moment = datetime.fromtimestamp(backfill.backfill_timestamp, UTC)
    view = AssetGraphView(
        temporal_context=TemporalContext(effective_dt=moment, last_event_id=None),
        instance=instance,
        asset_graph=asset_graph,
    )
    queryer = view.get_inner_queryer_for_back_compat()
    with partition_loading_context(effective_dt=moment, dynamic_partitions_store=instance):
        before = backfill.get_asset_backfill_data(asset_graph)
        if before.latest_storage_id is None:
            return
        cursor = _get_next_latest_storage_id(queryer)
        now = get_canceling_asset_backfill_iteration_data(
            backfill.backfill_id, before, view, backfill.backfill_timestamp
        ).with_latest_storage_id(cursor)
        current = instance.get_backfill(backfill.backfill_id)
        if current is not None and current.status is BulkActionStatus.REQUESTED:
            instance.update_backfill(
                current.with_asset_backfill_data(now, dynamic_partitions_store=instance, asset_graph=asset_graph)
            )


def run_daemon(workspace: str) -> None:
    """Run every daemon of the instance named by DAGSTER_HOME until interrupted."""
    setup_interrupt_handlers()
    target = WorkspaceFileTarget([workspace])
    try:
        with (
            get_instance_for_cli() as instance,
            FileLock(Path(os.environ["DAGSTER_HOME"]) / DAEMON_LOCK, timeout=_SECONDS_FOR_THE_OTHER),
        ):
            (Path(os.environ["DAGSTER_HOME"]) / DAEMON_PROCESS).write_text(str(os.getpid()), "ascii")
            if isinstance(instance.run_launcher, WarmRunLauncher):
                instance.run_launcher.warm_up()
            wait_for_code(target.create_origins(), _SECONDS_FOR_THE_CODE)
            with (
                capture_interrupts(),
                daemon_controller_from_instance(
                    instance, workspace_load_target=target, gen_daemons=_daemons, code_server_log_level="warning"
                ) as controller,
            ):
                controller.check_daemon_loop()
    except KeyboardInterrupt:
        return


def wait_for_code(origins: Iterable[CodeLocationOrigin], seconds: float) -> None:
    """Wait until the code servers answer, be it with an error; no longer than `seconds`.

    Dagster gives up for good what it cannot find the code of: the retry of a run whose process died with the machine.
    """
    until = time.monotonic() + seconds
    for origin in origins:
        while isinstance(origin, GrpcServerCodeLocationOrigin) and time.monotonic() < until:
            try:
                origin.create_client().list_repositories()
            except DagsterUserCodeUnreachableError:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            else:
                break


def _daemons(instance: DagsterInstance) -> Iterable[DagsterDaemon[Any]]:
    for daemon in create_daemons_from_instance(instance):
        if isinstance(daemon, BackfillDaemon):
            yield PromptBackfillDaemon(instance.get_backfill_settings())
        elif isinstance(daemon, EventLogConsumerDaemon):
            yield SureRetryDaemon()
        else:
            yield daemon


if __name__ == "__main__":
    run_daemon(sys.argv[1])
