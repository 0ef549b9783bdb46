"""Locks that tell who is alive: another process holds them here, because that is whom they are asked about."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from marketdata_pipelines.orchestration.running.liveness import (
    DAEMON_LOCK,
    DAEMON_PROCESS,
    daemon_is_living,
    daemon_process,
    is_held,
)

HOLDS = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the daemon's lock of a home until its standard input closes."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path / DAEMON_LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_lock_nobody_has_made_is_not_held(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "a.lock")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_until_its_process_ends(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    before = is_held(tmp_path / DAEMON_LOCK)
    assert holder.stdin is not None

    holder.stdin.close()
    holder.wait(30)

    assert before
    assert not is_held(tmp_path / DAEMON_LOCK)


def test_a_killed_process_holds_nothing(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    living = daemon_is_living(tmp_path)

    holder.send_signal(signal.SIGKILL)
    holder.wait(30)

    assert living
    assert not daemon_is_living(tmp_path)


def test_to_look_is_not_to_take(tmp_path: Path) -> None:
    with FileLock(tmp_path / "a.lock", timeout=0):
        held = [is_held(tmp_path / "a.lock") for _ in range(3)]

    free = [is_held(tmp_path / "a.lock") for _ in range(3)]
    with FileLock(tmp_path / "a.lock", timeout=0):
        pass

    assert (held, free) == ([True] * 3, [False] * 3)


def test_a_home_that_is_not_there_has_no_daemon(tmp_path: Path) -> None:
    assert not daemon_is_living(tmp_path / "nothing")


def test_the_daemons_process_is_named_where_it_has_left_its_name(tmp_path: Path) -> None:
    before = daemon_process(tmp_path)
    (tmp_path / DAEMON_PROCESS).write_text("4711", "ascii")

    assert (before, daemon_process(tmp_path)) == ("unknown", "4711")
