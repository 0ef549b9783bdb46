"""ccxt's own client against venues on this machine: pages, holes, and bars that faults do not change."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from marketdata_pipelines.domain.feeds import Feed, SourceKind, SourceSpec
from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.ccxt.historical import CcxtHistory, open_source
from marketdata_pipelines.sources.pulled.caller import CallRules, ProviderCaller
from marketdata_pipelines.sources.pulled.protocol import Page, RateLimit
from marketdata_pipelines_tests.builders import make_feed, us
from marketdata_pipelines_tests.sources.ccxt.venues import Candle, binance, candles, coinbase, kraken
from marketdata_pipelines_tests.sources.vendor_server import (
    HTML_PAGE,
    Answer,
    Breakage,
    Fault,
    SteppingClock,
    VendorServer,
)

pytest.importorskip("ccxt", reason="the extra ccxt is not installed: pip install 'marketdata-pipelines[ccxt]'")

START, NOW = us("2024-03-08 00:00"), us("2024-03-09 12:00")
DAY = us("2024-03-09 00:00") - START
BOOK = candles(START // 1000, 2 * 1440, holes=[5, *range(300, 700), *range(1400, 1439)])


def crypto_feed(server: VendorServer, venue: str = "binance", symbol: str = "BTC/USDT", **source: Any) -> Feed:
    spec = SourceSpec(SourceKind.CCXT, venue=venue, url=server.url, symbols=(symbol,), timeout_seconds=0.5, **source)
    return make_feed("24/7", name="crypto", source=spec)


class Pull:
    """One source with its caller, on a clock of their own."""

    def __init__(self, feed: Feed, folder: Path, now_us: int = NOW) -> None:
        self.clock = SteppingClock(now_us)
        self.source: CcxtHistory = open_source(feed, self.clock)
        rules = CallRules(clock=self.clock, sleep=self.clock.sleep)
        self.caller = ProviderCaller(folder / "calls.db", self.source.provider, RateLimit(10, 1.0), rules)

    def pages(self, symbol: str = "BTC/USDT", start_us: int = START, end_us: int = START + DAY) -> list[Page]:
        return list(self.source.historical([symbol], start_us, end_us, self.caller))

    def bars(self, symbol: str = "BTC/USDT", start_us: int = START, end_us: int = START + DAY) -> list[list[Any]]:
        """The distinct bars of the window as ccxt's unified candles."""
        found = {}
        for page in self.pages(symbol, start_us, end_us):
            for row in page.bars.drop_columns(["original"]).to_pylist():
                opened = row["ts"].timestamp() * 1000
                if start_us <= opened * 1000 < end_us:
                    found[opened] = [row[name] for name in ("open", "high", "low", "close", "volume")]
        return [[opened, *found[opened]] for opened in sorted(found)]


def of_the_day(book: list[Candle]) -> list[list[float]]:
    return [c.unified for c in book if START <= c.opened_ms * 1000 < START + DAY]


def test_a_day_comes_whole_over_pages_and_holes_longer_than_a_page(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server:
        found = Pull(crypto_feed(server, page_rows=100), tmp_path).bars()

    assert found == of_the_day(BOOK)


def test_empty_pages_are_stepped_over_where_a_venue_looks_no_further_than_a_page(tmp_path: Path) -> None:
    with VendorServer(coinbase(BOOK)) as server:
        pull = Pull(crypto_feed(server, "coinbaseexchange", "BTC/USD"), tmp_path)
        pages = pull.pages("BTC/USD")
        found = pull.bars("BTC/USD")

    assert 0 in [page.bars.num_rows for page in pages]
    assert found == of_the_day(BOOK)


def test_a_venue_that_gives_less_than_its_own_limit_is_asked_on(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK, most=90)) as server:
        found = Pull(crypto_feed(server), tmp_path).bars()

    assert found == of_the_day(BOOK)


def test_a_window_before_the_first_candle_takes_one_call_and_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with VendorServer(binance(BOOK)) as server:
        pages = Pull(crypto_feed(server), tmp_path).pages(start_us=START - 7 * DAY, end_us=START)

    assert len(pages) == 1
    assert "binance has no candles of BTC/USDT before 2024-03-08T00:00:00.000Z" in caplog.text


