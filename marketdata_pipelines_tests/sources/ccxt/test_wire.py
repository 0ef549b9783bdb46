"""ccxt's candles as bars: whatever comes, rows or a SourceError."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.errors import SourceError, SourceUnavailable
from marketdata_pipelines.sources.ccxt.wire import candle_bars, open_times_ms
from marketdata_pipelines.sources.pulled.protocol import PULLED_BAR_SCHEMA
from marketdata_pipelines_tests.builders import us

OPEN_MS = us("2024-03-08 14:30") // 1000
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=30,
)
PRICES = st.floats(min_value=1e-9, max_value=1e9)


def test_a_candle_is_a_bar_labelled_by_its_open() -> None:
    bars = candle_bars([[OPEN_MS, 1.5, 2.5, 1.0, 2.0, 10.25]], "BTC/USDT")

    (row,) = bars.to_pylist()
    assert bars.schema == PULLED_BAR_SCHEMA
    assert int(row["ts"].timestamp() * 1000) == OPEN_MS
    assert [row[name] for name in ("symbol", "open", "high", "low", "close", "volume")] == [
        "BTC/USDT", 1.5, 2.5, 1.0, 2.0, 10.25,
    ]  # fmt: skip
    assert (row["vwap"], row["trade_count"]) == (None, None)
    assert json.loads(row["original"]) == [OPEN_MS, 1.5, 2.5, 1.0, 2.0, 10.25]


@pytest.mark.parametrize("value", [None, "1.5", float("nan"), float("inf"), True, 10**400, [], {}])
def test_a_value_that_is_no_number_is_null_for_the_rules_to_judge(value: Any) -> None:
    bars = candle_bars([[OPEN_MS, value, 2.5, 1.0, 2.0]], "BTC/USDT")

    (row,) = bars.to_pylist()
    assert (row["open"], row["high"], row["volume"]) == (None, 2.5, None)


@pytest.mark.parametrize(
    "candles", [None, {}, "x", 7, [None], [[]], [{"ts": 1}], [[None, 1]], [["1", 1]], [[True, 1]], [[2**62, 1]]]
)
def test_an_answer_without_times_is_broken(candles: Any) -> None:
    with pytest.raises(SourceUnavailable):
        candle_bars(candles, "BTC/USDT")


@given(ANYTHING)
def test_anything_gives_rows_or_a_source_error(candles: Any) -> None:
    try:
        bars = candle_bars(candles, "BTC/USDT")
    except SourceError:
        return
    assert bars.schema == PULLED_BAR_SCHEMA
    assert bars.num_rows == len(candles) == len(open_times_ms(candles))


@given(st.lists(st.tuples(st.integers(-(2**40), 2**42), PRICES, PRICES, PRICES, PRICES, PRICES).map(list), max_size=9))
def test_good_candles_come_back_to_the_bit_in_their_order(candles: list[list[float]]) -> None:
    bars = candle_bars(candles, "BTC/USDT")

    values = zip(*(bars[name].to_pylist() for name in ("open", "high", "low", "close", "volume")), strict=True)
    opens = [ts.value // 1000 for ts in bars["ts"]]
    assert [[opened, *row] for opened, row in zip(opens, values, strict=True)] == candles
