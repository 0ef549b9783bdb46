"""Opens ccxt's client of a venue as a feed describes it, and says what that venue offers. No calls to the venue.

How its answers and errors are taken is `answers`; what is asked for is `historical`.
"""

import difflib
import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from marketdata_pipelines.domain.feeds import Feed, SourceSpec
from marketdata_pipelines.domain.intervals import SECOND_US, Interval
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.pulled.caller import DEFAULT_TIMEOUT_SECONDS
from marketdata_pipelines.sources.pulled.protocol import RateLimit

# Asked of venues that do not say how many candles they give at once: no venue gives fewer.
USUAL_PAGE_ROWS = 100
_CANDLE_WORDS = ("kline", "candle", "ohlc")


def ccxt_library() -> Any:
    """The installed ccxt.

    Errors: SettingsInvalid saying what to install.
    """
    try:
        return importlib.import_module("ccxt")
    except ImportError as error:
        raise SettingsInvalid(
            "a source of kind ccxt needs the package ccxt; run: pip install 'marketdata-pipelines[ccxt]'"
        ) from error


def open_client(feed: Feed) -> Any:
    """ccxt's client of the feed's venue, with ccxt's own rate limiter off: ours is shared by all processes.

    Errors: SettingsInvalid for an unknown venue, or one without candles.
    """
    ccxt, source = ccxt_library(), feed.source
    venue = source.venue or ""
    if venue not in ccxt.exchanges:
        raise SettingsInvalid(f"{feed.name}: {_unknown_venue(venue, ccxt.exchanges)}")
    seconds = source.timeout_seconds or DEFAULT_TIMEOUT_SECONDS
    client = getattr(ccxt, venue)(
        {"enableRateLimit": False, "timeout": max(1, round(seconds * 1000)), "options": _options(source)}
    )
    if client.has.get("fetchOHLCV") is not True:
        raise SettingsInvalid(f"{feed.name}: the venue {venue} gives no candles through ccxt; choose another")
    if source.url is not None:
        client.urls["api"] = _moved(client.urls["api"], source.url.rstrip("/"))
    _narrow_markets(client, source.symbols)
    _give_key(client, source)
    return client


def timeframe_of(client: Any, interval: Interval) -> str:
    """The venue's own name of an interval.

    Errors: SettingsInvalid listing the timeframes the venue has.
    """
    offered = list(client.timeframes or {})
    for name in offered:
        if name.endswith("M") or interval.is_month:
            found = name == interval.name
        else:
            found = client.parse_timeframe(name) * SECOND_US == interval.us
        if found:
            return str(name)
    raise SettingsInvalid(f"{client.id} has no candles of {interval}; its timeframes: {', '.join(offered)}")


def page_rows(client: Any, symbols: Sequence[str], wanted: int | None) -> int:
    """How many candles to ask for at once: the venue's own limit for markets of these kinds, or fewer where wanted."""
    limits = [client.feature_value_by_type(*_market_type(symbol), "fetchOHLCV", "limit") for symbol in symbols]
    known = [int(limit) for limit in limits if limit]
    most = min(known) if known else USUAL_PAGE_ROWS
    return most if wanted is None or (known and wanted > most) else wanted


def venue_limit(client: Any, rows: int) -> RateLimit:
    """What the venue allows by ccxt's own account of it, as calls a second (or one in longer than a second).

    ccxt weighs endpoints; the dearest candle endpoint decides, so that no other can exceed the limit.
    """
    cost = max([1.0, *_candle_costs(client.api, rows)])
    spacing_seconds = float(client.rateLimit) * cost / 1000
    calls = max(1, int(1 / spacing_seconds)) if spacing_seconds > 0 else 1
    return RateLimit(calls=calls, per_seconds=max(spacing_seconds * calls, 0.001))


def _unknown_venue(venue: str, known: Sequence[str]) -> str:
    if not venue:
        return "a source of kind ccxt needs `venue`, the id of an exchange such as binance or kraken"
    near = difflib.get_close_matches(venue, known, n=3)
    meant = f"; did you mean {' or '.join(near)}?" if near else "; its ids are in docs.ccxt.com"
    return f"ccxt knows no venue {venue!r}{meant}"


def _options(source: SourceSpec) -> dict[str, Any]:
    # Text in feeds.yaml; ccxt wants flags and numbers as such.
    options: dict[str, Any] = {}
    for key, text in source.options:
        try:
            options[key] = json.loads(text)
        except ValueError:
            options[key] = text
    return options


def _moved(urls: Any, base: str) -> Any:
    """The venue's addresses below another host: a mirror or a gateway."""
    if isinstance(urls, Mapping):
        return {key: _moved(value, base) for key, value in urls.items()}
    return base + urlsplit(urls).path if isinstance(urls, str) else urls


def _narrow_markets(client: Any, symbols: Sequence[str]) -> None:
    # A spot feed needs no list of futures, which is another call each, and refused in some countries.
    kinds = client.options.get("fetchMarkets")
    listed = kinds.get("types") if isinstance(kinds, dict) else None
    if symbols and not any(":" in symbol for symbol in symbols) and "spot" in (listed or ()):
        client.options["fetchMarkets"] = {**kinds, "types": ["spot"]}


def _give_key(client: Any, source: SourceSpec) -> None:
    # Few venues ask for one for candles; those want a key, or a key and a secret.
    if source.key_env is None:
        return
    found = os.environ.get(source.key_env, "")
    if not found:
        raise SettingsInvalid(f"the environment variable {source.key_env} is not set; put KEY or KEY:SECRET into it")
    client.apiKey, _, client.secret = found.partition(":")


def _market_type(symbol: str) -> tuple[str, str | None]:
    """What ccxt's unified symbols say: BTC/USDT spot, BTC/USDT:USDT a swap, BTC/USDT:USDT-250627 a future."""
    pair, _, settled = symbol.partition(":")
    if not settled:
        return "spot", None
    currency, _, expiry = settled.partition("-")
    return ("future" if expiry else "swap"), ("linear" if pair.endswith(f"/{currency}") else "inverse")


def _candle_costs(api: Any, rows: int, path: str = "") -> Iterator[float]:
    for key, value in api.items() if isinstance(api, Mapping) else ():
        below = f"{path}/{key}".lower()
        if "private" in below:
            continue
        if any(word in str(key).lower() for word in _CANDLE_WORDS):
            yield _cost(value, rows)
        else:
            yield from _candle_costs(value, rows, below)


def _cost(value: Any, rows: int) -> float:
    if not isinstance(value, Mapping):
        return float(value) if isinstance(value, int | float) else 1.0
    steps = [float(cost) for most, cost in value.get("byLimit") or () if rows <= most]
    return steps[0] if steps else float(value.get("cost") or 1.0)
