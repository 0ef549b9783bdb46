"""Whatever Yahoo answers, through yfinance's own parsers: rows or a SourceError."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.errors import SourceError
from marketdata_pipelines.sources.pulled.protocol import PULLED_BAR_SCHEMA
from marketdata_pipelines.sources.yfinance.historical import open_source
from marketdata_pipelines_tests.sources.vendor_server import Answer, Query, VendorServer
from marketdata_pipelines_tests.sources.yfinance.pulls import FRIDAY, NOW, SESSION, yahoo_feed
from marketdata_pipelines_tests.sources.yfinance.yahoo import Yahoo, chart

pytest.importorskip(
    "yfinance", reason="the extra yfinance is not installed: pip install 'marketdata-pipelines[yfinance]'"
)

T = TypeVar("T")
DAYS = [(row[0] + 86_400 * n, *row[1:]) for n, row in enumerate(FRIDAY[:4])]
GOOD = {"1m": chart("AAPL", FRIDAY[:4], "1m", Yahoo({})), "1d": chart("AAPL", DAYS, "1d", Yahoo({}))}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def at_once(call: Callable[[], T], what: str) -> T:
    return call()


class _Yahoo:
    """Cookies are good, and the chart is the body given last."""

    def __init__(self) -> None:
        self._good = Yahoo({})
        self.body = b""

    def __call__(self, path: str, query: Query) -> Answer:
        return Answer(self.body) if "chart" in path else self._good(path, query)


@pytest.fixture
def served() -> Iterator[tuple[_Yahoo, VendorServer]]:
    yahoo = _Yahoo()
    with VendorServer(yahoo) as server:
        yield yahoo, server


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(interval=st.sampled_from(["1m", "1d"]), seed=st.integers(0, 10_000), value=VALUES)
def test_a_chart_with_anything_in_one_place_gives_rows_or_a_source_error(
    served: tuple[_Yahoo, VendorServer], interval: str, seed: int, value: Any
) -> None:
    yahoo, server = served
    content = copy.deepcopy(GOOD[interval])
    _replace_somewhere(content, value, random.Random(seed))
    yahoo.body = json.dumps(content).encode()
    source = open_source(yahoo_feed(server, interval), lambda: NOW)

    try:
        pages = list(source.historical(["AAPL"], *SESSION, at_once))
    except SourceError:
        return
    assert [page.bars.schema for page in pages] == [PULLED_BAR_SCHEMA]


def _replace_somewhere(node: Any, value: Any, chance: random.Random) -> None:
    place = chance.choice(list(node) if isinstance(node, dict) else list(range(len(node))))
    if isinstance(node[place], dict | list) and node[place] and chance.random() < 0.85:
        _replace_somewhere(node[place], value, chance)
    else:
        node[place] = value
