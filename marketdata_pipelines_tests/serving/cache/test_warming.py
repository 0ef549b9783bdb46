"""Redis filled beforehand: nobody who asks for the hot set has to wait for the lake."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from marketdata_pipelines.errors import SettingsInvalid, StoreUnavailable
from marketdata_pipelines.serving.cache.revisions import LakeRevisions, PublishedRevisions
from marketdata_pipelines.serving.cache.second import SecondTier
from marketdata_pipelines.serving.cache.sharing import write_figures
from marketdata_pipelines.serving.cache.statistics import Statistics
from marketdata_pipelines.serving.cache.tiers import CacheTiers
from marketdata_pipelines.serving.cache.warming import warm_feed
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.redis.store import RedisStore
from marketdata_pipelines_tests.serving.cache.markets import CountedLoader, Market
from marketdata_pipelines_tests.serving.cache.test_sharing import figures


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, redis_namespace: str) -> Settings:
    """Of the data folder whose lake is the fixture's."""
    return Settings(home=tmp_path / "data", redis_url=SecretStr(redis_url), redis_namespace=redis_namespace)


@pytest.fixture
def tiers(settings: Settings, market: Market, loader: CountedLoader) -> Iterator[CacheTiers]:
    assert settings.redis_url is not None
    statistics = Statistics()
    second = SecondTier(RedisStore.at(settings.redis_url.get_secret_value(), settings.redis_namespace), statistics)
    with CacheTiers(loader, LakeRevisions(market.lake.layout.catalog), second, statistics=statistics) as tiers:
        yield tiers


def test_what_was_warmed_is_answered_without_the_lake(
    settings: Settings, market: Market, loader: CountedLoader, tiers: CacheTiers
) -> None:
    report = warm_feed(settings, market.feed)

    found = tiers.latest(market.feed).to_pylist(), tiers.recent(market.feed, "BTC").to_pylist()

    assert found == (market.latest(), market.bars(["BTC"]).to_pylist())
    assert loader.reads == 0
    assert (report.feed, report.symbols, report.favourites) == ("coins", 3, 0)
    assert report.rows > 3
    assert report.bytes > 0


def test_without_a_lake_at_hand_what_was_published_is_answered(
    settings: Settings, market: Market, loader: CountedLoader, tiers: CacheTiers
) -> None:
    warm_feed(settings, market.feed)
    second = tiers.second
    assert second is not None
    elsewhere = CacheTiers(loader, PublishedRevisions(second.revisions, 2.0), second, statistics=Statistics())

    found = elsewhere.latest(market.feed).to_pylist(), elsewhere.recent(market.feed, "SOL", count=9).to_pylist()

    assert found == (market.latest(), market.bars(["SOL"]).to_pylist()[-9:])
    assert loader.reads <= 1, "a symbol that a partition does not have is looked for once"


def test_warming_again_fills_what_the_server_lost(
    settings: Settings, market: Market, loader: CountedLoader, tiers: CacheTiers
) -> None:
    first = warm_feed(settings, market.feed)
    assert tiers.second is not None
    tiers.second.store.clear()

    again = warm_feed(settings, market.feed)

    assert (again.rows, again.partitions) == (first.rows, first.partitions)
    assert tiers.latest(market.feed).num_rows == 3
    assert loader.reads == 0


def test_the_symbols_asked_for_most_are_warmed_further_back(
    settings: Settings, market: Market, loader: CountedLoader, tiers: CacheTiers
) -> None:
    for day in range(3, 9):
        market.trade(day, ["BTC", "ETH"], count=2)
    assert tiers.second is not None
    write_figures(tiers.second.store, figures("one:1", time.time()), {("coins", "BTC"): 50})

    report = warm_feed(settings, market.feed, favourites=1)

    assert report.favourites == 1
    assert tiers.recent(market.feed, "BTC", count=1_000).equals(market.bars(["BTC"]))
    assert loader.reads == 0
    tiers.recent(market.feed, "ETH", count=1_000)
    assert loader.reads > 0


def test_without_a_server_it_says_so(settings: Settings, market: Market) -> None:
    with pytest.raises(SettingsInvalid, match="MARKETDATA_REDIS_URL"):
        warm_feed(Settings(home=settings.home, redis_url=None), market.feed)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        warm_feed(Settings(home=settings.home, redis_url=SecretStr("redis://127.0.0.1:1/0")), market.feed)
