"""Trying vendor calls again."""

import random
from collections.abc import Callable

import pytest

from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.pulled.breaker import CircuitOpen
from marketdata_pipelines.sources.pulled.protocol import Throttled
from marketdata_pipelines.sources.pulled.retries import Retries, RetryRule
from marketdata_pipelines_tests.sources.pulled.clocks import FakeClock

RULE = RetryRule(attempts=4, first_seconds=1.0, cap_seconds=3.0, total_seconds=100.0)


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return call


def retries(clock: FakeClock, rule: RetryRule = RULE, seed: int = 1) -> Retries:
    return Retries(rule, clock, clock.sleep, random.Random(seed))


def test_what_may_pass_is_tried_again() -> None:
    clock = FakeClock()

    answer = retries(clock).run(failing(SourceUnavailable("a"), SourceUnavailable("b")), "bars")

    assert answer == "answer"
    assert len(clock.slept) == 2


def test_waits_are_random_grow_and_are_capped() -> None:
    waits = []
    for seed in range(200):
        clock = FakeClock()
        retries(clock, seed=seed).run(failing(*[SourceUnavailable("x")] * 3), "bars")
        waits.append(clock.slept)

    longest = [max(column) for column in zip(*waits, strict=True)]
    assert all(0.9 * cap < found <= cap for found, cap in zip(longest, (1.0, 2.0, 3.0), strict=True))
    assert min(min(column) for column in waits) < 0.05


def test_after_all_attempts_the_message_tells_call_count_and_cause() -> None:
    with pytest.raises(SourceUnavailable, match="bars of A failed, tried 4 times: no answer"):
        retries(FakeClock()).run(failing(*[SourceUnavailable("no answer")] * 4), "bars of A")


@pytest.mark.parametrize("error", [SourceRejected("no such symbol", rule="x"), CircuitOpen("open"), KeyError("bug")])
def test_what_will_not_pass_goes_straight_through(error: Exception) -> None:
    clock = FakeClock()

    with pytest.raises(type(error)):
        retries(clock).run(failing(error), "bars")

    assert clock.slept == []


def test_retry_after_is_waited_for_and_longer_than_the_cap() -> None:
    clock = FakeClock()

    retries(clock).run(failing(Throttled("429", 20.0)), "bars")

    assert 20.0 <= clock.slept[0] <= 21.0


def test_no_attempt_is_begun_after_the_deadline() -> None:
    clock = FakeClock()

    with pytest.raises(SourceUnavailable, match="tried once"):
        retries(clock).run(failing(Throttled("429", 101.0)), "bars")

    assert clock.slept == []


def test_time_before_the_first_failure_does_not_count() -> None:
    clock = FakeClock()
    errors = [SourceUnavailable("late")]

    def slow() -> str:
        clock.pass_by(500 if errors else 0)
        if errors:
            raise errors.pop()
        return "answer"

    assert retries(clock).run(slow, "bars") == "answer"
