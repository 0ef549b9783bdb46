"""Locks of workers, held by other processes; whole runs are in `test_launcher`."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import Timeout

from marketdata_pipelines.orchestration.running.liveness import is_held
from marketdata_pipelines.orchestration.running.run_worker import (
    interrupt,
    is_living,
    living,
    living_workers,
    remove_traces,
)

RUN, OTHER = "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "8a6e0804-2bd0-4672-b79d-d97027f9071a"
LIVES = """
import sys
from pathlib import Path
from marketdata_pipelines.orchestration.running.run_worker import living
with living(Path(sys.argv[1]), sys.argv[2]):
    print("lives", flush=True)
    sys.stdin.read()
"""
Worker = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Starts processes that live as workers of a run until their standard input closes."""
    with ExitStack() as stack:

        def start(run_id: str) -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-c", LIVES, str(tmp_path), run_id]
            process = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == b"lives\n"
            return process

        yield start


def test_a_worker_lives_until_its_end_and_leaves_nothing(tmp_path: Path, worker: Worker) -> None:
    process = worker(RUN)
    before = (is_living(tmp_path, RUN), is_living(tmp_path, OTHER), living_workers(tmp_path))
    assert process.stdin is not None

    process.stdin.close()
    process.wait(30)

    assert before == (True, False, [process.pid])
    assert not is_living(tmp_path, RUN)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_worker_lives_no_more(tmp_path: Path, worker: Worker) -> None:
    killed, other = worker(RUN), worker(OTHER)

    killed.send_signal(signal.SIGKILL)
    killed.wait(30)

    assert (is_living(tmp_path, RUN), is_living(tmp_path, OTHER)) == (False, True)
    assert living_workers(tmp_path) == [other.pid]


def test_an_interrupted_worker_stops_as_by_ctrl_c(tmp_path: Path, worker: Worker) -> None:
    process = worker(RUN)

    told = interrupt(tmp_path, RUN)

    assert told
    assert process.wait(30) in (1, -signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_interrupted_for_a_worker_that_is_gone(tmp_path: Path, worker: Worker) -> None:
    killed = worker(RUN)
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    # The system has given the id to somebody else since: to this process.
    (tmp_path / f"{RUN}.pid").write_text(str(os.getpid()), "ascii")

    assert not interrupt(tmp_path, RUN)
    assert not interrupt(tmp_path, OTHER)
    assert not interrupt(tmp_path / "nothing", RUN)


@pytest.mark.parametrize("content", ["", "no number", None])
def test_a_worker_that_cannot_be_named_is_not_interrupted(tmp_path: Path, worker: Worker, content: str | None) -> None:
    worker(RUN)
    named = tmp_path / f"{RUN}.pid"
    if content is None:
        named.unlink()
    else:
        named.write_text(content, "ascii")

    assert not interrupt(tmp_path, RUN)
    assert is_living(tmp_path, RUN)
    assert living_workers(tmp_path) == []


def test_a_run_has_one_worker(tmp_path: Path, worker: Worker) -> None:
    process = worker(RUN)

    with pytest.raises(Timeout), living(tmp_path, RUN):
        pass

    assert (tmp_path / f"{RUN}.pid").read_text("ascii") == str(process.pid)
    with living(tmp_path, OTHER):
        assert sorted(living_workers(tmp_path)) == sorted([process.pid, os.getpid()])


def test_a_failing_run_ends_its_worker_regularly(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the run failed"), living(tmp_path / "workers", RUN):
        raise ValueError("the run failed")

    assert not is_living(tmp_path / "workers", RUN)
    assert list((tmp_path / "workers").iterdir()) == []


def test_whoever_looks_keeps_no_worker_from_starting(tmp_path: Path) -> None:
    ended = threading.Event()
    (tmp_path / f"{RUN}.lock").touch()

    def look() -> None:
        while not ended.is_set():
            is_held(tmp_path / f"{RUN}.lock")

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(100):
            with living(tmp_path, RUN):
                pass
            (tmp_path / f"{RUN}.lock").touch()
    finally:
        ended.set()
        looking.join()


def test_traces_of_killed_workers_go_once_they_are_old(tmp_path: Path, worker: Worker) -> None:
    killed = worker(RUN)
    killed.kill()
    killed.wait()
    with living(tmp_path, OTHER):
        for path in tmp_path.iterdir():
            os.utime(path, (0, 0))

        remove_traces(tmp_path)

        assert sorted(path.name for path in tmp_path.iterdir()) == [f"{OTHER}.lock", f"{OTHER}.pid"]


def test_a_worker_that_begins_keeps_its_file(tmp_path: Path) -> None:
    (tmp_path / f"{RUN}.lock").touch()

    remove_traces(tmp_path)

    assert (tmp_path / f"{RUN}.lock").exists()
