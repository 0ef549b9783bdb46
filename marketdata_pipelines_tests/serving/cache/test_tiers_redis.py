"""Answers of the tiers with a real Redis: shared between processes, and right whatever happens to it."""

import logging
import threading
import time

import pytest

from marketdata_pipelines.serving.cache.statistics import Event, Kind, Tier
from marketdata_pipelines.serving.cache.tiers import CacheTiers
from marketdata_pipelines_tests.redis_servers import RedisServer
from marketdata_pipelines_tests.serving.cache.conftest import OpenTiers
from marketdata_pipelines_tests.serving.cache.markets import CountedLoader, Market
from marketdata_pipelines_tests.waiting import wait_until


def answers(tiers: CacheTiers, market: Market) -> list[object]:
    """One answer of each kind."""
    return [
        tiers.latest(market.feed).to_pylist(),
        tiers.latest(market.feed, ["SOL"]).to_pylist(),
        tiers.recent(market.feed, "BTC", count=20).to_pylist(),
        tiers.bars(market.feed, ["BTC", "SOL"], "5m").to_pylist(),
        tiers.view(market.feed, "top_volume").to_pylist(),
    ]


def expected(market: Market) -> list[object]:
    """The same from the lake."""
    return [
        market.latest(),
        market.latest(["SOL"]),
        market.bars(["BTC"]).to_pylist()[-20:],
        market.bars(["BTC", "SOL"], "5m").to_pylist(),
        market.view("coins", "top_volume", None, None).to_pylist(),
    ]


def second_flushed(tiers: CacheTiers) -> None:
    """Wait until all that is written in the background is written."""
    assert tiers.second is not None
    assert tiers.second.flush(30)


def test_what_one_process_read_another_finds_in_redis(market: Market, open_tiers: OpenTiers) -> None:
    first = open_tiers(market.loader())
    answers(first, market)
    second_flushed(first)
    loader = market.loader()

    found = answers(open_tiers(loader), market)

    assert found == expected(market)
    assert loader.reads == 0


def test_a_symbol_known_to_have_no_bars_is_not_looked_for_by_other_processes(
    market: Market, open_tiers: OpenTiers
) -> None:
    open_tiers(market.loader()).recent(market.feed, "NONE")
    loader = market.loader()

    found = open_tiers(loader).recent(market.feed, "NONE")

    assert (found.num_rows, loader.reads) == (0, 0)


def test_a_partition_published_is_in_redis_before_anybody_asks(market: Market, open_tiers: OpenTiers) -> None:
    publisher = open_tiers(market.loader())
    for key in ("2024-03-01", "2024-03-02", "2024-03-03"):
        stored = market.stored(key)
        rows = market.lake.read("validated_bars", "coins", key)
        assert publisher.publish(market.feed, "validated_bars", key, stored.inputs, rows, horizon_us=1)
    loader = market.loader()
    tiers = open_tiers(loader)

    found = tiers.recent(market.feed, "SOL", count=30)

    assert found.to_pylist() == market.bars(["SOL"]).to_pylist()
    assert loader.reads <= 1, "only the day on which it was not traded may be looked for in the lake"


def test_a_published_correction_is_heard_by_other_processes(market: Market, open_tiers: OpenTiers) -> None:
    listening = open_tiers(market.loader(), listens=True)
    assert listening.second is not None
    assert listening.second.subscriber is not None
    assert listening.second.subscriber.wait(30)
    listening.recent(market.feed, "BTC")
    before = listening.statistics.events()[Event.INVALIDATED]
    key = market.trade(2, ["BTC"], price=300.0)
    rows = market.lake.read("validated_bars", "coins", key)

    open_tiers(market.loader()).publish(market.feed, "validated_bars", key, market.stored(key).inputs, rows, 1)

    wait_until(lambda: listening.statistics.events()[Event.INVALIDATED] > before, "the word of a correction", 30)
    assert listening.l1.drop(("coins", "validated_bars", key)) == 0
    assert listening.recent(market.feed, "BTC", count=20).to_pylist() == market.bars(["BTC"]).to_pylist()[-20:]


@pytest.mark.parametrize("harm", ["flushed", "restarted", "stopped", "killed"])
def test_every_answer_is_right_while_redis_is_harmed_and_afterwards(
    harm: str, market: Market, open_tiers: OpenTiers, own_redis: RedisServer
) -> None:
    tiers, wrong, told = open_tiers(market.loader()), [], threading.Event()
    right = expected(market)

    def ask() -> None:
        while not told.is_set():
            tiers.l1.clear()
            if answers(tiers, market) != right:
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    harmed(harm, own_redis, tiers)
    told.set()
    for thread in threads:
        thread.join(60)

    assert wrong == []
    assert tiers.second is not None
    assert tiers.second.circuit.wait_until_closed(30)
    market.trade(2, ["BTC"], price=300.0)
    assert answers(tiers, market) == expected(market)


