"""Which range a store's view is of, and when it needs to be made anew."""

from dataclasses import replace
from datetime import date

from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.pipeline.store_views import refresh_view, view_range, views_behind, views_missing
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import bar_table, make_feed, minutes, source_of, take_in, walk_stale
from marketdata_pipelines_tests.store_databases import store_database, store_dsn

__all__ = ["store_database", "store_dsn"]

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


def test_views_are_behind_until_they_are_refreshed_and_missing_until_the_store_has_any(
    lake: Lake, store_database: Database
) -> None:
    store, views = (
        TimescaleStore(store_database),
        ["daily_summary", "hourly_volume", "symbol_performance", "top_volume"],
    )
    before = views_behind(lake, store, FEED), views_missing(lake, store, FEED)
    fill(lake, *DAYS)

    filled = views_behind(lake, store, FEED), list(views_missing(lake, store, FEED))
    for view in views:
        refresh_view(lake, store, FEED, view, lambda feed, name, *_: lake.read(name, feed.name, DAYS[2]))
    refreshed = views_behind(lake, store, FEED), views_missing(lake, store, FEED)
    lake.store("shares", [TableWrite("top_volume", DAYS[2], lake.read("top_volume", "shares", DAYS[2]), "new")], {})

    assert before == ([], {})
    assert filled == (views, views)
    assert refreshed == ([], {})
    assert views_behind(lake, store, FEED) == ["top_volume"]
    assert views_behind(lake, store, FEED, everything=True) == views
    assert views_missing(lake, store, FEED) == {}


def test_a_view_without_a_cadence_is_left_out(lake: Lake, store_database: Database) -> None:
    fill(lake, *DAYS)
    publish = Publication(refresh_minutes=(("daily_summary", 60), ("top_volume", 0)))

    feed = replace(FEED, publish=publish)

    assert views_behind(lake, TimescaleStore(store_database), feed) == ["daily_summary"]
    assert list(views_missing(lake, TimescaleStore(store_database), feed)) == ["daily_summary"]
