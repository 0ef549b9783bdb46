"""The assets of a feed and what they are made of."""

import pytest

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import DataKind, Feed, PartitionBy
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines_tests.builders import make_feed


def by_name(feed: Feed) -> dict[str, t.TableSet]:
    return {table_set.name: table_set for table_set in t.feed_tables(feed)}


def test_minutes_have_every_asset_in_order() -> None:
    assert list(by_name(make_feed())) == [
        "raw_bars", "validated_bars", "rejected_bars", "intraday_bars", "daily_bars", "weekly_bars", "monthly_bars",
        "daily_summary", "hourly_volume", "symbol_performance", "top_volume", "latest_bars",
    ]  # fmt: skip


def test_daily_bars_have_no_intraday_assets() -> None:
    found = by_name(make_feed(interval="1d"))

    assert "intraday_bars" not in found
    assert "hourly_volume" not in found
    assert found["daily_bars"].tables == ("bars_2d",)


def test_trades_begin_with_raw_trades() -> None:
    assert next(iter(by_name(make_feed(interval="1s", data=DataKind.TRADES)))) == "raw_trades"


def test_weeks_and_months_of_day_feeds_have_periods_of_their_own() -> None:
    days, years = by_name(make_feed()), by_name(make_feed(partition=PartitionBy.YEAR))

    assert (days["weekly_bars"].period, days["monthly_bars"].period) == (Period.WEEK, Period.MONTH)
    assert (years["weekly_bars"].period, years["monthly_bars"].period) == (Period.YEAR, Period.YEAR)


@pytest.mark.parametrize("interval", ["1s", "1m", "7m", "1h", "12h", "1d", "2d", "1w", "1M"])
def test_upstream_comes_first_and_exists(interval: str) -> None:
    seen: set[str] = set()
    for table_set in t.feed_tables(make_feed(interval=interval)):
        assert set(table_set.upstream) <= seen
        assert table_set.tables
        seen.add(table_set.name)


def test_downstream_and_upstream_are_transitive() -> None:
    feed = make_feed()

    assert t.downstream_of(feed, {"daily_bars"}) == {
        "daily_bars", "weekly_bars", "monthly_bars", "daily_summary", "symbol_performance", "top_volume",
    }  # fmt: skip
    assert t.upstream_of(feed, "weekly_bars") == {"weekly_bars", "daily_bars", "validated_bars", "raw_bars"}
