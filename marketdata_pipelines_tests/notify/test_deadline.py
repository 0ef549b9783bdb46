import threading

import pytest

from marketdata_pipelines.errors import DeliveryFailed, DeliveryRefused
from marketdata_pipelines.notify.deadline import within


def test_a_call_that_ends_in_time_is_as_if_made_here() -> None:
    done: list[str] = []

    within(5, "host", lambda: done.append("x"))

    assert done == ["x"]


def test_what_it_raises_is_raised_here() -> None:
    def refuse() -> None:
        raise DeliveryRefused("no")

    with pytest.raises(DeliveryRefused, match=r"^no$"):
        within(5, "host", refuse)


def test_a_call_that_does_not_end_is_left() -> None:
    ending = threading.Event()

    with pytest.raises(DeliveryFailed, match=r"^host did not finish within 0\.05 s$"):
        within(0.05, "host", lambda: _wait(ending))

    ending.set()


def _wait(ending: threading.Event) -> None:
    ending.wait(30)
