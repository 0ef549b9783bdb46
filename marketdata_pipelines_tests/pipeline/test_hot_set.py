"""What of a feed is kept in a real Redis, and who is told."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.pipeline.hot_set import EVERY, LATEST, fill_hot_set, hot_set_behind, hot_tables
from marketdata_pipelines.pipeline.serving_stores import OpenRedis, redis_store
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import bar_table, make_feed, minutes, source_of, take_in, walk_stale

FEED = make_feed(name="shares")
DAYS = [f"2024-03-{day:02}" for day in (4, 5, 6, 7, 8, 11)]


@pytest.fixture
def redis(redis_url: str, redis_namespace: str) -> Iterator[OpenRedis]:
    settings = Settings(redis_url=SecretStr(redis_url), redis_namespace=redis_namespace)
    with redis_store(settings) as opened:
        yield opened


@pytest.fixture
def filled(lake: Lake) -> Lake:
    """Six walked days of two symbols; of the second only the first."""
    for day in DAYS:
        symbols = "AB" if day == DAYS[0] else "A"
        rows = [row for symbol in symbols for row in minutes(symbol, f"{day} 14:30", 10)]
        take_in(lake, FEED, source_of(f"{day}.csv", rows))
    walk_stale(lake, FEED)
    return lake


def newest(redis: OpenRedis, table: str = VALIDATED_BARS) -> dict[str, str]:
    return {key: held.revision for key, held in redis.store.revisions("shares", table).items()}


def test_the_newest_partitions_and_every_last_bar_are_kept(filled: Lake, redis: OpenRedis) -> None:
    written = list(fill_hot_set(filled, redis, FEED))

    inputs = {each.partition: each.inputs for each in filled.catalog.stored(VALIDATED_BARS, "shares")}
    assert list(hot_tables(FEED)) == [VALIDATED_BARS, "bars_5m", "bars_1h", "bars_1d"]
    assert newest(redis) == {day: inputs[day] for day in DAYS[1:]}
    assert hot_set_behind(filled, redis.store, FEED) == {}
    # B had its last bar on a day that is not hot any more.
    assert (written[-1].table, written[-1].partition, written[-1].rows) == (LATEST, EVERY, 2)


def test_a_corrected_partition_is_written_again_and_its_old_bars_are_gone(filled: Lake, redis: OpenRedis) -> None:
    list(fill_hot_set(filled, redis, FEED))
    before = newest(redis)[DAYS[-1]]
    rows = bar_table(minutes("A", f"{DAYS[-1]} 14:30", 3, 200.0))
    filled.store("shares", [TableWrite(VALIDATED_BARS, DAYS[-1], rows, "corrected")], {})

    behind = hot_set_behind(filled, redis.store, FEED)
    written = list(fill_hot_set(filled, redis, FEED))

    found = redis.store.get_bars("shares", VALIDATED_BARS, ["A"], {DAYS[-1]: "corrected"})
    assert behind == {f"validated_bars {DAYS[-1]}": "corrected"}
    assert [(each.table, each.partition) for each in written] == [(VALIDATED_BARS, DAYS[-1])]
    assert found["A", DAYS[-1]].num_rows == 3
    assert redis.store.get_bars("shares", VALIDATED_BARS, ["A"], {DAYS[-1]: before}) == {}


def test_a_partition_the_lake_lost_is_withdrawn(filled: Lake, redis: OpenRedis) -> None:
    list(fill_hot_set(filled, redis, FEED))
    filled.store("shares", [TableWrite(VALIDATED_BARS, DAYS[-1], None, "")], {})

    behind = hot_set_behind(filled, redis.store, FEED)
    list(fill_hot_set(filled, redis, FEED))

    assert behind[f"validated_bars {DAYS[-1]}"] == "gone"
    assert DAYS[-1] not in newest(redis)


def test_every_change_is_told(filled: Lake, redis: OpenRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bytes] = []
    publish = redis.client.publish

    def heard(channel: str, message: bytes) -> object:
        told.append(message)
        return publish(channel, message)

    monkeypatch.setattr(redis.client, "publish", heard)

    written = list(fill_hot_set(filled, redis, FEED))
    again = list(fill_hot_set(filled, redis, FEED))

    assert len(told) == len(written)
    assert again == []


def test_an_empty_lake_has_no_hot_set(lake: Lake, redis: OpenRedis) -> None:
    assert list(fill_hot_set(lake, redis, FEED)) == []
    assert redis.store.namespace_memory().tables == ()
