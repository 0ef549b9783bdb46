"""One vendor call as it should be made."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from marketdata_pipelines.domain.feeds import SourceKind, SourceSpec
from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.pulled.breaker import BreakerRule, CircuitOpen
from marketdata_pipelines.sources.pulled.caller import CallRules, ProviderCaller, feed_limit, feed_retries
from marketdata_pipelines.sources.pulled.limits import CallGate, ProviderPaused
from marketdata_pipelines.sources.pulled.protocol import RateLimit, Throttled
from marketdata_pipelines.sources.pulled.retries import RetryRule
from marketdata_pipelines.sources.pulled.state import ProviderState
from marketdata_pipelines_tests.sources.pulled.clocks import FakeClock


def caller(folder: Path, clock: FakeClock, attempts: int = 3, failures: int = 5) -> ProviderCaller:
    rules = CallRules(
        RetryRule(attempts=attempts), BreakerRule(failures=failures), None, clock, clock.sleep, random.Random(1)
    )
    return ProviderCaller(folder / "providers.sqlite", "v", RateLimit(100, 1.0), rules)


def raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def test_an_answer_comes_through_and_calls_are_counted(tmp_path: Path) -> None:
    made = caller(tmp_path, FakeClock())

    assert [made(lambda: 7, "a call"), made(lambda: 8, "a call")] == [7, 8]
    assert made.calls == 2


def test_one_who_is_throttled_makes_everybody_wait(tmp_path: Path) -> None:
    clock = FakeClock()
    answers: list[Exception | int] = [Throttled("429", 12.0), 5]
    began = clock()

    def call() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    other = caller(tmp_path, clock)
    with pytest.raises(SourceUnavailable):
        caller(tmp_path, clock, attempts=1)(call, "a call")
    other(call, "a call")

    assert clock() - began >= 12_000_000


def test_an_open_breaker_sends_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    made = caller(tmp_path, clock, attempts=5, failures=5)
    with pytest.raises(SourceUnavailable, match="tried 5 times"):
        made(raising(SourceUnavailable("down")), "a call")

    with pytest.raises(CircuitOpen):
        made(lambda: 7, "a call")

    assert made.calls == 5


@pytest.mark.parametrize("error", [Throttled("429", 1.0), SourceRejected("no such symbol", rule="x")])
def test_a_vendor_that_answers_no_is_not_down(error: Exception, tmp_path: Path) -> None:
    made = caller(tmp_path, FakeClock(), attempts=1, failures=2)

    for _ in range(4):
        with pytest.raises(type(error) if isinstance(error, SourceRejected) else SourceUnavailable):
            made(raising(error), "a call")

    assert made(lambda: 7, "a call") == 7


def test_a_call_that_was_not_made_leaves_the_half_open_breaker_to_the_next(tmp_path: Path) -> None:
    clock = FakeClock()
    made = caller(tmp_path, clock, attempts=1, failures=1)
    with pytest.raises(SourceUnavailable):
        made(raising(SourceUnavailable("down")), "a call")
    clock.pass_by(61)
    state = ProviderState(tmp_path / "providers.sqlite")
    CallGate(state, "v", RateLimit(100, 1.0), clock=clock, sleep=clock.sleep).pause(1_000)

    with pytest.raises(ProviderPaused):
        made(lambda: 7, "a call")
    clock.pass_by(200)

    assert made(lambda: 7, "a call") == 7


def test_a_feed_may_name_its_own_limit_and_attempts() -> None:
    spec = SourceSpec(SourceKind.EXCHANGE, calls=3, per_seconds=2.0, attempts=9)

    assert feed_limit(spec, RateLimit(1, 1.0)) == RateLimit(3, 2.0)
    assert feed_limit(SourceSpec(SourceKind.EXCHANGE), RateLimit(1, 1.0)) == RateLimit(1, 1.0)
    assert feed_retries(spec, RetryRule()).attempts == 9
    assert feed_retries(SourceSpec(SourceKind.EXCHANGE), RetryRule()) == RetryRule()
