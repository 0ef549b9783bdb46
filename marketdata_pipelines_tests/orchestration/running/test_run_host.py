"""The process that forks workers, spoken to over its socket; runs are launched through it in `test_launcher`."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest
from dagster import DagsterRunStatus
from dagster._serdes import serialize_value

from marketdata_pipelines_tests.orchestration.live_runs import DAILY, OURS, LiveHome, live_home
from marketdata_pipelines_tests.waiting import parent_of, wait_until, wait_until_gone


class Host:
    """A host of this test, and what it is told."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "host")
        command = [sys.executable, "-m", "marketdata_pipelines.orchestration.running.run_host", self._path, OURS.module]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ask(self, message: bytes) -> bytes:
        """One request; the answer, empty where there is none."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(30)
            wait_until(lambda: self._connected(connection), "the host's ear", 120)
            connection.sendall(message)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(64)

    def start(self, home: LiveHome, run_id: str) -> int:
        """Fork a worker for a run; its pid."""
        request = {
            "run_id": run_id,
            "instance_ref": serialize_value(home.instance.get_ref()),
            "workers": str(home.workers),
        }
        return int(self.ask(json.dumps(request).encode() + b"\n"))

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)

    def _connected(self, connection: socket.socket) -> bool:
        try:
            connection.connect(self._path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHome]:
    with live_home(tmp_path_factory.mktemp("hosted")) as found:
        yield found


@pytest.fixture(scope="module")
def host(home: LiveHome) -> Iterator[Host]:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="host-") as folder:
        found = Host(folder)
        yield found
        found.close()
        assert found.process.returncode == 0


def run_here(home: LiveHome, host: Host, *keys: str) -> tuple[int, DagsterRunStatus]:
    """A run through the host: its worker, and how it ended."""
    run = home.new_run(keys)
    pid = host.start(home, run.run_id)
    wait_until_gone(pid)
    return pid, home.status(run)


def test_a_request_is_answered_with_the_worker_that_executes_the_run(home: LiveHome, host: Host) -> None:
    pid, status = run_here(home, host, "2023-01-03")

    assert pid != host.process.pid
    assert status is DagsterRunStatus.SUCCESS
    assert "2023-01-03" in home.instance.get_materialized_partitions(DAILY)


@pytest.mark.parametrize("message", [b"", b"no json\n", b"{", b'{"run_id": "half'])
def test_a_request_that_is_none_gets_no_answer_and_does_no_harm(home: LiveHome, host: Host, message: bytes) -> None:
    answer = host.ask(message)

    assert answer == b""
    assert host.process.poll() is None
    assert run_here(home, host, "2023-01-04")[1] is DagsterRunStatus.SUCCESS


def test_a_worker_that_fails_ends_alone(home: LiveHome, host: Host) -> None:
    pid = int(host.ask(b'{"run_id": "none", "instance_ref": "none", "workers": "none"}\n'))
    wait_until_gone(pid)

    assert host.process.poll() is None
    assert run_here(home, host, "2023-01-05")[1] is DagsterRunStatus.SUCCESS


def test_an_interrupt_of_the_terminal_is_not_for_the_host(home: LiveHome, host: Host) -> None:
    host.process.send_signal(signal.SIGINT)

    assert run_here(home, host, "2023-01-06")[1] is DagsterRunStatus.SUCCESS


STARTS_A_RUN = """
import sys
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.orchestration.running.launcher import RunHost
from marketdata_pipelines.settings.environment import Settings
from dagster._serdes import serialize_value

settings = Settings()
with instance_for(settings) as instance:
    request = {"run_id": sys.argv[1], "instance_ref": serialize_value(instance.get_ref()),
               "workers": str(settings.dagster_home / "workers")}
    print(RunHost().start(request), flush=True)
    sys.stdin.read()
"""


def test_the_host_ends_with_its_parent_and_the_worker_goes_on(home: LiveHome) -> None:
    run = home.new_run(home.days[:24])
    command = [sys.executable, "-c", STARTS_A_RUN, run.run_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        host = parent_of(worker)
        home.wait_for_partition(run)

        parent.send_signal(signal.SIGKILL)

        wait_until_gone(host)
    wait_until_gone(worker)

    assert home.status(run) is DagsterRunStatus.SUCCESS
    assert set(home.days[:24]) <= home.instance.get_materialized_partitions(DAILY)
