"""Each row rule by itself, and which of several rows stands."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import AssetClass, Feed
from marketdata_pipelines.domain.rules import mask_to_rules
from marketdata_pipelines.domain.session_grid import feed_grid
from marketdata_pipelines.domain.validation import bar_mask, parser_mask, resolve_duplicates, trade_mask
from marketdata_pipelines_tests.builders import LATER, Row, bar, day, make_feed, raw_bars, raw_trades, us

AT = "2024-03-08 14:30"
NEXT = "2024-03-08 14:31"


def rules_of(rows: list[Row], feed: Feed | None = None, known_at: str | None = None) -> list[str]:
    """The rule ids of each row."""
    feed = feed or make_feed()
    grid = feed_grid(feed, day("2024-03-08"), day("2024-03-08"))
    mask, _ = bar_mask(raw_bars(rows), feed, grid, LATER if known_at is None else known_us(known_at))
    return [mask_to_rules(int(value)) for value in mask]


def known_us(moment: str) -> int:
    """An instant given as UTC text or as microseconds."""
    return int(moment) if moment.isdigit() else us(moment)


def test_good_rows_break_no_rule() -> None:
    rows = [bar("A", AT), bar("A", NEXT, volume=0.0), bar("B", AT, volume=None, vwap=100.0, trade_count=0)]

    assert rules_of(rows) == ["", "", ""]


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"open": None}, "price_not_finite"),
        ({"close": float("nan")}, "price_not_finite"),
        ({"high": float("inf")}, "price_not_finite"),
        ({"low": 0.0}, "price_not_positive"),
        ({"open": -1.0}, "price_not_positive"),
        ({"high": 99.0, "low": 101.0}, "high_below_low"),
        ({"open": 100.5}, "price_outside_range"),
        ({"close": 99.5}, "price_outside_range"),
        ({"vwap": 101.0}, "vwap_outside_range"),
        ({"vwap": float("inf")}, "vwap_outside_range"),
        ({"volume": -1.0}, "volume_negative"),
        ({"volume": 1e12}, "volume_out_of_range"),
        ({"trade_count": -1}, "trade_count_negative"),
        ({"volume": -1.0, "high": 99.0, "low": 101.0}, "high_below_low;volume_negative"),
        ({"rules": "missing_price", "open": None}, "missing_price"),
    ],
)
def test_each_rule_alone(changes: dict[str, Any], rules: str) -> None:
    assert rules_of([bar("A", AT, **changes)]) == [rules]


def test_vwap_may_leave_the_range_by_rounding() -> None:
    assert rules_of([bar("A", AT, vwap=100.00005)]) == [""]


def test_a_volume_of_units_larger_than_shares_is_possible_elsewhere() -> None:
    crypto = make_feed("24/7")

    assert rules_of([bar("A", AT, volume=1e12)], crypto) == [""]
    assert rules_of([bar("A", AT, volume=2.0**53)], crypto) == ["volume_out_of_range"]
    assert rules_of([bar("A", AT, volume=9.9e11)], make_feed(asset_class=AssetClass.ETF)) == [""]


def test_prices_may_be_negative_where_the_feed_says_so() -> None:
    feed = make_feed(allow_nonpositive_prices=True)

    assert rules_of([bar("A", AT, -37.63), bar("A", NEXT, 0.0)], feed) == ["", ""]


def test_a_row_the_parser_marked_is_judged_by_nothing_else() -> None:
    assert rules_of([bar("A", None, -1.0, rules="unparsable_timestamp", volume=-5.0)]) == ["unparsable_timestamp"]


def test_a_row_without_symbol_or_time_is_never_good() -> None:
    assert rules_of([bar(None, AT), bar("A", None)]) == ["symbol_missing", "unparsable_timestamp"]


def test_off_interval_and_out_of_session() -> None:
    moments = [us(AT) + 1, us("2024-03-08 14:29"), us("2024-03-09 15:00"), us("2024-03-08 21:00")]

    assert rules_of([bar("A", moment) for moment in moments]) == [
        "off_interval", "out_of_session", "out_of_session", "out_of_session",
    ]  # fmt: skip


def test_hours_may_start_on_the_clock_or_on_the_session() -> None:
    feed = make_feed(interval="1h")
    moments = ["2024-03-08 14:00", "2024-03-08 14:30", "2024-03-08 15:30", "2024-03-08 15:15"]

    assert rules_of([bar("A", moment) for moment in moments], feed) == ["", "", "", "off_interval"]


@pytest.mark.parametrize(
    ("calendar", "interval", "local"),
    [("XBOM", "1h", "2024-03-07 04:30"), ("XNYS", "4h", "2024-03-07 17:00"), ("XNYS", "2h", "2024-03-07 15:00")],
)
def test_hours_may_start_on_the_local_clock(calendar: str, interval: str, local: str) -> None:
    # 10:00 in Mumbai and New York's noon are no full hours, or fours of hours, in UTC.
    feed = make_feed(calendar, interval)

    assert rules_of([bar("A", local), bar("A", us(local) + 60_000_000)], feed) == ["", "off_interval"]


def test_future_is_what_starts_after_it_became_known() -> None:
    rows = [bar("A", AT), bar("A", NEXT), bar("A", "2024-03-08 14:32"), bar("A", "2031-01-01 00:00")]

    assert rules_of(rows, known_at="2024-03-08 14:32") == ["", "", "future", "future"]


def test_unfinished_is_what_ends_after_it_became_known() -> None:
    rows = [bar("A", AT), bar("A", NEXT)]

    assert rules_of(rows, known_at="2024-03-08 14:31:59") == ["", "unfinished"]


def test_a_daily_bar_is_finished_at_its_sessions_close() -> None:
    feed = make_feed(interval="1d")
    rows = [bar("A", "2024-03-08 00:00")]

    assert rules_of(rows, feed, known_at="2024-03-08 21:00") == [""]
    assert rules_of(rows, feed, known_at="2024-03-08 20:59") == ["unfinished"]
    assert rules_of([bar("A", "2024-03-09 00:00"), bar("A", "2024-03-08 05:00")], feed) == [
        "out_of_session", "off_interval",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("interval", "label", "end"),
    [("2d", "2024-03-08", "2024-03-09"), ("1w", "2024-03-04", "2024-03-11"), ("1M", "2024-03-05", "2024-04-01")],
)
def test_bars_of_several_days_are_finished_when_their_last_day_is(interval: str, label: str, end: str) -> None:
    feed = make_feed(interval=interval)
    rows = [bar("A", f"{label} 00:00")]

    assert rules_of(rows, feed, known_at=f"{end} 00:00") == [""]
    assert rules_of(rows, feed, known_at=str(us(f"{end} 00:00") - 1)) == ["unfinished"]


def test_a_row_in_the_lunch_break_is_out_of_session() -> None:
    assert rules_of([bar("A", "2024-03-08 04:30"), bar("A", "2024-03-08 05:00")], make_feed("XHKG")) == [
        "out_of_session", "",
    ]  # fmt: skip


def test_no_rows_have_no_rules() -> None:
    assert rules_of([]) == []
    assert len(parser_mask(raw_bars([]))) == 0


def trade_rules(table: pa.Table, known_at: str | None = None) -> list[str]:
    feed = make_feed(interval="1s")
    grid = feed_grid(feed, day("2024-03-08"), day("2024-03-08"))
    mask, _ = trade_mask(table, feed, grid, us(known_at) if known_at else LATER)
    return [mask_to_rules(int(value)) for value in mask]


def test_each_rule_of_trades_alone() -> None:
    trades = [
        ("A", AT, 100.0, 1.0),
        ("A", AT, 100.0, 0.0),
        ("A", AT, 100.0, None),
        ("A", AT, float("nan"), 1.0),
        ("A", AT, 0.0, 1.0),
        ("A", AT, 100.0, -1.0),
        ("A", AT, 100.0, 1e13),
        ("A", AT, 100.0, float("inf")),
        ("A", "2024-03-08 14:29:59", 100.0, 1.0),
        ("A", "2031-01-01 00:00", 100.0, 1.0),
    ]

    assert trade_rules(raw_trades(trades)) == [
        "", "", "", "price_not_finite", "price_not_positive", "volume_negative", "volume_out_of_range",
        "volume_not_finite", "out_of_session", "future",
    ]  # fmt: skip
    assert trade_rules(raw_trades([])) == []


def test_a_trade_without_symbol_or_time_is_never_good() -> None:
    table = raw_trades([("A", AT, 100.0, 1.0), ("A", AT, 100.0, 1.0)])
    nameless = table.set_column(2, "symbol", pa.array([None, "A"], pa.string()))
    timeless = nameless.set_column(3, "ts", pa.array([us(AT) * 1000, None], pa.int64()).cast(table["ts"].type))

    assert trade_rules(timeless) == ["symbol_missing", "unparsable_timestamp"]


def test_repeats_without_known_volume_are_exact() -> None:
    rows = [bar("A", AT, volume=volume) for volume in (float("nan"), float("nan"), None, 5.0)]

    assert standing(rows, [0, 0, 0, 0])[1] == ["", "duplicate_exact", "duplicate_exact", "duplicate_conflict"]


def standing(rows: list[Row], source: list[int]) -> tuple[list[int], list[str]]:
    """Positions that stand, in order, and every row's rules; rows with `rules` count as bad."""
    raw = raw_bars(rows)
    found = resolve_duplicates(raw, parser_mask(raw), np.array(source, np.int64))
    return found.order.tolist(), [mask_to_rules(int(value)) for value in found.mask]


