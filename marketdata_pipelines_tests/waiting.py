"""Waiting for what another process does, up to a deadline; nothing here asserts about the project."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TypeVar

Found = TypeVar("Found")
_SECONDS_BETWEEN_LOOKS = 0.01


def wait_until(look: Callable[[], Found | None], what: str, seconds: float = 60) -> Found:
    """The first true answer of `look`.

    Errors: AssertionError naming `what` when there is none in time.
    """
    until, pause = time.monotonic() + seconds, Event()
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s")
        pause.wait(_SECONDS_BETWEEN_LOOKS)


def is_running(pid: int) -> bool:
    """Whether a process has the id and works: one that ended and nobody has asked about does not."""
    return _fields(pid)[:1] not in ([], ["Z"])


def wait_until_gone(*pids: int, seconds: float = 60) -> None:
    """Return once none of the processes works any more."""
    wait_until(lambda: not any(map(is_running, pids)), f"the end of {', '.join(map(str, pids))}", seconds)


def parent_of(pid: int) -> int:
    """The id of the process that started it; 0 once it is gone."""
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def children_of(pid: int) -> list[int]:
    """The ids of the processes a process has started and that are there still."""
    found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [each for each in found if parent_of(each) == pid]


def _fields(pid: int) -> list[str]:
    """State, parent and so on of a process."""
    try:
        # The second field is the name, in brackets, and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
