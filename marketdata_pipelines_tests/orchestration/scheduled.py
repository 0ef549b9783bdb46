"""A home whose feed has a schedule: its ticks evaluated at any instant, its requests really run."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dagster import (
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    RepositoryDefinition,
    RunRequest,
    build_schedule_context,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.storage.dagster_run import DagsterRun

from marketdata_pipelines.definitions import build_definitions
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, period_of
from marketdata_pipelines.orchestration.assets.ranges import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG, narrowed
from marketdata_pipelines.orchestration.automation import asking
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.orchestration.keys import asset_key, job_name
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.stores.lake.lake import Lake

SIMULATED = """\
feeds:
  demo:
    source: {kind: simulated, symbols: [AAA, BBB], seed: 3}
    interval: 30m
    calendar: XNYS
    partition: day
    start: 2024-05-01
    schedule: {catch_up: 10}
"""
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class Desk:
    """One feed, its definitions as Dagster loads them, and an open instance."""

    settings: Settings
    feed: Feed
    instance: DagsterInstance
    repository: RepositoryDefinition

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake)

    def tick(self, name: str, at: str) -> RunRequest | str:
        """What a schedule asks for at an instant (UTC), or why it skips."""
        found = self.repository.get_schedule_def(f"{self.feed.name}__{name}")
        context = build_schedule_context(
            instance=self.instance, scheduled_execution_time=moment(at), repository_def=self.repository
        )
        with context:
            data = found.evaluate_tick(context)
        if not data.run_requests:
            return str(data.skip_message)
        (request,) = data.run_requests
        return request

    def ask(self, at: str) -> RunRequest:
        """What the schedule of sessions asks for; it does."""
        request = self.tick("after_close", at)
        assert isinstance(request, RunRequest), request
        return request

    def keys(self, request: RunRequest, period: Period = Period.DAY) -> list[str]:
        """The partitions a request is for."""
        if PARTITION_TAG in request.tags:
            return [request.tags[PARTITION_TAG]]
        existing = self.existing(period)
        first, last = request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]
        return narrowed([key for key in existing if first <= key <= last], request.tags)

    def existing(self, period: Period) -> list[str]:
        """The partitions of a period that there are by now."""
        asset = {Period.DAY: "daily_bars", Period.WEEK: "weekly_bars", Period.MONTH: "monthly_bars"}[period]
        graph = self.repository.asset_graph
        return list(asking.existing_keys(graph, asset_key(self.feed.name, asset), datetime.now(UTC)))

    def run(self, request: RunRequest) -> bool:
        """Execute what was asked for, as the run coordinator would; whether it succeeded."""
        job = self.repository.get_job(request.job_name or job_name(self.feed.name, period_of(self.feed.partition)))
        selection = None if request.asset_selection is None else set(request.asset_selection)
        run = self.instance.create_run_for_job(
            job_def=job, run_config=_QUIET, tags=dict(request.tags), asset_selection=selection
        )
        for _ in execute_run_iterator(InMemoryJob(job), run, self.instance):
            pass
        ended = self.instance.get_run_by_id(run.run_id)
        return ended is not None and ended.status is DagsterRunStatus.SUCCESS

    def leave(self, request: RunRequest, status: DagsterRunStatus) -> DagsterRun:
        """A run of what was asked for, in some state, that nobody executes."""
        job = self.repository.get_job(request.job_name or job_name(self.feed.name, period_of(self.feed.partition)))
        run = self.instance.create_run_for_job(job_def=job, run_config=_QUIET, tags=dict(request.tags))
        if status is DagsterRunStatus.FAILURE:
            self.instance.report_run_failed(run)
        return run

    def materialized(self, asset: str) -> list[str]:
        return sorted(self.instance.get_materialized_partitions(AssetKey([self.feed.name, asset])))


def moment(text: str) -> datetime:
    """A UTC instant from a text such as `2024-07-03 17:15`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@contextmanager
def desk_in(folder: Path, empty_home: Path, feeds: str) -> Iterator[Desk]:
    """A desk in a folder; `feeds` names one feed."""
    (folder / "feeds.yaml").write_text(feeds, "utf-8")
    shutil.copytree(empty_home, folder / "dagster")
    settings = Settings(home=folder)
    (feed,) = load_feeds(settings.feeds_file).values()
    with instance_for(settings) as instance:
        yield Desk(settings, feed, instance, build_definitions(settings).get_repository_def())
