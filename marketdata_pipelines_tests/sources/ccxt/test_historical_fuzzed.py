"""Whatever a venue answers, through ccxt's own parsers: rows or a SourceError."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import SourceKind, SourceSpec
from marketdata_pipelines.errors import SourceError
from marketdata_pipelines.sources.ccxt.historical import CcxtHistory, open_source
from marketdata_pipelines.sources.pulled.protocol import PULLED_BAR_SCHEMA
from marketdata_pipelines_tests.builders import make_feed, us
from marketdata_pipelines_tests.sources.ccxt.venues import binance, candles, coinbase, kraken
from marketdata_pipelines_tests.sources.vendor_server import Answer, Query, VendorServer

pytest.importorskip("ccxt", reason="the extra ccxt is not installed: pip install 'marketdata-pipelines[ccxt]'")

START = us("2024-03-08 00:00")
BOOK = candles(START // 1000, 3)
VENUES = {"binance": (binance, "BTC/USDT"), "kraken": (kraken, "BTC/USD"), "coinbaseexchange": (coinbase, "BTC/USD")}
T = TypeVar("T")
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(str(START // 1_000_000))
)
NAMES = st.sampled_from(["error", "result", "XXBTZUSD", "msg", "code", "message", "last", "x"])
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=30,
)
BODIES = st.binary(max_size=40) | ANYTHING.map(lambda value: json.dumps(value).encode())
STATUS = st.sampled_from([200, 200, 200, 400, 404, 429, 500])


def at_once(call: Callable[[], T], what: str) -> T:
    return call()


class _Venue:
    """A venue whose markets are good and whose candles are the answer given last."""

    def __init__(self, name: str) -> None:
        serve, self.symbol = VENUES[name]
        self._good = serve(BOOK)
        self.answer: Answer | None = None
        self.server = VendorServer(self)

    def __call__(self, path: str, query: Query) -> Answer:
        candles_asked = path.endswith(("/klines", "/OHLC", "/candles"))
        return self.answer if candles_asked and self.answer is not None else self._good(path, query)


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> Iterator[tuple[_Venue, CcxtHistory]]:
    made = _Venue(request.param)
    with made.server as server:
        spec = SourceSpec(SourceKind.CCXT, venue=request.param, url=server.url, symbols=(made.symbol,))
        feed = make_feed("24/7", source=spec)
        yield made, open_source(feed, lambda: START + 180_000_000)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, status=STATUS)
def test_any_answer_gives_rows_or_a_source_error(venue: tuple[_Venue, CcxtHistory], body: bytes, status: int) -> None:
    made, source = venue
    made.answer = Answer(body, status)

    try:
        pages: list[Any] = list(source.historical([made.symbol], START, START + 60_000_000, at_once))
    except SourceError:
        return
    assert {page.bars.schema for page in pages} == {PULLED_BAR_SCHEMA}
