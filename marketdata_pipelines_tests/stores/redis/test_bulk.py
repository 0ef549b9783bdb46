"""Many values are written and read in several batches, in their order, on one server and over a cluster."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from marketdata_pipelines.stores.redis import bulk
from marketdata_pipelines.stores.redis.store import RedisStore


@pytest.fixture(params=["store", "cluster_store"])
def any_store(request: pytest.FixtureRequest) -> RedisStore:
    """One server, and a cluster."""
    opened: RedisStore = request.getfixturevalue(request.param)
    return opened


def test_values_of_several_batches_are_read_in_the_order_asked(any_store: RedisStore) -> None:
    # Three batches by number, and three by size.
    values = {any_store.keys.named(f"{number}"): b"%d" % number for number in range(1_200)}
    values |= {any_store.keys.named("large", f"{number}"): bytes([number]) * 1_500_000 for number in range(6)}
    any_store.put_many(values, ttl_seconds=60)
    asked = [*reversed(values), "absent", next(iter(values))]

    found = any_store.get_many(asked)

    assert found == [values.get(key) for key in asked]


def test_removed_values_are_counted_and_gone(any_store: RedisStore) -> None:
    keys = [any_store.keys.named(f"{number}") for number in range(700)]
    any_store.put_many(dict.fromkeys(keys, b"value"), ttl_seconds=60)

    with any_store.asked() as client:
        removed = bulk.remove(client, [*keys, "absent"]), bulk.remove(client, keys)

    assert removed == (700, 0)
    assert any_store.get_many(keys) == [None] * 700


def test_nothing_is_asked_of_the_server_for_nothing(any_store: RedisStore) -> None:
    any_store.put_many({}, ttl_seconds=60)

    assert any_store.get_many([]) == []


def test_several_threads_read_what_each_has_asked_for(store: RedisStore) -> None:
    keys = [store.keys.named(f"{number}") for number in range(200)]
    store.put_many({key: key.encode() for key in keys}, ttl_seconds=60)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda start: store.get_many(keys[start::8]), range(8)))

    assert [answer for answers_of_one in answers for answer in answers_of_one] == [
        key.encode() for start in range(8) for key in keys[start::8]
    ]
