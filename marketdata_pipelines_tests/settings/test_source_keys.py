"""The source part of a feed: keys by kind."""

import pytest

from marketdata_pipelines.domain.feeds import Feed, SourceKind
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.feeds_file import parse_feeds

EXCHANGE = "kind: exchange, url: 'http://127.0.0.1:8900', symbols: [A, B]"


def feed(source: str, interval: str = "1m") -> Feed:
    text = f"feeds:\n  p:\n    source: {{{source}}}\n    interval: {interval}\n    calendar: XNYS\n"
    return parse_feeds(text, "feeds.yaml")["p"]


def test_a_vendor_is_named_with_its_address_symbols_and_limits() -> None:
    source = feed(
        f"{EXCHANGE}, calls: 5, per_seconds: 0.5, attempts: 9, timeout_seconds: 2.5, page_rows: 100, key_env: MY_KEY"
    ).source

    assert (source.kind, source.url, source.symbols) == (SourceKind.EXCHANGE, "http://127.0.0.1:8900", ("A", "B"))
    assert (source.calls, source.per_seconds, source.attempts) == (5, 0.5, 9)
    assert (source.timeout_seconds, source.page_rows, source.key_env) == (2.5, 100, "MY_KEY")


def test_each_vendor_has_its_own_keys() -> None:
    ccxt = feed("kind: ccxt, venue: binance, symbols: BTC/USDT, options: {defaultType: spot}").source
    yahoo = feed("kind: yfinance, symbols: [SPY, SPY, QQQ]", "1d").source

    assert (ccxt.venue, ccxt.symbols, ccxt.options) == ("binance", ("BTC/USDT",), (("defaultType", "spot"),))
    assert (yahoo.kind, yahoo.symbols) == (SourceKind.YFINANCE, ("SPY", "QQQ"))
    assert feed("kind: yfinance, symbols: [SPY]").is_pulled
    assert not feed("kind: simulated, symbols: 5").is_pulled


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (f"{EXCHANGE}, venue: x", "line 3: venue is no key of a source of kind exchange; allowed: kind, url, symbols,"),
        (f"{EXCHANGE}, path: x", "path is no key of a source of kind exchange"),
        ("kind: files, path: x, url: 'http://h'", "url is no key of a source of kind files; allowed: kind, path,"),
        ("kind: simulated, symbols: 5, calls: 5", "calls is no key of a source of kind simulated"),
        ("kind: exchange, symbols: [A]", "source lacks the key url, which a source of kind exchange needs"),
        ("kind: ccxt, symbols: [A]", "source lacks the key venue"),
        ("kind: yfinance", "source lacks the key symbols"),
        (f"{EXCHANGE}, colour: red", "colour is no key of source; allowed: kind, path,"),
        (f"{EXCHANGE}, calls: 5", "a rate needs both, such as calls: 5, per_seconds: 1"),
        (f"{EXCHANGE}, per_seconds: 5", "a rate needs both"),
        (f"{EXCHANGE}, calls: 0, per_seconds: 1", "'0' is no whole number from 1 on"),
        (f"{EXCHANGE}, attempts: 1.5", "'1.5' is no whole number"),
        (f"{EXCHANGE}, timeout_seconds: -1", "is no positive number of seconds"),
        (f"{EXCHANGE}, timeout_seconds: soon", "timeout_seconds is wrong"),
        ("kind: exchange, url: 127.0.0.1, symbols: [A]", "'127.0.0.1' is no address like https://host/path"),
        ("kind: exchange, url: 'http://u:p@h', symbols: [A]", "is no address"),
        ("kind: yfinance, symbols: []", "must list at least one symbol"),
        ("kind: yfinance, symbols: ['']", "must list at least one symbol and no empty one"),
        ("kind: alpaca", "kind is 'alpaca'; allowed: files, simulated, sample, exchange, ccxt, yfinance"),
    ],
)
def test_what_makes_no_sense_names_the_line_and_what_is_allowed(source: str, told: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        feed(source)

    assert told in str(caught.value)
    assert "feeds.yaml, line 3: " in str(caught.value)


def test_a_secret_written_into_the_file_is_not_repeated() -> None:
    with pytest.raises(SettingsInvalid, match="give the NAME of an environment variable") as caught:
        feed(f"{EXCHANGE}, key_env: 'sk-12345'")

    assert "12345" not in str(caught.value)


def test_trades_are_not_pulled() -> None:
    with pytest.raises(SettingsInvalid, match="line 3: source of kind exchange has bars, not trades"):
        feed(EXCHANGE, "tick")
