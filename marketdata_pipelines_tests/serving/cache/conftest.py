"""A Redis of one's own, for tests that flush, stop or restart it, and tiers over it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from marketdata_pipelines.serving.cache.revisions import LakeRevisions
from marketdata_pipelines.serving.cache.second import SecondTier
from marketdata_pipelines.serving.cache.statistics import Statistics
from marketdata_pipelines.serving.cache.tiers import CacheTiers
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.redis.client import connect
from marketdata_pipelines.stores.redis.store import RedisStore
from marketdata_pipelines_tests.redis_servers import RedisServer, redis_or_skip
from marketdata_pipelines_tests.serving.cache.markets import CountedLoader, Market
from marketdata_pipelines_tests.store_databases import own_server, store_database, store_dsn

__all__ = ["own_server", "store_database", "store_dsn"]
OpenTiers = Callable[..., CacheTiers]
PROBE_SECONDS = 0.05


@pytest.fixture(scope="module")
def module_redis() -> Iterator[RedisServer]:
    """A Redis that only this module uses; missing locally skips, missing in CI fails."""
    with redis_or_skip() as server:
        yield server


@pytest.fixture
def own_redis(module_redis: RedisServer) -> Iterator[RedisServer]:
    """The module's Redis, running and empty whatever the test before did to it."""
    with module_redis.client() as client:
        client.flushall()
    yield module_redis
    module_redis.resume()
    if module_redis.process.poll() is not None:
        module_redis.start()


@pytest.fixture
def market(lake: Lake) -> Market:
    """Three days; SOL is not traded on the last."""
    market = Market(lake)
    for day, symbols in enumerate((["BTC", "ETH", "SOL"], ["BTC", "ETH", "SOL"], ["BTC", "ETH"])):
        market.trade(day, symbols)
    return market


@pytest.fixture
def loader(market: Market) -> CountedLoader:
    return market.loader()


@pytest.fixture
def open_tiers(own_redis: RedisServer, market: Market) -> Iterator[OpenTiers]:
    """Opens tiers over the market's lake and this Redis, as a process of their own would have them."""
    with tiers_over(own_redis.url, market) as open_one:
        yield open_one


@contextmanager
def tiers_over(url: str, market: Market) -> Iterator[OpenTiers]:
    """Opens tiers over a market's lake and the Redis at an address; all are closed at the end."""
    with ExitStack() as opened:

        def open_one(loader: CountedLoader, *, listens: bool = False) -> CacheTiers:
            statistics = Statistics()
            second = SecondTier(
                RedisStore.at(url, "tests"),
                statistics,
                listen=(lambda: connect(url)) if listens else None,
                seconds_between_probes=PROBE_SECONDS,
            )
            revisions = LakeRevisions(market.lake.layout.catalog)
            return opened.enter_context(CacheTiers(loader, revisions, second, statistics=statistics))

        yield open_one
