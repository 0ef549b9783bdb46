"""Whatever happens in whatever order, every answer of every process is the lake's."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.serving.cache.revisions import LakeRevisions, PublishedRevisions
from marketdata_pipelines.serving.cache.second import SecondTier
from marketdata_pipelines.serving.cache.statistics import Statistics
from marketdata_pipelines.serving.cache.tiers import CacheTiers
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.redis.client import connect
from marketdata_pipelines.stores.redis.store import RedisStore
from marketdata_pipelines_tests.redis_servers import RedisServer
from marketdata_pipelines_tests.serving.cache.markets import Market
from marketdata_pipelines_tests.waiting import wait_until

SYMBOLS = ["BTC", "ETH", "SOL"]
steps = st.one_of(
    st.tuples(st.just("trade"), st.integers(0, 3), st.integers(1, 7), st.integers(90, 110)),
    st.tuples(st.just("publish"), st.integers(0, 3)),
    st.tuples(st.sampled_from(["ask", "ask", "flush", "restart", "outage", "forget"])),
)


def open_process(market: Market, url: str, *, listens: bool) -> CacheTiers:
    """Tiers as a process of their own would have them."""
    statistics = Statistics()
    second = SecondTier(
        RedisStore.at(url, "property"),
        statistics,
        listen=(lambda: connect(url)) if listens else None,
        seconds_between_probes=0.02,
    )
    return CacheTiers(market.loader(), LakeRevisions(market.lake.layout.catalog), second, statistics=statistics)


def check(market: Market, tiers: CacheTiers, days: set[str]) -> None:
    """Each kind of answer beside the lake's."""
    assert tiers.latest(market.feed).to_pylist() == (market.latest() if days else [])
    if not days:
        return
    for symbol in SYMBOLS:
        right = market.bars([symbol]).to_pylist()
        assert tiers.recent(market.feed, symbol, count=15).to_pylist() == right[-15:]
    assert tiers.bars(market.feed, SYMBOLS, "5m").to_pylist() == market.bars(SYMBOLS, "5m").to_pylist()
    assert tiers.view(market.feed, "top_volume").equals(market.view("coins", "top_volume", None, None))


def act(step: tuple[object, ...], market: Market, processes: list[CacheTiers], server: RedisServer) -> str | None:
    """Do one step; the partition that was traded, where one was."""
    name = step[0]
    if name == "trade":
        _, day, which, price = step
        symbols = [symbol for bit, symbol in enumerate(SYMBOLS) if int(str(which)) >> bit & 1]
        return market.trade(int(str(day)), symbols, price=float(str(price)), count=5)
    if name == "publish":
        publish(market, processes[0], f"2024-03-0{1 + int(str(step[1]))}")
    elif name == "flush":
        with server.client() as client:
            client.flushall()
    elif name == "restart":
        server.restart()
    elif name == "outage":
        outage(server, processes)
    elif name == "forget":
        processes[1].l1.clear()
    return None


def publish(market: Market, tiers: CacheTiers, key: str) -> None:
    """Write a partition through, where there is one."""
    stored = market.lake.catalog.stored_partition("validated_bars", "coins", key)
    if stored is not None:
        rows = market.lake.read("validated_bars", "coins", key)
        tiers.publish(market.feed, "validated_bars", key, stored.inputs, rows, market.files)


def outage(server: RedisServer, processes: list[CacheTiers]) -> None:
    """Gone, noticed, asked all the same, and back."""
    server.kill()
    seconds = [tiers.second for tiers in processes if tiers.second is not None]
    for second in seconds:
        second.attempt(second.store.ping)
        assert not second.circuit.is_closed
    server.start()
    for second in seconds:
        assert second.circuit.wait_until_closed(30)


@given(st.lists(steps, min_size=4, max_size=9))
@settings(
    max_examples=6,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_answer_is_ever_stale_or_wrong(own_redis: RedisServer, happens: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as folder:
        market = Market(Lake(Path(folder) / "lake"))
        processes = [open_process(market, own_redis.url, listens=listens) for listens in (False, True)]
        days: set[str] = set()
        try:
            for step in happens:
                traded = act(step, market, processes, own_redis)
                days |= {traded} if traded is not None else set()
                for tiers in processes:
                    check(market, tiers, days)
        finally:
            for tiers in processes:
                tiers.close()
        with own_redis.client() as client:
            client.flushall()


def test_without_word_of_changes_published_revisions_are_looked_up_again_in_time(
    own_redis: RedisServer, market: Market
) -> None:
    now = [0.0]
    statistics = Statistics()
    second = SecondTier(RedisStore.at(own_redis.url, "property"), statistics)
    revisions = PublishedRevisions(second.revisions, 2.0, lambda: now[0])
    with (
        CacheTiers(market.loader(), revisions, second, statistics=statistics) as tiers,
        open_process(market, own_redis.url, listens=False) as publisher,
    ):
        publish_all(market, publisher)
        before = tiers.recent(market.feed, "BTC", count=3).to_pylist()
        market.trade(2, ["BTC"], price=400.0)
        publish_all(market, publisher)

        soon = tiers.recent(market.feed, "BTC", count=3).to_pylist()
        now[0] = 2.1
        later = tiers.recent(market.feed, "BTC", count=3).to_pylist()

    assert soon == before
    assert later == market.bars(["BTC"]).to_pylist()[-3:]
    assert later != before


def test_a_listener_looks_published_revisions_up_at_once(own_redis: RedisServer, market: Market) -> None:
    statistics = Statistics()
    second = SecondTier(RedisStore.at(own_redis.url, "property"), statistics, listen=lambda: connect(own_redis.url))
    revisions = PublishedRevisions(second.revisions, 3_600.0)

    def agrees() -> bool:
        return tiers.recent(market.feed, "BTC", count=3).to_pylist() == market.bars(["BTC"]).to_pylist()[-3:]

    with (
        CacheTiers(market.loader(), revisions, second, statistics=statistics) as tiers,
        open_process(market, own_redis.url, listens=False) as publisher,
    ):
        assert second.subscriber is not None
        assert second.subscriber.wait(30)
        publish_all(market, publisher)
        wait_until(agrees, "the first answer", 30)
        market.trade(2, ["BTC"], price=400.0)

        publish_all(market, publisher)

        wait_until(agrees, "the correction", 30)


def publish_all(market: Market, publisher: CacheTiers) -> None:
    """Write every day through."""
    for stored in market.lake.catalog.stored("validated_bars", "coins"):
        publish(market, publisher, stored.partition)
