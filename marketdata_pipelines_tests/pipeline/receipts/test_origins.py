"""A bar in vendors' answers."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from marketdata_pipelines.pipeline.receipts.origins import answer_bars, answer_text
from marketdata_pipelines.stores.lake.catalog import PulledWindow
from marketdata_pipelines.stores.lake.origins import OriginPayload
from marketdata_pipelines_tests.builders import make_feed, us

TS = us("2024-03-08 14:31")
BAR = {
    "symbol": "A",
    "ts": datetime(2024, 3, 8, 14, 31, tzinfo=UTC),
    "open": 10.5,
    "high": 11.0,
    "low": 10.0,
    "close": 10.75,
}


def answers(*documents: object) -> list[OriginPayload]:
    return [OriginPayload(json.dumps(document).encode(), "GET /x", TS + 10**9) for document in documents]


def page(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"bars": list(rows), "next_cursor": None}


def exchange_bar(symbol: str, minute: int, price: float) -> dict[str, Any]:
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    return {"symbol": symbol, "ts": f"2024-03-08T14:{minute}:00Z", **prices, "volume": 1}


def test_a_bar_of_the_exchange_is_found_by_symbol_and_time_and_the_last_one_counts() -> None:
    pages = answers(page(exchange_bar("A", 31, 1), exchange_bar("B", 31, 2)), page(exchange_bar("A", 31, 3)))

    found = answer_text("exchange", pages, BAR, TS)

    assert json.loads(found or "") == exchange_bar("A", 31, 3)


@pytest.mark.parametrize(
    "candle",
    [
        [1709908260000, 10.5, 11.0, 10.0, 10.75, 5],
        [1709908260, "10.0", "11.0", "10.5", "10.75", "5"],
        ["2024-03-08T14:31:00Z", "10.50", "11", "10", "10.75"],
    ],
    ids=["milliseconds", "seconds and text", "iso"],
)
def test_a_candle_is_found_by_its_time_and_prices(candle: list[Any]) -> None:
    other = [1709908320000, 10.5, 11.0, 10.0, 10.75, 5]

    found = answer_text("ccxt:venue", answers({"result": {"list": [other, candle]}}), BAR, TS)

    assert json.loads(found or "") == candle


def test_a_bar_of_columns_of_lists_is_found_by_its_prices() -> None:
    quote = {"open": [9.0, 10.5], "high": [9.0, 11.0], "low": [9.0, 10.0], "close": [9.0, 10.75], "volume": [1, 2]}
    chart = {"chart": {"result": [{"timestamp": [1709908200, 1709908260], "indicators": {"quote": [quote]}}]}}

    found = answer_text("yfinance", answers(chart), BAR, TS)

    assert json.loads(found or "") == {"open": 10.5, "high": 11.0, "low": 10.0, "close": 10.75, "volume": 2}


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[1, 2, 3]", b'{"open": [1], "high": [], "low": [], "close": []}']
)
def test_what_is_not_there_is_not_told(content: bytes) -> None:
    payload = OriginPayload(content, "GET /x", TS)

    assert answer_text("ccxt:venue", [payload], BAR, TS) is None
    assert answer_text("exchange", [payload], BAR, TS) is None


def test_a_window_of_the_exchange_is_read_again_and_of_no_other_vendor() -> None:
    feed = make_feed()
    feed_of_a = make_feed(source=type(feed.source)(feed.source.kind, symbols=("A",)))
    pages = answers(page(exchange_bar("A", 31, 1), exchange_bar("A", 32, 2), exchange_bar("A", 40, 2)))
    asked = PulledWindow("2024-03-08", "exchange", TS, us("2024-03-08 14:33"), ("A",), True, True)
    elsewhere = PulledWindow("2024-03-08", "ccxt:venue", TS, us("2024-03-08 14:33"), ("A",), False, True)

    bars = answer_bars(feed_of_a, asked, pages)

    assert bars is not None
    assert bars["open"].to_pylist() == [1.0, 2.0]
    assert answer_bars(feed_of_a, elsewhere, pages) is None
