"""Which partitions must be walked."""

from dataclasses import replace

from marketdata_pipelines.domain.feeds import ClosingAuction, Feed, PartitionBy
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.pipeline.changes import affected_partitions, misplaced_tables, stale_partitions
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import (
    bar,
    column,
    lake_files,
    make_feed,
    minutes,
    source_of,
    take_in,
    walk_keys,
    walk_stale,
)

FEED = make_feed()
FRIDAY, MONDAY = "2024-03-08", "2024-03-11"
TWO_DAYS = source_of("a.csv", minutes("A", "2024-03-08 14:30", 5) + minutes("A", "2024-03-11 13:30", 3))
NOTHING: dict[Period, list[str]] = {Period.DAY: [], Period.WEEK: [], Period.MONTH: []}


def test_a_changed_day_touches_its_week_and_month() -> None:
    assert affected_partitions(FEED, ["2024-12-31", "2025-01-02", "2024-12-31"]) == {
        Period.DAY: ["2024-12-31", "2025-01-02"],
        Period.WEEK: ["2024-12-30"],
        Period.MONTH: ["2024-12-01", "2025-01-01"],
    }


def test_months_and_years_have_their_coarser_tables_in_themselves() -> None:
    assert affected_partitions(make_feed(interval="1h"), ["2024-03-01"]) == {Period.MONTH: ["2024-03-01"]}
    assert affected_partitions(make_feed(interval="1d"), []) == {Period.YEAR: []}


def test_what_was_ingested_is_stale_until_it_is_walked(lake: Lake) -> None:
    assert stale_partitions(lake, FEED) == NOTHING

    take_in(lake, FEED, TWO_DAYS)
    before = stale_partitions(lake, FEED)
    walk_stale(lake, FEED)

    assert before == {
        Period.DAY: [FRIDAY, MONDAY], Period.WEEK: ["2024-03-04", "2024-03-11"], Period.MONTH: ["2024-03-01"],
    }  # fmt: skip
    assert stale_partitions(lake, FEED) == NOTHING


def test_a_second_file_into_a_partition_makes_it_stale_again(lake: Lake) -> None:
    take_in(lake, FEED, TWO_DAYS)
    walk_stale(lake, FEED)

    take_in(lake, FEED, source_of("b.csv", minutes("B", "2024-03-11 13:30", 2)))

    assert stale_partitions(lake, FEED)[Period.DAY] == [MONDAY]


def test_a_walk_that_stopped_after_the_days_leaves_weeks_and_months_stale(lake: Lake) -> None:
    take_in(lake, FEED, TWO_DAYS)

    walk_keys(lake, FEED, Period.DAY, [FRIDAY, MONDAY])

    assert stale_partitions(lake, FEED) == {
        Period.DAY: [], Period.WEEK: ["2024-03-04", "2024-03-11"], Period.MONTH: ["2024-03-01"],
    }  # fmt: skip


def test_other_rules_make_every_partition_stale(lake: Lake) -> None:
    take_in(lake, FEED, TWO_DAYS)
    walk_stale(lake, FEED)
    other = replace(FEED, closing_auction=ClosingAuction.OWN_BAR)

    assert stale_partitions(lake, other)[Period.DAY] == [FRIDAY, MONDAY]
    walk_stale(lake, other)
    assert stale_partitions(lake, other) == NOTHING


def test_a_blocked_partition_is_not_stale(lake: Lake) -> None:
    take_in(lake, FEED, source_of("bad.csv", [bar("A", "2024-03-11 13:30", -1.0)]))

    outcomes = walk_stale(lake, FEED)

    assert outcomes[0].blocked is not None
    assert stale_partitions(lake, FEED) == NOTHING


def test_tables_derived_from_bars_that_changed_since_are_stale(lake: Lake) -> None:
    take_in(lake, FEED, TWO_DAYS)
    walk_stale(lake, FEED)
    take_in(lake, FEED, source_of("b.csv", minutes("B", "2024-03-11 13:30", 2)))

    walk_keys(lake, FEED, Period.DAY, [MONDAY], "raw_bars", "validated_bars", "rejected_bars")

    assert stale_partitions(lake, FEED)[Period.DAY] == [MONDAY]
    walk_stale(lake, FEED)
    assert stale_partitions(lake, FEED) == NOTHING
    assert column(lake.read("bars_1w", "feed", MONDAY), "symbol") == ["A", "B"]


