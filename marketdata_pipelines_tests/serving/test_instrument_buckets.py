"""Weeks, months and pairs of sessions by instrument."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.session_grid import SessionGrid
from marketdata_pipelines.errors import ReferenceConflict
from marketdata_pipelines.pipeline.aggregate import aggregate_days, aggregate_partition
from marketdata_pipelines.serving.instrument_buckets import buckets_by_instrument, crossing_buckets
from marketdata_pipelines_tests.builders import bar, bar_table, column, make_feed
from marketdata_pipelines_tests.instrument_rows import alias, resolver_of

D = date
HORIZON_US = 2_000_000_000 * 1_000_000
# Monday 2014-03-31 to Friday 2014-04-04: on the Thursday GOOG passes from one class to the other.
GOOG = resolver_of(
    alias("GOOG", "GOOCV", "2014-03-27", "2014-04-02"),
    alias("GOOG", "GOOG", "2014-04-03"),
    alias("GOOGL", "GOOG", "2004-08-19", "2014-04-02"),
    alias("GOOGL", "GOOGL", "2014-04-03"),
)
OLD, NEW = ("2014-03-31", "2014-04-01", "2014-04-02"), ("2014-04-03", "2014-04-04")


def daily_of(feed: Feed, **prices: dict[str, float]) -> pa.Table:
    """1d bars of a price for each symbol and date."""
    rows = [bar(symbol, f"{day} 00:00", price) for symbol, days in prices.items() for day, price in days.items()]
    bars = bar_table(rows, DAY_US)
    days = sorted(bars["session_date"].to_pylist())
    return aggregate_partition(feed, SessionGrid(feed, days[0] - timedelta(days=4), days[-1]), bars, HORIZON_US).daily


def class_split(feed: Feed) -> pa.Table:
    """Class A trades near 1,100 and 570, class C near 560."""
    a_before = dict.fromkeys(OLD, 1100.0)
    c_before = dict.fromkeys(OLD, 560.0)
    return daily_of(feed, GOOG=a_before | dict.fromkeys(NEW, 565.0), GOOCV=c_before, GOOGL=dict.fromkeys(NEW, 570.0))


def lines(table: pa.Table) -> list[str]:
    names = ("symbol", "ts", "instrument_id", "open", "close", "bar_count")
    columns = [column(table, name) for name in names]
    return [f"{s} {ts[:10]} {name} {o:g} {c:g} {count}" for s, ts, name, o, c, count in zip(*columns, strict=True)]


def test_a_week_in_which_a_symbol_passes_on_is_two_bars() -> None:
    feed = make_feed(interval="1d")

    found = buckets_by_instrument(feed, class_split(feed), GOOG, "1w", HORIZON_US)

    assert lines(found) == ["GOOG 2014-03-31 GOOG 560 565 5", "GOOGL 2014-03-31 GOOGL 1100 570 5"]
    assert found.schema.names == [*AGGREGATE_SCHEMA.names, "instrument_id"]
    assert found.schema.field("symbol").type == AGGREGATE_SCHEMA.field("symbol").type


def test_by_symbol_alone_the_week_would_join_two_instruments() -> None:
    feed = make_feed(interval="1d")

    found = aggregate_days(feed, class_split(feed), "1w", HORIZON_US)

    assert ("GOOG", 1100.0, 565.0) in zip(
        column(found, "symbol"), column(found, "open"), column(found, "close"), strict=True
    )


def test_both_bearers_of_one_bucket_have_a_row_of_that_symbol() -> None:
    feed = make_feed(interval="1d")
    resolver = resolver_of(alias("OLD", "X", None, "2014-04-01"), alias("NEW", "X", "2014-04-03"))
    daily = daily_of(feed, X=dict.fromkeys(OLD, 10.0) | dict.fromkeys(NEW, 99.0))

    found = buckets_by_instrument(feed, daily, resolver, "1w", HORIZON_US)

    assert lines(found) == [
        "X 2014-03-31 NEW 99 99 2",
        "X 2014-03-31 OLD 10 10 2",
        "X 2014-03-31 None 10 10 1",
    ]


def test_a_month_is_named_after_its_last_session() -> None:
    feed = make_feed(interval="1d")

    found = buckets_by_instrument(feed, class_split(feed), GOOG, "1M", HORIZON_US)

    assert lines(found) == [
        "GOOCV 2014-03-01 GOOG 560 560 1",
        "GOOG 2014-03-01 GOOGL 1100 1100 1",
        "GOOG 2014-04-01 GOOG 560 565 4",
        "GOOGL 2014-04-01 GOOGL 1100 570 4",
    ]


@pytest.mark.parametrize("timeframe", ["2d", "1w", "1M"])
def test_where_nothing_changes_hands_buckets_are_those_by_symbol(timeframe: str) -> None:
    feed = make_feed(interval="1d")
    daily = daily_of(feed, B=dict.fromkeys((*OLD, *NEW), 10.0), A=dict.fromkeys(OLD, 20.0))

    found = buckets_by_instrument(feed, daily, resolver_of(alias("I", "B")), timeframe, HORIZON_US)

    assert found.drop_columns(["instrument_id"]).equals(aggregate_days(feed, daily, timeframe, HORIZON_US))
    assert set(column(found, "instrument_id")) == {"I", "symbol:A"}


def test_no_days_are_no_buckets() -> None:
    feed = make_feed(interval="1d")

    found = buckets_by_instrument(feed, AGGREGATE_SCHEMA.empty_table(), GOOG, "1w", HORIZON_US)

    assert found.num_rows == 0
    assert found.schema.names == [*AGGREGATE_SCHEMA.names, "instrument_id"]


def test_buckets_with_days_in_contradiction_are_refused() -> None:
    feed = make_feed(interval="1d")
    resolver = resolver_of(alias("A", "X", "2000-01-03"), alias("B", "X", "2014-04-02", "2014-04-02"))

    with pytest.raises(ReferenceConflict):
        buckets_by_instrument(feed, daily_of(feed, X=dict.fromkeys(OLD, 1.0)), resolver, "1w", HORIZON_US)


def test_two_days_of_one_instrument_at_once_are_refused() -> None:
    feed = make_feed(interval="1d")
    daily = daily_of(feed, X=dict.fromkeys(OLD, 1.0), Y=dict.fromkeys(OLD, 2.0))
    resolver = resolver_of(alias("A", "X"), alias("A", "Y"))

    with pytest.raises(ReferenceConflict, match="one instrument has bars under X and Y on 2014-03-31"):
        buckets_by_instrument(feed, daily, resolver, "1w", HORIZON_US)


def test_only_buckets_with_a_change_inside_cross() -> None:
    feed = make_feed(interval="1d")

    week = [(D(2014, 3, 31), D(2014, 4, 6))]
    assert crossing_buckets(feed, GOOG, "1w", ["GOOG"], D(2010, 1, 1), D(2020, 1, 1)) == week
    assert crossing_buckets(feed, GOOG, "1w", ["GOOGL"], D(2010, 1, 1), D(2020, 1, 1)) == week
    assert crossing_buckets(feed, GOOG, "1M", ["GOOG"], D(2010, 1, 1)) == [(D(2014, 4, 1), D(2014, 4, 30))]
    assert crossing_buckets(feed, GOOG, "1w", ["GOOG"], D(2014, 4, 3)) == []
    assert crossing_buckets(feed, GOOG, "1w", ["SPY"]) == []
    assert (D(2014, 3, 24), D(2014, 3, 30)) in crossing_buckets(feed, GOOG, "1w")


def test_a_change_on_a_buckets_first_day_does_not_cross() -> None:
    feed = make_feed(interval="1d")
    monday = resolver_of(alias("A", "X", None, "2014-03-30"), alias("B", "X", "2014-03-31"))

    assert crossing_buckets(feed, monday, "1w", ["X"]) == []
    assert crossing_buckets(feed, monday, "1M", ["X"]) == [(D(2014, 3, 1), D(2014, 3, 31))]
