"""One miss, one query: what those get who wait for another's load."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.serving.cache.coalescing import Coalescing
from marketdata_pipelines_tests.waiting import wait_until


class SlowLoad:
    """A loader that says when it is asked, and answers when it is let go."""

    def __init__(self, answer: Callable[[], str] = lambda: "answer") -> None:
        self.calls, self.asked, self.release = 0, threading.Event(), threading.Event()
        self._answer = answer

    def __call__(self) -> str:
        self.calls += 1
        self.asked.set()
        assert self.release.wait(30)
        return self._answer()


def in_threads(count: int, work: Callable[[], object]) -> tuple[list[threading.Thread], list[Any]]:
    """Start `work` in threads; what each returns or raises is collected."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, found


def test_concurrent_callers_of_a_key_share_one_load() -> None:
    loads, slow = Coalescing(), SlowLoad()
    threads, found = in_threads(8, lambda: loads.load("key", slow))
    assert slow.asked.wait(30)

    slow.release.set()
    for thread in threads:
        thread.join(30)

    assert {value for value, _ in found} == {"answer"}
    assert slow.calls == sum(mine for _, mine in found)
    assert slow.calls < 8
    assert loads.waiting_for() == 0


def test_the_error_of_the_first_reaches_all_and_the_next_loads_anew() -> None:
    def fail() -> str:
        raise StoreError("the lake is gone")

    loads, slow = Coalescing(), SlowLoad(fail)
    threads, found = in_threads(1, lambda: loads.load("key", slow))
    assert slow.asked.wait(30)
    others, waited = in_threads(4, lambda: loads.load("key", slow))

    slow.release.set()
    for thread in (*threads, *others):
        thread.join(30)

    assert [str(error) for error in (*found, *waited)] == ["the lake is gone"] * 5
    assert loads.load("key", lambda: "back") == ("back", True)


def test_an_interrupted_load_is_loaded_by_one_of_those_who_waited() -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    loads, slow = Coalescing(), SlowLoad(interrupted)
    threads, found = in_threads(1, lambda: loads.load("key", slow))
    assert slow.asked.wait(30)
    others, waited = in_threads(3, lambda: loads.load("key", lambda: "loaded"))

    slow.release.set()
    for thread in (*threads, *others):
        thread.join(30)

    assert isinstance(found[0], KeyboardInterrupt)
    assert [value for value, _ in waited] == ["loaded"] * 3


def test_other_keys_do_not_wait() -> None:
    loads, slow = Coalescing(), SlowLoad()
    threads, _ = in_threads(1, lambda: loads.load("slow", slow))
    assert slow.asked.wait(30)

    found = loads.load("quick", lambda: "at once")

    assert found == ("at once", True)
    slow.release.set()
    threads[0].join(30)


@pytest.mark.parametrize("count", [200])
def test_nothing_is_left_of_loads_that_ended(count: int) -> None:
    loads = Coalescing()

    threads, found = in_threads(count, lambda: loads.load("key", object))

    wait_until(lambda: len(found) == count, "all answers")
    for thread in threads:
        thread.join(30)
    assert loads.waiting_for() == 0
