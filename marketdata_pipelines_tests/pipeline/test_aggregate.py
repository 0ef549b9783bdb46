"""Validated bars into every timeframe, on real calendars."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA, BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_calendar, feed_grid
from marketdata_pipelines.errors import BarsNotSorted
from marketdata_pipelines.pipeline import aggregate
from marketdata_pipelines.pipeline.aggregate import (
    PartitionAggregates,
    aggregate_batches,
    aggregate_days,
    aggregate_partition,
    labelled_between,
)
from marketdata_pipelines_tests.builders import (
    CME_BREAK,
    LATER,
    Row,
    bar,
    bar_table,
    column,
    day,
    make_feed,
    minutes,
    us,
)


def combine(feed: Feed, rows: list[Row], around: str = "2024-03-08", known_at: int = LATER) -> PartitionAggregates:
    grid = feed_grid(feed, day(around), day(around))
    return aggregate_partition(feed, grid, bar_table(rows, feed.interval.us), known_at)


def session_rows(feed: Feed, on: str, symbol: str = "A") -> list[Row]:
    """A bar for every minute of a session."""
    (session,) = feed_calendar(feed).sessions(day(on), day(on))
    moments = [at for begins, ends in session.segments for at in range(begins, ends, MINUTE_US)]
    return [bar(symbol, at, 100.0 + position % 10, volume=1.0) for position, at in enumerate(moments)]


def picked(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(column(table, name) for name in names), strict=True))


def test_hours_count_from_the_open_and_the_last_is_cut_at_the_close() -> None:
    feed = make_feed()

    made = combine(feed, session_rows(feed, "2024-03-08"))

    hours = picked(made.intraday["bars_1h"], "ts", "ts_close", "bar_count")
    assert hours[0] == ("2024-03-08 14:30", "2024-03-08 15:30", 60)
    assert hours[-1] == ("2024-03-08 20:30", "2024-03-08 21:00", 30)
    assert len(hours) == 7
    assert picked(made.daily, "ts", "ts_close", "session_date", "bar_count", "volume", "first_ts", "last_ts") == [
        ("2024-03-08 00:00", "2024-03-08 21:00", day("2024-03-08"), 390, 390.0, "2024-03-08 14:30", "2024-03-08 20:59")
    ]


def test_a_half_day_is_cut_at_its_own_close() -> None:
    feed = make_feed()

    made = combine(feed, session_rows(feed, "2024-07-03"), "2024-07-03")

    assert picked(made.intraday["bars_4h"], "ts", "ts_close", "bar_count") == [
        ("2024-07-03 13:30", "2024-07-03 17:00", 210)
    ]
    assert picked(made.daily, "ts_close", "bar_count") == [("2024-07-03 17:00", 210)]


@pytest.mark.parametrize(("on", "opens"), [("2024-03-08", "14:30"), ("2024-03-11", "13:30"), ("2024-11-04", "14:30")])
def test_buckets_follow_the_clock_changes(on: str, opens: str) -> None:
    feed = make_feed()

    made = combine(feed, session_rows(feed, on), on)

    assert column(made.intraday["bars_30m"], "ts")[0] == f"{on} {opens}"
    assert made.intraday["bars_30m"].num_rows == 13


def test_no_bucket_bridges_the_lunch_break() -> None:
    feed = make_feed("XHKG")

    made = combine(feed, session_rows(feed, "2024-03-08"))

    assert picked(made.intraday["bars_2h"], "ts", "ts_close", "bar_count") == [
        ("2024-03-08 01:30", "2024-03-08 03:30", 120),
        ("2024-03-08 03:30", "2024-03-08 04:00", 30),
        ("2024-03-08 05:00", "2024-03-08 07:00", 120),
        ("2024-03-08 07:00", "2024-03-08 08:00", 60),
    ]
    assert column(made.daily, "bar_count") == [330]


def test_no_bucket_bridges_an_overlaid_break() -> None:
    feed = make_feed("CMES", breaks=CME_BREAK)
    rows = session_rows(feed, "2024-03-07") + session_rows(feed, "2024-03-08")

    made = combine(feed, rows)

    halves = picked(made.intraday["bars_12h"], "ts", "ts_close", "session_date")
    assert halves == [
        ("2024-03-06 23:00", "2024-03-07 11:00", day("2024-03-07")),
        ("2024-03-07 11:00", "2024-03-07 22:00", day("2024-03-07")),
        ("2024-03-07 23:00", "2024-03-08 11:00", day("2024-03-08")),
        ("2024-03-08 11:00", "2024-03-08 22:00", day("2024-03-08")),
    ]
    assert column(made.daily, "session_date") == [day("2024-03-07"), day("2024-03-08")]


@pytest.mark.parametrize(
    ("on", "close", "opens"), [("2024-03-08", "2024-03-08 21:00", "13:30"), ("2024-07-03", "2024-07-03 17:00", "16:30")]
)
def test_a_closing_auction_of_its_own_joins_the_last_bucket_and_the_day(on: str, close: str, opens: str) -> None:
    last, own = make_feed(), make_feed(closing_auction=ClosingAuction.OWN_BAR)
    rows = session_rows(own, on)
    auction = bar("A", close, 500.0, volume=1_000.0)

    without, made = combine(last, rows, on), combine(own, [*rows, auction], on)

    for name, table in made.intraday.items():
        assert table.num_rows == without.intraday[name].num_rows, name
        assert (column(table, "close")[-1], column(table, "last_ts")[-1]) == (500.0, close), name
        assert column(table, "ts") == column(without.intraday[name], "ts"), name
    assert picked(made.daily, "close", "volume", "bar_count") == [(500.0, 1_000.0 + len(rows), len(rows) + 1)]
    assert made.daily.num_rows == 1


def test_a_day_with_an_auction_of_its_own_is_complete_one_bar_after_the_close() -> None:
    feed = make_feed(closing_auction=ClosingAuction.OWN_BAR)
    rows = session_rows(feed, "2024-03-08")

    before = combine(feed, rows, known_at=us("2024-03-08 21:00"))
    after = combine(feed, rows, known_at=us("2024-03-08 21:01"))

    assert column(before.daily, "is_final") == [False]
    assert column(before.intraday["bars_1h"], "is_final") == [True] * 6 + [False]
    assert column(after.daily, "is_final") == [True]


def test_hourly_bars_labelled_nine_open_the_session() -> None:
    feed = make_feed(interval="1h")
    rows = [bar("A", f"2024-03-08 {hour}:00") for hour in range(14, 21)]

    made = combine(feed, rows)

    # Which bucket a bar is in is decided by its open: 16:00 lies before the second one's start.
    assert picked(made.intraday["bars_2h"], "ts", "bar_count", "first_ts") == [
        ("2024-03-08 14:30", 3, "2024-03-08 14:00"),
        ("2024-03-08 16:30", 2, "2024-03-08 17:00"),
        ("2024-03-08 18:30", 2, "2024-03-08 19:00"),
    ]
    assert column(made.daily, "bar_count") == [7]


def test_utc_buckets_are_floors_from_1970() -> None:
    feed = make_feed("24/7")
    rows = [bar("A", f"2024-03-08 {moment}") for moment in ("00:00", "03:59", "04:00", "23:59")]

    made = combine(feed, rows)

    assert picked(made.intraday["bars_4h"], "ts", "bar_count") == [
        ("2024-03-08 00:00", 2), ("2024-03-08 04:00", 1), ("2024-03-08 20:00", 1),
    ]  # fmt: skip
    assert picked(made.daily, "ts", "ts_close") == [("2024-03-08 00:00", "2024-03-09 00:00")]


def test_extended_hours_are_left_out_of_session_buckets() -> None:
    rows = bar_table([bar("A", "2024-03-08 14:29"), bar("A", "2024-03-08 14:30")])
    rows = rows.set_column(rows.schema.get_field_index("regular"), "regular", pa.array([False, True]))
    feed = make_feed()

    made = aggregate_partition(feed, feed_grid(feed, day("2024-03-08"), day("2024-03-08")), rows, LATER)

    assert column(made.daily, "bar_count") == [1]
    assert column(made.intraday["bars_5m"], "ts") == ["2024-03-08 14:30"]


def test_daily_bars_are_their_own_days() -> None:
    feed = make_feed(interval="1d")

    made = combine(feed, [bar("A", "2024-03-08 00:00"), bar("A", "2024-03-11 00:00")])

    assert made.intraday == {}
    assert picked(made.daily, "ts", "ts_close", "bar_count") == [
        ("2024-03-08 00:00", "2024-03-08 21:00", 1), ("2024-03-11 00:00", "2024-03-11 20:00", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("interval", ["1s", "1m", "1h", "1d", "1w"])
def test_no_bars_make_empty_tables(interval: str) -> None:
    feed = make_feed(interval=interval)
    grids = [
        feed_grid(feed, day("2024-03-08"), day("2024-03-08")),
        SessionGrid(feed, day("2024-03-09"), day("2024-03-10")),
    ]

    for grid in grids:
        made = aggregate_partition(feed, grid, BAR_SCHEMA.empty_table(), LATER)
        assert all(table.schema == AGGREGATE_SCHEMA for table in (*made.intraday.values(), made.daily))
        assert made.daily.num_rows == 0


def test_unsorted_bars_are_refused() -> None:
    feed = make_feed()
    rows = bar_table([bar("A", "2024-03-08 14:30"), bar("B", "2024-03-08 14:30")]).take(pa.array([1, 0]))

    with pytest.raises(BarsNotSorted):
        aggregate_partition(feed, feed_grid(feed, day("2024-03-08"), day("2024-03-08")), rows, LATER)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_symbols_aggregated_in_slices_give_the_tables_of_all_at_once(counts: list[int]) -> None:
    feed = make_feed()
    start = us("2024-03-08 14:30")
    rows = [
        bar(f"S{number}", start + minute * MINUTE_US, 10.0 + minute, volume=minute / 3)
        for number, count in enumerate(counts)
        for minute in range(count)
    ]
    whole = combine(feed, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aggregate, "SLICE_ROWS", 20)
        sliced = combine(feed, rows)

    assert sliced.daily.equals(whole.daily)
    assert all(sliced.intraday[name].equals(table) for name, table in whole.intraday.items())


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 50))
def test_bars_aggregated_in_batches_give_the_tables_of_all_at_once(counts: list[int], batch_rows: int) -> None:
    feed = make_feed()
    grid = feed_grid(feed, day("2024-03-08"), day("2024-03-08"))
    rows = [row for n, count in enumerate(counts) for row in minutes(f"S{n}", "2024-03-08 14:30", count)]
    bars = bar_table(rows)
    whole = aggregate_partition(feed, grid, bars, LATER)

    batches = (bars.slice(at, batch_rows) for at in range(0, bars.num_rows, batch_rows))
    made = aggregate_batches(feed, grid, batches, LATER)

    assert made.daily.equals(whole.daily)
    assert all(made.intraday[name].equals(table) for name, table in whole.intraday.items())


def test_batches_out_of_order_are_refused_and_none_give_empty_tables() -> None:
    feed = make_feed()
    grid = feed_grid(feed, day("2024-03-08"), day("2024-03-08"))
    bars = bar_table(minutes("A", "2024-03-08 14:30", 3) + minutes("B", "2024-03-08 14:30", 3))

    with pytest.raises(BarsNotSorted):
        aggregate_batches(feed, grid, [bars.slice(3), bars.slice(0, 3)], LATER)
    with pytest.raises(BarsNotSorted):
        aggregate_batches(feed, grid, [bars.slice(1, 2), bars.slice(0, 1)], LATER)
    assert aggregate_batches(feed, grid, [], LATER).daily.schema == AGGREGATE_SCHEMA


def test_days_of_several_symbols_become_weeks_and_months() -> None:
    feed = make_feed(interval="1d")
    rows = [bar(symbol, f"{text} 00:00") for symbol in "AB" for text in ("2024-03-28", "2024-04-01", "2024-04-02")]
    daily = combine(feed, rows, "2024-04-01").daily

    weeks = aggregate_days(feed, daily, "1w", LATER)
    months = aggregate_days(feed, daily, "1M", LATER)

    assert picked(weeks, "symbol", "ts", "ts_close", "bar_count") == [
        (symbol, *week)
        for symbol in "AB"
        for week in (("2024-03-25 00:00", "2024-03-28 20:00", 1), ("2024-04-01 00:00", "2024-04-05 20:00", 2))
    ]
    assert picked(months.slice(0, 2), "ts", "bar_count", "session_date") == [
        ("2024-03-01 00:00", 1, day("2024-03-01")), ("2024-04-01 00:00", 2, day("2024-04-01")),
    ]  # fmt: skip
    assert aggregate_days(feed, AGGREGATE_SCHEMA.empty_table(), "1w", LATER).num_rows == 0


def test_a_month_that_ends_on_a_friday_is_final_at_that_fridays_close() -> None:
    feed = make_feed(interval="1d")
    daily = combine(feed, [bar("A", "2024-05-31 00:00")], "2024-05-31").daily

    for known_at, final in (("2024-05-31 19:59", False), ("2024-05-31 20:00", True)):
        assert column(aggregate_days(feed, daily, "1M", us(known_at)), "is_final") == [final]
        assert column(aggregate_days(feed, daily, "1w", us(known_at)), "is_final") == [final]


def test_labels_between_two_days_with_both_ends() -> None:
    feed = make_feed("24/7", "1d", anchor=Anchor.UTC)
    daily = combine(feed, [bar("A", f"2024-03-{n:02} 00:00") for n in (7, 8, 9, 10)]).daily

    assert column(labelled_between(daily, day("2024-03-08"), day("2024-03-09")), "ts") == [
        "2024-03-08 00:00", "2024-03-09 00:00",
    ]  # fmt: skip


def test_sums_are_taken_in_one_order() -> None:
    feed = make_feed()
    values = np.random.default_rng(3).uniform(0, 1, 390)
    rows = session_rows(feed, "2024-03-08")
    for row, volume in zip(rows, values, strict=True):
        row["volume"] = float(volume)

    first, second = combine(feed, rows), combine(feed, list(reversed(rows)))

    assert first.daily.equals(second.daily)
    assert column(first.daily, "volume")[0] == pytest.approx(values.sum(), rel=1e-12)
