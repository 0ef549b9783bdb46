"""Tries a vendor call again: exponential backoff with full jitter, a cap, a deadline, Retry-After respected.

What may be tried again is any SourceUnavailable but an open breaker and a long pause; everything else goes straight
through.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.sources.pulled.breaker import CircuitOpen
from marketdata_pipelines.sources.pulled.limits import ProviderPaused, Sleep
from marketdata_pipelines.sources.pulled.protocol import Clock, Throttled

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryRule:
    """`attempts` in all; before the n-th repeat a random wait of up to `first_seconds` x 2^n, at most `cap_seconds`.

    `total_seconds` after the first failure no further attempt is begun.
    """

    attempts: int = 8
    first_seconds: float = 0.5
    cap_seconds: float = 60.0
    total_seconds: float = 900.0


@dataclass(slots=True)
class _Tries:
    """When one call first failed."""

    failed_us: int | None = None


class Retries:
    """Repeats the calls of one provider."""

    def __init__(self, rule: RetryRule, clock: Clock, sleep: Sleep, randomness: random.Random) -> None:
        self._rule, self._clock, self._sleep, self._randomness = rule, clock, sleep, randomness

    def run(self, call: Callable[[], T], what: str) -> T:
        """The call's answer.

        Errors: SourceUnavailable naming the call, how often it was tried and the last cause; what `call` raises else.
        """
        tries = _Tries()
        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=lambda state: self._is_over(state, tries),
            wait=lambda state: self._wait(state, tries),
            sleep=self._sleep,
            before_sleep=lambda state: logger.info("%s: %s; trying again", what, _cause(state)),
            retry_error_callback=lambda state: self._give_up(state, what),
        )
        answer: T = retrying(call)
        return answer

    def _is_over(self, state: RetryCallState, tries: _Tries) -> bool:
        if tries.failed_us is None:
            tries.failed_us = self._clock()
        spent = (self._clock() - tries.failed_us) / SECOND_US
        cause = _cause(state)
        asked = cause.retry_after_seconds or 0.0 if isinstance(cause, Throttled) else 0.0
        return state.attempt_number >= self._rule.attempts or spent + asked > self._rule.total_seconds

    def _wait(self, state: RetryCallState, tries: _Tries) -> float:
        longest = min(self._rule.cap_seconds, self._rule.first_seconds * 2 ** (state.attempt_number - 1))
        wait = self._randomness.uniform(0, longest)
        cause = _cause(state)
        if isinstance(cause, Throttled) and cause.retry_after_seconds is not None:
            wait += cause.retry_after_seconds
        return wait

    def _give_up(self, state: RetryCallState, what: str) -> NoReturn:
        cause = _cause(state)
        count = state.attempt_number
        tried = "once" if count == 1 else f"{count} times"
        raise SourceUnavailable(f"{what} failed, tried {tried}: {cause}") from cause


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, SourceUnavailable) and not isinstance(error, CircuitOpen | ProviderPaused)


def _cause(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
