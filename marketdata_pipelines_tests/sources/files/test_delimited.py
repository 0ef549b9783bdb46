"""Delimited files of all kinds become rows, one for every data row."""

from collections.abc import Callable

import pytest

from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines_tests.sources.files.conftest import HEADER, Outcome, build_feed, read_whole

Read = Callable[..., Outcome]
MINUTES = range(12)


def row(minute: int, **changes: str) -> str:
    cells = {
        "symbol": "SPY",
        "ts": f"2013-10-07T13:{minute:02d}:00Z",
        "o": "1",
        "h": "2",
        "l": "0.5",
        "c": "1.5",
        "v": "100",
    }
    return ",".join({**cells, **changes}.values())


def rows(*lines: str) -> str:
    return HEADER + "".join(f"{line}\n" for line in lines)


def each(template: Callable[[int], str]) -> str:
    return "".join(f"{template(minute)}\n" for minute in MINUTES)


def test_a_plain_file_is_read_exactly(read: Read) -> None:
    outcome = read("a.csv", rows(row(30), row(31)))

    assert outcome.table.to_pylist()[1] | {"ts": None} == {
        "row": 2,
        "line": 3,
        "symbol": "SPY",
        "ts": None,
        "open": 1.0,
        "high": 2.0,
        "low": 0.5,
        "close": 1.5,
        "volume": 100.0,
        "vwap": None,
        "trade_count": None,
        "rules": None,
    }
    assert outcome.times == ["2013-10-07 13:30:00+00:00", "2013-10-07 13:31:00+00:00"]
    assert outcome.originals == [row(30), row(31)]


def test_blank_lines_are_lines_but_no_rows(read: Read) -> None:
    outcome = read("a.csv", rows(row(30), "", "   ", row(31)))

    assert outcome.column("row") == [1, 2]
    assert outcome.column("line") == [2, 5]


def test_rows_that_cannot_be_read_stay_in_their_place_with_their_text(read: Read) -> None:
    lines = [
        row(30),
        "SPY,2013-10-07T13:31:00Z,1",
        row(32),
        row(33) + ",x",
        '"' + row(34),
        row(35, o="abc"),
        row(36, v="1_0"),
    ]

    outcome = read("a.csv", rows(*lines))

    assert outcome.flagged == {
        2: "row_too_short",
        4: "row_too_long",
        5: "unclosed_quote",
        6: "unparsable_price",
        7: "unparsable_volume",
    }
    assert outcome.originals == lines
    assert outcome.column("symbol") == ["SPY"] * 7
    assert outcome.times[1] == "2013-10-07 13:31:00+00:00"
    assert outcome.column("open") == [1.0, None, 1.0, None, None, None, 1.0]


def test_a_quoted_field_may_hold_the_separator(read: Read) -> None:
    outcome = read("a.csv", rows(row(30), row(31, symbol='"SPY"'), row(32, v='"1,234"'), row(33, symbol='"S""Y"')))

    assert outcome.column("symbol") == ["SPY", "SPY", "SPY", 'S"Y']
    assert outcome.flagged == {3: "unparsable_volume", 4: "symbol_hostile"}


def test_volumes_written_unlike_the_others_are_named_in_markets_of_whole_units(read: Read) -> None:
    lines = [row(minute % 60) for minute in range(200)] + [row(1, v="12.5"), row(2, v="1.2e3"), row(3, v="12.0")]

    assert read("a.csv", rows(*lines)).flagged == {201: "volume_format", 202: "volume_format"}
    assert read("a.csv", rows(*lines), calendar="24/7").flagged == {}


def test_a_hexadecimal_volume_is_no_number(read: Read) -> None:
    assert read("a.csv", rows(row(30), row(31, v="0x1F4"))).flagged == {2: "unparsable_volume"}


def test_header_repeated_and_totals_are_named(read: Read) -> None:
    lines = [row(30), HEADER.strip(), row(31), "TOTAL,,,,,,200", "# end", "Total 200"]

    assert read("a.csv", rows(*lines)).flagged == {
        2: "repeated_header",
        4: "footer_row",
        5: "footer_row",
        6: "footer_row",
    }


def test_a_ticker_may_be_called_sum(read: Read) -> None:
    assert read("a.csv", rows(row(30, symbol="SUM"), row(31, symbol="COUNT"))).flagged == {}


def test_bid_and_ask_side_by_side_are_two_symbols(read: Read) -> None:
    header = "Time (UTC)\tBidOpen\tBidHigh\tBidLow\tBidClose\tAskOpen\tAskHigh\tAskLow\tAskClose\n"
    text = (
        header
        + "2012.02.01 00:00\t1\t2\t0.5\t1.5\t1.1\t2.1\t0.6\t1.6\n2012.02.01 00:01\t1\t2\t0.5\tx\t1.1\t2.1\t0.6\t1.6\n"
    )

    outcome = read("GBPUSD.tsv", text, calendar="fx")

    assert outcome.column("symbol") == ["GBPUSD.BID", "GBPUSD.BID", "GBPUSD.ASK", "GBPUSD.ASK"]
    assert outcome.column("close") == [1.5, None, 1.6, 1.6]
    assert outcome.column("rules") == [None, "unparsable_price", None, None]
    assert outcome.column("row") == [1, 2, 1, 2]