def harmed(harm: str, server: RedisServer, tiers: CacheTiers) -> None:
    """Do it, and undo it once the tiers have noticed."""
    assert tiers.second is not None
    circuit = tiers.second.circuit
    if harm == "flushed":
        with server.client() as client:
            client.flushall()
        return
    if harm == "restarted":
        server.restart()
        return
    if harm == "stopped":
        server.pause()
        wait_until(lambda: not circuit.is_closed, "notice of silence", 30)
        server.resume()
    else:
        server.kill()
        wait_until(lambda: not circuit.is_closed, "notice of the end", 30)
        server.start()
    assert circuit.wait_until_closed(30)


def test_a_silent_redis_is_waited_for_once_and_then_not_at_all(
    market: Market, open_tiers: OpenTiers, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    tiers = open_tiers(market.loader())
    assert answers(tiers, market) == expected(market)
    own_redis.pause()
    tiers.l1.clear()

    with caplog.at_level(logging.INFO):
        begun = time.monotonic()
        first = tiers.recent(market.feed, "BTC", count=20)
        waited = time.monotonic() - begun
        tiers.l1.clear()
        begun = time.monotonic()
        again = answers(tiers, market)
        then = time.monotonic() - begun
    lines = [record.message for record in caplog.records]

    assert first.to_pylist() == market.bars(["BTC"]).to_pylist()[-20:]
    assert again == expected(market)
    # Each of them would wait half a second, were it to ask.
    assert 0.4 < waited < 1.5
    assert then < 2.0
    assert len(lines) == 1
    assert "does not answer; going on without it" in lines[0]


def test_it_is_used_again_when_it_is_back_and_that_is_told_once(
    market: Market, open_tiers: OpenTiers, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    tiers = open_tiers(market.loader())
    assert tiers.second is not None
    own_redis.kill()
    with caplog.at_level(logging.INFO):
        threads = [threading.Thread(target=tiers.recent, args=(market.feed, "BTC")) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        own_redis.start()
        assert tiers.second.circuit.wait_until_closed(30)
        wait_until(lambda: len(caplog.records) == 2, "word that it is back", 30)

    tiers.l1.clear()
    tiers.recent(market.feed, "BTC")
    tiers.l1.clear()
    tiers.recent(market.feed, "BTC")
    assert [record.message.split("; ")[0] for record in caplog.records] == [
        "Redis does not answer",
        "Redis answers again",
    ]
    assert tiers.statistics.histograms()[Kind.BARS, Tier.L2].total == 1
    assert tiers.statistics.events()[Event.OUTAGE] == 1


def test_what_was_corrected_during_an_outage_is_not_served_from_before_it(
    market: Market, open_tiers: OpenTiers, own_redis: RedisServer
) -> None:
    tiers, loader = open_tiers(market.loader()), market.loader()
    answers(tiers, market)
    second_flushed(tiers)
    own_redis.pause()
    market.trade(2, ["BTC"], price=300.0)
    during = answers(tiers, market)
    own_redis.resume()
    assert tiers.second is not None
    assert tiers.second.circuit.wait_until_closed(30)

    after, elsewhere = answers(tiers, market), answers(open_tiers(loader), market)

    assert during == after == elsewhere == expected(market)


def test_a_full_redis_refuses_writes_and_the_answers_go_on(
    market: Market, open_tiers: OpenTiers, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    tiers = open_tiers(market.loader())
    with own_redis.client() as client:
        client.config_set("maxmemory", 1)
        client.config_set("maxmemory-policy", "noeviction")
        try:
            found = answers(tiers, market)
            second_flushed(tiers)
        finally:
            client.config_set("maxmemory", 0)

    assert found == expected(market)
    assert tiers.statistics.events()[Event.WRITE_REFUSED] > 0
    assert [record.message for record in caplog.records if "refuses" in record.message][1:] == []


def test_a_redis_that_was_never_there_is_no_hindrance(
    market: Market, loader: CountedLoader, open_tiers: OpenTiers, own_redis: RedisServer
) -> None:
    own_redis.kill()
    tiers = open_tiers(loader, listens=True)

    found = answers(tiers, market)

    assert found == expected(market)
