"""What is published of a feed, and that rows and the digest they are known by belong together."""

from dataclasses import replace
from itertools import count

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.domain.quality.events import QualityEvent, QualityEventKind
from marketdata_pipelines.domain.store_tables import store_sets
from marketdata_pipelines.errors import PartitionConflict
from marketdata_pipelines.pipeline.publishing import (
    Publisher,
    aggregates_of,
    behind_of,
    horizon_of,
    oldest_kept,
    partitions_behind,
    stored_rows,
)
from marketdata_pipelines.pipeline.quality.events import note_repair, quality_events
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import bar_table, make_feed, minutes, source_of, take_in, us, walk_stale
from marketdata_pipelines_tests.store_databases import store_database, store_dsn

__all__ = ["store_database", "store_dsn"]

FEED = make_feed(name="shares")
BARS, DAILY = store_sets(FEED)[:2]
DAYS = ["2024-03-07", "2024-03-08"]


def fill(lake: Lake) -> None:
    for day in DAYS:
        rows = [row for symbol in "AB" for row in minutes(symbol, f"{day} 14:30", 30)]
        take_in(lake, FEED, source_of(f"{day}.csv", rows), known_at="2024-03-09 01:00")
    walk_stale(lake, FEED)


def test_what_is_behind_is_told_by_asset_until_it_is_published(lake: Lake, store_database: Database) -> None:
    fill(lake)
    store = TimescaleStore(store_database)
    publisher = Publisher(lake, store, FEED)

    before = partitions_behind(lake, store, FEED)
    publisher.ready()
    outcomes = [each for store_set in store_sets(FEED) for each in publisher.publish(store_set, before[store_set.name])]
    publisher.settle()

    assert list(before["timescale_bars"]) == DAYS
    assert all(outcome.agrees and outcome.changed for outcome in outcomes)
    assert outcomes[0].rollup_differences == ()
    assert partitions_behind(lake, store, FEED) == {}


def test_quality_events_follow_what_is_published_once_each(lake: Lake, store_database: Database) -> None:
    fill(lake)
    publisher = Publisher(lake, TimescaleStore(store_database), FEED)
    publisher.ready()
    counts = []

    for repair in ("first", "second"):
        note_repair(lake, FEED.name, DAYS[0], QualityEvent(QualityEventKind.REPAIRED, detail=repair), us(DAYS[1]))
        note_repair(lake, "other", DAYS[0], QualityEvent(QualityEventKind.REPAIRED), us(DAYS[1]))
        publisher.settle()
        publisher.settle()
        counts.append(TimescaleStore(store_database).newest_quality_event(FEED))

    log = quality_events(lake, FEED.name)
    with store_database.connection() as connection:
        found = connection.execute(
            "select seq, detail, partition from marketdata.quality_events order by seq"
        ).fetchall()
    assert counts == log["seq"].to_pylist() == [1, 3]
    assert found == list(zip(*(log[name].to_pylist() for name in ("seq", "detail", "partition")), strict=True))


def test_what_a_switch_to_doubles_takes_down_is_published_again(lake: Lake, store_database: Database) -> None:
    first, second = (minutes("A", f"{day} 14:30", 30) for day in DAYS)
    # No power of ten makes a whole number of a third: from here on the feed is kept as doubles.
    second[3]["volume"] = 1 / 3
    for day, rows in zip(DAYS, (first, second), strict=True):
        take_in(lake, FEED, source_of(f"{day}.csv", rows), known_at="2024-03-09 01:00")
    walk_stale(lake, FEED)
    store = TimescaleStore(store_database)
    publisher = Publisher(lake, store, FEED)
    publisher.ready()

    outcomes = list(publisher.publish(BARS, DAYS))

    assert [(each.partition, each.agrees) for each in outcomes] == [(day, True) for day in (*DAYS, DAYS[0])]
    assert behind_of(lake, store, FEED, BARS) == {}


def test_rows_and_inputs_are_of_one_look_though_somebody_writes_between(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lake)
    later = bar_table(minutes("C", f"{DAYS[1]} 14:30", 5))
    read, looks = lake.read, list[str]()

    def interrupted(table: str, feed: str, partition: str) -> pa.Table:
        looks.append(partition)
        if len(looks) == 1:
            lake.store("shares", [TableWrite("validated_bars", DAYS[1], later, "later")], {})
        return read(table, feed, partition)

    monkeypatch.setattr(lake, "read", interrupted)

    found = stored_rows(lake, "shares", "validated_bars", DAYS[1])

    assert found is not None
    assert (found[0].inputs, found[1].num_rows, len(looks)) == ("later", 5, 2)


def test_a_partition_that_is_written_over_and_over_is_left_for_later(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lake)
    read, times = lake.read, count()

    def interrupted(table: str, feed: str, partition: str) -> pa.Table:
        rows = read(table, feed, partition)
        lake.store("shares", [TableWrite("validated_bars", DAYS[1], rows, f"again {next(times)}")], {})
        return rows

    monkeypatch.setattr(lake, "read", interrupted)

    with pytest.raises(PartitionConflict, match="publish it again later"):
        stored_rows(lake, "shares", "validated_bars", DAYS[1])


def test_the_horizon_of_a_week_is_that_of_its_newest_day(lake: Lake) -> None:
    fill(lake)
    weeks = store_sets(FEED)[2]

    assert horizon_of(lake, FEED, weeks.period, "2024-03-04") == us("2024-03-09 01:00")
    assert horizon_of(lake, FEED, weeks.period, "2024-03-11") == 0


def test_aggregates_are_compared_only_where_they_are_of_the_bars_that_are_there(lake: Lake) -> None:
    fill(lake)
    lake.store(
        "shares", [TableWrite("validated_bars", DAYS[1], bar_table(minutes("C", f"{DAYS[1]} 14:30", 5)), "x")], {}
    )

    assert list(aggregates_of(lake, FEED, DAYS[0])) == ["bars_5m", "bars_1h", "bars_1d"]
    assert aggregates_of(lake, FEED, DAYS[1]) == {}


def test_only_the_bars_themselves_are_dropped_after_a_time(lake: Lake, store_database: Database) -> None:
    fill(lake)
    brief, store = replace(FEED, publish=Publication(keep_days=0)), TimescaleStore(store_database)

    assert oldest_kept(lake, FEED, BARS) == ""
    assert oldest_kept(lake, brief, BARS) == DAYS[1]
    assert oldest_kept(lake, brief, DAILY) == ""
    assert list(behind_of(lake, store, brief, BARS)) == DAYS[1:]
