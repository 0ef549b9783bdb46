"""How far a run is and when it will be over, told at most every two seconds or five per cent."""

from collections.abc import Callable

_SECONDS_BETWEEN = 2.0
_SHARE_BETWEEN = 0.05


class Progress:
    """Counts partitions; `step` gives the line to log, or None where the last one is still fresh.

    Units: `clock` in seconds, any origin.
    """

    def __init__(self, name: str, total: int, clock: Callable[[], float]) -> None:
        self._name, self._total, self._clock = name, total, clock
        self._began = self._told_at = clock()
        self._done = self._blocked = self._told_done = 0

    def step(self, partition: str, *, blocked: bool) -> str | None:
        """Count one partition."""
        self._done += 1
        self._blocked += blocked
        now = self._clock()
        fresh = now - self._told_at < _SECONDS_BETWEEN
        if self._done < self._total and fresh and (self._done - self._told_done) < _SHARE_BETWEEN * self._total:
            return None
        self._told_at, self._told_done = now, self._done
        return self._line(partition, now)

    def _line(self, partition: str, now: float) -> str:
        elapsed = max(now - self._began, 1e-9)
        rate = self._done / elapsed
        left = (self._total - self._done) / rate
        parts = [
            f"{self._name}: {self._done} of {self._total} partitions ({100 * self._done // self._total} %)",
            f"{rate:.1f} a second",
            f"{self._blocked} blocked" if self._blocked else "none blocked",
            f"at {partition}",
        ]
        parts.append(f"about {duration(left)} left" if self._done < self._total else f"took {duration(elapsed)}")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """A span of time for people: `0.4 s`, `42 s`, `7 min`, `3 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
