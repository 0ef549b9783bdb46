"""The tiers as the settings name them."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.cache.opening import open_published_tiers, open_tiers
from marketdata_pipelines.serving.cache.statistics import Statistics
from marketdata_pipelines.serving.cache.warming import warm_feed
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines_tests.serving.cache.markets import CountedLoader, Market
from marketdata_pipelines_tests.waiting import wait_until


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, redis_namespace: str) -> Settings:
    """Of the data folder whose lake is the fixture's."""
    return Settings(home=tmp_path / "data", redis_url=SecretStr(redis_url), redis_namespace=redis_namespace)


def test_without_an_address_there_are_two_tiers(tmp_path: Path, market: Market) -> None:
    settings = Settings(home=tmp_path / "data", redis_url=None, cache_mb=3)

    with open_tiers(settings, market.lake, market.view, statistics=Statistics()) as tiers:
        assert tiers.second is None
        assert tiers.l1.figures().max_bytes == 3_000_000
        assert tiers.latest(market.feed).to_pylist() == market.latest()


def test_a_process_that_stays_hears_of_changes_and_shares_its_figures(settings: Settings, market: Market) -> None:
    with open_tiers(settings, market.lake, market.view, listens=True, statistics=Statistics()) as tiers:
        assert tiers.second is not None
        assert tiers.second.subscriber is not None
        assert tiers.second.subscriber.wait(30)
        assert tiers.latest(market.feed).to_pylist() == market.latest()


def test_an_address_that_cannot_be_read_is_refused_without_being_shown(settings: Settings, market: Market) -> None:
    wrong = Settings(home=settings.home, redis_url=SecretStr("http://user:hidden@host"))

    with pytest.raises(SettingsInvalid, match="MARKETDATA_REDIS_URL") as refused:
        open_tiers(wrong, market.lake, market.view).latest(market.feed)

    assert "hidden" not in str(refused.value)


def test_without_a_lake_answers_follow_what_is_published(
    settings: Settings, market: Market, loader: CountedLoader
) -> None:
    def agrees() -> bool:
        right = market.bars(["BTC"]).to_pylist()[-5:]
        return (tiers.latest(market.feed).to_pylist(), tiers.recent(market.feed, "BTC", count=5).to_pylist()) == (
            market.latest(),
            right,
        )

    with open_published_tiers(settings, loader, statistics=Statistics()) as tiers:
        warm_feed(settings, market.feed)
        wait_until(agrees, "what was published first", 30)
        market.trade(2, ["BTC"], price=300.0)

        warm_feed(settings, market.feed)

        wait_until(agrees, "what was published then", 30)


def test_without_a_lake_an_emptied_redis_tells_nothing_and_answers_stay_right(
    settings: Settings, market: Market, loader: CountedLoader
) -> None:
    warm_feed(settings, market.feed)
    impatient = settings.model_copy(update={"cache_seconds": 0.0})
    with open_published_tiers(impatient, loader, statistics=Statistics()) as tiers:
        assert tiers.second is not None
        before = tiers.recent(market.feed, "BTC", count=5).to_pylist()

        tiers.second.store.clear()

        assert tiers.recent(market.feed, "BTC", count=5).to_pylist() == before == market.bars(["BTC"]).to_pylist()[-5:]
        assert tiers.latest(market.feed).to_pylist() == market.latest()


def test_without_a_lake_and_without_redis_there_is_nothing_to_open(settings: Settings, loader: CountedLoader) -> None:
    with pytest.raises(SettingsInvalid, match="set MARKETDATA_REDIS_URL"):
        open_published_tiers(Settings(home=settings.home, redis_url=None), loader)
