import pytest

from marketdata_pipelines.errors import StoreError, StoreUnavailable
from marketdata_pipelines.stores.timescale.retrying import TRIES, retried


def test_work_is_done_again_after_a_server_did_not_answer() -> None:
    tries: list[int] = []
    pauses: list[float] = []

    def work() -> str:
        tries.append(len(tries))
        if len(tries) < TRIES:
            raise StoreUnavailable("cut")
        return "done"

    assert retried(work, pause=pauses.append) == "done"
    assert tries == [0, 1, 2]
    assert 0.5 <= pauses[0] <= 1.0
    assert 1.0 <= pauses[1] <= 1.5


def test_the_last_try_tells_its_error() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(len(tries))
        raise StoreUnavailable(f"cut {len(tries)}")

    with pytest.raises(StoreUnavailable, match="cut 3"):
        retried(work, pause=lambda _: None)

    assert tries == [0, 1, 2]


def test_what_another_try_does_not_mend_comes_through_at_once() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(len(tries))
        raise StoreError("no such table")

    with pytest.raises(StoreError, match="no such table"):
        retried(work, pause=lambda _: pytest.fail("waited"))

    assert tries == [0]
