"""A venue's client as a feed describes it, and what the venue offers, by ccxt's own account."""

import importlib
from typing import Any

import pytest

from marketdata_pipelines.domain.feeds import Feed, SourceKind, SourceSpec
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.ccxt.client import open_client, page_rows, timeframe_of, venue_limit
from marketdata_pipelines.sources.pulled.protocol import RateLimit
from marketdata_pipelines_tests.builders import make_feed

ccxt = pytest.importorskip("ccxt", reason="the extra ccxt is not installed: pip install 'marketdata-pipelines[ccxt]'")


def venue_feed(venue: str | None, *symbols: str, **source: Any) -> Feed:
    spec = SourceSpec(SourceKind.CCXT, venue=venue, symbols=symbols or ("BTC/USDT",), **source)
    return make_feed("24/7", name="crypto", source=spec)


def test_without_ccxt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)

    with pytest.raises(SettingsInvalid, match=r"pip install 'marketdata-pipelines\[ccxt\]'"):
        open_client(venue_feed("binance"))


@pytest.mark.parametrize(
    ("venue", "said"),
    [("binanc", "did you mean binance"), ("nowhere at all", "docs.ccxt.com"), (None, "needs `venue`")],
)
def test_an_unknown_venue_is_refused(venue: str | None, said: str) -> None:
    with pytest.raises(SettingsInvalid, match=said):
        open_client(venue_feed(venue))


def test_ccxts_own_limiter_is_off_and_the_feeds_timeout_holds() -> None:
    client = open_client(venue_feed("binance", timeout_seconds=2.5))

    assert (client.enableRateLimit, client.timeout) == (False, 2500)


def test_every_address_moves_below_a_feeds_url_and_keeps_its_path() -> None:
    client = open_client(venue_feed("binance", url="http://127.0.0.1:9/mirror"))

    assert client.urls["api"]["public"] == "http://127.0.0.1:9/mirror/api/v3"
    assert {url.startswith("http://127.0.0.1:9/mirror") for url in client.urls["api"].values()} == {True}


def test_spot_feeds_load_no_list_of_futures() -> None:
    assert open_client(venue_feed("binance")).options["fetchMarkets"]["types"] == ["spot"]
    assert "linear" in open_client(venue_feed("binance", "BTC/USDT:USDT")).options["fetchMarkets"]["types"]


def test_options_reach_ccxt_as_what_they_are() -> None:
    options = (("defaultType", "swap"), ("adjustForTimeDifference", "true"), ("recvWindow", "5000"))

    client = open_client(venue_feed("binance", options=options))

    assert [client.options[key] for key, _ in options] == ["swap", True, 5000]


def test_a_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_KEY", "mine:hidden")

    client = open_client(venue_feed("binance", key_env="VENUE_KEY"))

    assert (client.apiKey, client.secret) == ("mine", "hidden")


def test_a_key_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VENUE_KEY", raising=False)

    with pytest.raises(SettingsInvalid, match="VENUE_KEY is not set"):
        open_client(venue_feed("binance", key_env="VENUE_KEY"))


@pytest.mark.parametrize(
    ("venue", "interval", "name"),
    [("binance", "1m", "1m"), ("kraken", "60m", "1h"), ("binance", "24h", "1d"), ("binance", "1M", "1M")],
)
def test_an_interval_has_the_venues_own_name(venue: str, interval: str, name: str) -> None:
    assert timeframe_of(open_client(venue_feed(venue)), parse_interval(interval)) == name


@pytest.mark.parametrize("interval", ["7m", "30d", "1s"])
def test_an_interval_the_venue_has_not_lists_those_it_has(interval: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"kraken has no candles of .*; its timeframes: 1m, 5m, 15m, 30m, 1h"):
        timeframe_of(open_client(venue_feed("kraken")), parse_interval(interval))


@pytest.mark.parametrize(
    ("venue", "symbols", "wanted", "rows"),
    [
        ("binance", ["BTC/USDT"], None, 1000),
        ("binance", ["BTC/USDT"], 200, 200),
        ("binance", ["BTC/USDT"], 5000, 1000),
        ("binance", ["BTC/USDT:USDT"], None, 500),
        ("binance", ["BTC/USDT", "BTC/USD:BTC-251226"], None, 500),
        ("coinbase", ["BTC/USD"], None, 300),
        ("gemini", ["BTC/USD"], None, 100),
        ("gemini", ["BTC/USD"], 1440, 1440),
    ],
)
def test_pages_are_as_long_as_the_venue_allows(venue: str, symbols: list[str], wanted: int | None, rows: int) -> None:
    assert page_rows(open_client(venue_feed(venue)), symbols, wanted) == rows


@pytest.mark.parametrize(
    ("venue", "limit"),
    [("binance", RateLimit(4, 1.0)), ("kraken", RateLimit(1, 1.2)), ("bybit", RateLimit(10, 1.0))],
)
def test_the_limit_is_ccxts_account_of_the_dearest_candle_call(venue: str, limit: RateLimit) -> None:
    found = venue_limit(open_client(venue_feed(venue)), 1000)

    assert (found.calls, round(found.per_seconds, 6)) == (limit.calls, limit.per_seconds)


def test_every_venue_of_ccxt_opens_or_says_why_not() -> None:
    opened = 0
    for venue in ccxt.exchanges:
        try:
            client = open_client(venue_feed(venue))
        except SettingsInvalid:
            continue
        assert page_rows(client, ["BTC/USDT"], None) > 0
        assert venue_limit(client, 100).per_seconds > 0
        opened += 1

    assert opened > 60
