"""What is put into Redis is got again as it was, or not at all."""

import logging
from contextlib import suppress
from functools import partial

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.errors import StoreError, StoreUnavailable
from marketdata_pipelines.stores.redis.keys import Group
from marketdata_pipelines.stores.redis.memory import KeepRules
from marketdata_pipelines.stores.redis.store import Pointed, RedisStore, Revision
from marketdata_pipelines.stores.redis.values import split_by_symbol
from marketdata_pipelines_tests.redis_servers import RedisServer
from marketdata_pipelines_tests.stores.redis.bars import GROUP, KEPT_SCHEMA, minute_bars, of_symbol

FEED, TABLE, DAY, REVISION = GROUP.feed, GROUP.table, GROUP.partition, GROUP.revision
LATER = Group(FEED, TABLE, DAY, "fedcba9876543210")
NEXT_DAY = Group(FEED, TABLE, "2024-03-11", "1111111111111111")


@pytest.fixture(params=["store", "cluster_store"])
def any_store(request: pytest.FixtureRequest) -> RedisStore:
    """One server, and a cluster."""
    opened: RedisStore = request.getfixturevalue(request.param)
    return opened


def test_bars_are_got_by_symbol_and_partition(any_store: RedisStore) -> None:
    bars, next_bars = minute_bars(["AAPL", "BRK.B", "BTC/USD"]), minute_bars(["AAPL"], price=5)
    any_store.put_bars(GROUP, bars)
    any_store.put_bars(NEXT_DAY, next_bars)

    found = any_store.get_bars(
        FEED, TABLE, ["AAPL", "BTC/USD", "NONE"], {DAY: REVISION, NEXT_DAY.partition: NEXT_DAY.revision}
    )

    assert set(found) == {("AAPL", DAY), ("BTC/USD", DAY), ("AAPL", NEXT_DAY.partition)}
    assert found["AAPL", DAY].schema == KEPT_SCHEMA
    assert found["BTC/USD", DAY].to_pylist() == of_symbol(bars, "BTC/USD")
    assert found["AAPL", NEXT_DAY.partition].to_pylist() == next_bars.to_pylist()


def test_bars_of_another_revision_are_not_found(any_store: RedisStore) -> None:
    any_store.put_bars(GROUP, minute_bars(["AAPL"]))

    assert any_store.get_bars(FEED, TABLE, ["AAPL"], {DAY: LATER.revision}) == {}
    assert any_store.get_bars(FEED, "bars_1h", ["AAPL"], {DAY: REVISION}) == {}


def test_a_symbol_without_bars_is_known_to_have_none(store: RedisStore) -> None:
    store.put_bars(GROUP, minute_bars(["AAPL"]), ["AAPL", "HALTED"])

    found = store.get_bars(FEED, TABLE, ["HALTED", "OTHER"], {DAY: REVISION})

    assert list(found) == [("HALTED", DAY)]
    assert found["HALTED", DAY].num_rows == 0
    assert found["HALTED", DAY].schema == KEPT_SCHEMA


def test_a_publication_drops_what_it_replaces(any_store: RedisStore) -> None:
    any_store.publish_bars(GROUP, minute_bars(["AAPL", "MSFT"]), horizon_us=1)

    pointed = any_store.publish_bars(LATER, minute_bars(["AAPL"], price=7), horizon_us=2)

    assert pointed == Pointed(True, REVISION)
    assert any_store.revisions(FEED, TABLE) == {DAY: Revision(LATER.revision, 2)}
    assert any_store.get_bars(FEED, TABLE, ["AAPL", "MSFT"], {DAY: REVISION}) == {}
    assert any_store.get_bars(FEED, TABLE, ["AAPL"], {DAY: LATER.revision})["AAPL", DAY].num_rows == 3


def test_a_publisher_that_knew_less_does_not_take_the_place(any_store: RedisStore) -> None:
    any_store.publish_bars(LATER, minute_bars(["AAPL"], price=7), horizon_us=2)

    pointed = any_store.publish_bars(GROUP, minute_bars(["AAPL"]), horizon_us=1)

    assert pointed == Pointed(False, LATER.revision)
    assert any_store.revisions(FEED, TABLE, [DAY, "2024-01-01"]) == {DAY: Revision(LATER.revision, 2)}
    assert any_store.get_bars(FEED, TABLE, ["AAPL"], {DAY: REVISION}) == {}
    assert len(any_store.get_bars(FEED, TABLE, ["AAPL"], {DAY: LATER.revision})) == 1


def test_the_same_publication_twice_changes_nothing(store: RedisStore) -> None:
    store.publish_bars(GROUP, minute_bars(["AAPL"]), horizon_us=5)
    before = store.namespace_memory()

    pointed = store.publish_bars(GROUP, minute_bars(["AAPL"]), horizon_us=5)

    assert pointed == Pointed(True, REVISION)
    assert len(store.get_bars(FEED, TABLE, ["AAPL"], {DAY: REVISION})) == 1
    assert store.namespace_memory() == before


