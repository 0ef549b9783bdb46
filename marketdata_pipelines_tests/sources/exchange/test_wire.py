"""The exchange's JSON: bars, or a SourceUnavailable, for any bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.sources.exchange.wire import WirePage, error_text, parse_page
from marketdata_pipelines.sources.pulled.protocol import PULLED_BAR_SCHEMA
from marketdata_pipelines_tests.builders import column

BAR = {
    "symbol": "A", "ts": "2024-07-01T13:30:00Z", "open": 1.5, "high": 2, "low": 1.25, "close": 1.75, "volume": 100,
    "vwap": 1.6, "trade_count": 7,
}  # fmt: skip


def page(*bars: Any, cursor: Any = None) -> bytes:
    return json.dumps({"bars": list(bars), "next_cursor": cursor}).encode()


def test_a_page_is_read_as_it_stands() -> None:
    found = parse_page(page(BAR, cursor="x"))

    assert found.next_cursor == "x"
    assert found.bars.schema == PULLED_BAR_SCHEMA
    (row,) = found.bars.drop_columns(["original", "ts"]).to_pylist()
    assert row == {name: value for name, value in BAR.items() if name != "ts"}
    assert column(found.bars, "ts") == ["2024-07-01 13:30"]
    assert json.loads(column(found.bars, "original")[0]) == BAR


def test_times_of_other_zones_are_the_same_instants() -> None:
    found = parse_page(page({**BAR, "ts": "2024-07-01T09:30:00-04:00"}))

    assert column(found.bars, "ts") == ["2024-07-01 13:30"]


@pytest.mark.parametrize("value", [None, "12", True, [], {}, float("nan"), float("inf"), 10**400])
def test_a_value_that_is_no_number_is_unknown(value: object) -> None:
    content = page({**BAR, "close": value, "trade_count": value})

    found = parse_page(content)

    assert column(found.bars, "close") == [None]
    assert column(found.bars, "trade_count") == [None]


@pytest.mark.parametrize(
    "bar",
    [
        {**BAR, "symbol": None}, {**BAR, "symbol": ""}, {**BAR, "ts": None}, {**BAR, "ts": "yesterday"},
        {**BAR, "ts": "2024-07-01T13:30:00"}, {**BAR, "ts": "0001-01-01T00:00:00+14:00"}, {}, [], None, 7,
    ],
)  # fmt: skip
def test_a_bar_without_symbol_or_time_spoils_its_page(bar: object) -> None:
    with pytest.raises(SourceUnavailable, match="no page of bars"):
        parse_page(page(BAR, bar))


def test_a_body_cut_off_anywhere_is_no_page() -> None:
    whole = page(BAR, BAR, cursor="x")

    for end in range(len(whole)):
        with pytest.raises(SourceUnavailable):
            parse_page(whole[:end])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*BAR, "x"]), inner, max_size=5),
    max_leaves=12,
)
bars = st.fixed_dictionaries({}, optional={name: json_values | st.just(value) for name, value in BAR.items()})
documents = st.fixed_dictionaries({"bars": st.lists(bars | json_values, max_size=4), "next_cursor": json_values})


@given(st.binary(max_size=200) | (documents | json_values).map(lambda value: json.dumps(value).encode()))
def test_any_bytes_give_bars_or_the_one_error(content: bytes) -> None:
    try:
        found = parse_page(content)
    except SourceUnavailable:
        return

    assert isinstance(found, WirePage)
    assert found.bars.schema == PULLED_BAR_SCHEMA
    assert found.bars["ts"].null_count == found.bars["symbol"].null_count == 0


def test_deep_nesting_and_broken_texts_are_no_page() -> None:
    for content in (
        b"[" * 100_000,
        b'{"bars": [{"symbol": "\\ud800", "ts": "2024-07-01T13:30:00Z"}], "next_cursor": null}',
    ):
        with pytest.raises(SourceUnavailable):
            parse_page(content)


@given(st.binary(max_size=400))
def test_an_error_answer_is_told_in_one_short_line(content: bytes) -> None:
    assert len(error_text(content)) <= 200
    assert "\n" not in error_text(content)


def test_an_error_answer_says_its_error() -> None:
    assert error_text(b'{"error": "unknown\\n symbol X"}') == "unknown symbol X"
