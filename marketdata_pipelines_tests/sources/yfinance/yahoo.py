"""Yahoo as its own servers answer: the chart in its shapes, and the pages around it that give cookies and a crumb."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from marketdata_pipelines_tests.sources.vendor_server import Answer, Query

CRUMB = "a.Crumb/1"
# (seconds UTC, open, high, low, close, volume); None as in Yahoo's arrays.
Row = tuple[int, float | None, float | None, float | None, float | None, int | None]


@dataclass(slots=True)
class Yahoo:
    """What Yahoo has: rows a symbol, at one interval."""

    book: Mapping[str, Sequence[Row]]
    zone: str = "America/New_York"
    instrument: str = "EQUITY"
    stale_crumbs: int = 0
    splits: Mapping[str, Any] = field(default_factory=dict)
    keeps_from: int = 0

    def __call__(self, path: str, query: Query) -> Answer:
        if path.startswith("/v8/finance/chart/"):
            return self._chart(path.rsplit("/", 1)[-1], query)
        if path == "/v1/test/getcrumb":
            return Answer(CRUMB.encode(), 200, {"Content-Type": "text/plain"})
        if path == "/consent":
            form = '<form><input name="csrfToken" value="t"><input name="sessionId" value="s"></form>'
            return Answer(form.encode(), 200, {"Content-Type": "text/html"})
        # fc.yahoo.com answers 404 and gives its cookie all the same.
        cookie = "A3=d=abc; Expires=Fri, 01 Jan 2038 00:00:00 GMT; Path=/"
        return Answer(b"", 404, {"Set-Cookie": cookie, "Content-Type": "text/html"})

    def _chart(self, symbol: str, query: Query) -> Answer:
        if self.stale_crumbs:
            self.stale_crumbs -= 1
            body = {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}
            return Answer(json.dumps(body).encode(), 401)
        if symbol not in self.book:
            return refusal("Not Found", "No data found, symbol may be delisted", 404)
        start, end = int(query["period1"]), int(query["period2"])
        if start < self.keeps_from:
            text = f"1m data not available for startTime={start} and endTime={end}."
            return refusal("Unprocessable Entity", f"{text} The requested range must be within the last 30 days.", 422)
        rows = [row for row in self.book[symbol] if start <= row[0] < end]
        return Answer(json.dumps(chart(symbol, rows, query["interval"], self)).encode())


def refusal(code: str, description: str, status: int) -> Answer:
    """Yahoo's error inside a chart."""
    error = {"chart": {"result": None, "error": {"code": code, "description": description}}}
    return Answer(json.dumps(error).encode(), status)


def chart(symbol: str, rows: Sequence[Row], interval: str, yahoo: Yahoo) -> dict[str, Any]:
    """The JSON of a chart; without rows it has neither times nor quotes, as Yahoo's."""
    intraday = interval != "1d"
    result: dict[str, Any] = {"meta": _meta(symbol, rows, interval, yahoo)}
    if not rows:
        result["indicators"] = {"quote": [{}], "adjclose": [{}]}
        return {"chart": {"result": [result], "error": None}}
    result["timestamp"] = [row[0] for row in rows]
    if yahoo.splits:
        result["events"] = {"splits": dict(yahoo.splits)}
    names = ("open", "high", "low", "close", "volume")
    result["indicators"] = {"quote": [{name: [row[n] for row in rows] for n, name in enumerate(names, 1)}]}
    if not intraday:
        adjusted = [None if row[4] is None else row[4] * 0.97 for row in rows]
        result["indicators"]["adjclose"] = [{"adjclose": adjusted}]
    return {"chart": {"result": [result], "error": None}}


def _meta(symbol: str, rows: Sequence[Row], interval: str, yahoo: Yahoo) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NMS",
        "instrumentType": yahoo.instrument,
        "firstTradeDate": 345479400,
        "regularMarketTime": rows[-1][0] if rows else 1709931601,
        "gmtoffset": -18000,
        "timezone": "EST",
        "exchangeTimezoneName": yahoo.zone,
        "priceHint": 2,
        "currentTradingPeriod": {name: _period(1709908200) for name in ("pre", "regular", "post")},
        "dataGranularity": interval,
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "max"],
    }
    if interval != "1d":
        days = sorted({datetime.fromtimestamp(row[0], ZoneInfo(yahoo.zone)).date() for row in rows})
        opens = [datetime(day.year, day.month, day.day, 9, 30, tzinfo=ZoneInfo(yahoo.zone)) for day in days]
        meta["tradingPeriods"] = [[_period(int(moment.timestamp()))] for moment in opens]
    return meta


def _period(start: int) -> dict[str, Any]:
    return {"timezone": "EST", "start": start, "end": start + 23_400, "gmtoffset": -18000}


def minutes(start: str, count: int, *, step: int = 60) -> list[Row]:
    """Rows from a UTC text on, no two alike, with prices that are no short decimals, as Yahoo's."""
    first = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp())
    rows: list[Row] = []
    for position in range(count):
        price = 170.123 + position % 40 / 7
        rows.append((first + position * step, price, price + 0.5, price - 0.5, price + 0.25, 1000 + position))
    return rows
