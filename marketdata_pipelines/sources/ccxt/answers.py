"""Takes ccxt's answers: what a failed call means for us, and the text of what the venue said.

ccxt sorts errors by exchange; here they become those of `errors`, by whether asking again may help.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from marketdata_pipelines.errors import SourceError, SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.ccxt.client import ccxt_library
from marketdata_pipelines.sources.pulled.protocol import Clock, Throttled
from marketdata_pipelines.sources.pulled.retry_after import retry_after_seconds

T = TypeVar("T")

# ccxt calls these "not available"; they are the venue's answer to what was asked.
_FINAL_STATUS = (400, 404, 405, 409, 410, 451)
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_MESSAGE_CHARACTERS = 300


def answered(client: Any, call: Callable[[], T], clock: Clock) -> T:
    """What `call` gives, with ccxt's errors as ours.

    Errors: Throttled, SourceUnavailable: ask again; SourceRejected: don't.
    """
    ccxt = ccxt_library()
    try:
        return call()
    except ccxt.BaseError as error:
        raise _translated(client, error, clock) from error
    except (*_UNREADABLE, OSError) as error:
        # A truncated or foreign answer goes through the client's parsers until something gives way.
        detail = f"{type(error).__name__}: {_one_line(client, error)}"
        raise SourceUnavailable(f"{client.id} gave an answer that ccxt cannot read ({detail})") from error


def take_whole_answers(client: Any) -> None:
    """Make the client refuse bodies that are no JSON, and candles without a time.

    ccxt passes a truncated body or an error page with status 200 on as text, finds no candles in it, and leaves
    candles it cannot place out: missing bars would look like a market without trades.
    """
    plain_fetch, plain_candle = client.fetch, client.parse_ohlcv

    def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        answer = plain_fetch(url, method, headers, body)
        if not isinstance(answer, dict | list):
            start = str(answer)[:60]
            raise SourceUnavailable(f"{client.id} gave no JSON for {asked(client, url)}, but {start!r}")
        return answer

    def parse_ohlcv(row: Any, market: Any = None) -> Any:
        candle = plain_candle(row, market)
        if not isinstance(candle, list) or not candle or candle[0] is None:
            raise SourceUnavailable(f"{client.id} gave a candle without a time: {str(row)[:100]}")
        return candle

    client.fetch, client.parse_ohlcv = fetch, parse_ohlcv


def asked(client: Any, url: str | None = None) -> str:
    """The last request, without host and headers: `GET /api/v3/klines?symbol=BTCUSDT&…`."""
    parts = urlsplit(url or str(client.last_request_url or ""))
    return _without_secrets(client, f"GET {parts.path}" + (f"?{parts.query}" if parts.query else ""))


def body(client: Any) -> bytes:
    """The last answer's body, as ccxt keeps it: blanks around it gone."""
    return str(client.last_http_response or "").encode()


def _translated(client: Any, error: Exception, clock: Clock) -> SourceError:
    ccxt = ccxt_library()
    message = _one_line(client, error)
    status = getattr(getattr(error.__context__, "response", None), "status_code", None)
    if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection) or status in (418, 429):
        headers = client.last_response_headers or {}
        return Throttled(
            f"{client.id} asks to wait: {message}", retry_after_seconds(headers.get("Retry-After"), clock())
        )
    if status == 503 and (client.last_response_headers or {}).get("Retry-After"):
        wait = retry_after_seconds(client.last_response_headers["Retry-After"], clock())
        return Throttled(f"{client.id} is not available: {message}", wait)
    if isinstance(error, ccxt.OperationFailed) and status not in _FINAL_STATUS:
        return SourceUnavailable(f"{client.id} did not answer: {message}")
    if type(error) is ccxt.ExchangeError and (status is None or status >= 500):
        # Nothing more is known of it: an error in a good answer, or a transport error ccxt has no name for.
        return SourceUnavailable(f"{client.id} answered with an error: {message}")
    return SourceRejected(
        f"{client.id} refuses the request: {message}. {_advice(error, status)}", rule="vendor_refused"
    )


def _advice(error: Exception, status: int | None) -> str:
    ccxt = ccxt_library()
    if isinstance(error, ccxt.RestrictedLocation) or status == 451:
        return "It does not serve this location; choose another venue, or a mirror as `url`"
    if isinstance(error, ccxt.BadSymbol):
        return "Write symbols as the venue's markets are called in ccxt, like BTC/USDT"
    if isinstance(error, ccxt.AuthenticationError):
        return "Its candles need no account on most venues; choose one of these, or another `url`"
    if isinstance(error, ccxt.NotSupported):
        return "Choose another venue or interval"
    return "Check symbol, interval and `page_rows` of the feed"


def _one_line(client: Any, error: Exception) -> str:
    # Secrets first: a cut could leave half of one.
    text = _without_secrets(client, " ".join(str(error).split()))
    return text[:_MESSAGE_CHARACTERS] or type(error).__name__


def _without_secrets(client: Any, text: str) -> str:
    for secret in (client.apiKey, client.secret):
        if secret:
            text = text.replace(secret, "***")
    return text
