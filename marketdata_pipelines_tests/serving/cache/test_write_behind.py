"""Writes in the background: made in order, one a key, bounded, and lost rather than waited for."""

import threading

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.serving.cache.write_behind import WriteBehind


class Gate:
    """A write that waits until it is let through."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.open.wait(30)


def test_writes_are_made_in_order() -> None:
    behind, made = WriteBehind(), []
    for number in range(20):
        behind.put(number, lambda number=number: made.append(number))  # type: ignore[misc]

    assert behind.flush(30)
    assert made == list(range(20))
    behind.close()


def test_of_two_writes_of_a_key_only_the_later_is_made() -> None:
    behind, gate, made = WriteBehind(), Gate(), []
    behind.put("gate", gate)
    assert gate.begun.wait(30)
    behind.put("key", lambda: made.append("old"))
    behind.put("key", lambda: made.append("new"))

    gate.open.set()

    assert behind.flush(30)
    assert made == ["new"]
    behind.close()


def test_a_full_queue_drops_the_oldest_and_says_so() -> None:
    dropped, made, gate = [], [], Gate()
    behind = WriteBehind(most=2, on_dropped=lambda: dropped.append(1))
    behind.put("gate", gate)
    assert gate.begun.wait(30)
    for number in range(3):
        behind.put(number, lambda number=number: made.append(number))  # type: ignore[misc]

    gate.open.set()

    assert behind.flush(30)
    assert (made, len(dropped)) == ([1, 2], 1)
    behind.close()


def test_a_write_that_fails_is_told_and_the_next_is_made() -> None:
    failures, made = [], []
    behind = WriteBehind(on_failure=lambda error: failures.append(str(error)))

    def fail() -> None:
        raise StoreError("full")

    behind.put("fails", fail)
    behind.put("works", lambda: made.append("works"))

    assert behind.flush(30)
    assert (failures, made) == (["full"], ["works"])
    behind.close()


def test_closing_writes_what_waits_and_takes_no_more() -> None:
    dropped, made = [], []
    behind = WriteBehind(on_dropped=lambda: dropped.append(1))
    behind.put("before", lambda: made.append("before"))

    behind.close()
    behind.put("after", lambda: made.append("after"))

    assert (made, len(dropped)) == (["before"], 1)


def test_a_flush_gives_up_after_its_time() -> None:
    behind, gate = WriteBehind(), Gate()
    behind.put("gate", gate)

    assert behind.flush(0.01) is False

    gate.open.set()
    behind.close()
