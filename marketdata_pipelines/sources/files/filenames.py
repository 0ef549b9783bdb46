"""The symbol of a file that has no symbol column, told by its name."""

import os
import re

from marketdata_pipelines.errors import SettingsInvalid

# Words that stand in file names for what the file holds, not for whose prices they are.
_WORDS = frozenset(
    (
        *("DATA", "BARS", "BAR", "PRICES", "PRICE", "OHLC", "OHLCV", "TRADES", "TICKS", "QUOTES", "CANDLES", "KLINES"),
        *("DAILY", "HOURLY", "MINUTE", "MIN", "INTRADAY", "EOD", "HISTORY", "HISTORICAL", "MARKET", "CHART", "TABLE"),
        *("STOCKS", "STOCK", "EQUITIES", "CRYPTO", "FX", "US", "ALL", "PART", "TEST", "SAMPLE", "EXPORT", "DOWNLOAD"),
        *("CSV", "JSON", "FILE", "INPUT", "OUTPUT", "RESULTS", "SHEET", "RAW", "NEW", "OLD", "TMP", "TEMP", "CLEAN"),
    )
)
_VENUES = frozenset(
    (
        "BINANCE",
        "BITFINEX",
        "BITSTAMP",
        "BYBIT",
        "COINBASE",
        "GEMINI",
        "KRAKEN",
        "OKX",
        "FXCM",
        "OANDA",
        "NASDAQ",
        "NYSE",
    )
)
_TICKER = re.compile(r"^[A-Z0-9^$][A-Z0-9^=\-]{0,14}$")
_PAIR = re.compile(r"^[A-Za-z]{4,12}(?:USDT|USDC|USD|EUR|GBP|JPY|BTC)$")


def symbol_from_pattern(path: str, pattern: str) -> str | None:
    """Group 1 of `symbol_from_name` in the file's name, None where the name does not match.

    Errors: SettingsInvalid when it is no regular expression or has no group.
    """
    try:
        match = re.search(pattern, _base_name(path))
        return match.group(1) if match else None
    except (re.error, IndexError) as error:
        raise SettingsInvalid(
            f"symbol_from_name {pattern!r} cannot be used ({error}); give a regular expression with one group"
        ) from error


def symbol_from_name(path: str) -> str | None:
    """The file name's first token, when it looks like a ticker: `SPY_2011-03.Last.txt` -> SPY."""
    name = _base_name(path)
    tokens = re.split(r"[_ .]", name)
    # HistData names its files DAT_ASCII_EURUSD_M1_201202.
    at = 2 if tokens[0] == "DAT" and len(tokens) > 3 else 0
    # Exports of one venue put it first: BINANCE_BTCUSDT, 60.csv
    at += tokens[0].upper() in _VENUES and len(tokens) > 2
    token = tokens[at].strip(",")
    # An interval, a date or a kind may follow behind a dash: BTCUSDT-1m-2024-01, SPY-2013-10-04.
    token = re.split(r"-(?=[0-9]+(?:s|m|h|d|w|mo)(?:-|$)|[0-9]{4}(?:-|$)|[0-9]{8}|[a-z])", token)[0]
    only = len([part for part in re.split(r"[_ ]", name.split(".")[0]) if part]) == 1
    if not token or token.upper() in _WORDS or re.fullmatch(r"[0-9\-]+", token):
        return None
    if _TICKER.match(token):
        return token
    if only and re.fullmatch(r"[a-z]{1,5}", token):
        return token.upper()
    return token.upper() if _PAIR.match(token) and token != token.lower() else None


def is_ticker(text: str) -> bool:
    """Whether a sheet's name can be a symbol."""
    return bool(_TICKER.match(text)) and text not in _WORDS and not re.fullmatch(r"SHEET[0-9]*", text)


def _base_name(path: str) -> str:
    return os.path.basename(path.rstrip("/"))
