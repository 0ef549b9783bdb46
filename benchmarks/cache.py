"""The cache tiers: hits from memory and Redis, pipelined reads, a simulated day, and how soon a change is heard.

    python benchmarks/cache.py [--symbols 500] [--sessions 20] [--requests 200000] [--redis redis://127.0.0.1:6379/0]

A lake of minute bars is made in a temporary folder. Without --redis the server of the test extra is started. The
simulated day: requests for symbols by a Zipf distribution, while the newest session is published anew again and again,
as it is during a trading day; a second process's memory is simulated by tiers of its own.
"""

import argparse
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
from cache_market import FEED, MINUTES, Market, the_feed
from pydantic import SecretStr

from marketdata_pipelines.domain.tables import LATEST_BARS, VALIDATED_BARS
from marketdata_pipelines.pipeline.latest import EVERY_PARTITION, LatestBars
from marketdata_pipelines.serving.cache.statistics import Tier, answered_by, hit_ratio
from marketdata_pipelines.serving.cache.tiers import CacheTiers
from marketdata_pipelines.serving.cache.warming import warm_feed
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.redis.client import connect
from marketdata_pipelines.stores.redis.invalidation import Change
from marketdata_pipelines.stores.redis.keys import Group
from marketdata_pipelines.stores.redis.store import RedisStore

LISTENERS, CHANGES = 4, 400


def percentiles(work: Callable[[], object], times: int) -> tuple[float, float]:
    """p50 and p99 in seconds."""
    taken = np.empty(times)
    for number in range(times):
        begun = time.perf_counter()
        work()
        taken[number] = time.perf_counter() - begun
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 99))


def show(what: str, found: tuple[float, float], aim: str) -> None:
    """One line of the report."""
    print(f"{what:<58} p50 {found[0] * 1e6:>9.1f} us  p99 {found[1] * 1e6:>9.1f} us   aim {aim}")


def measure_hits(market: Market, url: str) -> None:
    """Hits from this process's memory, then from Redis with no memory of one's own."""
    feed, symbol = market.feed, market.names[3]
    with market.tiers(url) as tiers:
        tiers.recent(feed, symbol, count=MINUTES)
        show(
            "L1: 390 minutes of a symbol",
            percentiles(lambda: tiers.recent(feed, symbol, count=MINUTES), 20_000),
            "20 us",
        )
        tiers.latest(feed, [symbol])
        show("L1: last bar of a symbol", percentiles(lambda: tiers.latest(feed, [symbol]), 20_000), "20 us")
        tiers.latest(feed)
        show(f"L1: last bars of {len(market.names)} symbols", percentiles(lambda: tiers.latest(feed), 20_000), "20 us")
    with market.tiers(url, max_bytes=0) as tiers:
        key = market.lake.catalog.stored(VALIDATED_BARS, FEED)[-1].partition
        day = percentiles(lambda: tiers.bars(feed, [symbol], "1m", key, key), 3_000)
        show("Redis: a symbol's day of 390 minutes, decoded", day, "p50 300 us, p99 1000 us")
        asked = [symbol], {key: market.lake.catalog.stored(VALIDATED_BARS, FEED)[-1].inputs}
        store = tiers.second.store  # type: ignore[union-attr]
        held = percentiles(lambda: store.get_bars(FEED, VALIDATED_BARS, *asked), 3_000)
        show("Redis: the same without the tiers around it", held, "-")
        name = store.keys.bars_of(Group(FEED, VALIDATED_BARS, key, asked[1][key]), asked[0])[0]
        with connect(url) as client:
            raw = percentiles(lambda: client.get(name), 3_000)
            show("Redis: the same value by the client's own GET, as bytes", raw, "-")
        print(f"{'Redis: through all tiers and decoded, of the bare GET':<58} {day[0] / raw[0]:.1f}")
        show("Redis: last bar of a symbol", percentiles(lambda: tiers.latest(feed, [symbol]), 3_000), "the same")
        latest = percentiles(lambda: tiers.latest(feed), 1_000)
        show(f"Redis: last bars of {len(market.names)} symbols", latest, "p50 1000 us")
    with market.tiers(url) as tiers:
        tiers.second.store.clear()  # type: ignore[union-attr]
        begun = time.perf_counter()
        tiers.latest(feed)
        print(f"{'lake: last bars, first time in this process':<58} {(time.perf_counter() - begun) * 1e3:.1f} ms")


def measure_pipelined(market: Market, url: str) -> None:
    """Reads of single small values, many in one question."""
    store = RedisStore.at(url, "bench")
    key, inputs, bars = market.publish(market.newest, MINUTES)
    store.put_bars(Group(FEED, VALIDATED_BARS, key, inputs), bars)
    asked = market.names, {key: inputs}
    p50, _ = percentiles(lambda: store.get_bars(FEED, VALIDATED_BARS, *asked), 20)
    print(f"{'Redis: days of 390 minutes, decoded, reads a second':<58} {len(market.names) / p50:>12,.0f}")
    small = {f"bench:small:{number}": bytes(120) for number in range(500)}
    store.put_many(small, 60)
    p50, _ = percentiles(lambda: store.get_many(list(small)), 500)
    print(f"{'Redis: values of 120 bytes, reads a second':<58} {len(small) / p50:>12,.0f}   aim 50,000")
    store.close()


