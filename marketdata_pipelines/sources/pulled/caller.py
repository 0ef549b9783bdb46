"""Makes one vendor call as it should be made: breaker asked, rate limit kept, tried again where that helps."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from marketdata_pipelines.domain.feeds import SourceSpec
from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.pulled.breaker import Breaker, BreakerRule
from marketdata_pipelines.sources.pulled.limits import CallGate, ProviderPaused, Sleep
from marketdata_pipelines.sources.pulled.protocol import Clock, RateLimit, Throttled
from marketdata_pipelines.sources.pulled.retries import Retries, RetryRule
from marketdata_pipelines.sources.pulled.state import ProviderState

T = TypeVar("T")
# How long to leave a provider alone that says 429 and not until when.
_PAUSE_SECONDS = 1.0
# One request reads its answer within a few time-outs (connect, each read); ten of them mean that its process is gone.
_TIMEOUTS_A_CALL = 10
DEFAULT_TIMEOUT_SECONDS = 30.0


def system_clock() -> int:
    """Now, UTC microseconds."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class CallRules:
    """How calls are made: time, chance and waiting are given by the caller's owner."""

    retry: RetryRule = field(default_factory=RetryRule)
    breaker: BreakerRule = field(default_factory=BreakerRule)
    burst: int | None = None
    clock: Clock = system_clock
    sleep: Sleep = time.sleep
    randomness: random.Random = field(default_factory=random.Random)


class ProviderCaller:
    """The calls of one provider; `calls` counts those that were sent by this process."""

    def __init__(
        self,
        state_file: Path,
        provider: str,
        limit: RateLimit,
        rules: CallRules,
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        state = ProviderState(state_file)
        lease = timeout_seconds * _TIMEOUTS_A_CALL
        self._gate = CallGate(
            state, provider, limit, clock=rules.clock, sleep=rules.sleep, burst=rules.burst, lease_seconds=lease
        )
        self._breaker = Breaker(state, provider, rules.clock, rules.breaker)
        self._retries = Retries(rules.retry, rules.clock, rules.sleep, rules.randomness)
        self.calls = 0

    def __call__(self, call: Callable[[], T], what: str) -> T:
        """One vendor call; see `protocol.Caller`."""
        return self._retries.run(lambda: self._attempt(call), what)

    def _attempt(self, call: Callable[[], T]) -> T:
        self._breaker.check()
        try:
            with self._gate.place():
                self.calls += 1
                answer = call()
        except Throttled as error:
            # Everybody waits, not only the one who was told.
            self._gate.pause(_PAUSE_SECONDS if error.retry_after_seconds is None else error.retry_after_seconds)
            self._breaker.succeeded()
            raise
        except ProviderPaused:
            # It was not even asked.
            self._breaker.unasked()
            raise
        except SourceRejected:
            self._breaker.succeeded()
            raise
        except SourceUnavailable:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer


def feed_limit(source: SourceSpec, default: RateLimit) -> RateLimit:
    """The limit a feed asks for, else its vendor's."""
    if source.calls is None or source.per_seconds is None:
        return default
    return RateLimit(source.calls, source.per_seconds)


def feed_retries(source: SourceSpec, rule: RetryRule) -> RetryRule:
    """The retry rule with the feed's number of attempts, if it names one."""
    if source.attempts is None:
        return rule
    return RetryRule(source.attempts, rule.first_seconds, rule.cap_seconds, rule.total_seconds)
