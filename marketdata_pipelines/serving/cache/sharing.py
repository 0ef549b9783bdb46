"""Figures of the caches of all processes, met in Redis: each puts its own there, `marketdata cache stats` reads them.

A process's figures are gone a minute after it is. Who is asked for is added up by day, over all processes.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from marketdata_pipelines.serving.cache.l1 import L1, L1Figures
from marketdata_pipelines.serving.cache.second import SecondTier
from marketdata_pipelines.serving.cache.statistics import Kind, LatencyHistogram, Statistics, Tier
from marketdata_pipelines.stores.redis.store import RedisStore

KEEP_SECONDS = 60
SHARE_SECONDS = 10.0
# How many days count for what is asked for most, each half as much as the one after it.
_ACCESS_DAYS = 8
_PROCESSES, _ASKED = "processes", "asked"


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """What one process's caches did since it began; `shared_at` in seconds since 1970."""

    process: str
    shared_at: float
    histograms: Mapping[tuple[Kind, Tier], LatencyHistogram]
    events: Mapping[str, int]
    l1: L1Figures


class FigureSharing:
    """Puts this process's figures into Redis every few seconds, and a last time when it is closed."""

    def __init__(
        self, second: SecondTier, statistics: Statistics, l1: L1, *, seconds_between: float | None = SHARE_SECONDS
    ) -> None:
        self._second, self._statistics, self._l1 = second, statistics, l1
        self._pause, self._ended = seconds_between, threading.Event()
        self._thread = threading.Thread(target=self._share_until_closed, name="cache-figures", daemon=True)
        if seconds_between is not None:
            self._thread.start()

    def share(self) -> bool:
        """Put the figures there now; whether Redis took them."""
        histograms = self._statistics.histograms()
        if not histograms:
            return False
        asked = self._statistics.access.drain()
        figures = ProcessFigures(process_name(), time.time(), histograms, self._statistics.events(), self._l1.figures())
        return self._second.attempt(lambda: write_figures(self._second.store, figures, asked))

    def close(self) -> None:
        """Share a last time."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.share()

    def _share_until_closed(self) -> None:
        while not self._ended.wait(self._pause):
            self.share()


def process_name() -> str:
    """This process among those of all machines."""
    return f"{socket.gethostname()}:{os.getpid()}"


def write_figures(
    store: RedisStore, figures: ProcessFigures, asked: Mapping[tuple[str, str], int] | None = None
) -> None:
    """Put a process's figures into Redis, and how often each (feed, symbol) was asked for since it did before.

    Errors: StoreUnavailable, StoreError.
    """
    told = {
        "shared_at": figures.shared_at,
        "events": dict(figures.events),
        "l1": asdict(figures.l1),
        "answers": [[kind, tier, each.counts] for (kind, tier), each in figures.histograms.items()],
    }
    store.put_many({_key(store, figures.process): json.dumps(told).encode()}, KEEP_SECONDS)
    today = _days(figures.shared_at)[0]
    with store.asked() as client, client.pipeline(transaction=False) as pipeline:
        listed = store.keys.named(_PROCESSES)
        pipeline.zadd(listed, {figures.process: figures.shared_at})
        pipeline.zremrangebyscore(listed, "-inf", figures.shared_at - KEEP_SECONDS)
        pipeline.expire(listed, KEEP_SECONDS)
        for (feed, symbol), count in (asked or {}).items():
            pipeline.zincrby(store.keys.named(_ASKED, feed, today), count, symbol)
        for feed in {feed for feed, _ in asked or {}}:
            pipeline.expire(store.keys.named(_ASKED, feed, today), timedelta(days=_ACCESS_DAYS + 1))
        pipeline.execute()


def read_figures(store: RedisStore, now: Callable[[], float] = time.time) -> list[ProcessFigures]:
    """The figures of every process that shared any in the last minute, by name.

    Errors: StoreUnavailable, StoreError.
    """
    with store.asked() as client:
        told: Any = client.zrangebyscore(store.keys.named(_PROCESSES), now() - KEEP_SECONDS, "+inf")
    names = sorted(name.decode() for name in told)
    values = store.get_many([_key(store, name) for name in names])
    read = (_read(name, value) for name, value in zip(names, values, strict=True) if value is not None)
    return [figures for figures in read if figures is not None]


def most_asked(store: RedisStore, feed: str, count: int, now: Callable[[], float] = time.time) -> list[str]:
    """The symbols of a feed that all processes were asked for most in the last days, first the foremost.

    Errors: StoreUnavailable, StoreError.
    """
    weights: dict[str, float] = {}
    with store.asked() as client:
        for age, day in enumerate(_days(now())):
            told: Any = client.zrevrange(store.keys.named(_ASKED, feed, day), 0, 4 * count, withscores=True)
            for symbol, score in told:
                name = symbol.decode("utf-8", "surrogatepass")
                weights[name] = weights.get(name, 0.0) + score * 0.5**age
    return [name for _, name in sorted((-weight, name) for name, weight in weights.items())[:count]]


def added_up(figures: Iterable[ProcessFigures]) -> dict[tuple[Kind, Tier], LatencyHistogram]:
    """The answers of several processes together."""
    whole: dict[tuple[Kind, Tier], LatencyHistogram] = {}
    for each in figures:
        for key, histogram in each.histograms.items():
            whole.setdefault(key, LatencyHistogram()).add(histogram)
    return whole


def _read(name: str, value: bytes) -> ProcessFigures | None:
    """None for figures of another release, which may count other things."""
    try:
        told = json.loads(value)
        histograms = {(Kind(kind), Tier(tier)): LatencyHistogram(counts) for kind, tier, counts in told["answers"]}
        return ProcessFigures(name, told["shared_at"], histograms, told["events"], L1Figures(**told["l1"]))
    except (ValueError, KeyError, TypeError):
        return None


def _key(store: RedisStore, process: str) -> str:
    return store.keys.named("process", process)


def _days(now: float) -> list[str]:
    """Today and the days before it, UTC."""
    today = datetime.fromtimestamp(now, UTC).date()
    return [(today - timedelta(days=age)).isoformat() for age in range(_ACCESS_DAYS)]
