"""The simulated exchange over HTTP, for demos and tests: history in JSON pages, a rate limit, faults on demand.

    GET /v1/bars?symbols=A,B&interval=1m&start=T&end=T&limit=N&cursor=C[&unfinished=true]
    GET /v1/symbols      GET /v1/stats

A bar is labelled by its open; `end` is excluded. The running session is served up to now.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from marketdata_pipelines.domain.intervals import DAY_US, SECOND_US, Interval, parse_interval
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.sources.simulated.exchange_bars import (
    Corrections,
    Listing,
    Place,
    Row,
    page_of,
    unfinished_rows,
    window_rows,
)
from marketdata_pipelines.sources.simulated.exchange_faults import ExchangeFault, FaultPlan
from marketdata_pipelines.sources.simulated.exchange_traffic import Traffic

LARGEST_PAGE = 50_000
DEFAULT_PAGE = 10_000
_SPOILED_ROWS = 3


@dataclass(frozen=True, slots=True)
class ExchangeRules:
    """How the exchange behaves: `calls` in any `per_seconds` (None: no limit), its faults, its key, its clock (UTC
    microseconds)."""

    calls: int | None = None
    per_seconds: float = 1.0
    faults: FaultPlan = field(default_factory=FaultPlan)
    key: str | None = None
    clock: Callable[[], int] = lambda: time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class BarsQuery:
    """What a call to /v1/bars asks for; times in UTC microseconds."""

    symbols: tuple[str, ...]
    interval: Interval
    start_us: int
    end_us: int
    limit: int
    after: Place | None
    unfinished: bool


class Exchange:
    """One simulated exchange; `app` is its ASGI application."""

    def __init__(self, listing: Listing, rules: ExchangeRules | None = None) -> None:
        self.listing = listing
        self.corrections = Corrections()
        self._rules = rules or ExchangeRules()
        self._traffic = Traffic(self._rules.calls, self._rules.per_seconds, time.monotonic)
        self._faults: Counter[str] = Counter()
        self._names = frozenset(listing.names)
        self.app = Starlette(
            routes=[
                Route("/v1/bars", self._bars),
                Route("/v1/symbols", self._symbols),
                Route("/v1/stats", lambda _: JSONResponse(self.stats())),
            ]
        )

    def stats(self) -> dict[str, object]:
        """Calls so far, how many were one too many, the most in any window, and the faults made."""
        return {
            "calls": self._traffic.calls,
            "throttled": self._traffic.throttled,
            "largest_window": self._traffic.largest_window,
            "faults": dict(self._faults),
        }

    async def _symbols(self, request: Request) -> Response:
        return self._denied(request) or JSONResponse({"symbols": sorted(self._names)})

    async def _bars(self, request: Request) -> Response:
        number, wait_seconds = self._traffic.arrive()
        if wait_seconds is not None:
            return throttled_response(math.ceil(wait_seconds))
        denied = self._denied(request)
        if denied is not None:
            return denied
        fault = self._rules.faults.fault_of(number)
        if fault is not None:
            self._faults[fault.value] += 1
        if fault is ExchangeFault.THROTTLE:
            return throttled_response(1, self._rules.clock() if number % 2 else None)
        if fault is ExchangeFault.ERROR:
            return JSONResponse({"error": "the exchange has a fault"}, 500)
        if fault is ExchangeFault.TIMEOUT:
            return SilentResponse()
        try:
            query = self._query(request)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        body = json.dumps(await run_in_threadpool(self.answer, query, fault)).encode()
        if fault is ExchangeFault.TRUNCATED:
            return Response(body[: len(body) * 2 // 3], media_type="application/json")
        return BrokenResponse(body) if fault is ExchangeFault.RESET else Response(body, media_type="application/json")

    def answer(self, query: BarsQuery, fault: ExchangeFault | None = None) -> dict[str, object]:
        """The answer to a call as JSON values."""
        now_us = self._rules.clock()
        rows = window_rows(self.listing, query.interval, query.symbols, query.start_us, query.end_us, now_us)
        rows = self.corrections.apply(rows)
        page, following = page_of(rows, query.after, query.limit)
        if fault is ExchangeFault.DUPLICATE:
            page = page + page[:_SPOILED_ROWS]
        if fault is ExchangeFault.OVERLAP and query.after is not None:
            page = [row for row in rows if (row["ts"], row["symbol"]) <= query.after][-_SPOILED_ROWS:] + page
        if following is None and (query.unfinished or fault is ExchangeFault.UNFINISHED):
            page = page + unfinished_rows(self.listing, query.interval, query.symbols, now_us)
        cursor = None if following is None else f"{following[0]}:{following[1]}"
        return {"bars": [_told(row) for row in page], "next_cursor": cursor}

    def _denied(self, request: Request) -> Response | None:
        if self._rules.key is None or request.headers.get("authorization") == f"Bearer {self._rules.key}":
            return None
        return JSONResponse({"error": "the key is missing or wrong"}, 401)

    def _query(self, request: Request) -> BarsQuery:
        asked = request.query_params
        symbols = tuple(filter(None, asked.get("symbols", "").split(",")))
        unknown = sorted(set(symbols) - self._names)
        if not symbols or unknown:
            raise ValueError(f"unknown symbol {unknown[0]}" if unknown else "symbols is missing")
        interval = parse_interval(asked.get("interval", ""))
        if interval.is_month or interval.us > DAY_US:
            raise ValueError(f"interval {interval} is not served; ask for 1d or finer")
        limit = asked.get("limit", str(DEFAULT_PAGE))
        if not limit.isdigit() or not 1 <= int(limit) <= LARGEST_PAGE:
            raise ValueError(f"limit is a number from 1 to {LARGEST_PAGE}")
        return BarsQuery(
            symbols=symbols,
            interval=interval,
            start_us=_instant(asked.get("start", "")),
            end_us=_instant(asked.get("end", "")),
            limit=int(limit),
            after=_place(asked.get("cursor")),
            unfinished=asked.get("unfinished") == "true",
        )


def throttled_response(seconds: int, date_from_us: int | None = None) -> Response:
    """429, with Retry-After as a number, or as a date counted from an instant."""
    value = str(seconds)
    if date_from_us is not None:
        until = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=math.ceil(date_from_us / SECOND_US) + seconds)
        value = until.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return JSONResponse({"error": "too many calls"}, 429, headers={"Retry-After": value})


class SilentResponse(Response):
    """Says nothing until the client gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


class BrokenResponse(Response):
    """Ends the connection in the middle of the body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})


def _told(row: Row) -> dict[str, Any]:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row["ts"])
    return {**row, "ts": moment.isoformat().replace("+00:00", "Z")}


def _instant(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time like 2024-07-01T13:30:00Z") from error
    return to_us(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    ts, _, symbol = cursor.partition(":")
    if not ts.lstrip("-").isdigit() or not symbol:
        raise ValueError("the cursor is none of ours")
    return int(ts), symbol
