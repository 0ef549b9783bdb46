"""What one corporate action weighs, and places of actions in time."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.action_weights import (
    NO_VALUE,
    TOO_LARGE,
    days_of_places,
    places,
    symbol_numbers,
    symbols_of_places,
    weigh_actions,
)
from marketdata_pipelines.domain.actions import ACTION_SCHEMA
from marketdata_pipelines_tests.builders import column, day

DAY = day("2024-03-08")


def test_each_kind_has_its_weight() -> None:
    rows = [
        {"symbol": "A", "ex_date": DAY, "kind": "split", "ratio": 7.0},
        {"symbol": "A", "ex_date": DAY, "kind": "stock_dividend", "ratio": 0.05},
        {"symbol": "A", "ex_date": DAY, "kind": "cash_dividend", "amount": 1.0, "reference_close": 50.0},
        {"symbol": "A", "ex_date": day("2024-03-11"), "kind": "spin_off", "amount": 5.0, "reference_close": 50.0},
        {"symbol": "A", "ex_date": DAY, "kind": "factor", "price_factor": 0.75},
    ]

    weights, unapplied = weigh_actions(pa.Table.from_pylist(rows, ACTION_SCHEMA), ["A"])

    assert weights.shares.tolist() == pytest.approx([7.0, 1.05, 1.0, 1.0, 1.0])
    assert weights.cash.tolist() == pytest.approx([1.0, 1.0, 0.98, 0.9, 0.75])
    assert unapplied.num_rows == 0


def test_a_regular_and_a_special_dividend_come_out_of_the_same_close() -> None:
    paid = [{"symbol": "A", "ex_date": DAY, "kind": "cash_dividend", "amount": amount, "reference_close": 50.0}
            for amount in (1.0, 4.0)]  # fmt: skip
    later = {**paid[0], "ex_date": day("2024-03-11")}

    weights, _ = weigh_actions(pa.Table.from_pylist([*paid, later], ACTION_SCHEMA), ["A"])

    assert sorted(weights.cash.tolist()) == pytest.approx([0.9, 0.98, 1.0])


def test_amounts_of_one_day_that_together_reach_the_close_are_not_applied() -> None:
    paid = [{"symbol": "A", "ex_date": DAY, "kind": "cash_dividend", "amount": amount, "reference_close": 50.0}
            for amount in (20.0, 30.0)]  # fmt: skip

    weights, unapplied = weigh_actions(pa.Table.from_pylist(paid, ACTION_SCHEMA), ["A"])

    assert len(weights.places) == 0
    assert column(unapplied, "reason") == [TOO_LARGE] * 2


def test_what_has_no_value_weighs_nothing_and_is_named() -> None:
    rows = [{"symbol": "A", "ex_date": DAY, "kind": kind} for kind in ("split", "factor", "cash_dividend")]

    weights, unapplied = weigh_actions(pa.Table.from_pylist(rows, ACTION_SCHEMA), ["A"])

    assert len(weights.places) == 0
    assert column(unapplied, "reason") == [NO_VALUE] * 3


def test_the_close_before_is_the_symbols_own() -> None:
    rows = [{"symbol": name, "ex_date": DAY, "kind": "cash_dividend", "amount": 1.0} for name in "AB"]
    closes = pa.table(
        {"symbol": ["B", "A", "B"], "session_date": [day("2024-03-06"), day("2024-03-07"), day("2024-03-05")],
         "close": [4.0, 2.0, 9.0]}
    )  # fmt: skip

    weights, _ = weigh_actions(pa.Table.from_pylist(rows, ACTION_SCHEMA), ["B", "A"], closes)

    assert weights.cash.tolist() == [0.5, 0.75]


@given(st.integers(-1, 2**20), st.integers(-700_000, 3_000_000))
def test_a_place_gives_back_its_symbol_and_day(code: int, number: int) -> None:
    found = places(np.array([code]), np.array([number]))

    assert (symbols_of_places(found)[0], days_of_places(found)[0]) == (code, number)


def test_symbols_are_numbered_over_chunks_with_dictionaries_of_their_own() -> None:
    chunks = [pa.array(["B", None]).dictionary_encode(), pa.array(["A", "B"]).dictionary_encode()]

    codes, names = symbol_numbers(pa.chunked_array(chunks))

    assert [names[code] if code >= 0 else None for code in codes] == ["B", None, "A", "B"]
