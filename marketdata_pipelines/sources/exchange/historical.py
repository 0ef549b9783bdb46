"""History of the simulated exchange over HTTP, as a vendor of the pulled kind; what its JSON means is in `wire`."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import httpx

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import date_of_us
from marketdata_pipelines.errors import SettingsInvalid, SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.exchange.wire import WirePage, error_text, parse_page
from marketdata_pipelines.sources.pulled.caller import DEFAULT_TIMEOUT_SECONDS
from marketdata_pipelines.sources.pulled.protocol import (
    Caller,
    CallEstimate,
    Clock,
    HistoricalSource,
    Page,
    Payload,
    RateLimit,
    Throttled,
)
from marketdata_pipelines.sources.pulled.retry_after import retry_after_seconds

_PAGE_ROWS = 10_000
_SYMBOLS_A_CALL = 100
_LIMIT = RateLimit(5, 1.0)
_PATH = "/v1/bars"
# Any month with ordinary sessions, to know how long one lasts.
_ORDINARY = (date(2024, 1, 1), date(2024, 1, 31))


def open_source(feed: Feed, clock: Clock) -> HistoricalSource:
    """The exchange a feed names; no call is made.

    Errors: SettingsInvalid when the feed names no url, or a variable for its key that is not set.
    """
    source = feed.source
    if source.url is None:
        raise SettingsInvalid(f"{feed.name}: a source of kind exchange needs a url such as http://127.0.0.1:8900")
    key = None
    if source.key_env is not None:
        key = os.environ.get(source.key_env)
        if not key:
            raise SettingsInvalid(f"{feed.name}: the variable {source.key_env} is not set; it holds the exchange's key")
    return ExchangeHistory(
        feed, source.url, key, clock, source.page_rows or _PAGE_ROWS, source.timeout_seconds or DEFAULT_TIMEOUT_SECONDS
    )


@dataclass(frozen=True, slots=True)
class ExchangeHistory:
    """The exchange's history of one feed. `key` is never shown."""

    feed: Feed
    url: str
    key: str | None
    clock: Clock
    page_rows: int
    timeout_seconds: float

    @property
    def provider(self) -> str:
        return "exchange"

    @property
    def complete(self) -> bool:
        # It answers from the one book there is: a bar it leaves out was not traded, or has been withdrawn.
        return True

    @property
    def limit(self) -> RateLimit:
        return _LIMIT

    @property
    def window_us(self) -> int:
        minutes = max((session.minutes for session in feed_calendar(self.feed).sessions(*_ORDINARY)), default=1)
        bars_a_day = max(minutes * MINUTE_US // max(self.feed.interval.us, 1), 1)
        symbols = min(len(self.feed.source.symbols), _SYMBOLS_A_CALL)
        return max(self.page_rows // (bars_a_day * symbols), 1) * DAY_US

    def historical(self, symbols: Sequence[str], start_us: int, end_us: int, caller: Caller) -> Iterator[Page]:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        with httpx.Client(base_url=self.url, timeout=self.timeout_seconds, headers=headers) as client:
            for at in range(0, len(symbols), _SYMBOLS_A_CALL):
                yield from self._pages(client, symbols[at : at + _SYMBOLS_A_CALL], start_us, end_us, caller)

    def calls(self, symbols: Sequence[str], start_us: int, end_us: int) -> CallEstimate:
        batches = [len(symbols[at : at + _SYMBOLS_A_CALL]) for at in range(0, len(symbols), _SYMBOLS_A_CALL)]
        days = (date_of_us(start_us), date_of_us(end_us - 1) + timedelta(days=1))
        sessions = feed_calendar(self.feed).sessions(*days)
        held = [s for s in sessions if s.open < end_us and s.close > start_us] if self.feed.interval.is_intraday else []
        bars = sum(session.minutes * MINUTE_US // self.feed.interval.us for session in held)
        bars = bars or max((end_us - start_us) // DAY_US, 1)
        return CallEstimate(sum(math.ceil(bars * size / self.page_rows) for size in batches))

    def _pages(
        self, client: httpx.Client, symbols: Sequence[str], start_us: int, end_us: int, caller: Caller
    ) -> Iterator[Page]:
        query = {
            "symbols": ",".join(symbols), "interval": self.feed.interval.name, "start": _text(start_us),
            "end": _text(end_us), "limit": str(self.page_rows),
        }  # fmt: skip
        what = f"{len(symbols)} symbols' bars from {query['start']} to {query['end']}"
        seen: set[str] = set()
        cursor: str | None = ""
        while cursor is not None:
            asked = query | ({"cursor": cursor} if cursor else {})
            payload, page = caller(lambda asked=asked: self._ask(client, asked), what)  # type: ignore[misc]
            yield Page(payload, page.bars)
            cursor = page.next_cursor
            if cursor is not None and cursor in seen:
                raise SourceUnavailable(f"{what}: the exchange goes round in circles at cursor {cursor!r}")
            seen.add(cursor or "")

    def _ask(self, client: httpx.Client, query: dict[str, str]) -> tuple[Payload, WirePage]:
        asked_us = self.clock()
        try:
            response = client.get(_PATH, params=query)
        except httpx.HTTPError as error:
            raise SourceUnavailable(f"{self.url} did not answer ({type(error).__name__}: {error})") from error
        _check(self.url, response, self.clock)
        payload = Payload(response.content, f"GET {_PATH}?{urlencode(query)}", asked_us)
        return payload, parse_page(response.content)


def _check(url: str, response: httpx.Response, clock: Clock) -> None:
    status, header = response.status_code, response.headers.get("retry-after")
    if status == 200:
        return
    text = f"{url} answers {status}: {error_text(response.content)}"
    if status == 429 or (status == 503 and header is not None):
        raise Throttled(text, retry_after_seconds(header, clock()))
    if status >= 500 or status in (408, 425):
        raise SourceUnavailable(text)
    raise SourceRejected(text, rule="vendor_refused")


def _text(us: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return moment.isoformat().replace("+00:00", "Z")
