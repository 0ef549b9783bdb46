"""Launches runs in processes forked from one that is loaded already, watches that they live, and stops them.

For runs of this project's code location; a run of other code is executed by a new Python. What a worker does is in
`run_worker`, the loaded process in `run_host`.
"""

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from dagster import DagsterRun, DagsterRunStatus, Field, StringSource
from dagster._config import UserConfigSchema
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value

from marketdata_pipelines.orchestration.keys import LOCATION
from marketdata_pipelines.orchestration.running import run_worker
from marketdata_pipelines.orchestration.running.run_worker import PROCESS_TAG
from marketdata_pipelines.settings.environment import Settings

logger = logging.getLogger(__name__)
_SECONDS_TO_LOAD = 120
_DEFINITIONS = f"{LOCATION}.definitions"
_RUN_HOST = f"{LOCATION}.orchestration.running.run_host"
_PACKAGE = Path(__file__).resolve().parents[2]


class WarmRunLauncher(RunLauncher, ConfigurableClass):
    """Runs in processes of this machine; `base_dir` holds their locks, by default the folder of `HomeStorage`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._workers = Path(base_dir) / "workers"
        self._host: RunHost | None = None
        self._launching = threading.Lock()
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        folder = config_value.get("base_dir") or os.environ.get("DAGSTER_HOME") or str(Settings().dagster_home)
        return cls(os.path.abspath(folder), inst_data)

    def warm_up(self) -> None:
        """Start loading now, so that the first run need not wait; what killed workers left is removed."""
        run_worker.remove_traces(self._workers)
        with self._launching:
            self._ready_host()

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's worker.

        Errors: DagsterLaunchFailedError when no process can be started.
        """
        run = context.dagster_run
        request = {
            "run_id": run.run_id,
            "instance_ref": serialize_value(self._instance.get_ref()),
            "workers": str(self._workers),
        }
        with self._launching:
            pid = self._ready_host().start(request) if _is_ours(run) else _start_python(request)
        self._instance.add_run_tags(run.run_id, {PROCESS_TAG: f"{socket.gethostname()}:{pid}"})

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run's worker; one that is gone already leaves a cancelled run."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        if run_worker.interrupt(self._workers, run_id):
            return True
        if _is_here(run):
            self._instance.report_run_canceled(run, "Its process had ended already.")
            return True
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """RUNNING while the worker lives, FAILED once it is gone; of other machines' workers nothing is known."""
        if not _is_here(run) or run_worker.is_living(self._workers, run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        # A worker ends right after its run does.
        again = self._instance.get_run_by_id(run.run_id)
        if again is not None and again.status is DagsterRunStatus.SUCCESS:
            return CheckRunHealthResult(WorkerStatus.SUCCESS)
        text = "The process of the run has ended without finishing it (killed, or out of memory)"
        return CheckRunHealthResult(WorkerStatus.FAILED, text)

    def dispose(self) -> None:
        if self._host is not None:
            self._host.end()

    def _ready_host(self) -> "RunHost":
        if self._host is not None and not self._host.is_current():
            self._host.end()
            self._host = None
        if self._host is None:
            self._host = RunHost()
        return self._host


class RunHost:
    """The loaded process that forks; ends when this one does."""

    def __init__(self) -> None:
        # A socket's path must be short.
        self._folder = tempfile.TemporaryDirectory(prefix="marketdata-")
        self._socket = os.path.join(self._folder.name, "run-host")
        self._loaded_at = time.time()
        command = [sys.executable, "-m", _RUN_HOST, self._socket, _DEFINITIONS]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def is_current(self) -> bool:
        """Whether it lives, and the code is still the one it loaded."""
        return self._process.poll() is None and max(_code_times(), default=0.0) < self._loaded_at

    def start(self, request: Mapping[str, str]) -> int:
        """Fork a worker for the request; returns its pid.

        Errors: DagsterLaunchFailedError when the process ended or does not answer.
        """
        message = json.dumps(dict(request)).encode() + b"\n"
        with self._connection() as connection:
            connection.sendall(message)
            answer = connection.recv(64)
        if not answer:
            raise _failed("the process that starts runs did not start one; see the daemon's log")
        return int(answer)

    def end(self) -> None:
        """Let it end; its workers go on."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _connection(self) -> socket.socket:
        until = time.monotonic() + _SECONDS_TO_LOAD
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(self._socket)
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
            else:
                return connection
            if self._process.poll() is not None:
                raise _failed(
                    f"the process that starts runs ended with code {self._process.returncode}; see the daemon's log"
                )
            if time.monotonic() > until:
                raise _failed(f"the process that starts runs did not load in {_SECONDS_TO_LOAD} s")
            time.sleep(0.02)


def _start_python(request: Mapping[str, str]) -> int:
    """A worker in a new Python, for code the loaded process does not have."""
    command = [sys.executable, "-m", run_worker.__name__, request["run_id"], request["workers"]]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None
    process.stdin.write(request["instance_ref"].encode())
    process.stdin.close()
    threading.Thread(target=process.wait, daemon=True).start()
    return process.pid


def _failed(text: str) -> DagsterLaunchFailedError:
    return DagsterLaunchFailedError(text)  # type: ignore[no-untyped-call]


def _is_ours(run: DagsterRun) -> bool:
    origin = run.job_code_origin
    pointer = None if origin is None else origin.repository_origin.code_pointer
    return getattr(pointer, "module", None) == _DEFINITIONS


def _is_here(run: DagsterRun) -> bool:
    host, _, _ = run.tags.get(PROCESS_TAG, "").rpartition(":")
    return host in ("", socket.gethostname())


def _code_times() -> Iterator[float]:
    for path in _PACKAGE.rglob("*.py"):
        try:
            yield path.stat().st_mtime
        except FileNotFoundError:
            continue
