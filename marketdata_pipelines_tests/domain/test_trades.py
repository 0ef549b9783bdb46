"""Trades into base bars."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Feed, TradeFilter
from marketdata_pipelines.domain.trades import trades_to_bars
from marketdata_pipelines_tests.builders import column, make_feed, raw_trades, us

OPEN = "2024-03-08 14:30"
MINUTE = make_feed(interval="1m")
Trade = tuple[str, str, float, float | None]


def bars_of(trades: Sequence[Trade], feed: Feed = MINUTE, **columns: Sequence[str | None]) -> pa.Table:
    """Base bars of trades whose buckets count from the open."""
    return trades_to_bars(feed, raw_trades(trades, **columns), np.full(len(trades), us(OPEN)))


def ohlcv(table: pa.Table) -> list[tuple[object, ...]]:
    names = ("symbol", "ts", "open", "high", "low", "close", "volume", "vwap", "trade_count")
    return list(zip(*(column(table, name) for name in names), strict=True))


def test_a_bar_is_first_greatest_least_last_and_sums() -> None:
    trades: list[Trade] = [
        ("A", "2024-03-08 14:30:00.1", 10.0, 1.0),
        ("A", "2024-03-08 14:30:30", 12.0, 2.0),
        ("A", "2024-03-08 14:30:59.999999", 9.0, 1.0),
        ("A", "2024-03-08 14:31:00", 11.0, 5.0),
    ]

    assert ohlcv(bars_of(trades)) == [
        ("A", "2024-03-08 14:30", 10.0, 12.0, 9.0, 9.0, 4.0, 10.75, 3),
        ("A", "2024-03-08 14:31", 11.0, 11.0, 11.0, 11.0, 5.0, 11.0, 1),
    ]


def test_trades_of_one_instant_keep_their_order_in_the_file() -> None:
    at = "2024-03-08 14:30:10"
    trades: list[Trade] = [("A", at, 10.0, 1.0), ("A", at, 12.0, 1.0), ("A", at, 11.0, 1.0)]

    made = bars_of(trades)

    assert (column(made, "open"), column(made, "close")) == ([10.0], [11.0])
    assert column(made, "line") == [2]


def test_time_decides_before_the_order_in_the_file() -> None:
    trades: list[Trade] = [
        ("A", "2024-03-08 14:30:50", 3.0, 1.0),
        ("B", "2024-03-08 14:30:01", 7.0, 1.0),
        ("A", "2024-03-08 14:30:10", 1.0, 1.0),
    ]

    made = bars_of(trades)

    assert column(made, "symbol") == ["A", "B"]
    assert (column(made, "open"), column(made, "close")) == ([1.0, 7.0], [3.0, 7.0])


def test_a_trade_of_size_zero_has_a_price_and_no_volume() -> None:
    made = bars_of([("A", "2024-03-08 14:30:10", 10.0, 0.0)])

    assert ohlcv(made) == [("A", OPEN, 10.0, 10.0, 10.0, 10.0, 0.0, None, 1)]


def test_an_unknown_size_makes_the_volume_unknown() -> None:
    made = bars_of([("A", "2024-03-08 14:30:10", 10.0, 5.0), ("A", "2024-03-08 14:30:20", 11.0, None)])

    assert (column(made, "volume"), column(made, "vwap"), column(made, "close")) == ([None], [None], [11.0])


def test_conditions_decide_apart_for_prices_and_for_volume() -> None:
    feed = make_feed(trade_filter=TradeFilter(ohlc_exclude_conditions=("odd",), volume_exclude_conditions=("late",)))
    trades: list[Trade] = [
        ("A", "2024-03-08 14:30:10", 10.0, 1.0),
        ("A", "2024-03-08 14:30:20", 99.0, 2.0),
        ("A", "2024-03-08 14:30:30", 11.0, 4.0),
    ]

    made = bars_of(trades, feed, conditions=[None, "odd", "late"])

    # vwap stays inside [low, high], which the odd trade is not part of.
    assert ohlcv(made) == [("A", OPEN, 10.0, 11.0, 10.0, 11.0, 3.0, 11.0, 2)]


def test_a_minute_in_which_no_trade_counts_for_prices_has_no_bar() -> None:
    feed = make_feed(trade_filter=TradeFilter(ohlc_exclude_conditions=("odd",)))

    assert bars_of([("A", "2024-03-08 14:30:10", 10.0, 1.0)], feed, conditions=["odd"]).num_rows == 0


def test_an_excluded_exchange_counts_for_nothing() -> None:
    feed = make_feed(trade_filter=TradeFilter(exclude_exchanges=("D",)))
    trades: list[Trade] = [("A", "2024-03-08 14:30:10", 10.0, 1.0), ("A", "2024-03-08 14:30:20", 50.0, 9.0)]

    made = bars_of(trades, feed, exchange=["N", "D"])

    assert (column(made, "high"), column(made, "volume"), column(made, "trade_count")) == ([10.0], [1.0], [1])


def test_no_trades_make_no_bars() -> None:
    made = bars_of([])

    assert made.schema == RAW_BAR_SCHEMA
    assert made.num_rows == 0


@given(
    st.lists(
        st.tuples(st.sampled_from("AB"), st.integers(0, 299_999), st.integers(1, 9_999), st.integers(0, 500)),
        max_size=60,
    )
)
def test_volume_and_count_are_conserved_and_prices_ordered(drawn: list[tuple[str, int, int, int]]) -> None:
    table = raw_trades([(s, OPEN, p / 100, float(size)) for s, _, p, size in drawn])
    ns = pa.array([us(OPEN) * 1000 + ms * 1_000_000 for _, ms, _, _ in drawn], pa.int64())
    table = table.set_column(3, "ts", ns.cast(pa.timestamp("ns", tz="UTC")))

    made = trades_to_bars(MINUTE, table, np.full(len(drawn), us(OPEN)))

    assert sum(column(made, "volume")) == sum(size for *_, size in drawn)
    assert sum(column(made, "trade_count")) == len(drawn)
    for row in made.to_pylist():
        assert row["low"] <= min(row["open"], row["close"]) <= max(row["open"], row["close"]) <= row["high"]
        assert row["vwap"] is None or row["low"] <= row["vwap"] <= row["high"]
    keys = [(row["symbol"], row["ts"]) for row in made.to_pylist()]
    assert keys == sorted(set(keys))