def test_a_withdrawn_partition_is_gone(any_store: RedisStore) -> None:
    any_store.publish_bars(GROUP, minute_bars(["AAPL"]), horizon_us=5)

    assert any_store.withdraw(FEED, TABLE, DAY)
    assert not any_store.withdraw(FEED, TABLE, DAY)
    assert any_store.revisions(FEED, TABLE) == {}
    assert any_store.get_bars(FEED, TABLE, ["AAPL"], {DAY: REVISION}) == {}


def test_recent_bars_are_of_symbols_known_throughout(store: RedisStore) -> None:
    store.publish_bars(Group(FEED, TABLE, "2024-03-07", "r"), minute_bars(["AAPL", "OLD"], 9), horizon_us=1)
    store.publish_bars(GROUP, minute_bars(["AAPL", "MSFT"]), horizon_us=1)
    store.publish_bars(NEXT_DAY, minute_bars(["AAPL"], price=7), horizon_us=1)

    recent = store.recent_bars(FEED, TABLE, ["AAPL", "MSFT", "OLD"], partitions=2)

    assert list(recent) == ["AAPL"]
    assert recent["AAPL"].column("open").to_pylist() == [100.0, 101.0, 102.0, 7.0, 8.0, 9.0]
    assert recent["AAPL"].schema == KEPT_SCHEMA


def test_a_day_without_bars_is_a_known_day(store: RedisStore) -> None:
    store.publish_bars(GROUP, minute_bars(["AAPL"]), horizon_us=1)
    store.put_bars(GROUP, minute_bars([]), ["HALTED"])
    store.publish_bars(NEXT_DAY, minute_bars(["HALTED"], price=7), horizon_us=1)

    recent = store.recent_bars(FEED, TABLE, ["AAPL", "HALTED"], partitions=2)

    assert recent == {"HALTED": minute_bars(["HALTED"], price=7).cast(KEPT_SCHEMA)}


def test_a_result_is_kept_whole(any_store: RedisStore) -> None:
    table = pa.table({"rank": [1, 2], "symbol": ["é", None], "value": [0.1, float("inf")]})
    group = Group(FEED, "top_volume", "2024-03-08 10", "abc")

    size = any_store.put_table(group, table)

    assert size > 100
    assert any_store.get_table(group) == table
    assert any_store.get_table(Group(FEED, "top_volume", "2024-03-08 20", "abc")) is None


def test_values_expire_by_table(redis_url: str, redis_namespace: str) -> None:
    store = RedisStore.at(redis_url, redis_namespace, KeepRules({"top_volume": 60}, default_ttl_seconds=1_000))
    result = Group(FEED, "top_volume", "all", "abc")
    store.put_table(result, pa.table({"a": [1]}))
    store.publish_bars(GROUP, minute_bars(["AAPL"]), horizon_us=1)

    with store.asked() as client:
        whole, bars = client.ttl(store.keys.whole(result)), client.ttl(store.keys.bars_of(GROUP, ["AAPL"])[0])
        pointer, members = client.ttl(store.keys.revisions(FEED, TABLE)), client.ttl(store.keys.members(GROUP))
    store.close()

    assert 50 < whole <= 60
    assert all(990 < each <= 1_000 for each in (bars, pointer, members))


def test_a_damaged_value_is_a_miss_and_told_once(store: RedisStore, caplog: pytest.LogCaptureFixture) -> None:
    store.put_bars(GROUP, minute_bars(["AAPL", "MSFT", "SPY"]))
    first, second = store.keys.bars_of(GROUP, ["AAPL", "MSFT"])
    store.put_many({first: b"somebody else's", second: b""}, ttl_seconds=60)

    with caplog.at_level(logging.WARNING):
        found = store.get_bars(FEED, TABLE, ["AAPL", "MSFT", "SPY"], {DAY: REVISION})

    assert list(found) == [("SPY", DAY)]
    assert len(caplog.records) == 1


def test_a_flushed_server_has_nothing_and_takes_all_again(own_server: RedisServer, redis_namespace: str) -> None:
    store = RedisStore.at(own_server.url, redis_namespace)
    store.publish_bars(GROUP, minute_bars(["AAPL"]), horizon_us=9)

    with store.asked() as client:
        client.flushall()
    empty = store.get_bars(FEED, TABLE, ["AAPL"], {DAY: REVISION}), store.revisions(FEED, TABLE)
    store.publish_bars(GROUP, minute_bars(["AAPL"]), horizon_us=9)

    assert empty == ({}, {})
    assert len(store.get_bars(FEED, TABLE, ["AAPL"], {DAY: REVISION})) == 1
    store.close()


