"""Which tables are late: what the calendar expects at a fixed instant against what the lake holds."""

from dataclasses import replace
from typing import Any

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.schedules import Schedule
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.pipeline.lateness import LateTable, expected_session, late_tables
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import day, make_feed, minutes, source_of, take_in, us, utc, walk_keys

HALF_HOUR_US = 30 * 60_000_000
DERIVED = [
    "validated_bars", "intraday_bars", "daily_bars", "weekly_bars", "monthly_bars", "daily_summary", "hourly_volume",
    "symbol_performance", "top_volume", "latest_bars",
]  # fmt: skip


def watched(calendar: str = "XNYS", interval: str = "30m", **changes: Any) -> Feed:
    return replace(make_feed(calendar, interval, **changes), schedule=Schedule())


def late(lake: Lake, feed: Feed, at: str) -> dict[str, LateTable]:
    return {table.asset: table for table in late_tables(lake, feed, us(at))}


def bring(
    lake: Lake, feed: Feed, date: str, count: int = 13, *, known_at: str | None = None, open_: str = "13:30"
) -> None:
    """Half-hour bars of a summer session from its open on."""
    rows = minutes("AAA", f"{date} 13:30", count, step=HALF_HOUR_US)
    take_in(lake, feed, source_of(f"{date}-{count}.csv", rows), known_at=known_at or f"{date} 20:20")


def bring_and_walk(lake: Lake, feed: Feed, date: str, count: int = 13, *, known_at: str | None = None) -> None:
    bring(lake, feed, date, count, known_at=known_at)
    walk_keys(lake, feed, Period.DAY, [date])


def roll_up(lake: Lake, feed: Feed, week: str, month: str) -> None:
    walk_keys(lake, feed, Period.WEEK, [week])
    walk_keys(lake, feed, Period.MONTH, [month])


def test_a_feed_with_nothing_in_it_is_late_from_its_first_deadline(lake: Lake) -> None:
    feed = watched(start=day("2024-05-28"))

    found = late(lake, feed, "2024-05-30 23:00")

    assert list(found) == [table_set.name for table_set in feed_tables(feed)]
    assert {utc(table.since_us) for table in found.values()} == {"2024-05-28 22:00"}
    assert found["raw_bars"] == LateTable(
        feed="feed",
        asset="raw_bars",
        partition="2024-05-30",
        first=day("2024-05-28"),
        last=day("2024-05-30"),
        sessions=3,
        since_us=us("2024-05-28 22:00"),
        reason="its source has not brought all of 3 sessions, 2024-05-28 … 2024-05-30",
        command="marketdata backfill feed --start 2024-05-28 --end 2024-05-30",
    )
    assert found["weekly_bars"].partition == "2024-05-27"
    assert found["monthly_bars"].partition == "2024-05-01"


def test_what_is_there_by_its_deadline_is_on_time_over_the_weekend_and_a_holiday(lake: Lake) -> None:
    feed = watched(start=day("2024-05-24"))
    bring_and_walk(lake, feed, "2024-05-24")
    roll_up(lake, feed, "2024-05-20", "2024-05-01")

    assert late(lake, feed, "2024-05-24 22:00") == {}
    assert late(lake, feed, "2024-05-28 21:59") == {}
    assert set(late(lake, feed, "2024-05-28 22:00")) == {table_set.name for table_set in feed_tables(feed)}


def test_before_the_deadline_nothing_is_late(lake: Lake) -> None:
    feed = watched(start=day("2024-05-28"))

    assert late(lake, feed, "2024-05-28 21:59") == {}
    assert expected_session(feed, us("2024-05-28 21:59")) is None


def test_a_half_day_is_late_by_its_own_close(lake: Lake) -> None:
    feed = watched(start=day("2024-07-03"))

    assert late(lake, feed, "2024-07-03 18:59") == {}
    assert utc(late(lake, feed, "2024-07-03 19:00")["raw_bars"].since_us) == "2024-07-03 19:00"


def test_rows_of_half_a_session_do_not_make_it_on_time(lake: Lake) -> None:
    feed = watched(start=day("2024-05-31"))
    bring_and_walk(lake, feed, "2024-05-31", 5, known_at="2024-05-31 16:01")

    found = late(lake, feed, "2024-05-31 22:00")

    assert found["raw_bars"].reason == "its source has not brought all of session 2024-05-31"
    assert found["latest_bars"].sessions == 1


