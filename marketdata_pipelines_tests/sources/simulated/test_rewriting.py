"""How faults rewrite a row."""

import math
from datetime import date

import pytest

from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines.domain.sessions import midnight_us
from marketdata_pipelines.sources.simulated.lines import line_style
from marketdata_pipelines.sources.simulated.rewriting import CleanRow, rewrite
from marketdata_pipelines_tests.sources.simulated.feeds import simulated_feed

TS = midnight_us(date(2024, 2, 29)) + 15 * 3_600_000_000
BAR = ("SPY", "2024-02-29T15:00:00Z", "10.00", "10.20", "9.90", "10.10", "1500", "10.050000", "12")
NO_VALUES = dict.fromkeys(("open", "high", "low", "close", "volume", "vwap", "trade_count"))
TRADE = ("2024-02-29T15:00:00.000000000Z", "SPY", "10.00", "100", "N", "")


def bar_row(noise: int = 0, interval: str = "1m") -> CleanRow:
    feed = simulated_feed(interval=interval)
    style = line_style(feed)
    closed = (TS + 60_000_000,)
    return CleanRow(feed, style, "SPY", TS, dict(zip(style.header, BAR, strict=True)), closed, noise)


def trade_row(noise: int = 0) -> CleanRow:
    feed = simulated_feed(data=DataKind.TRADES)
    style = line_style(feed)
    return CleanRow(feed, style, "SPY", TS, dict(zip(style.header, TRADE, strict=True)), (TS + 1,), noise)


@pytest.mark.parametrize(
    ("kind", "noise", "line"),
    [
        ("high_lt_low", 0, "SPY,2024-02-29T15:00:00Z,10.00,9.85,10.25,10.10,1500,10.050000,12"),
        ("open_close_outside_range", 0, "SPY,2024-02-29T15:00:00Z,10.25,10.20,9.90,10.10,1500,10.050000,12"),
        ("open_close_outside_range", 65, "SPY,2024-02-29T15:00:00Z,10.00,10.20,9.90,9.73,1500,10.050000,12"),
        ("negative_price", 2, "SPY,2024-02-29T15:00:00Z,10.00,10.20,-9.90,10.10,1500,10.050000,12"),
        ("zero_price", 0, "SPY,2024-02-29T15:00:00Z,0,0,0,0,1500,10.050000,12"),
        ("zero_price", 17, "SPY,2024-02-29T15:00:00Z,10.00,0,9.90,10.10,1500,10.050000,12"),
        ("negative_volume", 0, "SPY,2024-02-29T15:00:00Z,10.00,10.20,9.90,10.10,-1500,10.050000,12"),
        ("ts_off_interval", 6, "SPY,2024-02-29T15:00:07Z,10.00,10.20,9.90,10.10,1500,10.050000,12"),
        ("future_timestamp", 0, "SPY,2076-02-29T15:00:00Z,10.00,10.20,9.90,10.10,1500,10.050000,12"),
        ("bad_timestamp", 3, "SPY,2024-13-07T13:30:00Z,10.00,10.20,9.90,10.10,1500,10.050000,12"),
        ("out_of_session", 0, "SPY,2024-02-29T15:01:00Z,10.00,10.20,9.90,10.10,1500,10.050000,12"),
        ("dup_exact", 0, "SPY,2024-02-29T15:00:00Z,10.00,10.20,9.90,10.10,1500,10.050000,12"),
        ("dup_conflict", 0, "SPY,2024-02-29T15:00:00Z,10.08,10.28,9.98,10.18,1600,10.130000,12"),
        ("symbol_case_space", 0, "spy,2024-02-29T15:00:00Z,10.00,10.20,9.90,10.10,1500,10.050000,12"),
        ("symbol_csv_injection", 2, "+1+1,2024-02-29T15:00:00Z,10.00,10.20,9.90,10.10,1500,10.050000,12"),
        ("symbol_path_traversal", 6, "SPY/../../y,2024-02-29T15:00:00Z,10.00,10.20,9.90,10.10,1500,10.050000,12"),
        ("symbol_unicode", 0, "SPY\u200b,2024-02-29T15:00:00Z,10.00,10.20,9.90,10.10,1500,10.050000,12"),
        ("ragged_short", 1, "SPY,2024-02-29T15:00:00Z,10.00,10.20,9.90,10.10,1500"),
        ("ragged_long", 0, "SPY,2024-02-29T15:00:00Z,10.00,10.20,9.90,10.10,1500,10.050000,12,junk,9"),
    ],
)
def test_the_line_a_fault_writes(kind: str, noise: int, line: str) -> None:
    assert ",".join(rewrite(kind, bar_row(noise)).cells) == line


@pytest.mark.parametrize(
    ("kind", "noise", "values", "rules"),
    [
        ("high_lt_low", 0, {"high": 9.85, "low": 10.25}, None),
        ("nan_or_missing_price", 0, {"open": None}, "missing_price"),
        ("nan_or_missing_price", 81, {"high": math.inf}, None),
        ("volume_overflow", 1, {"volume": 18446744073709551615.0}, None),
        ("volume_bad_format", 0, {"volume": None}, "unparsable_volume"),
        ("bad_timestamp", 0, {"ts": None}, "unparsable_timestamp"),
        ("ts_off_interval", 6, {"ts": TS + 7_000_000}, None),
        ("symbol_case_space", 1, {"symbol": " SPY"}, "symbol_case"),
        ("symbol_csv_injection", 2, {"symbol": "+1+1"}, "symbol_formula"),
        ("symbol_path_traversal", 5, {"symbol": "CON"}, "symbol_path"),
        ("symbol_unicode", 3, {"symbol": "\U0001f680"}, "symbol_unicode"),
        ("dup_exact", 0, {}, None),
        ("ragged_short", 1, NO_VALUES, "row_too_short"),
        ("ragged_long", 0, NO_VALUES, "row_too_long"),
    ],
)
def test_what_a_reader_makes_of_it(kind: str, noise: int, values: dict[str, object], rules: str | None) -> None:
    rewritten = rewrite(kind, bar_row(noise))

    assert rewritten.values == values
    assert rewritten.rules == rules


def test_a_fault_is_within_the_second_where_bars_last_one() -> None:
    rewritten = rewrite("ts_off_interval", bar_row(noise=249, interval="1s"))

    assert rewritten.cells[1] == "2024-02-29T15:00:00.250000Z"


def test_a_trades_price_and_size_are_hit() -> None:
    assert rewrite("zero_price", trade_row(1)).values == {"price": 0.0}
    assert rewrite("negative_volume", trade_row()).values == {"size": -100.0}
    assert rewrite("out_of_session", trade_row()).values == {"ts": (TS + 1) * 1000}
