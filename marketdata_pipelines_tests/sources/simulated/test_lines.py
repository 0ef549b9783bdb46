"""Rows as text."""

from datetime import date

from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines.sources.simulated.bars import simulate_bars
from marketdata_pipelines.sources.simulated.lines import csv_line, json_line, line_style
from marketdata_pipelines_tests.sources.simulated.feeds import simulated_feed

FRIDAY = date(2024, 3, 8)


def test_headers() -> None:
    bars, trades = line_style(simulated_feed()), line_style(simulated_feed(data=DataKind.TRADES))

    assert csv_line(bars.header) == "symbol,timestamp,open,high,low,close,volume,vwap,trade_count"
    assert csv_line(trades.header) == "timestamp,symbol,price,size,exchange,conditions"


def test_a_daily_bar_shows_its_date_alone() -> None:
    feed = simulated_feed(interval="1d")

    cells = line_style(feed).cells(simulate_bars(feed, FRIDAY))

    assert [row[1] for row in cells] == ["2024-03-08"] * 3


def test_prices_read_back_as_the_very_same_floats() -> None:
    feed = simulated_feed("fx")
    bars = simulate_bars(feed, FRIDAY)

    cells = line_style(feed).cells(bars)

    assert [float(row[5]) for row in cells] == bars["close"].to_pylist()


def test_cells_are_quoted_only_where_they_must_be() -> None:
    assert csv_line(("a", "1,234", 'x"y')) == 'a,"1,234","x""y"'
    assert csv_line(("a", "", "=1+1")) == "a,,=1+1"


def test_json_keeps_numbers_bare_and_everything_else_quoted() -> None:
    line = json_line(("symbol", "close", "volume", "vwap"), ("A\tB", "10.50", "0x1F4", ""))

    assert line == '{"symbol": "A\\tB", "close": 10.50, "volume": "0x1F4", "vwap": null}'
