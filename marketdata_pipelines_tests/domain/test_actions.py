"""Which corporate actions stand, and what makes a row of one bad."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.actions import (
    ACTION_RULE_BY_ID,
    ACTION_SCHEMA,
    action_rules,
    actions_table,
    empty_actions,
    standing_actions,
)
from marketdata_pipelines.domain.rules import RULE_BY_ID
from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines_tests.builders import column, day

DAY = day("2024-03-08")


def action(**changes: Any) -> dict[str, Any]:
    """A regular dividend of A, with some values changed."""
    return {"symbol": "A", "ex_date": DAY, "kind": "cash_dividend", "amount": 1.0, "status": "active", **changes}


def part(*actions: dict[str, Any]) -> pa.Table:
    return actions_table(actions)


def test_the_last_part_that_tells_of_an_action_counts() -> None:
    found = standing_actions([part(action(), action(symbol="B")), part(action(amount=1.5))])

    assert found.schema == ACTION_SCHEMA
    assert column(found, "symbol") == ["A", "B"]
    assert column(found, "amount") == [1.5, 1.0]


def test_actions_of_other_days_kinds_and_new_symbols_stand_beside_each_other() -> None:
    found = standing_actions(
        [
            part(action(), action(ex_date=day("2024-03-11")), action(kind="split", ratio=2.0, amount=None)),
            part(action(kind="symbol_change", new_symbol="C"), action(kind="symbol_change", new_symbol="D")),
        ]
    )

    assert column(found, "kind") == ["cash_dividend", "split", "symbol_change", "symbol_change", "cash_dividend"]


def test_a_regular_and_a_special_dividend_of_one_day_both_count() -> None:
    found = standing_actions([part(action(), action(amount=5.0, note="special"), action())])

    assert column(found, "amount") == [1.0, 5.0]


def test_a_correction_replaces_both_dividends_of_a_day() -> None:
    found = standing_actions([part(action(), action(amount=5.0)), part(action(amount=4.0))])

    assert column(found, "amount") == [4.0]


def test_of_two_ratios_of_one_day_the_later_row_counts() -> None:
    split = action(kind="split", amount=None)

    found = standing_actions([part({**split, "ratio": 2.0}, {**split, "ratio": 3.0})])

    assert column(found, "ratio") == [3.0]


def test_a_cancelled_action_is_gone_until_it_is_told_again() -> None:
    cancelled = part(action(status="cancelled", amount=None))

    assert standing_actions([part(action()), cancelled]).num_rows == 0
    assert column(standing_actions([part(action()), cancelled, part(action(amount=2.0))]), "amount") == [2.0]
    assert column(standing_actions([part(action(status="cancelled"), action(amount=3.0))]), "amount") == [3.0]


def test_a_row_with_rules_neither_stands_nor_replaces() -> None:
    bad = action(amount=None, rules="action_bad_amount")

    assert column(standing_actions([part(action()), part(bad)]), "amount") == [1.0]


def test_nothing_known_is_an_empty_table() -> None:
    assert standing_actions([]).equals(empty_actions())
    assert standing_actions([part()]).equals(empty_actions())


def test_a_part_with_other_columns_is_refused() -> None:
    with pytest.raises(SchemaMismatch, match="lacks status, rules"):
        standing_actions([empty_actions()])


@given(st.lists(st.sampled_from("ABC"), max_size=6), st.lists(st.sampled_from("ABC"), max_size=6))
def test_telling_again_what_stands_changes_nothing(first: list[str], second: list[str]) -> None:
    parts = [part(*(action(symbol=symbol) for symbol in symbols)) for symbols in (first, second)]

    standing = standing_actions(parts)

    assert standing.equals(standing_actions([*parts, parts[-1]]))
    assert column(standing, "symbol") == sorted({*first, *second})


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, []),
        ({"symbol": None}, ["action_no_symbol"]),
        ({"symbol": "A\x07"}, ["action_bad_symbol"]),
        ({"symbol": "A" * 65}, ["action_bad_symbol"]),
        ({"symbol": "=1+1"}, []),
        ({"ex_date": None}, ["action_bad_date"]),
        ({"ex_date": day("0001-01-01")}, ["action_bad_date"]),
        ({"kind": None}, ["action_unknown_kind"]),
        ({"kind": "party"}, ["action_unknown_kind"]),
        ({"amount": None}, ["action_bad_amount"]),
        ({"amount": -1.0}, ["action_bad_amount"]),
        ({"amount": float("nan")}, ["action_bad_amount"]),
        ({"amount": None, "price_factor": 0.9}, []),
        ({"amount": None, "status": "cancelled"}, []),
        ({"reference_close": 0.0}, ["action_bad_close"]),
        ({"kind": "split", "amount": None}, ["action_bad_ratio"]),
        ({"kind": "split", "ratio": 0.0}, ["action_bad_ratio"]),
        ({"kind": "split", "ratio": float("inf")}, ["action_bad_ratio"]),
        ({"kind": "stock_dividend", "ratio": 0.05}, []),
        ({"kind": "factor"}, ["action_bad_factor"]),
        ({"kind": "factor", "price_factor": float("inf")}, ["action_bad_factor"]),
        ({"kind": "symbol_change"}, ["action_no_new_symbol"]),
        ({"kind": "symbol_change", "new_symbol": "A"}, ["action_no_new_symbol"]),
        ({"kind": "symbol_change", "new_symbol": "B"}, []),
        ({"kind": "delisting", "amount": None}, []),
    ],
)
def test_a_row_breaks_the_rules_of_its_kind(changes: dict[str, Any], rules: list[str]) -> None:
    assert action_rules(action(**changes)) == rules


def test_rule_ids_are_apart_from_those_of_bars() -> None:
    assert not set(ACTION_RULE_BY_ID) & set(RULE_BY_ID)
