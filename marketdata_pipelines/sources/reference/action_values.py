"""The cells of one row of actions as values, and the actions that they tell of.

How one cell is read is in `action_cells`; files, headers and places are `actions_csv`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from marketdata_pipelines.domain.actions import ActionKind
from marketdata_pipelines.sources.files.symbols import is_missing
from marketdata_pipelines.sources.reference import action_cells as cells

_OWN = ("kind", "ratio", "amount", "new_symbol", "price_factor")
_NUMBER_RULES = {
    "amount": "action_bad_amount",
    "capital_gains": "action_bad_amount",
    "price_factor": "action_bad_factor",
    "reference_close": "action_bad_close",
}


@dataclass(frozen=True, slots=True)
class RowValues:
    """A row's values by column, None where a cell is empty or unreadable, and the rules its cells break.

    `percent`: its ratio counts new shares beside old ones.
    """

    values: dict[str, Any]
    broken: list[str]
    percent: bool


def read_values(texts: Mapping[str, str], order: cells.DateOrder, *, decimal_comma: bool = False) -> RowValues:
    """Read the cells of a row, given by column; a column that is not there counts as empty."""
    broken: list[str] = []

    def read(column: str, reader: Callable[[str], Any], rule: str | None) -> Any:
        try:
            return reader(texts.get(column, ""))
        except cells.CellInvalid:
            if rule is not None:
                broken.append(rule)
            return None

    def day(text: str) -> date | None:
        return cells.read_date(text, order)

    def number(text: str) -> float | None:
        # Exports fill the columns that do not apply with 0.
        return cells.read_number(text, decimal_comma=decimal_comma) or None

    values = {
        "symbol": _symbol(texts.get("symbol", "")),
        "ex_date": read("ex_date", day, "action_bad_date"),
        "kind": read("kind", cells.read_kind, "action_unknown_kind"),
        "new_symbol": _symbol(texts.get("new_symbol", "")),
        "currency": cells.read_text(texts.get("currency", "")),
        # Information only: no reason to lose an action.
        "announced": read("announced", day, None),
        "note": cells.read_text(texts.get("note", "")),
        "status": read("status", cells.read_status, "action_bad_status"),
    }
    values |= {column: read(column, number, rule) for column, rule in _NUMBER_RULES.items()}
    ratio = read("ratio", lambda _: _ratio(texts, decimal_comma=decimal_comma), "action_bad_ratio")
    values["ratio"] = ratio.value or None if ratio else None
    if ratio and cells.is_wrong_way(texts.get("kind", ""), ratio.value):
        broken.append("action_wrong_way")
    return RowValues(values, broken, percent=ratio is not None and ratio.percent)


def own_action(row: RowValues) -> dict[str, Any]:
    """The one action of a row that says its kind."""
    return {name: row.values[name] for name in _OWN}


def told_actions(row: RowValues) -> list[dict[str, Any]]:
    """The actions of a row without a kind: one for each cell that says something; a cell it cannot be read is one."""
    values, found = row.values, []
    ratio, amount, factor = values["ratio"], values["amount"], values["price_factor"]
    if (ratio is not None and ratio != 1) or "action_bad_ratio" in row.broken:
        kind = ActionKind.STOCK_DIVIDEND if row.percent else ActionKind.SPLIT
        found.append({"kind": kind, "ratio": ratio})
    if amount is not None or ("action_bad_amount" in row.broken and values["capital_gains"] is None):
        found.append({"kind": ActionKind.CASH_DIVIDEND, "amount": amount, "price_factor": factor})
    elif (factor is not None and factor != 1) or "action_bad_factor" in row.broken:
        found.append({"kind": ActionKind.FACTOR, "price_factor": factor})
    if values["capital_gains"] is not None:
        gains = {"kind": ActionKind.CASH_DIVIDEND, "amount": values["capital_gains"]}
        found.append({**gains, "note": values["note"] or "capital gains"})
    if values["new_symbol"] is not None:
        found.append({"kind": ActionKind.SYMBOL_CHANGE, "new_symbol": values["new_symbol"]})
    return found


def _ratio(texts: Mapping[str, str], *, decimal_comma: bool) -> cells.Ratio | None:
    """The ratio of one column, else of one for the new shares and one for the old."""
    one = cells.read_ratio(texts.get("ratio", ""), decimal_comma=decimal_comma)
    if one is not None or cells.is_empty(texts.get("ratio_new", "")):
        return one
    new = cells.read_number(texts["ratio_new"], decimal_comma=decimal_comma)
    old = cells.read_number(texts.get("ratio_old", ""), decimal_comma=decimal_comma)
    if not new or not old:
        # Zeros stand for no split; one of the two alone says nothing.
        if new or old:
            raise cells.CellInvalid(texts["ratio_new"])
        return None
    return cells.Ratio(new / old, percent=False)


def _symbol(text: str) -> str | None:
    return None if is_missing(text) else text