def test_tables_that_were_never_asked_for_are_not_stale(lake: Lake) -> None:
    take_in(lake, FEED, TWO_DAYS)

    walk_keys(lake, FEED, Period.DAY, [FRIDAY, MONDAY], "raw_bars", "validated_bars", "rejected_bars")

    assert stale_partitions(lake, FEED) == NOTHING


def test_shared_weeks_behind_their_days_are_stale(lake: Lake) -> None:
    feed = make_feed(interval="1d")
    take_in(lake, feed, source_of("a.csv", [bar("A", "2024-03-08 00:00")]))
    walk_stale(lake, feed)
    take_in(lake, feed, source_of("b.csv", [bar("B", "2024-03-08 00:00")]))

    walk_keys(lake, feed, Period.YEAR, ["2024-01-01"], "raw_bars", "validated_bars", "rejected_bars", "daily_bars")

    assert stale_partitions(lake, feed) == {Period.YEAR: ["2024-01-01"]}
    walk_stale(lake, feed)
    assert stale_partitions(lake, feed) == {Period.YEAR: []}
    assert column(lake.read("bars_1w", "feed", "2024-01-01"), "symbol") == ["A", "B"]


def test_the_order_of_files_that_do_not_overlap_is_no_change(lake: Lake) -> None:
    one, two = (
        source_of("1.csv", minutes("A", "2024-03-08 14:30", 5)),
        source_of("2.csv", minutes("B", "2024-03-08 14:30", 5)),
    )
    take_in(lake, FEED, one, two)
    walk_stale(lake, FEED)
    before = lake_files(lake)

    take_in(lake, FEED, one, restart=True)

    assert stale_partitions(lake, FEED) == NOTHING
    walk_keys(lake, FEED, Period.DAY, [FRIDAY])
    assert lake_files(lake) == before


def test_the_order_of_files_that_overlap_is_a_change(lake: Lake) -> None:
    one, two = (source_of(f"{n}.csv", minutes("A", "2024-03-08 14:30", 5, price=n)) for n in (10.0, 20.0))
    take_in(lake, FEED, one, two)
    walk_stale(lake, FEED)
    assert column(lake.read("bars_1d", "feed", FRIDAY), "open") == [20.0]

    take_in(lake, FEED, one, restart=True)

    assert stale_partitions(lake, FEED)[Period.DAY] == [FRIDAY]
    walk_stale(lake, FEED)
    assert column(lake.read("bars_1d", "feed", FRIDAY), "open") == [10.0]
    assert stale_partitions(lake, FEED) == NOTHING


def _repartitioned(lake: Lake, feed: Feed) -> Lake:
    """A lake that was filled by days and is filled again as `feed` says."""
    take_in(lake, FEED, TWO_DAYS)
    walk_stale(lake, FEED)
    take_in(lake, feed, TWO_DAYS)
    walk_stale(lake, feed)
    return lake


def test_a_feed_partitioned_another_way_keeps_nothing_of_before(lake: Lake) -> None:
    for number, partition in enumerate((PartitionBy.MONTH, PartitionBy.YEAR)):
        feed = replace(FEED, partition=partition)
        fresh = Lake(lake.layout.root / f"fresh-{number}")
        take_in(fresh, feed, TWO_DAYS)
        walk_stale(fresh, feed)

        again = _repartitioned(Lake(lake.layout.root / f"again-{number}"), feed)

        expected = {name: content for name, content in lake_files(fresh).items() if not name.startswith("raw_bars")}
        found = {name: content for name, content in lake_files(again).items() if not name.startswith("raw_bars")}
        assert found == expected
        assert all(not keys for keys in stale_partitions(again, feed).values())
        assert misplaced_tables(again, feed) == []
