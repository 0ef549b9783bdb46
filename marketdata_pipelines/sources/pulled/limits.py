"""A provider's rate limit, kept by all processes together and whatever the latency.

A call takes one of `calls` places when it is sent and gives it back `per_seconds` after its ANSWER came. The server
counted the call before it answered, and the place's next call is sent later than that: so two calls of one place are
always more than `per_seconds` apart on the server's clock, and no window of that length ever holds more than `calls`.
(Spacing by the moments of sending, as a plain token bucket does, bunches calls where the network delays some.)
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.sources.pulled.protocol import Clock, RateLimit
from marketdata_pipelines.sources.pulled.state import ProviderState

Sleep = Callable[[float], None]
# Two machines' clocks do not run exactly alike.
_MARGIN = 0.01
_SHORTEST_WAIT_US = 1_000


class ProviderPaused(SourceUnavailable):
    """The provider asked to be left alone for longer than a caller waits."""


class CallGate:
    """Lets the calls of one provider through.

    `burst` calls may go at once, further ones are spaced evenly (a token bucket over the places). `lease_seconds`: a
    call without an end after that long died with its process; it must be longer than any call can take. For a pause
    longer than `patience_seconds` nobody waits.
    """

    def __init__(
        self,
        state: ProviderState,
        provider: str,
        limit: RateLimit,
        *,
        clock: Clock,
        sleep: Sleep,
        burst: int | None = None,
        lease_seconds: float = 300.0,
        patience_seconds: float = 900.0,
    ) -> None:
        self._state, self._provider, self._clock, self._sleep = state, provider, clock, sleep
        self._places = limit.calls
        self._hold_us = int(limit.per_seconds * SECOND_US * (1 + _MARGIN)) + _SHORTEST_WAIT_US
        self._lease_us = int(lease_seconds * SECOND_US)
        self._patience_us = int(patience_seconds * SECOND_US)
        self._spacing_us = self._hold_us // limit.calls
        self._tolerance_us = (min(burst or limit.calls, limit.calls) - 1) * self._spacing_us

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for a place and hold it during one call; a call that failed may have been counted all the same.

        Errors: ProviderPaused, saying until when.
        """
        token, began = self._enter()
        try:
            yield
        except BaseException:
            # Without an answer it may still reach the server later, held up about as long as we waited for it.
            now = self._clock()
            self._leave(token, now + max(now - began, 0))
            raise
        self._leave(token, self._clock())

    def pause(self, seconds: float) -> None:
        """Send nothing for so long, in any process: the provider asked for it."""
        until = self._clock() + int(seconds * SECOND_US)
        with self._state.changing(self._provider) as connection:
            connection.execute(
                "update provider set paused_until_us = max(paused_until_us, ?) where provider = ?",
                (until, self._provider),
            )

    def _enter(self) -> tuple[int, int]:
        while True:
            with self._state.changing(self._provider) as connection:
                now = self._clock()
                self._forget_the_future(connection, now)
                free_us = self._free_at(connection, now)
                if free_us <= now:
                    return self._take(connection, now), now
            self._sleep(max(free_us - now, _SHORTEST_WAIT_US) / SECOND_US)

    def _take(self, connection: sqlite3.Connection, now: int) -> int:
        connection.execute(
            "update provider set next_us = max(min(next_us, ?), ?) + ? where provider = ?",
            (now + self._tolerance_us, now, self._spacing_us, self._provider),
        )
        added = connection.execute("insert into call (provider, started_us) values (?, ?)", (self._provider, now))
        return int(added.lastrowid or 0)

    def _leave(self, token: int, finished_us: int) -> None:
        with self._state.changing(self._provider) as connection:
            connection.execute("update call set finished_us = ? where token = ?", (finished_us, token))

    def _free_at(self, connection: sqlite3.Connection, now: int) -> int:
        """The earliest instant at which a call may be sent, as far as is known now."""
        own = connection.execute("select * from provider where provider = ?", (self._provider,)).fetchone()
        paused_us = own["paused_until_us"]
        if paused_us > now + self._patience_us:
            until = datetime.fromtimestamp(paused_us / SECOND_US, UTC)
            raise ProviderPaused(
                f"{self._provider} asked to be left alone until {until:%Y-%m-%d %H:%M:%SZ}; run again then"
            )
        held = sorted(self._held_until(connection, now))
        place_us = held[-self._places] if len(held) >= self._places else now
        return max(now, paused_us, place_us, own["next_us"] - self._tolerance_us)

    def _forget_the_future(self, connection: sqlite3.Connection, now: int) -> None:
        """After a clock was set back, what is recorded as later than can be counts as of now."""
        connection.execute(
            "update provider set next_us = min(next_us, ?) where provider = ?",
            (now + self._tolerance_us + self._spacing_us, self._provider),
        )
        connection.execute(
            "update call set started_us = min(started_us, ?), finished_us = min(finished_us, ?) where provider = ?",
            (now, now + self._lease_us, self._provider),
        )

    def _held_until(self, connection: sqlite3.Connection, now: int) -> list[int]:
        rows = connection.execute("select * from call where provider = ?", (self._provider,)).fetchall()
        held = []
        for row in rows:
            began, ended = row["started_us"], row["finished_us"]
            if ended is None and began + self._lease_us > now:
                # Still on its way: its place is held for a window from its answer on, so at least from now on.
                held.append(now + self._hold_us)
                continue
            until = (began + self._lease_us if ended is None else ended) + self._hold_us
            if until > now:
                held.append(until)
            else:
                connection.execute("delete from call where token = ?", (row["token"],))
        return held
