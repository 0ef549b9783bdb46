"""Columns are recognised by the names vendors give them."""

from collections.abc import Mapping, Sequence

import pytest

from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines.sources.files.columns import is_header, is_quotes, needed_duplicates, recognise_columns, words

NO_CELLS: Mapping[str, Sequence[str]] = {}
PRICES = {"open": "Open", "high": "High", "low": "Low", "close": "Close"}


def fields(header: str, samples: Mapping[str, Sequence[str]] = NO_CELLS, **pinned: str) -> dict[str, str]:
    return dict(recognise_columns(header.split(","), pinned, samples).fields)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Date,Open,High,Low,Close,Adj Close,Volume", {**PRICES, "ts": "Date", "volume": "Volume"}),
        ("Date,Close/Last,Volume,Open,High,Low", {**PRICES, "ts": "Date", "close": "Close/Last", "volume": "Volume"}),
        ("Gmt time,Open,High,Low,Close,Volume", {**PRICES, "ts": "Gmt time", "volume": "Volume"}),
        (
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
            {
                **{name: f"<{name.upper()}>" for name in PRICES},
                "symbol": "<TICKER>",
                "ts": "<DATE>+<TIME>",
                "volume": "<VOL>",
            },
        ),
        (
            "product_id,t,o,h,l,c,v",
            {"symbol": "product_id", "ts": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"},
        ),
        ("time,1. open,2. high,3. low,4. close", {"ts": "time", **{n: f"{i}. {n}" for i, n in enumerate(PRICES, 1)}}),
    ],
)
def test_vendor_headers_are_recognised(header: str, expected: dict[str, str]) -> None:
    assert fields(header) == expected


def test_the_volume_of_the_base_currency_is_preferred() -> None:
    assert fields("unix,open,high,low,close,Volume USDT,Volume ETH")["volume"] == "Volume ETH"
    assert fields("unix,open,high,low,close,Volume BTC,Volume USD")["volume"] == "Volume BTC"


def test_capital_t_beside_t_is_the_ticker() -> None:
    samples = {"T": ["AAPL", "F"], "t": ["1577984400000"]}

    found = fields("T,v,vw,o,c,h,l,t,n", samples)

    assert (found["symbol"], found["ts"], found["vwap"], found["trade_count"]) == ("T", "t", "vw", "n")


def test_a_date_that_holds_the_time_needs_no_second_column() -> None:
    samples = {"Date": ["2020-01-02 09:30:00"], "Time": ["09:30:00"]}

    assert fields("Date,Time,Open,High,Low,Close", samples)["ts"] == "Date"


def test_bid_and_ask_prices_side_by_side_are_bars() -> None:
    header = "Time (UTC),BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose"

    found = recognise_columns(header.split(","), {}, {})

    assert found.has_sides
    assert found.kind is DataKind.BARS
    assert found.fields["ask_low"] == "AskLow"


def test_a_price_and_a_size_are_trades() -> None:
    found = recognise_columns(["Timestamp", "Symbol", "Price", "Size", "Exchange", "Conditions", "Suspicious"], {}, {})

    assert found.kind is DataKind.TRADES
    assert (found.fields["size"], found.fields["conditions"]) == ("Size", "Conditions")


def test_bid_and_ask_without_bars_are_quotes() -> None:
    assert is_quotes(["Timestamp", "Symbol", "Bid", "BidSize", "Ask", "AskSize"])
    assert not is_quotes(["Timestamp", "Symbol", "Price", "Size"])


def test_pinned_columns_win() -> None:
    found = fields("Date,Open,High,Low,Close,Settle,Volume", close="Settle")

    assert found["close"] == "Settle"
    assert found["open"] == "Open"


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("timestamp_ny_local", "America/New_York"),
        ("DateTime_NY", "America/New_York"),
        ("Time (ET)", "America/New_York"),
        ("Time (UTC)", "UTC"),
        ("Gmt time", "UTC"),
        ("timestamp", None),
    ],
)
def test_a_time_columns_name_tells_its_zone(name: str, zone: str | None) -> None:
    assert recognise_columns([name, "open", "high", "low", "close"], {}, {}).zone == zone


def test_names_that_occur_twice_are_found_when_they_matter() -> None:
    assert needed_duplicates(["ts", "close", "close"], ["ts"]) == ["close"]
    assert needed_duplicates(["ts", "Close", "close"], ["Close"]) == ["Close"]
    assert needed_duplicates(["ts", "", "", "open"], ["ts", "open"]) == []


def test_words_of_a_name() -> None:
    assert words("BidOpen") == ["bid", "open"]
    assert words("<DTYYYYMMDD>") == ["dtyyyymmdd"]
    assert words("1. open") == ["open"]


def test_a_row_of_values_is_no_header() -> None:
    assert is_header(["symbol", "timestamp", "open", "high"])
    assert not is_header(["SPY", "2013-10-07", "1.5", "1.6"])
