"""Yahoo's answers and yfinance's frames: whatever comes, rows or a SourceError."""

import copy
import json
import random
from contextlib import suppress
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.errors import SourceError, SourceUnavailable
from marketdata_pipelines.sources.pulled.protocol import PULLED_BAR_SCHEMA
from marketdata_pipelines.sources.yfinance.wire import Chart, Refusal, frame_bars, read_chart
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.sources.yfinance.yahoo import Yahoo, chart, minutes, refusal

MINUTE, DAY = parse_interval("1m"), parse_interval("1d")
ROWS = minutes("2024-03-08 14:30", 4)
GOOD = chart("AAPL", ROWS, "1m", Yahoo({}))
WITHOUT_TIMES = json.dumps(GOOD).replace('"timestamp": [', '"timestamp": [], "x": [').encode()
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


def frame(zone: str = "America/New_York", start: str = "2024-03-08 09:30", **columns: list[Any]) -> pd.DataFrame:
    """A frame as yfinance gives it, of two rows."""
    index = pd.DatetimeIndex(pd.to_datetime([start, "2024-03-08 23:59"])).tz_localize(zone)
    values: dict[str, list[Any]] = {name: [10.5, 11.5] for name in ("Open", "High", "Low", "Close", "Adj Close")}
    return pd.DataFrame({**values, "Volume": [100, 0], **columns}, index=index)


def test_a_chart_says_which_volumes_are_known() -> None:
    content = copy.deepcopy(GOOD)
    quote = content["chart"]["result"][0]["indicators"]["quote"][0]
    quote["volume"][1] = None
    for name in quote:
        quote[name][2] = None

    found = read_chart(json.dumps(content).encode())

    first = ROWS[0][0]
    assert found == Chart(None, "America/New_York", "EQUITY", ((first, True), (first + 60, False), (first + 180, True)))


def test_yahoos_errors_are_read() -> None:
    found = read_chart(refusal("Not Found", "No data found,\n symbol may be delisted", 404).body)

    assert found.refusal == Refusal("Not Found", "No data found, symbol may be delisted")


def test_a_window_without_rows_is_empty_not_broken() -> None:
    assert read_chart(json.dumps(chart("AAPL", [], "1m", Yahoo({}))).encode()).is_empty


@pytest.mark.parametrize(
    "content",
    [
        WITHOUT_TIMES,
        b"",
        b"[]",
        b"{}",
        b'{"chart":{}}',
        b'{"chart":{"result":[{"timestamp":[1]}]}}',
        b"null",
        b"<html></html>",
        b'{"finance":{"error":{"code":"Unauthorized"}}}',
        json.dumps(GOOD).encode()[:-40],
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_chart_may_be_asked_for_again(content: bytes) -> None:
    with pytest.raises(SourceUnavailable, match="is no chart"):
        read_chart(content)


@given(st.binary(max_size=60) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_give_a_chart_or_a_source_error(content: bytes) -> None:
    with suppress(SourceError):
        assert isinstance(read_chart(content), Chart)


@given(st.integers(0, 10_000), ANYTHING)
def test_a_good_chart_with_anything_in_one_place_gives_a_chart_or_a_source_error(seed: int, value: Any) -> None:
    content = copy.deepcopy(GOOD)
    _replace_somewhere(content, value, random.Random(seed))

    try:
        found = read_chart(json.dumps(content).encode())
    except SourceError:
        return
    assert len(found.rows) <= len(ROWS)


def _replace_somewhere(node: Any, value: Any, chance: random.Random) -> None:
    places = list(node) if isinstance(node, dict) else list(range(len(node)))
    place = chance.choice(places)
    if isinstance(node[place], dict | list) and node[place] and chance.random() < 0.8:
        _replace_somewhere(node[place], value, chance)
    else:
        node[place] = value


def test_an_intraday_frame_keeps_its_instants() -> None:
    bars = frame_bars(frame(), "AAPL", MINUTE, Chart())

    assert bars.schema == PULLED_BAR_SCHEMA
    assert [ts.value for ts in bars["ts"]] == [us("2024-03-08 14:30"), us("2024-03-09 04:59")]
    assert bars["volume"].to_pylist() == [100.0, 0.0]
    assert json.loads(bars["original"][0].as_py()) == [
        us("2024-03-08 14:30") // 1_000_000,
        10.5,
        10.5,
        10.5,
        10.5,
        100.0,
    ]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "Pacific/Auckland", "UTC"])
def test_a_daily_frame_keeps_its_dates(zone: str) -> None:
    bars = frame_bars(frame(zone, "2024-03-07 00:00"), "AAPL", DAY, Chart())

    assert [ts.value for ts in bars["ts"]] == [us("2024-03-07 00:00"), us("2024-03-08 00:00")]


def test_rows_without_any_price_are_no_bars() -> None:
    nothing = [10.5, float("nan")]
    bars = frame_bars(frame(Open=nothing, High=nothing, Low=nothing, Close=nothing), "AAPL", MINUTE, Chart())

    assert bars.num_rows == 1


def test_an_unknown_volume_is_null_where_the_frame_has_zero() -> None:
    known = Chart(rows=((us("2024-03-08 14:30") // 1_000_000, True), (us("2024-03-09 04:59") // 1_000_000, False)))

    assert frame_bars(frame(), "AAPL", MINUTE, known)["volume"].to_pylist() == [100.0, None]


@pytest.mark.parametrize(
    "broken",
    [None, 7, pd.DataFrame(), pd.DataFrame({"Open": [1.0]}), frame().tz_localize(None), frame().drop(columns="Low")],
)  # fmt: skip
def test_what_is_no_frame_of_bars_is_unavailable(broken: Any) -> None:
    with pytest.raises(SourceUnavailable, match="no bars of AAPL"):
        frame_bars(broken, "AAPL", MINUTE, Chart())


@given(st.lists(ANYTHING, min_size=2, max_size=2), st.sampled_from(["Open", "High", "Low", "Close", "Volume"]))
def test_any_values_give_rows_or_a_source_error(values: list[Any], name: str) -> None:
    try:
        bars = frame_bars(frame().assign(**{name: values}), "AAPL", MINUTE, Chart())
    except SourceError:
        return
    assert bars.schema == PULLED_BAR_SCHEMA