def test_the_first_of_equal_rows_in_one_file_stands() -> None:
    rows = [bar("A", AT), bar("A", AT), bar("A", AT, vwap=100.0), bar("A", NEXT)]

    order, rules = standing(rows, [0, 0, 0, 0])

    assert order == [0, 3]
    assert rules == ["", "duplicate_exact", "duplicate_conflict", ""]


def test_repeats_compare_with_the_row_that_stands() -> None:
    rows = [bar("A", AT), bar("A", AT, 101.0), bar("A", AT), bar("A", AT, 101.0)]

    assert standing(rows, [0, 0, 0, 0])[1] == ["", "duplicate_conflict", "duplicate_exact", "duplicate_conflict"]


def test_the_last_of_several_files_stands() -> None:
    rows = [bar("A", AT, 100.0), bar("A", AT, 101.0), bar("A", AT, 102.0), bar("A", AT, 103.0)]

    order, rules = standing(rows, [0, 1, 1, 2])

    assert order == [3]
    assert rules == ["superseded", "superseded", "duplicate_conflict", ""]


def test_a_bad_row_never_replaces_a_good_one() -> None:
    rows = [bar("A", AT), bar("A", AT, rules="missing_price"), bar("A", AT, 101.0, rules="missing_price")]

    order, rules = standing(rows, [0, 0, 1])

    assert order == [0]
    assert rules == ["", "missing_price", "missing_price"]


