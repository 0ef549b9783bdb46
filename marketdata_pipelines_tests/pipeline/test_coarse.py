"""Buckets of several days, wherever their days lie."""

from itertools import permutations

import pytest

from marketdata_pipelines.domain.feeds import Anchor, Feed, PartitionBy
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.pipeline.changes import stale_partitions
from marketdata_pipelines.pipeline.coarse import CoarseBars, is_shared
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import (
    bar,
    column,
    day,
    lake_files,
    make_feed,
    minutes,
    source_of,
    take_in,
    walk_stale,
)

# 2024-12-30 (Monday) and 31 are the pair and the week that reach into 2025; 2025-01-01 is a holiday.
YEARS = {"2024": ["2024-12-30", "2024-12-31"], "2025": ["2025-01-02", "2025-01-03", "2025-01-06"]}


def bring(lake: Lake, feed: Feed, *names: str) -> None:
    """Take in and walk some years of daily bars, one after another."""
    for name in names:
        rows = [bar("A", f"{text} 00:00", 100.0 + number) for number, text in enumerate(YEARS[name])]
        take_in(lake, feed, source_of(f"{name}.csv", rows))
        walk_stale(lake, feed)


def buckets(lake: Lake, table: str, key: str) -> list[tuple[str, int]]:
    found = lake.read(table, "feed", key)
    return list(zip(column(found, "ts"), column(found, "bar_count"), strict=True))


@pytest.mark.parametrize("order", [("2024", "2025"), ("2025", "2024")])
def test_a_week_over_the_new_year_is_whole_whichever_half_comes_first(lake: Lake, order: tuple[str, ...]) -> None:
    feed = make_feed(interval="1d")

    bring(lake, feed, *order)

    assert buckets(lake, "bars_1w", "2024-01-01") == [("2024-12-30 00:00", 4)]
    assert buckets(lake, "bars_1w", "2025-01-01") == [("2025-01-06 00:00", 1)]
    assert buckets(lake, "bars_1mo", "2025-01-01") == [("2025-01-01 00:00", 3)]


def test_the_half_that_is_there_makes_a_bucket_that_is_final_once_it_can_be_known(lake: Lake) -> None:
    feed = make_feed(interval="1d")

    bring(lake, feed, "2025")

    assert buckets(lake, "bars_1w", "2024-01-01") == [("2024-12-30 00:00", 2)]
    assert column(lake.read("bars_1w", "feed", "2024-01-01"), "is_final") == [True]


@pytest.mark.parametrize(
    "feed",
    [
        make_feed(interval="1d"),
        make_feed("24/7", "1d"),
        make_feed(interval="1d", partition=PartitionBy.MONTH),
        make_feed(interval="1d", partition=PartitionBy.DAY),
        make_feed(interval="1d", anchor=Anchor.UTC),
    ],
    ids=["year", "24/7", "month", "day", "utc"],
)
def test_the_order_in_which_years_come_in_does_not_show_in_the_bytes(feed: Feed, lake: Lake) -> None:
    seen = []
    for number, order in enumerate(permutations(YEARS)):
        own = Lake(lake.layout.root / str(number))
        bring(own, feed, *order)
        seen.append({name: content for name, content in lake_files(own).items() if not name.startswith("raw")})

    assert seen[0] == seen[1]


@pytest.mark.parametrize(("first", "second"), [("2024-03-08", "2024-03-11"), ("2024-03-11", "2024-03-08")])
def test_a_pair_over_the_weekend_is_whole_whichever_session_comes_first(lake: Lake, first: str, second: str) -> None:
    # In this feed Friday the 8th and Monday the 11th are a pair: one session fewer before them.
    feed = make_feed(closed=(day("2024-01-02"),))
    opens = {"2024-03-08": "2024-03-08 14:30", "2024-03-11": "2024-03-11 13:30"}

    for key in (first, second):
        take_in(lake, feed, source_of(f"{key}.csv", minutes("A", opens[key], 3)))
        walk_stale(lake, feed)

    assert buckets(lake, "bars_2d", "2024-03-08") == [("2024-03-08 00:00", 6)]
    assert buckets(lake, "bars_2d", "2024-03-11") == []


def test_a_late_file_into_an_old_partition_refreshes_its_week_and_month(lake: Lake) -> None:
    feed = make_feed()
    take_in(lake, feed, source_of("mon.csv", minutes("A", "2024-03-11 13:30", 3)))
    walk_stale(lake, feed)

    take_in(lake, feed, source_of("fri.csv", minutes("A", "2024-03-15 13:30", 2) + minutes("B", "2024-03-11 13:30", 4)))
    stale = stale_partitions(lake, feed)
    walk_stale(lake, feed)

    assert stale == {
        Period.DAY: ["2024-03-11", "2024-03-15"], Period.WEEK: ["2024-03-11"], Period.MONTH: ["2024-03-01"],
    }  # fmt: skip
    assert buckets(lake, "bars_1w", "2024-03-11") == [("2024-03-11 00:00", 5), ("2024-03-11 00:00", 4)]
    assert buckets(lake, "bars_1mo", "2024-03-01") == [("2024-03-01 00:00", 5), ("2024-03-01 00:00", 4)]


def test_a_utc_bar_on_a_holiday_completes_the_pair_of_the_day_before(lake: Lake) -> None:
    feed = make_feed(interval="1d", anchor=Anchor.UTC)
    first, second = "2024-12-31", "2025-01-01"
    assert CoarseBars(lake, feed).label_partitions("2025-01-01", "bars_2d", []) == ["2024-01-01", "2025-01-01"]

    for text in (first, second):
        take_in(lake, feed, source_of(f"{text}.csv", [bar("A", f"{text} 00:00")]))
        walk_stale(lake, feed)

    assert buckets(lake, "bars_2d", "2024-01-01") == [("2024-12-31 00:00", 2)]
    assert buckets(lake, "bars_2d", "2025-01-01") == []
    assert buckets(lake, "bars_1w", "2024-01-01") == [("2024-12-30 00:00", 2)]


def test_weeks_share_the_partitions_of_months_and_years_only() -> None:
    assert not is_shared(make_feed(), "weekly_bars")
    assert is_shared(make_feed(), "daily_bars")
    assert is_shared(make_feed(interval="1h"), "weekly_bars")
    assert is_shared(make_feed(interval="1d"), "monthly_bars")
    assert not is_shared(make_feed(interval="1w"), "weekly_bars")


def test_source_partitions_reach_as_far_as_sessions_do(lake: Lake) -> None:
    coarse = CoarseBars(lake, make_feed(interval="1d"))

    # The week of Friday 2021-12-31 has no session in 2022; that of Tuesday 2024-12-31 has some in 2025.
    assert coarse.source_keys(day("2021-01-01"), day("2021-12-31"), "bars_1w") == ("2021-01-01", "2021-01-01")
    assert coarse.source_keys(day("2024-01-01"), day("2024-12-31"), "bars_1w") == ("2024-01-01", "2025-01-01")


def test_a_week_loses_the_days_that_lost_their_source(lake: Lake) -> None:
    feed = make_feed(interval="1d")
    bring(lake, feed, "2024", "2025")

    gone = source_of("2025.csv", [bar("A", None, rules="unparsable_timestamp")])
    take_in(lake, feed, gone, restart=True)
    walk_stale(lake, feed)

    assert buckets(lake, "bars_1w", "2024-01-01") == [("2024-12-30 00:00", 2)]
    assert lake.catalog.stored_partition("bars_1w", "feed", "2025-01-01") is None
    assert all(not keys for keys in stale_partitions(lake, feed).values())
