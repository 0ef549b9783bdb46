"""A provider's rate limit, as its server counts it."""

import random
import tempfile
from bisect import bisect_left
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.sources.pulled.limits import CallGate, ProviderPaused
from marketdata_pipelines.sources.pulled.protocol import RateLimit
from marketdata_pipelines.sources.pulled.state import ProviderState
from marketdata_pipelines_tests.sources.pulled.clocks import FakeClock


@pytest.fixture
def state(tmp_path: Path) -> ProviderState:
    return ProviderState(tmp_path / "providers.sqlite")


def gate(state: ProviderState, clock: FakeClock, calls: int = 2, seconds: float = 10.0, **more: float) -> CallGate:
    burst = int(more.get("burst", calls))
    return CallGate(
        state, "v", RateLimit(calls, seconds), clock=clock, sleep=clock.sleep, burst=burst,
        lease_seconds=more.get("lease_seconds", 300.0),
    )  # fmt: skip


def most_in_a_window(arrivals: list[int], width_us: int) -> int:
    """The largest number of arrivals in any closed window of this width."""
    ordered = sorted(arrivals)
    return max(bisect_left(ordered, at + width_us + 1) - index for index, at in enumerate(ordered))


# (latency to the server, latency back), in milliseconds: from none to longer than the limit's window.
latencies = st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 4_000)), min_size=1, max_size=25)


@settings(max_examples=60)
@given(calls=st.integers(1, 4), seconds=st.sampled_from([0.25, 1.0, 3.0]), burst=st.integers(1, 4), trips=latencies)
def test_no_window_on_the_server_ever_holds_more_than_the_limit(
    calls: int, seconds: float, burst: int, trips: list[tuple[int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = FakeClock()
        one = gate(ProviderState(Path(folder) / "p.sqlite"), clock, calls, seconds, burst=burst)
        arrivals = []

        for there, back in trips:
            with one.place():
                clock.pass_by(there / 1_000)
                arrivals.append(clock())
                clock.pass_by(back / 1_000)

    assert most_in_a_window(arrivals, round(seconds * 1e6)) <= calls


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), calls=st.integers(1, 4))
def test_clients_that_call_at_once_share_one_limit_whatever_the_network_does(seed: int, calls: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        state, clock = ProviderState(Path(folder) / "p.sqlite"), FakeClock()
        arrivals = []
        one = gate(state, clock, calls, 1.0)
        # Calls overlap: some are still on their way while others are let through.
        under_way = []
        for _ in range(20):
            held = one.place()
            held.__enter__()
            arrivals.append(clock() + chance.randrange(0, 900_000))
            under_way.append((arrivals[-1] + chance.randrange(0, 900_000), held))
            if len(under_way) == calls or chance.random() < 0.5:
                under_way.sort(key=lambda pair: pair[0])
                ends, oldest = under_way.pop(0)
                clock.now_us = max(clock.now_us, ends)
                oldest.__exit__(None, None, None)
        for _, held in under_way:
            held.__exit__(None, None, None)

    assert most_in_a_window(arrivals, 1_000_000) <= calls


def test_calls_within_the_limit_do_not_wait(state: ProviderState) -> None:
    clock = FakeClock()
    one = gate(state, clock, calls=3)

    for _ in range(3):
        with one.place():
            pass

    assert clock.slept == []


def test_a_place_is_free_again_a_window_after_its_answer(state: ProviderState) -> None:
    clock = FakeClock()
    one = gate(state, clock, calls=1, seconds=10.0)
    began = clock()
    with one.place():
        clock.pass_by(4)

    with one.place():
        waited = clock() - began

    assert 14_000_000 < waited < 14_300_000


def test_a_small_burst_spaces_the_rest_evenly(state: ProviderState) -> None:
    clock = FakeClock()
    one = gate(state, clock, calls=10, seconds=10.0, burst=2)
    sent = []

    for _ in range(5):
        with one.place():
            sent.append(clock())

    gaps = [round((after - before) / 1e6, 1) for before, after in pairwise(sent)]
    assert gaps == [0.0, 1.0, 1.0, 1.0]


def test_a_call_that_failed_counts_and_a_slow_failure_longer(state: ProviderState) -> None:
    clock = FakeClock()
    one = gate(state, clock, calls=1, seconds=10.0)
    with suppress(TimeoutError), one.place():
        clock.pass_by(30)
        raise TimeoutError

    began = clock()
    with one.place():
        waited = clock() - began

    # The request may reach the server as late again as we waited for its answer.
    assert waited > 40_000_000


def test_the_place_of_a_killed_process_comes_back_after_its_lease(state: ProviderState) -> None:
    clock = FakeClock()
    killed = gate(state, clock, calls=1, seconds=10.0, lease_seconds=60.0).place()
    killed.__enter__()

    began = clock()
    with gate(state, clock, calls=1, seconds=10.0, lease_seconds=60.0).place():
        waited = clock() - began
    killed.__exit__(None, None, None)

    assert 70_000_000 < waited < 85_000_000


def test_a_pause_holds_everybody_and_the_longest_counts(state: ProviderState) -> None:
    clock = FakeClock()
    gate(state, clock).pause(30)
    gate(state, clock).pause(5)

    began = clock()
    with gate(state, clock).place():
        waited = clock() - began

    assert waited == 30_000_000


def test_providers_do_not_share_a_limit(state: ProviderState) -> None:
    clock = FakeClock()
    other = CallGate(state, "other", RateLimit(1, 10.0), clock=clock, sleep=clock.sleep)
    with gate(state, clock, calls=1).place(), other.place():
        pass

    assert clock.slept == []


def test_a_clock_set_back_delays_by_one_window_and_a_lease_at_most(state: ProviderState) -> None:
    clock = FakeClock()
    one = gate(state, clock, calls=1, seconds=10.0, lease_seconds=20.0)
    with one.place():
        pass
    clock.pass_by(-86_400)

    began = clock()
    with one.place():
        waited = clock() - began

    assert waited < 45_000_000


def test_nobody_waits_for_a_pause_of_hours(state: ProviderState) -> None:
    clock = FakeClock()
    gate(state, clock).pause(7_200)

    with pytest.raises(ProviderPaused, match="v asked to be left alone until 2024-07-03 11:46:40Z"):
        gate(state, clock).place().__enter__()

    assert clock.slept == []
