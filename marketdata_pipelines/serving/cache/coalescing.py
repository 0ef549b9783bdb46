"""One miss, one query: who asks for what another is loading already waits for that answer. Nothing is kept here."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

Value = TypeVar("Value")


@dataclass(slots=True)
class _Flight:
    """A load on its way, and what became of it; `done` is there once somebody waits for it."""

    done: threading.Event | None = None
    value: Any = None
    error: BaseException | None = None


class Coalescing:
    """Loads by key, one at a time each; safe across threads.

    No lock is held while loading, and a load that ended, well or not, leaves nothing behind: the next caller loads
    anew. A loader that asks for its own key would wait for itself: it must not.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}
        self._lock = threading.Lock()

    def load(self, key: Hashable, loader: Callable[[], Value]) -> tuple[Value, bool]:
        """The loader's answer, and whether this caller was the one that loaded it.

        Errors: whatever the loader raises, for the one that loaded and for all who waited. Where the one that loaded
                was interrupted (KeyboardInterrupt, SystemExit …), those who waited load for themselves.
        """
        while True:
            with self._lock:
                flight = self._flights.get(key)
                mine = flight is None
                if flight is None:
                    flight = self._flights[key] = _Flight()
                elif flight.done is None:
                    # Hardly any load is waited for: making this takes longer than the rest of it.
                    flight.done = threading.Event()
            if mine:
                return self._fly(key, flight, loader), True
            assert flight.done is not None
            flight.done.wait()
            if flight.error is None:
                return flight.value, False
            if isinstance(flight.error, Exception):
                raise flight.error

    def waiting_for(self) -> int:
        """How many loads are on their way."""
        with self._lock:
            return len(self._flights)

    def _fly(self, key: Hashable, flight: _Flight, loader: Callable[[], Value]) -> Value:
        try:
            flight.value = found = loader()
        except BaseException as error:
            flight.error = error
            raise
        finally:
            # Forgotten before those who wait wake up, so that whoever comes now does not meet an ended one.
            with self._lock:
                del self._flights[key]
            if flight.done is not None:
                flight.done.set()
        return found