def test_a_quiet_session_that_was_asked_for_after_its_close_is_on_time(lake: Lake) -> None:
    feed = watched(start=day("2024-05-31"))
    bring_and_walk(lake, feed, "2024-05-31", 5, known_at="2024-05-31 20:16")
    roll_up(lake, feed, "2024-05-27", "2024-05-01")

    assert late(lake, feed, "2024-05-31 22:00") == {}


def test_raw_data_that_is_not_walked_makes_what_is_downstream_late(lake: Lake) -> None:
    feed = watched(start=day("2024-05-31"))
    bring(lake, feed, "2024-05-31")

    found = late(lake, feed, "2024-05-31 22:00")

    assert sorted(found) == sorted(["rejected_bars", *DERIVED])
    assert found["validated_bars"].reason == "new raw data is not validated yet for session 2024-05-31"


def test_weeks_and_months_that_do_not_follow_their_day_are_late_alone(lake: Lake) -> None:
    feed = watched(start=day("2024-05-30"))
    bring_and_walk(lake, feed, "2024-05-30")
    roll_up(lake, feed, "2024-05-27", "2024-05-01")
    bring_and_walk(lake, feed, "2024-05-31")

    found = late(lake, feed, "2024-05-31 22:00")

    assert list(found) == ["weekly_bars", "monthly_bars"]
    assert found["weekly_bars"].reason == "it is not derived yet for session 2024-05-31"

    roll_up(lake, feed, "2024-05-27", "2024-05-01")
    assert late(lake, feed, "2024-05-31 22:00") == {}


def test_a_view_that_was_left_out_of_a_walk_is_late_alone(lake: Lake) -> None:
    feed = watched(start=day("2024-05-31"))
    bring(lake, feed, "2024-05-31")
    names = [each.name for each in feed_tables(feed) if each.period is Period.DAY and each.name != "top_volume"]
    walk_keys(lake, feed, Period.DAY, ["2024-05-31"], *names)
    roll_up(lake, feed, "2024-05-27", "2024-05-01")

    assert list(late(lake, feed, "2024-05-31 22:00")) == ["top_volume"]


def test_a_blocked_partition_says_so(lake: Lake) -> None:
    feed = watched(start=day("2024-05-31"))
    bad = [{**row, "high": 1.0, "low": 2.0} for row in minutes("AAA", "2024-05-31 13:30", 13, step=HALF_HOUR_US)]
    take_in(lake, feed, source_of("bad.csv", bad), known_at="2024-05-31 20:20")
    walk_keys(lake, feed, Period.DAY, ["2024-05-31"])

    found = late(lake, feed, "2024-05-31 22:00")

    assert sorted(found) == sorted(DERIVED)
    assert {table.reason for table in found.values()} == {"a check blocks session 2024-05-31"}


def test_a_new_definition_alone_makes_nothing_late(lake: Lake) -> None:
    feed = watched(start=day("2024-05-31"))
    bring_and_walk(lake, feed, "2024-05-31")
    roll_up(lake, feed, "2024-05-27", "2024-05-01")

    changed = replace(feed, multiplier=2.0)

    assert changed.version != feed.version
    assert late(lake, changed, "2024-05-31 22:00") == {}


def test_daily_bars_in_year_partitions_are_expected_by_session(lake: Lake) -> None:
    feed = watched(interval="1d", start=day("2024-05-30"))
    rows = minutes("AAA", "2024-05-30 00:00", 1)
    take_in(lake, feed, source_of("thursday.csv", rows), known_at="2024-05-30 20:20")
    walk_keys(lake, feed, Period.YEAR, ["2024-01-01"])

    assert late(lake, feed, "2024-05-31 21:59") == {}
    found = late(lake, feed, "2024-05-31 22:00")
    assert set(found) == {table_set.name for table_set in feed_tables(feed)}
    assert (found["raw_bars"].first, found["raw_bars"].sessions) == (day("2024-05-31"), 1)

    take_in(lake, feed, source_of("friday.csv", minutes("AAA", "2024-05-31 00:00", 1)), known_at="2024-05-31 20:20")
    walk_keys(lake, feed, Period.YEAR, ["2024-01-01"])
    assert late(lake, feed, "2024-05-31 22:00") == {}


@pytest.mark.parametrize("schedule", [None, Schedule(enabled=False)])
def test_a_feed_without_an_enabled_schedule_is_never_late(lake: Lake, schedule: Schedule | None) -> None:
    feed = replace(watched(), schedule=schedule)

    assert late(lake, feed, "2024-05-31 22:00") == {}
    assert expected_session(feed, us("2024-05-31 22:00")) is None