def test_kraken_gives_what_it_keeps_in_its_own_shape(tmp_path: Path) -> None:
    now = START + DAY // 2
    book = [c for c in BOOK if c.opened_ms * 1000 < now]
    with VendorServer(kraken(book)) as server:
        found = Pull(crypto_feed(server, "kraken", "BTC/USD"), tmp_path, now).bars("BTC/USD", START, now)

    assert found == [c.unified for c in book]


def test_a_window_kraken_keeps_nothing_of_is_refused_before_any_call(tmp_path: Path) -> None:
    with VendorServer(kraken(BOOK)) as server:
        pull = Pull(crypto_feed(server, "kraken", "BTC/USD"), tmp_path)

        with pytest.raises(
            SourceRejected, match="keeps the newest 720 candles of 1m only, now those from 2024-03-09T00"
        ):
            pull.bars("BTC/USD", START, START + DAY // 2)

    assert server.requests == []


BANNED = Answer(b'{"code":-1003,"msg":"Way too much request weight used; IP banned"}', 418, {"Retry-After": "120"})
SLOW_DOWN = Answer(b'{"code":-1003,"msg":"Too much request weight used"}', 429, {"Retry-After": "7"})
FAULTS: dict[str, list[Fault]] = {
    "429 with Retry-After": [SLOW_DOWN, SLOW_DOWN],
    "418": [BANNED],
    "500": [Answer(b"oops", 500), Answer(b'{"msg":"internal"}', 500)],
    "502 page of a proxy": [Answer(b"<html>bad gateway</html>", 502, {"Content-Type": "text/html"})],
    "403 of a firewall": [Answer(b"<html>forbidden</html>", 403, {"Content-Type": "text/html"})],
    "HTML with status 200": [HTML_PAGE],
    "timeout": [Breakage.TIMEOUT],
    "reset": [Breakage.RESET, Breakage.RESET],
    "truncated": [Breakage.TRUNCATED],
    "cut JSON that looks whole": [Breakage.HALF_WITH_RIGHT_LENGTH],
    "nothing": [Answer(b"")],
    "null": [Answer(b"null")],
    "foreign JSON": [Answer(b'[["x", 1]]'), Answer(b"[[null,null]]"), Answer(b'["?"]')],
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_changes_no_bar_of_binance(kind: str, tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server:
        server.fault("klines", *FAULTS[kind])
        if kind != "foreign JSON":
            server.fault("exchangeInfo", *FAULTS[kind][:1])
        found = Pull(crypto_feed(server), tmp_path).bars()

    assert found == of_the_day(BOOK)
    assert server.faults_left == 0


IN_BAND = [Answer(json.dumps({"error": [text]}).encode()) for text in ("EAPI:Rate limit exceeded", "EService:Busy")]


@pytest.mark.parametrize("kind", ["500", "HTML with status 200", "cut JSON that looks whole", "in band", "nothing"])
def test_a_fault_changes_no_bar_of_kraken(kind: str, tmp_path: Path) -> None:
    now = START + DAY // 3
    book = [c for c in BOOK if c.opened_ms * 1000 < now]
    with VendorServer(kraken(book)) as server:
        server.fault("OHLC", *(IN_BAND if kind == "in band" else FAULTS[kind]))
        found = Pull(crypto_feed(server, "kraken", "BTC/USD"), tmp_path, now).bars("BTC/USD", START, now)

    assert found == [c.unified for c in book]
    assert server.faults_left == 0


def test_pages_that_overlap_and_repeat_rows_change_no_bar(tmp_path: Path) -> None:
    plain = binance(BOOK)

    def overlapping(path: str, query: dict[str, str]) -> Answer:
        answer = plain(
            path, {**query, "startTime": str(int(query["startTime"]) - 90_000)} if "startTime" in query else query
        )
        rows = json.loads(answer.body)
        return answer if isinstance(rows, dict) else Answer(json.dumps(rows[:3] + rows[::-1]).encode())

    with VendorServer(overlapping) as server:
        found = Pull(crypto_feed(server, page_rows=100), tmp_path).bars()

    assert found == of_the_day(BOOK)


def test_the_wait_a_venue_asks_for_is_kept(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server:
        server.fault("klines", BANNED)
        pull = Pull(crypto_feed(server), tmp_path)
        pull.bars()

    assert max(pull.clock.slept) >= 120


def test_a_venue_that_stays_broken_is_unavailable(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server:
        server.fault("klines", *[HTML_PAGE] * 8)

        with pytest.raises(SourceUnavailable, match="tried 8 times: binance gave no JSON for GET /api/v3/klines"):
            Pull(crypto_feed(server), tmp_path).bars()


def test_the_payload_is_the_answer_to_the_byte_and_the_clock_was_read_before(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server:
        pull = Pull(crypto_feed(server), tmp_path)
        page = pull.pages(end_us=START + 60_000_000)[0]
        served = binance(BOOK)("/api/v3/klines", {"startTime": str(START // 1000), "limit": "1"}).body

    assert page.payload.content == served
    assert page.payload.request == f"GET /api/v3/klines?interval=1m&limit=1&symbol=BTCUSDT&startTime={START // 1000}"
    assert NOW < page.payload.received_us <= pull.clock.now_us


def test_markets_are_asked_for_once_a_process_and_spot_markets_only(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server:
        for symbol in ("BTC/USDT", "ETH/USDT"):
            Pull(crypto_feed(server, symbol=symbol), tmp_path).bars(symbol, START, START + 60_000_000)

    assert server.count("exchangeInfo") == 1
    assert [request for request in server.requests if not request.startswith("/api/v3/")] == []


def test_every_request_is_a_call_of_the_caller(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server:
        pull = Pull(crypto_feed(server, page_rows=200), tmp_path)
        pull.bars()

    assert pull.caller.calls == len(server.requests)


def test_an_unknown_symbol_is_refused_with_what_may_have_been_meant(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server, pytest.raises(SourceRejected, match="did you mean BTC/USDT"):
        Pull(crypto_feed(server, symbol="BTC/USD"), tmp_path).bars("BTC/USD")


def test_a_list_of_markets_that_cannot_be_read_is_not_kept(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server:
        server.fault("exchangeInfo", Answer(b"{}"), Answer(b'[["x", 1]]'))
        pull = Pull(crypto_feed(server), tmp_path)
        for _ in range(2):
            with pytest.raises(SourceUnavailable, match=r"empty list of markets|cannot read"):
                pull.pages()
        found = pull.bars()

    assert found == of_the_day(BOOK)


def test_a_request_the_venue_refuses_is_not_repeated(tmp_path: Path) -> None:
    refusal = Answer(b'{"code":-1121,"msg":"Invalid symbol."}', 400)
    with VendorServer(binance(BOOK)) as server:
        server.fault("klines", refusal)

        with pytest.raises(SourceRejected, match="Invalid symbol"):
            Pull(crypto_feed(server), tmp_path).bars()

    assert server.count("klines") == 1


def test_a_venue_that_does_not_serve_this_place_says_so(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server:
        server.fault("exchangeInfo", Answer(b'{"code":0,"msg":"Service unavailable from a restricted location"}', 451))

        with pytest.raises(SourceRejected, match="a mirror as `url`"):
            Pull(crypto_feed(server), tmp_path).bars()


def test_nothing_is_asked_beyond_now(tmp_path: Path) -> None:
    now = START + 90_000_000
    with VendorServer(binance(BOOK)) as server:
        pull = Pull(crypto_feed(server), tmp_path, now)
        found = pull.bars()
        pull.pages(start_us=NOW, end_us=NOW + DAY)

    # The second candle is still open: it comes, and the pipeline sees by `received_us` that it is unfinished.
    assert [opened for opened, *_ in found] == [START // 1000, START // 1000 + 60_000]
    assert server.count("klines") == 1


def test_a_market_without_a_candle_in_the_window_ends(tmp_path: Path) -> None:
    with VendorServer(binance([])) as server:
        pages = Pull(crypto_feed(server), tmp_path).pages()

    assert [page.bars.num_rows for page in pages] == [0, 0]


def test_the_estimate_counts_pages_without_a_call(tmp_path: Path) -> None:
    with VendorServer(binance(BOOK)) as server:
        source = Pull(crypto_feed(server), tmp_path).source
        estimate = source.calls(["BTC/USDT", "ETH/USDT"], START, START + DAY)

    assert estimate.calls == 4
    assert server.requests == []
    assert dataclasses.replace(source).complete is False
