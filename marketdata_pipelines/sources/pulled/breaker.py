"""A provider's circuit breaker, shared by all processes: closed, open after consecutive failures, then half-open.

While it is open no call is sent. After that one call is let through to see (half-open): if it succeeds the breaker
closes, else it opens again. What counts as a failure is decided by `caller`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.sources.pulled.protocol import Clock
from marketdata_pipelines.sources.pulled.state import ProviderState


class CircuitOpen(SourceUnavailable):
    """The provider failed too often in a row; nothing is asked of it for now."""


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """Opens after `failures` in a row for `open_seconds`; a probe that does not report back counts as lost after
    `probe_seconds`."""

    failures: int = 10
    open_seconds: float = 60.0
    probe_seconds: float = 300.0


class Breaker:
    """The breaker of one provider."""

    def __init__(self, state: ProviderState, provider: str, clock: Clock, rule: BreakerRule | None = None) -> None:
        self._state, self._provider, self._clock = state, provider, clock
        self._rule = rule or BreakerRule()

    def check(self) -> None:
        """Ask to make a call.

        Errors: CircuitOpen, saying until when.
        """
        with self._state.changing(self._provider) as connection:
            row = connection.execute("select * from provider where provider = ?", (self._provider,)).fetchone()
            now = self._clock()
            if not row["open_until_us"]:
                return
            # A clock that was set back must not keep it open for longer than one round.
            until = min(max(row["open_until_us"], row["probed_until_us"]), now + self._longest_us())
            if until > now:
                raise CircuitOpen(
                    f"{self._provider} failed {row['failures']} times in a row and is left alone until "
                    f"{datetime.fromtimestamp(until / SECOND_US, UTC):%Y-%m-%d %H:%M:%SZ}; run again then"
                )
            probe_us = now + int(self._rule.probe_seconds * SECOND_US)
            connection.execute("update provider set probed_until_us = ? where provider = ?", (probe_us, self._provider))

    def succeeded(self) -> None:
        """The provider answered."""
        with self._state.changing(self._provider) as connection:
            connection.execute(
                "update provider set failures = 0, open_until_us = 0, probed_until_us = 0 where provider = ?",
                (self._provider,),
            )

    def unasked(self) -> None:
        """The call that was let through was not made: another may take its turn."""
        with self._state.changing(self._provider) as connection:
            connection.execute("update provider set probed_until_us = 0 where provider = ?", (self._provider,))

    def failed(self) -> None:
        """The provider did not answer, or not usably."""
        with self._state.changing(self._provider) as connection:
            row = connection.execute("select * from provider where provider = ?", (self._provider,)).fetchone()
            failures = row["failures"] + 1
            opens = bool(row["open_until_us"]) or failures >= self._rule.failures
            until = self._clock() + int(self._rule.open_seconds * SECOND_US) if opens else 0
            connection.execute(
                "update provider set failures = ?, open_until_us = ?, probed_until_us = 0 where provider = ?",
                (failures, until, self._provider),
            )

    def _longest_us(self) -> int:
        return int(max(self._rule.open_seconds, self._rule.probe_seconds) * SECOND_US)
