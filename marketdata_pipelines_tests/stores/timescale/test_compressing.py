"""Compressing old chunks, correcting compressed bars, and saying what tables take."""

import pytest

from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.timescale import chunks
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, lake_tables, partition_bars

FEED = make_feed("XNYS", "1m", name="us")
SHAPES = {f"S{number}": Shape() for number in range(20)}
DAYS = ("2024-07-01", "2024-07-02", "2024-07-12")
BARS = {day: partition_bars(FEED, day, SHAPES, seed) for seed, day in enumerate(DAYS)}


@pytest.fixture(params=[1, 100_000], ids=["a chunk a session", "one chunk"])
def store(store_database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TimescaleStore:
    monkeypatch.setattr(chunks, "_ROWS_OF_A_LARGE_SESSION", request.param)
    store = TimescaleStore(store_database)
    for day, bars in BARS.items():
        store.replace_partition(FEED, VALIDATED_BARS, day, bars, "a", LATER)
    return store


def test_plain_postgres_compresses_nothing(store: TimescaleStore) -> None:
    if store.database.engine.is_timescale:
        pytest.skip("for plain PostgreSQL")

    assert store.compress(FEED) == 0
    assert {one.table for one in store.storage(FEED)} >= {"bars", "rollup_5m", "rollup_1d", "bars_1d"}


def test_what_is_old_enough_is_compressed_once(store: TimescaleStore) -> None:
    if not store.database.engine.has_columnstore:
        pytest.skip("for TimescaleDB")
    before = next(one for one in store.storage(FEED) if one.table == "bars")

    compressed = store.compress(FEED, after_days=-400)

    after = next(one for one in store.storage(FEED) if one.table == "bars")
    assert compressed == before.chunks == after.compressed_chunks
    assert store.compress(FEED, after_days=-400) == 0
    assert after.uncompressed_bytes > after.compressed_bytes > 0
    assert after.total_bytes < before.total_bytes
    for day, bars in BARS.items():
        assert store.compare(FEED, VALIDATED_BARS, day, bars) == []


def test_compressed_bars_are_corrected_and_compressed_again(store: TimescaleStore) -> None:
    if not store.database.engine.has_columnstore:
        pytest.skip("for TimescaleDB")
    store.compress(FEED, after_days=-400)
    bars = BARS[DAYS[0]]
    few, many = bars.slice(5), partition_bars(FEED, DAYS[0], SHAPES, seed=77)

    for corrected in (few, many):
        store.replace_partition(FEED, VALIDATED_BARS, DAYS[0], corrected, "b", LATER)

        assert store.compare(FEED, VALIDATED_BARS, DAYS[0], corrected) == []
        assert store.compare_rollups(FEED, DAYS[0], lake_tables(FEED, DAYS[0], corrected)) == []
        assert store.compress(FEED, after_days=-400) == 1
        assert store.compress(FEED, after_days=-400) == 0
        assert store.compare(FEED, VALIDATED_BARS, DAYS[0], corrected) == []
    assert store.compare(FEED, VALIDATED_BARS, DAYS[1], BARS[DAYS[1]]) == []


def test_what_is_recent_is_left(store: TimescaleStore) -> None:
    assert store.compress(FEED, after_days=400) == 0