def test_a_full_server_refuses_and_goes_on_answering(small_server: RedisServer, redis_namespace: str) -> None:
    store = RedisStore.at(small_server.url, redis_namespace)
    store.put_bars(GROUP, minute_bars(["AAPL"]))

    with pytest.raises(StoreError, match="full") as refusal:
        store.publish_bars(LATER, minute_bars([f"S{number}" for number in range(200)], 400), horizon_us=1)

    assert not isinstance(refusal.value, StoreUnavailable)
    with store.asked() as client:
        client.config_set("maxmemory", 1)
    for write in (partial(store.point, GROUP, 1), partial(store.put_table, GROUP, minute_bars(["MSFT"]))):
        with pytest.raises(StoreError, match="is full"):
            write()
    assert store.revisions(FEED, TABLE) == {}
    assert store.get_table(GROUP) is None
    assert len(store.get_bars(FEED, TABLE, ["AAPL"], {DAY: REVISION})) == 1
    store.close()


def test_a_closed_store_of_an_address_opens_again(redis_url: str, redis_namespace: str, store: RedisStore) -> None:
    store.put_bars(GROUP, minute_bars(["AAPL"]))

    store.close()

    assert len(store.get_bars(FEED, TABLE, ["AAPL"], {DAY: REVISION})) == 1


def test_only_a_feed_is_cleared_or_all(any_store: RedisStore) -> None:
    other = Group("crypto_1m", TABLE, DAY, REVISION)
    any_store.publish_bars(GROUP, minute_bars(["AAPL", "MSFT"]), horizon_us=1)
    any_store.publish_bars(other, minute_bars(["BTC"]), horizon_us=1)
    any_store.point(Group(FEED, "latest", "all", "r"), horizon_us=1)
    any_store.put_table(Group(FEED, "latest_bars", "all", "r"), minute_bars(["AAPL"]))

    removed = any_store.clear(FEED)

    assert removed == 3
    assert any_store.revisions(FEED, TABLE) == {}
    assert any_store.revisions(FEED, "latest") == {}
    assert any_store.get_table(Group(FEED, "latest_bars", "all", "r")) is None
    assert list(any_store.revisions("crypto_1m", TABLE)) == [DAY]
    assert any_store.clear() == 1
    assert any_store.namespace_memory().tables == ()


HAPPENINGS = ["publish a", "publish b", "publish c", "flush", "kill", "start", "damage"]
# The symbols that each revision has.
SYMBOLS_OF = {"a": ["AAPL", "x:y"], "b": ["AAPL", "", "é {}"], "c": []}


@settings(
    max_examples=25,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from(list(SYMBOLS_OF)), st.integers(1, 5)), min_size=1, max_size=8))
def test_after_any_publications_the_newest_is_there_and_no_other(
    store: RedisStore, publications: list[tuple[str, int]]
) -> None:
    store.clear()
    newest = ("", 0)
    for revision, horizon in publications:
        store.publish_bars(_revision(revision), _bars_of(revision), horizon)
        newest = (revision, horizon) if horizon >= newest[1] else newest

    found = {revision: store.get_bars(FEED, TABLE, ["AAPL", "", "é {}", "x:y"], {DAY: revision}) for revision in "abc"}

    assert store.revisions(FEED, TABLE) == {DAY: Revision(*newest)}
    for revision, bars in found.items():
        there = SYMBOLS_OF[revision] if revision == newest[0] else []
        assert {symbol for symbol, _ in bars} == set(there)
        assert all(table.column("open")[0].as_py() == ord(revision) for table in bars.values())


def _revision(revision: str) -> Group:
    return Group(FEED, TABLE, DAY, revision)


@settings(
    max_examples=15,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.sampled_from(["publish a", "publish b", "publish c", "flush", "kill", "start", "damage"]), max_size=12)
)
def test_through_any_faults_what_is_got_is_what_was_put(
    own_server: RedisServer, redis_namespace: str, happenings: list[str]
) -> None:
    store, published = RedisStore.at(own_server.url, redis_namespace), set()
    for happening in [*happenings, "start"]:
        verb, _, revision = happening.partition(" ")
        if verb == "publish":
            published.add(revision)
        with suppress(StoreUnavailable):
            _happen(own_server, store, verb, revision)

    for revision in SYMBOLS_OF:
        for (symbol, _), bars in store.get_bars(FEED, TABLE, ["AAPL", "", "é {}", "x:y"], {DAY: revision}).items():
            assert revision in published
            assert bars.equals(split_by_symbol(_bars_of(revision))[symbol])
    assert {held.revision for held in store.revisions(FEED, TABLE).values()} <= published
    store.clear()
    store.close()


def _happen(server: RedisServer, store: RedisStore, verb: str, revision: str) -> None:
    if verb == "publish":
        store.publish_bars(_revision(revision), _bars_of(revision), horizon_us=ord(revision))
    elif verb == "kill":
        server.kill()
    elif verb == "start" and server.process.poll() is not None:
        server.start()
    elif verb == "flush":
        with store.asked() as client:
            client.flushall()
    elif verb == "damage":
        keys = store.keys.bars_of(_revision("a"), SYMBOLS_OF["a"])
        store.put_many(dict.fromkeys(keys, b"\x01" * 99), ttl_seconds=60)


def _bars_of(revision: str) -> pa.Table:
    return minute_bars(SYMBOLS_OF[revision], price=ord(revision))
