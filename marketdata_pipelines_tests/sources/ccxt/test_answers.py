"""ccxt's errors as ours: what is asked again, what is not, and that no secret is told."""

from typing import Any

import pytest

from marketdata_pipelines.domain.feeds import SourceKind, SourceSpec
from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.ccxt.answers import answered, asked
from marketdata_pipelines.sources.ccxt.client import open_client
from marketdata_pipelines.sources.pulled.protocol import Throttled
from marketdata_pipelines_tests.builders import make_feed, us

ccxt = pytest.importorskip("ccxt", reason="the extra ccxt is not installed: pip install 'marketdata-pipelines[ccxt]'")
NOW = us("2024-03-08 14:30")


@pytest.fixture
def client() -> Any:
    spec = SourceSpec(SourceKind.CCXT, venue="binance", symbols=("BTC/USDT",))
    return open_client(make_feed("24/7", source=spec))


def raising(error: BaseException) -> Any:
    def call() -> None:
        raise error

    return call


@pytest.mark.parametrize(
    "name",
    ["ExchangeNotAvailable", "OnMaintenance", "RequestTimeout", "NetworkError", "BadResponse", "NullResponse",
     "InvalidNonce", "ExchangeError"],
)  # fmt: skip
def test_what_may_pass_is_unavailable(client: Any, name: str) -> None:
    with pytest.raises(SourceUnavailable):
        answered(client, raising(getattr(ccxt, name)("binance GET x")), lambda: NOW)


@pytest.mark.parametrize(
    ("name", "advice"),
    [("BadSymbol", "like BTC/USDT"), ("BadRequest", "page_rows"), ("AuthenticationError", "no account"),
     ("PermissionDenied", "no account"), ("NotSupported", "another venue"), ("RestrictedLocation", "mirror")],
)  # fmt: skip
def test_what_stays_is_rejected_with_advice(client: Any, name: str, advice: str) -> None:
    with pytest.raises(SourceRejected, match=advice):
        answered(client, raising(getattr(ccxt, name)("binance says no")), lambda: NOW)


@pytest.mark.parametrize("name", ["RateLimitExceeded", "DDoSProtection"])
@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("Fri, 08 Mar 2024 14:31:00 GMT", 60.0), ("soon", None), (None, None)]
)
def test_too_many_calls_are_throttled_by_what_the_venue_says(
    client: Any, name: str, header: str | None, seconds: float | None
) -> None:
    client.last_response_headers = {} if header is None else {"Retry-After": header}

    with pytest.raises(Throttled) as caught:
        answered(client, raising(getattr(ccxt, name)("slow down")), lambda: NOW)

    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), ValueError("x"), ZeroDivisionError(), OSError("x")])
def test_an_answer_that_breaks_ccxts_parsers_is_unavailable(client: Any, error: Exception) -> None:
    with pytest.raises(SourceUnavailable, match="cannot read"):
        answered(client, raising(error), lambda: NOW)


def test_secrets_are_in_no_message_and_no_record(client: Any) -> None:
    client.apiKey, client.secret = "mine", "hidden"
    client.last_request_url = "https://api.binance.com/api/v3/klines?key=mine&signature=hidden"

    with pytest.raises(SourceRejected) as caught:
        answered(client, raising(ccxt.BadRequest("GET /x?key=mine&signature=hidden")), lambda: NOW)

    assert "mine" not in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert asked(client) == "GET /api/v3/klines?key=***&signature=***"
