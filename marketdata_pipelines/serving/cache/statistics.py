"""What the tiers did, counted: who answered, how long it took, and who is asked for. Shown by `marketdata cache stats`.

How the figures reach other processes is in `sharing`.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

# Four buckets an octave from one microsecond on: a percentile is right to a fifth.
_PER_OCTAVE, _BUCKETS = 4, 120
_MOST_SYMBOLS = 20_000


class Tier(StrEnum):
    """Who gave an answer."""

    L1 = "l1"
    L2 = "l2"
    L3 = "l3"


class Kind(StrEnum):
    """What was asked for."""

    LATEST = "latest"
    BARS = "bars"
    VIEW = "view"


class Event(StrEnum):
    """What happened besides answers."""

    COALESCED = "coalesced"
    OUTAGE = "outages"
    INVALIDATED = "invalidations"
    WRITTEN = "l2_writes"
    WRITE_REFUSED = "l2_writes_refused"
    WRITE_DROPPED = "l2_writes_dropped"


class LatencyHistogram:
    """How often which time was taken; percentiles to within a fifth."""

    def __init__(self, counts: Iterable[int] = ()) -> None:
        self.counts = [*counts, *([0] * _BUCKETS)][:_BUCKETS]

    def record(self, seconds: float) -> None:
        """Count one."""
        micros = seconds * 1e6
        # frexp is several times as quick as a logarithm.
        fraction, exponent = math.frexp(micros) if micros > 1.0 else (0.5, 1)
        bucket = (exponent - 1) * _PER_OCTAVE + int((fraction - 0.5) * 2 * _PER_OCTAVE)
        self.counts[min(bucket, _BUCKETS - 1)] += 1

    def add(self, other: "LatencyHistogram") -> None:
        """Count what another has counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(self.counts)

    def percentile(self, share: float) -> float | None:
        """The seconds that this share of all (0 to 1) took at most; None where nothing was counted."""
        wanted, seen = share * self.total, 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return _upper_seconds(bucket)
        return None


@dataclass(frozen=True, slots=True)
class Answered:
    """How one tier answered one kind of question; seconds None where it never did."""

    kind: Kind
    tier: Tier
    count: int
    p50_seconds: float | None
    p99_seconds: float | None


class AccessCounts:
    """How often each symbol of a feed was asked for lately: a count loses half of its weight every half-life."""

    def __init__(self, half_life_seconds: float = 3600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._half_life, self._clock = half_life_seconds, clock
        self._weights: dict[tuple[str, str], float] = {}
        self._fresh: Counter[tuple[str, str]] = Counter()
        self._undrained: Counter[tuple[str, str]] = Counter()
        self._as_of = clock()
        self._lock = threading.Lock()

    def note(self, feed: str, symbols: Iterable[str]) -> None:
        """Count one question for each of these."""
        with self._lock:
            if len(self._fresh) >= _MOST_SYMBOLS or self._clock() - self._as_of > self._half_life / 20:
                self._settle()
            for symbol in symbols:
                self._fresh[feed, symbol] += 1

    def top(self, feed: str, count: int) -> list[str]:
        """The symbols asked for most, first the one asked for most of all."""
        with self._lock:
            self._settle()
            found = [(-weight, symbol) for (name, symbol), weight in self._weights.items() if name == feed]
        return [symbol for _, symbol in sorted(found)[:count]]

    def drain(self) -> dict[tuple[str, str], int]:
        """How often each (feed, symbol) was asked for since this was called before."""
        with self._lock:
            self._settle()
            found, self._undrained = dict(self._undrained), Counter()
        return found

    def _settle(self) -> None:
        now = self._clock()
        faded = 0.5 ** ((now - self._as_of) / self._half_life)
        self._as_of = now
        # What is fresh is about as old as the last look: whoever notes something looks often enough.
        for key, count in self._fresh.items():
            self._weights[key] = self._weights.get(key, 0.0) + count
            if key in self._undrained or len(self._undrained) < _MOST_SYMBOLS:
                self._undrained[key] += count
        weights = {key: weight * faded for key, weight in self._weights.items() if weight * faded > 0.01}
        self._fresh.clear()
        if len(weights) > _MOST_SYMBOLS:
            weights = dict(sorted(weights.items(), key=lambda item: -item[1])[: _MOST_SYMBOLS // 2])
        self._weights = weights


class Statistics:
    """Counts of one process; safe across threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._answers: dict[tuple[Kind, Tier], LatencyHistogram] = {}
        self._events: Counter[Event] = Counter()
        self._lock = threading.Lock()
        self.access = AccessCounts(clock=clock)

    def answered(self, kind: Kind, tier: Tier, seconds: float) -> None:
        """Count an answer and who gave it."""
        with self._lock:
            histogram = self._answers.get((kind, tier))
            if histogram is None:
                histogram = self._answers[(kind, tier)] = LatencyHistogram()
            histogram.record(seconds)

    def happened(self, event: Event, times: int = 1) -> None:
        """Count an event."""
        with self._lock:
            self._events[event] += times

    def events(self) -> dict[str, int]:
        """How often each event happened, all of them."""
        with self._lock:
            return {event.value: self._events[event] for event in Event}

    def histograms(self) -> dict[tuple[Kind, Tier], LatencyHistogram]:
        """A copy of every histogram that has counted anything."""
        with self._lock:
            return {key: LatencyHistogram(histogram.counts) for key, histogram in self._answers.items()}


def answered_by(histograms: Mapping[tuple[Kind, Tier], LatencyHistogram]) -> list[Answered]:
    """A record for each kind and tier, by kind and tier."""
    return [
        Answered(kind, tier, histogram.total, histogram.percentile(0.5), histogram.percentile(0.99))
        for (kind, tier), histogram in sorted(histograms.items())
    ]


def hit_ratio(histograms: Mapping[tuple[Kind, Tier], LatencyHistogram], *tiers: Tier) -> float | None:
    """The share of answers that came from these tiers; None where nothing was asked."""
    total = sum(histogram.total for histogram in histograms.values())
    return sum(h.total for (_, tier), h in histograms.items() if tier in tiers) / total if total else None


@lru_cache(maxsize=1)
def process_statistics() -> Statistics:
    """The counts of this process, shared by all caches in it."""
    return Statistics()


def _upper_seconds(bucket: int) -> float:
    octave, part = divmod(bucket, _PER_OCTAVE)
    return float(2.0 ** (octave) * (1 + (part + 1) / _PER_OCTAVE) * 1e-6)
