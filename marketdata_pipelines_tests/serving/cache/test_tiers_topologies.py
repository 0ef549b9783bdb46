"""Answers of the tiers over Sentinel, a cluster and TLS: shared, never old, and right while a node is away."""

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketdata_pipelines.errors import StoreUnavailable
from marketdata_pipelines.serving.cache.statistics import Event, Tier
from marketdata_pipelines.serving.cache.tiers import CacheTiers
from marketdata_pipelines.stores.redis.store import RedisStore
from marketdata_pipelines_tests.servers import ServerMissing
from marketdata_pipelines_tests.serving.cache.conftest import OpenTiers, tiers_over
from marketdata_pipelines_tests.serving.cache.markets import Market
from marketdata_pipelines_tests.serving.cache.topologies import (
    Topology,
    as_cluster,
    as_cluster_behind_tls,
    behind_sentinel,
    behind_tls,
)
from marketdata_pipelines_tests.waiting import wait_until


@pytest.fixture(params=[behind_sentinel, as_cluster, behind_tls, as_cluster_behind_tls])
def topology(request: pytest.FixtureRequest) -> Iterator[Topology]:
    """Servers of this test's own; missing locally skips, missing in CI fails."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    try:
        started: Topology = request.param(folder / "servers")
    except ServerMissing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    else:
        yield started
        started.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def open_over(topology: Topology, market: Market) -> Iterator[OpenTiers]:
    """Opens tiers over the market's lake and these servers, as a process of their own would have them."""
    with tiers_over(topology.url, market) as open_one:
        yield open_one


def answers(tiers: CacheTiers, market: Market) -> list[object]:
    """One answer of each kind, none from the process's memory."""
    tiers.l1.clear()
    return [
        tiers.latest(market.feed).to_pylist(),
        tiers.recent(market.feed, "BTC", count=20).to_pylist(),
        tiers.bars(market.feed, ["BTC", "ETH", "SOL"], "5m").to_pylist(),
        tiers.view(market.feed, "top_volume").to_pylist(),
    ]


def expected(market: Market) -> list[object]:
    """The same from the lake."""
    return [
        market.latest(),
        market.bars(["BTC"]).to_pylist()[-20:],
        market.bars(["BTC", "ETH", "SOL"], "5m").to_pylist(),
        market.view("coins", "top_volume", None, None).to_pylist(),
    ]


def from_redis(tiers: CacheTiers) -> int:
    """How many answers came from Redis."""
    histograms = tiers.statistics.histograms()
    return sum(histogram.total for (_, tier), histogram in histograms.items() if tier is Tier.L2)


def test_what_one_process_read_another_finds_there(market: Market, open_over: OpenTiers) -> None:
    first = open_over(market.loader())
    answers(first, market)
    assert first.second is not None
    assert first.second.flush(30)
    loader = market.loader()

    found = answers(open_over(loader), market)

    assert found == expected(market)
    assert loader.reads == 0


def test_a_correction_is_heard_and_what_was_before_it_is_never_answered_again(
    market: Market, open_over: OpenTiers
) -> None:
    listening, publisher = open_over(market.loader(), listens=True), open_over(market.loader())
    assert listening.second is not None
    assert listening.second.subscriber is not None
    assert listening.second.subscriber.wait(30)
    answers(listening, market)
    before = listening.statistics.events()[Event.INVALIDATED]
    key = market.trade(2, ["BTC"], price=300.0)
    rows = market.lake.read("validated_bars", "coins", key)

    assert publisher.publish(market.feed, "validated_bars", key, market.stored(key).inputs, rows, 1)

    wait_until(lambda: listening.statistics.events()[Event.INVALIDATED] > before, "the word of a correction", 30)
    assert answers(listening, market) == expected(market)
    assert answers(listening, market) == expected(market)
    assert from_redis(listening) > 0


def test_while_a_node_is_away_answers_are_right_and_afterwards_redis_gives_them_again(
    topology: Topology, market: Market, open_over: OpenTiers, caplog: pytest.LogCaptureFixture
) -> None:
    tiers = open_over(market.loader())
    assert tiers.second is not None
    circuit = tiers.second.circuit
    assert answers(tiers, market) == expected(market)
    assert tiers.second.flush(30)

    with caplog.at_level(logging.WARNING):
        topology.harm()
        wait_until(lambda: answers(tiers, market) == expected(market) and not circuit.is_closed, "notice", 30)
        kept = [tiers.recent(market.feed, "BTC", count=20).to_pylist() for _ in range(2)]
        market.trade(2, ["BTC"], price=300.0)
        corrected = answers(tiers, market)
        topology.mend()
        assert circuit.wait_until_closed(60)
        wait_until(lambda: len(caplog.records) == 2, "word that it is back", 30)
        after = [answers(tiers, market) for _ in range(2)]
    lines = [record.message.split("; ")[0] for record in caplog.records]

    assert kept[0] == kept[1]
    assert corrected == expected(market)
    assert after == [expected(market)] * 2
    assert lines == ["Redis does not answer", "Redis answers again"]
    assert answers(open_over(market.loader()), market) == expected(market)


def test_many_threads_get_right_answers_while_a_node_goes_and_comes(
    topology: Topology, market: Market, open_over: OpenTiers
) -> None:
    tiers, ended, wrong = open_over(market.loader()), threading.Event(), list[object]()
    assert tiers.second is not None
    circuit, right = tiers.second.circuit, expected(market)

    def ask() -> None:
        while not ended.is_set():
            found = answers(tiers, market)
            if found != right:
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    topology.harm()
    wait_until(lambda: not circuit.is_closed, "notice of the end", 30)
    topology.mend()
    assert circuit.wait_until_closed(60)
    before = from_redis(tiers)
    wait_until(lambda: from_redis(tiers) > before, "answers from Redis", 30)
    ended.set()
    for thread in threads:
        thread.join(60)

    assert wrong == []


def test_a_certificate_that_nobody_vouches_for_is_refused_and_that_is_said(tmp_path: Path) -> None:
    served = behind_tls(tmp_path / "servers")
    store = RedisStore.at(served.url.partition("?")[0], "tests")
    try:
        with pytest.raises(StoreUnavailable, match="nobody vouches for here; name its authority's"):
            store.ping()
    finally:
        store.close()
        served.stop()
