"""Which range a store's view is of, and when it needs to be made anew."""

from dataclasses import replace
from datetime import date

from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.pipeline.store_views import view_range
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import bar_table, make_feed, minutes, source_of, take_in, walk_stale

FEED = make_feed(name="shares", publish=Publication(view_days=3))
DAYS = ["2024-03-04", "2024-03-07", "2024-03-08"]


def fill(lake: Lake, *days: str) -> None:
    for day in days:
        take_in(lake, FEED, source_of(f"{day}.csv", minutes("A", f"{day} 14:30", 10)))
    walk_stale(lake, FEED)


def test_a_view_is_of_the_last_days_up_to_the_newest_session(lake: Lake) -> None:
    empty = view_range(lake, FEED, "top_volume")
    fill(lake, *DAYS)

    found = view_range(lake, FEED, "top_volume")

    assert empty is None
    assert found is not None
    assert (found.first, found.last) == (date(2024, 3, 5), date(2024, 3, 8))


def test_it_needs_to_be_made_anew_only_when_what_it_is_made_of_changes(lake: Lake) -> None:
    fill(lake, *DAYS)
    bars = bar_table(minutes("A", f"{DAYS[1]} 14:30", 5))
    before = view_range(lake, FEED, "hourly_volume"), view_range(lake, FEED, "top_volume")

    lake.store("shares", [TableWrite("validated_bars", DAYS[0], bars, "outside the range")], {})
    outside = view_range(lake, FEED, "hourly_volume")
    lake.store("shares", [TableWrite("validated_bars", DAYS[1], bars, "corrected")], {})

    # Hours are counted from the bars; the ranking has a table of its own.
    assert outside == before[0]
    assert view_range(lake, FEED, "hourly_volume") != before[0]
    assert view_range(lake, FEED, "top_volume") == before[1]


def test_the_range_of_a_year_of_daily_bars_ends_with_it(lake: Lake) -> None:
    days = replace(make_feed(interval="1d", name="shares"), publish=Publication(view_days=30))
    rows = [{**row, "ts": row["ts"]} for row in minutes("A", "2024-03-08 00:00", 1)]
    lake.store("shares", [TableWrite("validated_bars", "2024-01-01", bar_table(rows), "x")], {})
    lake.store("shares", [TableWrite("top_volume", "2024-01-01", bar_table(rows), "y")], {})

    found = view_range(lake, days, "top_volume")

    assert found is not None
    assert (found.first, found.last) == (date(2024, 2, 7), date(2024, 12, 31))
