"""Runs of a small simulated feed that other processes execute; nothing here asserts."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus, JobDefinition
from dagster._core.code_pointer import CodePointer, ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

from marketdata_pipelines.definitions import build_definitions
from marketdata_pipelines.orchestration.assets.ranges import partition_tags
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.orchestration.running.launcher import WarmRunLauncher
from marketdata_pipelines.orchestration.running.run_worker import PROCESS_TAG
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines_tests.builders import make_home
from marketdata_pipelines_tests.waiting import is_running, wait_until, wait_until_gone

FEEDS = """\
feeds:
  demo:
    source: {kind: simulated, symbols: [AAA, BBB], seed: 3}
    interval: 30m
    calendar: XNYS
    partition: day
    start: 2023-01-03
"""
DAILY = AssetKey(["demo", "daily_bars"])
OURS = ModuleCodePointer("marketdata_pipelines.definitions", "defs", None)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class LiveHome:
    """A home whose runs are executed by processes of their own."""

    settings: Settings
    instance: DagsterInstance
    job: JobDefinition

    @property
    def launcher(self) -> WarmRunLauncher:
        launcher = self.instance.run_launcher
        if not isinstance(launcher, WarmRunLauncher):
            raise TypeError(f"the home's launcher is {launcher}")
        return launcher

    @property
    def workers(self) -> Path:
        return self.settings.dagster_home / "workers"

    @property
    def days(self) -> list[str]:
        """All partitions: some seconds of work."""
        found = self.job.partitions_def
        return [] if found is None else list(found.get_partition_keys())

    def new_run(self, keys: Sequence[str]) -> DagsterRun:
        """A run over days of the feed, as the daemon makes one."""
        return self.instance.create_run_for_job(
            job_def=self.job, run_config=_QUIET, tags=partition_tags(keys, self.days),
            job_code_origin=origin_of(OURS, self.job.name),
        )  # fmt: skip

    def launch(self, run: DagsterRun) -> int:
        """Launch a run as the daemon does; its worker's pid."""
        self.instance.launch_run(run.run_id, None)  # type: ignore[arg-type]
        return self.pid(run)

    def pid(self, run: DagsterRun) -> int:
        tags = {} if (found := self.instance.get_run_by_id(run.run_id)) is None else found.tags
        return int(tags[PROCESS_TAG].rpartition(":")[2])

    def status(self, run: DagsterRun) -> DagsterRunStatus:
        found = self.instance.get_run_by_id(run.run_id)
        return DagsterRunStatus.NOT_STARTED if found is None else found.status

    def wait_for_end(self, run: DagsterRun) -> DagsterRunStatus:
        """The status a run ends with, once its process is gone too."""

        def ended() -> bool:
            found = self.instance.get_run_by_id(run.run_id)
            return found is not None and found.is_finished and not is_running(self.pid(run))

        wait_until(ended, f"the end of run {run.run_id}")
        return self.status(run)

    def wait_for_partition(self, run: DagsterRun) -> str:
        """A partition the run has written: it is in the middle of its work."""

        def written() -> str | None:
            texts = [entry.user_message for entry in self.instance.all_logs(run.run_id)]
            return next((text for text in texts if text.startswith("demo/daily_bars ")), None)

        return wait_until(written, f"the first partition of run {run.run_id}").split()[1]

    def end(self, run: DagsterRun) -> None:
        """Leave nothing of a run behind, however far it came."""
        pid = self.pid(run)
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)


@contextmanager
def live_home(folder: Path) -> Iterator[LiveHome]:
    """A home in a folder, which is that of this process and its children meanwhile."""
    make_home(folder, FEEDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARKETDATA_HOME", str(folder))
        patch.setenv("MARKETDATA_WALKERS", "2")
        patch.delenv("DAGSTER_HOME", raising=False)
        settings = Settings()
        job = build_definitions(settings).resolve_job_def("demo__day")
        with instance_for(settings) as instance:
            yield LiveHome(settings, instance, job)


def origin_of(pointer: CodePointer, job: str) -> JobPythonOrigin:
    """Where a worker finds the code of a job."""
    return JobPythonOrigin(job, RepositoryPythonOrigin(sys.executable, pointer))
