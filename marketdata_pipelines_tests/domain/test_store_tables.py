"""Which assets publish what of a feed."""

from dataclasses import replace

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.domain.store_tables import rollup_tables, store_periods, store_sets, store_views
from marketdata_pipelines_tests.builders import make_feed


def test_minutes_are_published_by_day_and_what_is_coarser_by_its_own_period() -> None:
    feed = make_feed()

    assert [(each.name, each.upstream, each.period, each.tables) for each in store_sets(feed)] == [
        ("timescale_bars", "validated_bars", Period.DAY, ("validated_bars",)),
        ("timescale_daily_bars", "daily_bars", Period.DAY, ("bars_1d", "bars_2d")),
        ("timescale_weekly_bars", "weekly_bars", Period.WEEK, ("bars_1w",)),
        ("timescale_monthly_bars", "monthly_bars", Period.MONTH, ("bars_1mo",)),
    ]
    assert store_periods(feed) == (Period.DAY, Period.WEEK, Period.MONTH)
    assert rollup_tables(feed) == ("bars_5m", "bars_1h", "bars_1d")


def test_a_feed_of_daily_bars_has_one_period_and_nothing_to_roll_up() -> None:
    feed = make_feed(interval="1d")

    assert store_periods(feed) == (Period.YEAR,)
    assert rollup_tables(feed) == ()


def test_a_store_has_the_views_the_feed_has() -> None:
    minutes, days = make_feed(), make_feed(interval="1d")
    quiet = replace(minutes, publish=Publication(refresh_minutes=(("top_volume", 0),)))

    assert store_views(minutes) == {
        "daily_summary": 60, "hourly_volume": 15, "symbol_performance": 30, "top_volume": 5,
    }  # fmt: skip
    assert "hourly_volume" not in store_views(days)
    assert store_views(quiet) == {"top_volume": 0}