def measure_warming(market: Market, folder: Path, url: str) -> None:
    """The hot set of the whole feed into an empty Redis."""
    with connect(url) as client:
        client.flushall()
    settings = Settings(home=folder, redis_url=SecretStr(url), redis_namespace="bench")
    report = warm_feed(settings, market.feed)
    what = f"warming {report.symbols} symbols, {report.rows:,} rows, {report.bytes / 1e6:.0f} MB"
    print(f"{what:<58} {report.seconds:.1f} s   aim 30 s")


def simulate_day(market: Market, url: str, requests: int) -> None:
    """Requests by Zipf while the newest session grows and is written through."""
    random, feed = np.random.default_rng(11), market.feed
    weights = 1 / np.arange(1, len(market.names) + 1) ** 1.1
    asked = random.choice(len(market.names), requests, p=weights / weights.sum())
    kinds = random.random(requests)
    steps = 78
    with market.tiers(url) as publisher, market.tiers(url, listens=True) as tiers:
        assert tiers.second is not None
        begun = time.perf_counter()
        for number in range(requests):
            if number % (requests // steps) == 0:
                write_through(market, publisher, min(5 * (1 + number * steps // requests), MINUTES))
            symbol = market.names[asked[number]]
            if kinds[number] < 0.7:
                tiers.latest(feed, [symbol])
            elif kinds[number] < 0.9:
                tiers.recent(feed, symbol, count=60)
            else:
                tiers.latest(feed)
        seconds = time.perf_counter() - begun
        histograms = tiers.statistics.histograms()
    hits, own = hit_ratio(histograms, Tier.L1, Tier.L2), hit_ratio(histograms, Tier.L1)
    assert hits is not None
    assert own is not None
    print(
        f"simulated day: {requests:,} requests, {steps} publications, {seconds:.1f} s: hits {100 * hits:.2f} % "
        f"(own memory {100 * own:.2f} %)   aim 99 %"
    )
    for each in answered_by(histograms):
        p50, p99 = each.p50_seconds or 0.0, each.p99_seconds or 0.0
        print(f"    {each.kind:<7}{each.tier} {each.count:>9,}  p50 {p50:.6f} s  p99 {p99:.6f} s")


def write_through(market: Market, publisher: CacheTiers, minutes: int) -> None:
    """What a publication does: the lake, then the bars and the last bars in Redis, then word to all."""
    key, inputs, bars = market.publish(market.newest, minutes)
    publisher.publish(market.feed, VALIDATED_BARS, key, inputs, bars, time.time_ns() // 1000)
    latest = LatestBars(market.lake).of(market.feed)
    assert publisher.second is not None
    publisher.second.store.put_table(Group(FEED, LATEST_BARS, EVERY_PARTITION, latest.revision), latest.rows)


def listen(root: Path, url: str, ready: Event, told: Any) -> None:
    """A process that holds bars and hears of changes; sends when it heard of each."""
    heard: list[tuple[str, int]] = []
    market = Market.__new__(Market)
    market.lake, market.feed = Lake(root), the_feed()
    with market.tiers(url, listens=True) as tiers:
        second = tiers.second
        assert second is not None
        assert second.subscriber is not None
        # The tiers have dropped what they held before this is called.
        second.on_change(lambda feed, table, partition: heard.append((partition, time.monotonic_ns())))
        second.subscriber.wait(30)
        ready.set()
        until = time.monotonic() + 60
        while len(heard) < CHANGES and time.monotonic() < until:
            time.sleep(0.01)
    told.send(heard)


def measure_invalidation(root: Path, url: str) -> None:
    """From before a change is told until other processes have let go of what they held."""
    spawned = multiprocessing.get_context("spawn")
    pipes = [spawned.Pipe(duplex=False) for _ in range(LISTENERS)]
    ready = [spawned.Event() for _ in range(LISTENERS)]
    processes = [
        spawned.Process(target=listen, args=(root, url, event, sender))
        for event, (_, sender) in zip(ready, pipes, strict=True)
    ]
    for process in processes:
        process.start()
    for event in ready:
        event.wait(120)
    store, sent = RedisStore.at(url, "bench"), {}
    for number in range(CHANGES):
        sent[str(number)] = time.monotonic_ns()
        store.tell(Change(FEED, VALIDATED_BARS, str(number), "r"))
        time.sleep(0.005)
    heard = [receiver.recv() for receiver, _ in pipes]
    for process in processes:
        process.join()
    store.close()
    taken = np.array([(at - sent[partition]) / 1e9 for each in heard for partition, at in each])
    found = float(np.percentile(taken, 50)), float(np.percentile(taken, 99))
    show(
        f"word of a change in {LISTENERS} processes ({len(taken):,} of {LISTENERS * CHANGES:,} heard)",
        found,
        "p99 100 ms",
    )


@contextmanager
def redis_at(url: str | None) -> Iterator[str]:
    """The server given, or one of the test extra."""
    if url is not None:
        yield url
        return
    from marketdata_pipelines_tests.redis_servers import start_redis

    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    server = start_redis(folder / "server")
    try:
        yield server.url
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Run all of it."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--symbols", type=int, default=500)
    arguments.add_argument("--sessions", type=int, default=20)
    arguments.add_argument("--requests", type=int, default=200_000)
    arguments.add_argument("--redis", default=None)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, redis_at(chosen.redis) as url:
        root = Path(folder) / "lake"
        market = Market(root, chosen.symbols, chosen.sessions)
        measure_hits(market, url)
        measure_pipelined(market, url)
        measure_warming(market, Path(folder), url)
        measure_invalidation(root, url)
        simulate_day(market, url, chosen.requests)


if __name__ == "__main__":
    main()