def test_standing_rows_are_sorted_by_symbol_and_time() -> None:
    rows = [bar("B", NEXT), bar("A", NEXT), bar("B", AT), bar("A", AT)]

    assert standing(rows, [0, 0, 0, 0])[0] == [3, 1, 2, 0]


def test_one_row_repeated_many_times_is_resolved_at_once() -> None:
    rows = raw_bars([bar("A", AT)]).take(pa.array(np.zeros(100_000, np.int64)))

    found = resolve_duplicates(rows, parser_mask(rows), np.zeros(100_000, np.int64))

    assert found.order.tolist() == [0]
    assert mask_to_rules(int(found.mask[99_999])) == "duplicate_exact"


ROWS = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.integers(0, 4),
        st.sampled_from([100.0, 101.0, -1.0]),
        st.integers(0, 3),
        st.sampled_from([None, None, "row_too_short"]),
    ),
    max_size=40,
)


@given(ROWS)
def test_every_row_stands_or_has_a_reason(drawn: list[tuple[str, int, float, int, str | None]]) -> None:
    drawn = sorted(drawn, key=lambda item: item[3])
    raw = raw_bars([bar(s, us(AT) + m * 60_000_000, p, rules=r) for s, m, p, _, r in drawn])
    feed = make_feed()
    mask, _ = bar_mask(raw, feed, feed_grid(feed, day("2024-03-08"), day("2024-03-08")), LATER)

    found = resolve_duplicates(raw, mask, np.array([part for *_, part, _ in drawn], np.int64))

    keys = [(drawn[at][0], drawn[at][1]) for at in found.order]
    good = {(s, m) for s, m, p, _, r in drawn if p > 0 and r is None}
    assert keys == sorted(good)
    assert len(found.order) + np.count_nonzero(found.mask) == len(drawn)
    assert (found.mask[found.order] == 0).all()
