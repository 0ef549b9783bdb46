"""Three venues as their own servers answer, each with its own shape of candles and its own way of paging."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from marketdata_pipelines_tests.sources.vendor_server import Answer, Query

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle of a venue's book, as ccxt's unified form has it."""

    opened_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def unified(self) -> list[float]:
        return [self.opened_ms, self.open, self.high, self.low, self.close, self.volume]


def candles(start_ms: int, count: int, *, holes: Iterable[int] = (), step_ms: int = MINUTE_MS) -> list[Candle]:
    """Consecutive candles, no two alike; the positions in `holes` were without trades."""
    left_out = set(holes)
    made = []
    for position in range(count):
        level = 100 + position % 50 / 8
        if position not in left_out:
            made.append(
                Candle(start_ms + position * step_ms, level, level + 0.5, level - 0.5, level + 0.25, 1.5 + position)
            )
    return made


def binance(book: list[Candle], *, most: int = 1000) -> Callable[[str, Query], Answer]:
    """`/api/v3/klines` and `/api/v3/exchangeInfo`: the first candles from `startTime` on, however far away."""

    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/exchangeInfo"):
            return _json(
                {"timezone": "UTC", "symbols": [_binance_market("BTC", "USDT"), _binance_market("ETH", "USDT")]}
            )
        if path.endswith("/klines"):
            since, count = int(query["startTime"]), min(int(query["limit"]), most)
            found = [c for c in book if c.opened_ms >= since][:count]
            return _json([_kline(c) for c in found])
        return Answer(b'{"code":-1,"msg":"no such path"}', 404)

    return answer


def kraken(book: list[Candle]) -> Callable[[str, Query], Answer]:
    """`/0/public/OHLC`, `AssetPairs` and `Assets`; the newest 720 candles, times in seconds, `since` exclusive."""

    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/Assets"):
            assets = {"XXBT": "XBT", "ZUSD": "USD"}
            return _kraken({i: {"aclass": "currency", "altname": a, "decimals": 10} for i, a in assets.items()})
        if path.endswith("/AssetPairs"):
            return _kraken({"XXBTZUSD": _kraken_market()})
        if path.endswith("/OHLC"):
            found = [c for c in book if c.opened_ms > int(query.get("since", "0")) * 1000][-720:]
            rows = [_kraken_row(c) for c in found]
            return _kraken({query["pair"]: rows, "last": found[-1].opened_ms // 1000 if found else 0})
        return Answer(b'{"error":["EGeneral:Unknown method"]}')

    return answer


def coinbase(book: list[Candle]) -> Callable[[str, Query], Answer]:
    """`/products/{id}/candles` of coinbaseexchange: what lies between `start` and `end`, newest first, 300 at most."""

    def answer(path: str, query: Query) -> Answer:
        if path == "/currencies":
            return _json([{"id": "BTC", "name": "Bitcoin", "max_precision": "0.00000001", "status": "online"}])
        if path == "/products":
            return _json([{"id": "BTC-USD", "base_increment": "0.00000001", "quote_increment": "0.01"}])
        if path == "/products/BTC-USD/candles":
            start, end = (datetime.fromisoformat(query[name]).timestamp() * 1000 for name in ("start", "end"))
            if (end - start) / 1000 / int(query["granularity"]) >= 300:
                text = "granularity too small for the requested time range. Count of aggregations requested exceeds 300"
                return Answer(json.dumps({"message": text}).encode(), 400)
            return _json([_coinbase_row(c) for c in reversed(book) if start <= c.opened_ms <= end])
        return Answer(b'{"message":"NotFound"}', 404)

    return answer


def _json(content: object) -> Answer:
    return Answer(json.dumps(content).encode())


def _kraken(result: object) -> Answer:
    return _json({"error": [], "result": result})


def _kline(c: Candle) -> list[object]:
    prices = [f"{value:.8f}" for value in (c.open, c.high, c.low, c.close, c.volume)]
    return [c.opened_ms, *prices, c.opened_ms + MINUTE_MS - 1, f"{c.volume * c.close:.8f}", 40, "1.0", "100.0", "0"]


def _binance_market(base: str, quote: str) -> dict[str, object]:
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.0", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
        ],
        "permissions": ["SPOT"],
    }


def _kraken_market() -> dict[str, object]:
    return {
        "altname": "XBTUSD",
        "wsname": "XBT/USD",
        "aclass_base": "currency",
        "base": "XXBT",
        "aclass_quote": "currency",
        "quote": "ZUSD",
        "pair_decimals": 1,
        "lot_decimals": 8,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.26]],
        "fees_maker": [[0, 0.16]],
        "ordermin": "0.0001",
        "status": "online",
    }


def _kraken_row(c: Candle) -> list[object]:
    middle = f"{(c.high + c.low) / 2:.5f}"
    return [c.opened_ms // 1000, str(c.open), str(c.high), str(c.low), str(c.close), middle, str(c.volume), 7]


def _coinbase_row(c: Candle) -> list[float]:
    return [c.opened_ms // 1000, c.low, c.high, c.open, c.close, c.volume]
