"""Trades of the simulated exchange, and that they are its bars."""

import hashlib
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import midnight_us
from marketdata_pipelines.sources.simulated.bars import simulate_bars
from marketdata_pipelines.sources.simulated.lines import csv_line, line_style
from marketdata_pipelines.sources.simulated.trades import SIMULATED_TRADE_SCHEMA, simulate_trades
from marketdata_pipelines_tests.sources.simulated.feeds import simulated_feed

FRIDAY = date(2024, 3, 8)


def combined(feed: Feed, day: date, trades: pa.Table) -> list[dict[str, object]]:
    """Bars of trades, one segment and bucket at a time, in plain arithmetic."""
    us = trades["ts"].to_numpy().astype(np.int64) // 1000
    (session,) = feed_calendar(feed).sessions(day, day)
    bucket = us // feed.interval.us * feed.interval.us
    if feed.interval.us == DAY_US:
        bucket = np.full(len(us), midnight_us(day))
    elif feed.anchor.value == "session":
        for begins, ends in session.segments:
            inside = (us >= begins) & (us < ends)
            bucket[inside] = begins + (us[inside] - begins) // feed.interval.us * feed.interval.us
    trades = trades.set_column(1, "symbol", trades["symbol"].cast(pa.string()))
    grouped = trades.append_column("bucket", pa.array(bucket)).group_by(["symbol", "bucket"], use_threads=False)
    bars = grouped.aggregate(
        [("price", "first"), ("price", "max"), ("price", "min"), ("price", "last"), ("size", "sum"), ("price", "count")]
    )
    rows: list[dict[str, object]] = bars.sort_by([("symbol", "ascending"), ("bucket", "ascending")]).to_pylist()
    return rows


@settings(max_examples=30, deadline=None)
@given(
    calendar=st.sampled_from(("XNYS", "CMES", "24/7", "fx", "XTKS")),
    interval=st.sampled_from(("1s", "10s", "1m", "15m", "1h", "4h", "1d")),
    day=st.sampled_from((date(2024, 3, 8), date(2024, 3, 11), date(2024, 11, 29))),
    seed=st.integers(0, 2**40),
)
def test_trades_combined_are_exactly_the_bars(calendar: str, interval: str, day: date, seed: int) -> None:
    feed = simulated_feed(calendar, interval, symbols=("AAA", "BBB"), seed=seed)

    found = combined(feed, day, simulate_trades(feed, day))

    bars = simulate_bars(feed, day)
    bars = bars.set_column(1, "ts", bars["ts"].cast(pa.int64())).drop_columns(["vwap"])
    names = ("symbol", "bucket", "price_first", "price_max", "price_min", "price_last", "size_sum", "price_count")
    assert [tuple(bar[name] for name in names) for bar in found] == [tuple(bar.values()) for bar in bars.to_pylist()]


def test_trades_come_in_the_order_they_happened() -> None:
    trades = simulate_trades(simulated_feed(), FRIDAY)

    ns = trades["ts"].to_numpy().astype(np.int64)
    assert trades.schema == SIMULATED_TRADE_SCHEMA
    assert (np.diff(ns) >= 0).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**40))
def test_no_two_trades_of_a_symbol_share_an_instant(seed: int) -> None:
    trades = simulate_trades(simulated_feed(symbols=("AAA",), seed=seed), FRIDAY)

    ns = trades["ts"].to_numpy().astype(np.int64)
    assert (np.diff(ns) > 0).all()


def test_sizes_are_positive_and_odd_lots_are_marked() -> None:
    trades = simulate_trades(simulated_feed(), FRIDAY)

    sizes = trades["size"].to_numpy()
    marked = np.array([text == "I" for text in trades["conditions"].to_pylist()])
    assert (sizes >= 1).all()
    assert (marked == (sizes < 100)).all()
    assert set(trades["conditions"].to_pylist()) == {"@", "I"}
    assert marked.any()
    assert not marked.all()


def test_currency_trades_have_no_size() -> None:
    trades = simulate_trades(simulated_feed("fx"), FRIDAY)

    assert trades["size"].null_count == trades.num_rows


def test_venues_of_shares_are_several() -> None:
    trades = simulate_trades(simulated_feed(), FRIDAY)

    assert set(trades["exchange"].to_pylist()) == {"N", "Q", "P", "Z", "V"}


def test_a_closed_day_has_no_trades() -> None:
    assert simulate_trades(simulated_feed(), date(2024, 3, 9)).num_rows == 0


@pytest.mark.parametrize(
    ("calendar", "expected"),
    [
        ("XNYS", "fa78e7ddae574b8c947b6a3173f42e9c6b821d94d059efbe66ba0acd0ec28ef5"),
        ("24/7", "89c2c6c9c7bc504175604b23f237cbc03431f58d3f7ca1637a03c2ff1b7390a5"),
    ],
)
def test_the_same_seed_gives_the_same_trades_on_every_machine(calendar: str, expected: str) -> None:
    feed = simulated_feed(calendar, symbols=("AAA",), data=DataKind.TRADES)

    lines = [csv_line(cells) for cells in line_style(feed).cells(simulate_trades(feed, FRIDAY))]

    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == expected
