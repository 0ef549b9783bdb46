"""The actions that a row's cells tell of."""

from typing import Any

import pytest

from marketdata_pipelines.sources.reference.action_cells import DateOrder
from marketdata_pipelines.sources.reference.action_values import own_action, read_values, told_actions


def told(**texts: str) -> list[dict[str, Any]]:
    return told_actions(read_values(texts, DateOrder.MONTH_FIRST))


def test_a_row_without_a_kind_tells_of_each_cell_that_says_something() -> None:
    found = told(ratio="7", amount="0.5", new_symbol="B", capital_gains="0.1")

    assert [action["kind"] for action in found] == ["split", "cash_dividend", "cash_dividend", "symbol_change"]
    assert [action.get("amount") for action in found] == [None, 0.5, 0.1, None]
    assert found[2]["note"] == "capital gains"


@pytest.mark.parametrize("texts", [{}, {"ratio": "0", "amount": "0.0"}, {"ratio": "1"}, {"price_factor": "1"}])
def test_an_ordinary_day_tells_nothing(texts: dict[str, str]) -> None:
    assert told(**texts) == []


def test_a_percentage_is_a_stock_dividend() -> None:
    assert told(ratio="10%") == [{"kind": "stock_dividend", "ratio": 0.1}]


def test_a_cell_that_cannot_be_read_is_told_of_too() -> None:
    assert [action["kind"] for action in told(ratio="soon", amount="much", price_factor="1")] == [
        "split",
        "cash_dividend",
    ]


def test_a_price_factor_beside_an_amount_belongs_to_the_dividend() -> None:
    assert told(amount="2", price_factor="0.98") == [{"kind": "cash_dividend", "amount": 2.0, "price_factor": 0.98}]
    assert told(price_factor="0.98") == [{"kind": "factor", "price_factor": 0.98}]


@pytest.mark.parametrize(
    ("new", "old", "ratio", "broken"),
    [("7", "1", 7.0, []), ("1", "10", 0.1, []), ("0", "0", None, []), ("7", "", None, ["action_bad_ratio"])],
)
def test_new_and_old_shares_may_have_columns_of_their_own(
    new: str, old: str, ratio: float | None, broken: list[str]
) -> None:
    row = read_values({"ratio_new": new, "ratio_old": old}, DateOrder.MONTH_FIRST)

    assert row.values["ratio"] == ratio
    assert row.broken == broken


def test_an_announcement_that_cannot_be_read_costs_nothing() -> None:
    row = read_values({"symbol": "NA", "kind": "split", "ratio": "2", "announced": "soon"}, DateOrder.MONTH_FIRST)

    assert row.broken == []
    assert row.values["announced"] is None
    assert row.values["symbol"] == "NA"
    assert own_action(row)["ratio"] == 2.0