def test_an_aligned_file_is_split_at_any_number_of_blanks(read: Read) -> None:
    text = "# comment\nsymbol  date        time   open high low close volume\n" + each(
        lambda m: f"  SPY   2020-01-02  09:{30 + m}   1.0  2.0  0.5   1.5  100 "
    )

    outcome = read("a.txt", text, timezone="America/New_York")

    assert outcome.flagged == {}
    assert outcome.times[0] == "2020-01-02 14:30:00+00:00"
    assert outcome.column("line")[:2] == [3, 4]
    assert outcome.originals[0].startswith("  SPY   2020-01-02")


KLINE = "28923.63,28961.66,28913.12,28930.00,27.457032"
VENDORS = {
    "binance": (
        "BTCUSDT-1m-2021-01.csv",
        each(lambda m: f"{1609459200000 + 60000 * m},{KLINE},{1609459259999 + 60000 * m},7.9,12,1.7,4.8,0"),
    ),
    "binance in us": (
        "BTCUSDT-1m.csv",
        each(lambda m: f"{(1609459200 + 60 * m) * 10**6},{KLINE},{(1609459259 + 60 * m) * 10**6},7.9,12,1.7,4.8,0"),
    ),
    "stooq": (
        "stooq.txt",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        + each(lambda m: f"BTCUSDT,1,20210101,{m * 100:06d},{KLINE},0"),
    ),
    "kibot": ("BTCUSDT.txt", each(lambda m: f"01/01/2021,00:{m:02d},{KLINE}")),
    "firstrate": ("BTCUSDT_1min.txt", each(lambda m: f"2021-01-01 00:{m:02d}:00,{KLINE}")),
    "dukascopy": (
        "BTCUSDT_Candlestick_1_M_BID_01.01.2021.csv",
        "Gmt time,Open,High,Low,Close,Volume\n" + each(lambda m: f"01.01.2021 00:{m:02d}:00.000,{KLINE}"),
    ),
    "histdata": ("DAT_ASCII_BTCUSDT_M1_2021.csv", each(lambda m: f"20210101 00{m:02d}00;{KLINE.replace(',', ';')}")),
    "metatrader": (
        "BTCUSDT_M1.csv",
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<VOL>\n"
        + each(lambda m: f"2021.01.01\t00:{m:02d}:00\t{KLINE.replace(',', chr(9))}"),
    ),
    "cryptodatadownload": (
        "cdd.csv",
        "https://www.CryptoDataDownload.com\nunix,date,symbol,open,high,low,close,Volume BTC,Volume USDT\n"
        + each(lambda m: f"{1609459200 + 60 * m},2021-01-01 00:{m:02d}:00,BTCUSDT,{KLINE},9e5"),
    ),
    "tradingview": (
        "BINANCE_BTCUSDT, 1.csv",
        "time,open,high,low,close,Volume\n" + each(lambda m: f"{1609459200 + 60 * m},{KLINE}"),
    ),
    "quoted": (
        "q.csv",
        '"symbol","timestamp","open","high","low","close","volume"\n'
        + each(lambda m: f'"BTCUSDT","2021-01-01T00:{m:02d}:00Z","' + KLINE.replace(",", '","') + '"'),
    ),
    "index column": (
        "i.csv",
        ",symbol,timestamp,open,high,low,close,volume\n"
        + each(lambda m: f"{m},BTCUSDT,2021-01-01 00:{m:02d}:00+00:00,{KLINE}"),
    ),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_vendor_files_are_read_without_settings(read: Read, vendor: str) -> None:
    name, text = VENDORS[vendor]

    outcome = read(name, text, calendar="24/7")

    assert outcome.flagged == {}
    assert outcome.column("symbol") == ["BTCUSDT"] * 12
    assert outcome.times == [f"2021-01-01 00:{minute:02d}:00+00:00" for minute in MINUTES]
    first = outcome.table.to_pylist()[0]
    values = [first[name] for name in ("open", "high", "low", "close", "volume")]
    assert values == [28923.63, 28961.66, 28913.12, 28930.0, 27.457032]


def test_clock_digits_get_their_lost_zeros_back(read: Read) -> None:
    header = "<TICKER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n"
    clocks = ["93000", "95900", "100000", "153000"]

    outcome = read("a.txt", header + "".join(f"SPY,20210104,{clock},1,2,0.5,1.5,100\n" for clock in clocks))

    assert [time[11:19] for time in outcome.times] == ["09:30:00", "09:59:00", "10:00:00", "15:30:00"]


def test_trades_without_header_are_read(read: Read) -> None:
    outcome = read("bitstampUSD_x.csv", each(lambda m: f"{1315922016 + m},5.8000{m:02d},1.0"), calendar="24/7")

    assert outcome.plan.kind is DataKind.TRADES
    assert outcome.column("symbol")[0] == "BITSTAMPUSD"
    assert outcome.table["ts"].type.unit == "ns"
    assert outcome.column("price")[1] == 5.800001


@pytest.mark.parametrize("chunk_bytes", [1, 300_000, 1 << 22])
def test_chunks_of_any_size_hold_the_same_rows(write: Callable[[str, str], str], chunk_bytes: int) -> None:
    odd = {5000: "SPY,broken", 9000: row(1, h="x"), 12000: ""}
    lines = [odd.get(index, row(index % 60)) for index in range(15000)]
    path = write("a.csv", rows(*lines))

    outcome = read_whole(path, build_feed(), chunk_bytes)

    assert outcome.flagged == {5001: "row_too_short", 9001: "unparsable_price"}
    assert outcome.column("row") == list(range(1, 15000))
    assert outcome.originals == [line for line in lines if line]
