"""What is kept is counted by table, and stays within the budget."""

from collections.abc import Iterator

import pytest

from marketdata_pipelines.stores.redis.keys import Group
from marketdata_pipelines.stores.redis.memory import KeepRules, TableMemory
from marketdata_pipelines.stores.redis.store import RedisStore
from marketdata_pipelines_tests.redis_servers import RedisServer
from marketdata_pipelines_tests.stores.redis.bars import GROUP, minute_bars

FEED = GROUP.feed


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bounded(redis_url: str, redis_namespace: str, clock: Clock) -> Iterator[RedisStore]:
    """A store of at most 100 KB."""
    keep = KeepRules({"bars_1d": 50_000}, default_ttl_seconds=1_000, budget_bytes=100_000)
    opened = RedisStore(None, redis_namespace, keep, url=redis_url, now=clock)
    yield opened
    opened.close()


def _group(table: str, number: int) -> Group:
    return Group(FEED, table, f"2024-03-{number:02d}", "r")


def test_what_is_kept_is_counted_by_table(store: RedisStore) -> None:
    first = store.put_bars(_group("bars_1h", 1), minute_bars(["AAPL", "MSFT"]))
    second = store.put_bars(_group("bars_1h", 2), minute_bars(["AAPL"]))
    daily = store.put_bars(_group("bars_1d", 1), minute_bars(["AAPL"], 1))

    memory = store.namespace_memory()

    assert memory.tables == (
        TableMemory(FEED, "bars_1d", daily, keys=1, partitions=1),
        TableMemory(FEED, "bars_1h", first + second, keys=3, partitions=2),
    )
    assert memory.bytes == first + second + daily
    assert (memory.budget_bytes, memory.dropped) == (None, 0)


def test_what_is_put_again_is_counted_once(store: RedisStore) -> None:
    store.put_bars(_group("bars_1h", 1), minute_bars(["AAPL", "MSFT"]))
    before = store.namespace_memory()

    store.put_bars(_group("bars_1h", 1), minute_bars(["MSFT"]))

    assert store.namespace_memory() == before


def test_what_is_dropped_is_not_counted(store: RedisStore) -> None:
    store.put_bars(_group("bars_1h", 1), minute_bars(["AAPL", "MSFT"]))

    dropped = store.drop(_group("bars_1h", 1)), store.drop(_group("bars_1h", 1))

    assert dropped == (2, 0)
    assert store.namespace_memory().bytes == 0


def test_over_the_budget_what_expires_first_is_dropped_first(bounded: RedisStore, clock: Clock) -> None:
    long_kept = _group("bars_1d", 1)
    bounded.put_bars(long_kept, minute_bars(["AAPL"], 300))
    for number in range(1, 6):
        clock.now += 1
        bounded.put_bars(_group("bars_1h", number), minute_bars(["AAPL"], 300))

    memory = bounded.namespace_memory()
    kept = [
        number for number in range(1, 6) if bounded.get_bars(FEED, "bars_1h", ["AAPL"], {f"2024-03-0{number}": "r"})
    ]

    assert memory.bytes <= 100_000
    assert kept == [4, 5]
    assert memory.dropped == 3
    assert len(bounded.get_bars(FEED, "bars_1d", ["AAPL"], {long_kept.partition: "r"})) == 1


def test_one_group_over_the_budget_is_kept_alone(bounded: RedisStore) -> None:
    bounded.put_bars(_group("bars_1h", 1), minute_bars(["AAPL"], 10))

    bounded.put_bars(_group("bars_1h", 2), minute_bars(["AAPL"], 3_000))

    assert [table.partitions for table in bounded.namespace_memory().tables] == [1]
    assert len(bounded.get_bars(FEED, "bars_1h", ["AAPL"], {"2024-03-02": "r"})) == 1


def test_what_has_expired_is_counted_no_more(bounded: RedisStore, clock: Clock) -> None:
    bounded.put_bars(_group("bars_1h", 1), minute_bars(["AAPL"], 10))
    clock.now += 2_000

    size = bounded.put_bars(_group("bars_1h", 2), minute_bars(["AAPL"], 10))

    assert bounded.namespace_memory().bytes == size
    assert bounded.namespace_memory().dropped == 0


def test_the_server_tells_its_memory_and_hits(own_server: RedisServer, redis_namespace: str) -> None:
    store = RedisStore.at(own_server.url, redis_namespace)
    store.put_bars(GROUP, minute_bars(["AAPL"]))
    store.get_bars(FEED, GROUP.table, ["AAPL", "NONE"], {GROUP.partition: GROUP.revision})

    memory = store.server_memory()
    store.close()

    assert memory.used_bytes > 100_000
    assert memory.limit_bytes == 0
    assert (memory.hits >= 1, memory.misses >= 1, memory.evicted) == (True, True, 0)
    assert memory.keys == 4
    assert "no maxmemory" in str(memory.warning())
    assert memory.warning(budget_bytes=1_000_000) is None


def test_a_server_that_refuses_when_full_is_warned_of(small_server: RedisServer, redis_namespace: str) -> None:
    store = RedisStore.at(small_server.url, redis_namespace)

    memory = store.server_memory()
    store.close()

    assert memory.refuses_when_full
    assert memory.limit_bytes == 3 * 1024 * 1024
    assert "allkeys-lru" in str(memory.warning())
    assert memory.warning(budget_bytes=memory.limit_bytes - 1) is None
    assert "a budget below it (MARKETDATA_REDIS_MB)" in str(memory.warning(budget_bytes=memory.limit_bytes))


def test_of_a_cluster_the_memory_is_that_of_all_masters(cluster_store: RedisStore, store: RedisStore) -> None:
    cluster_store.put_bars(GROUP, minute_bars([f"S{number}" for number in range(30)]))

    assert cluster_store.server_memory().used_bytes > 2 * 800_000
    assert cluster_store.server_memory().keys >= 30
    assert cluster_store.namespace_memory().tables[0].keys == 30
