"""Real children: what they say is relayed, and nothing of them stays."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from marketdata_pipelines.orchestration.services.processes import Child, say_line
from marketdata_pipelines_tests.waiting import is_running, wait_until_gone

WAITS = "import signal, sys\nprint('ready', flush=True)\nsignal.pause()"
# Ends at an interrupt and leaves a process of its own behind, as code servers do.
LEAVES_A_CHILD = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
signal.pause()
"""
# Starts a program as its child, once that works, and waits.
STARTS_A_CHILD = """
import os, sys, threading
from pathlib import Path
from marketdata_pipelines.orchestration.services.processes import Child
ready = threading.Event()
child = Child("name", [sys.executable, "-u", "-c", sys.argv[2]], os.environ, Path(sys.argv[1]),
              say=lambda _line: ready.set())
child.start()
ready.wait(30)
print(child.pid, flush=True)
sys.stdin.read()
"""
Start = Callable[..., "Heard"]


class Heard:
    """A child and what it said."""

    def __init__(self, program: str, log: Path, **arguments: object) -> None:
        self.lines: list[str] = []
        self._said = threading.Condition()
        environment: Mapping[str, str] = {**os.environ, "GREETING": "hello"}
        command = [sys.executable, "-u", "-c", program]
        self.child = Child("name", command, environment, log, say=self._say, **arguments)  # type: ignore[arg-type]

    def _say(self, text: str) -> None:
        with self._said:
            self.lines.append(text)
            self._said.notify_all()

    def wait_for(self, count: int) -> list[str]:
        """Its first lines, once there are so many."""
        with self._said:
            assert self._said.wait_for(lambda: len(self.lines) >= count, timeout=30)
            return self.lines[:count]


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Start]:
    started: list[Heard] = []

    def start(program: str, **arguments: object) -> Heard:
        found = Heard(program, tmp_path / "logs" / "name.log", **arguments)
        started.append(found)
        found.child.start()
        return found

    yield start
    for each in started:
        each.child.end()


def ended(child: Child) -> int:
    assert child.pid is not None
    pid = child.pid
    wait_until_gone(pid)
    code = child.has_died()
    assert code is not None
    return code


def test_lines_are_said_under_the_childs_name(heard: Start) -> None:
    child = heard("print('one'); print('two')")

    assert child.wait_for(2) == ["  name | one", "  name | two"]


def test_errors_are_lines_too_and_it_has_its_own_environment(heard: Start) -> None:
    child = heard("import os, sys; print(os.environ['GREETING'], file=sys.stderr)")

    assert child.wait_for(1) == ["  name | hello"]


def test_what_is_not_readable_is_in_the_log_only(heard: Start, tmp_path: Path) -> None:
    program = "print('noise'); print('\\x1b[34mblue\\x1b[0m'); print(); print('last')"

    child = heard(program, readable=lambda line: None if line == "noise" else line.upper())

    assert child.wait_for(2) == ["  name | BLUE", "  name | LAST"]
    assert (tmp_path / "logs" / "name.log").read_text("utf-8") == "noise\nblue\n\nlast\n"


def test_bytes_that_are_no_text_are_relayed_all_the_same(heard: Start) -> None:
    child = heard("import os; os.write(1, b'caf\\xe9\\n')")

    assert child.wait_for(1) == ["  name | caf\ufffd"]


def test_a_second_start_goes_on_in_the_same_log(heard: Start, tmp_path: Path) -> None:
    child = heard("print('again')")
    child.wait_for(1)
    ended(child.child)

    child.child.start()

    assert child.wait_for(2) == ["  name | again"] * 2
    assert (tmp_path / "logs" / "name.log").read_text("utf-8") == "again\nagain\n"


def test_how_it_ended_is_known(heard: Start) -> None:
    assert ended(heard("raise SystemExit(3)").child) == 3


def test_a_living_child_has_not_died(heard: Start) -> None:
    child = heard(WAITS)
    child.wait_for(1)

    assert child.child.has_died() is None
    assert child.child.pid is not None


def test_nothing_has_died_before_the_start(tmp_path: Path) -> None:
    child = Child("name", ["true"], {}, tmp_path / "log", say=lambda _text: None)

    child.end()

    assert (child.pid, child.has_died()) == (None, None)


def test_to_end_it_is_to_interrupt_it(heard: Start) -> None:
    child = heard(WAITS)
    child.wait_for(1)

    child.child.end()

    assert child.child.has_died() == -signal.SIGINT
    child.child.end()


def test_what_it_leaves_behind_ends_with_it(heard: Start) -> None:
    child = heard(LEAVES_A_CHILD)
    left = int(child.wait_for(1)[0].removeprefix("  name | "))

    child.child.end()

    wait_until_gone(left)


def test_it_has_a_process_group_of_its_own(heard: Start) -> None:
    child = heard(WAITS)
    child.wait_for(1)
    assert child.child.pid is not None

    assert os.getpgid(child.child.pid) == child.child.pid != os.getpgid(0)


def test_it_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS_A_CHILD, str(tmp_path / "log"), WAITS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        running = is_running(child)

        parent.kill()

        wait_until_gone(child)
    assert running


def test_one_that_dies_again_and_again_is_not_started_for_ever(tmp_path: Path) -> None:
    now = 0.0
    child = Child(
        "name", [sys.executable, "-S", "-c", ""], {}, tmp_path / "log", say=lambda _text: None, clock=lambda: now
    )
    allowed = []
    for now in (0.0, 5.0, 10.0, 15.0):  # noqa: B007
        allowed.append(child.may_start_again())
        child.start()
        ended(child)

    at_once = child.may_start_again()
    now = 61.0
    later = child.may_start_again()

    assert (allowed, at_once, later) == ([True] * 4, False, True)
    child.end()


def test_lines_of_threads_stay_whole(capfd: pytest.CaptureFixture[str]) -> None:
    threads = [threading.Thread(target=say_line, args=(letter * 200,)) for letter in "abcd" * 5]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(capfd.readouterr().err.splitlines()) == sorted(letter * 200 for letter in "abcd" * 5)
