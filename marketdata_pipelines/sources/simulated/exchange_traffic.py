"""How often the simulated exchange is called: counted in sliding windows, as a vendor counts against its limit."""

from collections import deque
from collections.abc import Callable
from threading import Lock


class Traffic:
    """Counts calls. `clock` in seconds, never going back."""

    def __init__(self, calls: int | None, per_seconds: float, clock: Callable[[], float]) -> None:
        self._calls, self._per_seconds, self._clock = calls, per_seconds, clock
        self._recent: deque[float] = deque()
        self._lock = Lock()
        self.calls = 0
        self.throttled = 0
        self.largest_window = 0

    def arrive(self) -> tuple[int, float | None]:
        """Count a call; returns its number from 0, and for how many seconds it must wait when it is one too many.

        Calls that are refused count like any other: a client that keeps knocking stays outside.
        """
        with self._lock:
            now = self._clock()
            while self._recent and self._recent[0] <= now - self._per_seconds:
                self._recent.popleft()
            self._recent.append(now)
            number, self.calls = self.calls, self.calls + 1
            self.largest_window = max(self.largest_window, len(self._recent))
            if self._calls is None or len(self._recent) <= self._calls:
                return number, None
            self.throttled += 1
            return number, self._recent[0] + self._per_seconds - now
