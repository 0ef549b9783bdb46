"""The circuit breaker of a provider."""

from pathlib import Path

import pytest

from marketdata_pipelines.sources.pulled.breaker import Breaker, BreakerRule, CircuitOpen
from marketdata_pipelines.sources.pulled.state import ProviderState
from marketdata_pipelines_tests.sources.pulled.clocks import FakeClock

RULE = BreakerRule(failures=3, open_seconds=60.0, probe_seconds=300.0)


@pytest.fixture
def state(tmp_path: Path) -> ProviderState:
    return ProviderState(tmp_path / "providers.sqlite")


def failing(state: ProviderState, clock: FakeClock, times: int) -> Breaker:
    breaker = Breaker(state, "v", clock, RULE)
    for _ in range(times):
        breaker.check()
        breaker.failed()
    return breaker


def test_failures_in_a_row_open_it_and_the_message_says_until_when(state: ProviderState) -> None:
    clock = FakeClock()
    breaker = failing(state, clock, 3)

    with pytest.raises(CircuitOpen, match="v failed 3 times in a row and is left alone until 2024-07-03 09:47:40Z"):
        breaker.check()


def test_a_success_between_failures_keeps_it_closed(state: ProviderState) -> None:
    breaker = failing(state, FakeClock(), 2)
    breaker.succeeded()
    breaker.failed()
    breaker.failed()

    breaker.check()


def test_another_process_sees_it_open(state: ProviderState, tmp_path: Path) -> None:
    clock = FakeClock()
    failing(state, clock, 3)
    elsewhere = Breaker(ProviderState(tmp_path / "providers.sqlite"), "v", clock, RULE)

    with pytest.raises(CircuitOpen):
        elsewhere.check()


def test_half_open_lets_one_call_through_which_closes_it_or_opens_it_again(state: ProviderState) -> None:
    clock = FakeClock()
    breaker = failing(state, clock, 3)
    clock.pass_by(61)

    breaker.check()
    with pytest.raises(CircuitOpen):
        breaker.check()
    breaker.failed()
    with pytest.raises(CircuitOpen):
        breaker.check()
    clock.pass_by(61)
    breaker.check()
    breaker.succeeded()
    breaker.check()
    breaker.check()


def test_a_probe_that_never_reports_back_is_followed_by_another(state: ProviderState) -> None:
    clock = FakeClock()
    breaker = failing(state, clock, 3)
    clock.pass_by(61)
    breaker.check()
    clock.pass_by(301)

    breaker.check()


def test_providers_have_breakers_of_their_own(state: ProviderState) -> None:
    clock = FakeClock()
    failing(state, clock, 3)

    Breaker(state, "other", clock, RULE).check()
