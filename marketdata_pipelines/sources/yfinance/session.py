"""The HTTP session yfinance is given: every request is a vendor call of ours, and the chart's body is kept.

The session is curl_cffi's, as yfinance makes it; its cookies, crumb and consent pages stay yfinance's work. Each
request goes through the pull's caller, so none escapes the rate limit. A chart that failed is asked for again in
here, below yfinance: it would take the failure for a stale cookie, or keep it in its cache.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from marketdata_pipelines.domain.feeds import SourceSpec
from marketdata_pipelines.errors import SettingsInvalid, SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.pulled.caller import DEFAULT_TIMEOUT_SECONDS
from marketdata_pipelines.sources.pulled.protocol import Caller, Clock, Payload, Throttled
from marketdata_pipelines.sources.pulled.retry_after import retry_after_seconds
from marketdata_pipelines.sources.yfinance.wire import Chart, Refusal, read_chart

_CHART_PATH = "/v8/finance/chart/"
# 999 is Yahoo's older way to say 429.
_TOO_MANY = (429, 999)
_STALE_CRUMB = (401, 403)
# Kept with every answer: what its prices are.
_ADJUSTED = " [adjusted: split]"
_NOTHING_IN_WINDOW = ("data doesn't exist for startdate", "no data found for this date range")


class NothingThere(Exception):
    """Yahoo has answered and has no bars in the window; passes through yfinance, which would take it for worse."""


class ChartSession:
    """A session and the last chart that came through it."""

    def __init__(self, source: SourceSpec, clock: Clock) -> None:
        self._base = None if source.url is None else source.url.rstrip("/")
        self._timeout = source.timeout_seconds or DEFAULT_TIMEOUT_SECONDS
        self._clock = clock
        self._caller: Caller | None = None
        self._what = ""
        self._denials = 0
        self._last: tuple[Payload, Chart] | None = None
        self.session = _new_session()
        self._send: Callable[..., Any] = self.session.request
        # Older versions of curl_cffi do not send `get` and `post` through `request`.
        self.session.request = self._request
        self.session.get = partial(self._request, "GET")
        self.session.post = partial(self._request, "POST")

    @contextmanager
    def using(self, caller: Caller, what: str) -> Iterator[None]:
        """Send what yfinance asks for through `caller`; `what` names the bars."""
        self._caller, self._what, self._denials, self._last = caller, what, 0, None
        try:
            yield
        finally:
            self._caller = None

    @property
    def last(self) -> tuple[Payload, Chart]:
        """The last chart that was read.

        Errors: SourceUnavailable when none was.
        """
        if self._last is None:
            raise SourceUnavailable(f"yfinance asked Yahoo for no chart ({self._what}); its version may be too new")
        return self._last

    def _request(self, method: str, url: str, **details: Any) -> Any:
        details["timeout"] = self._timeout
        caller, placed = self._caller, self._placed(url)
        if caller is None:
            return self._send(method=method, url=placed, **details)
        if _CHART_PATH in url:
            outcome = caller(lambda: self._chart(method, placed, details), self._what)
        else:
            outcome = caller(lambda: self._aside(method, placed, details), f"Yahoo's cookies for {self._what}")
        if isinstance(outcome, OSError | NothingThere):
            raise outcome
        return outcome

    def _placed(self, url: str) -> str:
        if self._base is None:
            return url
        parts = urlsplit(url)
        return f"{self._base}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")

    def _aside(self, method: str, url: str, details: dict[str, Any]) -> Any:
        # yfinance gets by without cookies and crumb, so their failures are its own to judge: none is tried again.
        try:
            return self._send(method=method, url=url, **details)
        except OSError as error:
            return error

    def _chart(self, method: str, url: str, details: dict[str, Any]) -> Any:
        received_us = self._clock()
        try:
            response = self._send(method=method, url=url, **details)
        except OSError as error:
            raise SourceUnavailable(f"Yahoo did not answer ({type(error).__name__}: {error})") from error
        self._check_status(response)
        if response.status_code in _STALE_CRUMB:
            return self._denied(response)
        chart = read_chart(response.content)
        self._last = Payload(response.content, _asked(url, details), received_us), chart
        if chart.refusal is not None:
            self._check_refusal(chart.refusal, response.status_code)
        return NothingThere() if chart.is_empty else response

    def _check_status(self, response: Any) -> None:
        status = response.status_code
        wait = retry_after_seconds(response.headers.get("Retry-After"), self._clock())
        if status in _TOO_MANY or (status == 503 and wait is not None):
            raise Throttled(f"Yahoo asks to wait (status {status})", wait)
        if status >= 500 or status == 408:
            raise SourceUnavailable(f"Yahoo failed (status {status})")

    def _check_refusal(self, refusal: Refusal, status: int) -> None:
        """What Yahoo's in-band errors mean: nothing raised where it has just no bars in the window."""
        said, code = f"{refusal.description or refusal.code} ({refusal.code or status})", refusal.code.lower()
        text = f"{code} {refusal.description}".lower()
        if any(words in text for words in _NOTHING_IN_WINDOW):
            return
        if "too many requests" in text:
            raise Throttled(f"Yahoo asks to wait: {said}")
        if code == "not found":
            raise SourceRejected(
                f"Yahoo knows no such symbol for {self._what}: {said}; write symbols as finance.yahoo.com does, like "
                "AAPL, VOD.L or EURUSD=X",
                rule="symbol_unknown",
            )
        if code in ("unprocessable entity", "bad request"):
            raise SourceRejected(f"Yahoo refuses to give {self._what}: {said}", rule="vendor_refused")
        raise SourceUnavailable(f"Yahoo answered with an error: {said}")

    def _denied(self, response: Any) -> Any:
        # Once is a stale crumb, which yfinance renews before it asks again.
        self._denials += 1
        if self._denials == 1:
            return response
        raise SourceRejected(
            f"Yahoo refuses {self._what} (status {response.status_code}) with fresh cookies too; "
            "it may not serve this address, or yfinance is out of date: pip install -U yfinance",
            rule="vendor_refused",
        )


def _asked(url: str, details: dict[str, Any]) -> str:
    parts = urlsplit(url)
    asked = [*parse_qsl(parts.query), *(details.get("params") or {}).items()]
    # The crumb belongs to the cookies.
    query = urlencode([(key, value) for key, value in asked if key != "crumb"])
    return f"GET {parts.path}" + (f"?{query}" if query else "") + _ADJUSTED


def _new_session() -> Any:
    try:
        return importlib.import_module("curl_cffi.requests").Session(impersonate="chrome")
    except ImportError as error:
        raise SettingsInvalid(
            "a source of kind yfinance needs curl_cffi, which yfinance brings along; run: pip install curl_cffi"
        ) from error
