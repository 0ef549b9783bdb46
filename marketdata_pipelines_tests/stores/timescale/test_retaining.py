"""Letting old bars go: whole partitions, with the ledger; what was derived from them stays."""

from datetime import date

import pytest

from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, lake_tables, partition_bars

SHAPES = {"A": Shape(), "B": Shape(4)}


@pytest.fixture
def store(store_database: Database) -> TimescaleStore:
    return TimescaleStore(store_database)


@pytest.mark.parametrize(
    ("interval", "partitions", "day"),
    [
        # Chunks of a year hold them all: rows are deleted.
        ("1m", ("2024-07-01", "2024-07-02", "2024-07-03"), date(2024, 7, 3)),
        # Partitions of a month, of which the kept one begins before the day.
        ("1h", ("2022-05-01", "2023-06-01", "2024-07-01"), date(2024, 7, 20)),
    ],
)
def test_rollups_survive_the_bars_they_were_made_of_and_later_refreshes(
    store: TimescaleStore, interval: str, partitions: tuple[str, ...], day: date
) -> None:
    feed = make_feed("XNYS", interval, name="us")
    bars = {key: partition_bars(feed, key, SHAPES, seed) for seed, key in enumerate(partitions)}
    for key, table in bars.items():
        store.replace_partition(feed, VALIDATED_BARS, key, table, "a", LATER)
    kept = partitions[-1]

    dropped = store.drop_before(feed, day)

    corrected = bars[kept].slice(3)
    store.replace_partition(feed, VALIDATED_BARS, kept, corrected, "b", LATER)
    store.finish_rollups(feed)
    assert dropped == sum(bars[key].num_rows for key in partitions[:-1])
    assert list(store.published("us", VALIDATED_BARS)) == [kept]
    for key in partitions[:-1]:
        gone = store.compare(feed, VALIDATED_BARS, key, bars[key], limit=10**6)
        assert {one.column for one in gone} == {"bar"}
        assert len(gone) == bars[key].num_rows
        assert store.compare_rollups(feed, key, lake_tables(feed, key, bars[key])) == []
    assert store.compare(feed, VALIDATED_BARS, kept, corrected) == []
    assert store.compare_rollups(feed, kept, lake_tables(feed, kept, corrected)) == []


def test_what_was_dropped_can_be_published_again(store: TimescaleStore) -> None:
    feed = make_feed("XNYS", "1h", name="us")
    bars = {key: partition_bars(feed, key, SHAPES) for key in ("2022-05-01", "2024-07-01")}
    for key, table in bars.items():
        store.replace_partition(feed, VALIDATED_BARS, key, table, "a", LATER)
    store.drop_before(feed, date(2024, 7, 1))

    again = store.replace_partition(feed, VALIDATED_BARS, "2022-05-01", bars["2022-05-01"], "a", LATER)

    assert again.changed
    for key, table in bars.items():
        assert store.compare(feed, VALIDATED_BARS, key, table) == []
        assert store.compare_rollups(feed, key, lake_tables(feed, key, table)) == []


def test_nothing_is_dropped_of_a_feed_that_nobody_published(store: TimescaleStore) -> None:
    assert store.drop_before(make_feed("XNYS", name="us"), date(2024, 7, 1)) == 0
