"""Corporate actions: their schemas, what makes a row of one bad, and which rows stand when files contradict.

What an action does to prices is in `adjustment`; how texts become rows is in `sources.reference`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.rules import Rule, Scope
from marketdata_pipelines.errors import SchemaMismatch


class ActionKind(StrEnum):
    """What happened. `factor` is a vendor's ready multiplier for prices, such as LEAN's price factors."""

    SPLIT = "split"
    STOCK_DIVIDEND = "stock_dividend"
    CASH_DIVIDEND = "cash_dividend"
    SPIN_OFF = "spin_off"
    FACTOR = "factor"
    SYMBOL_CHANGE = "symbol_change"
    DELISTING = "delisting"


class ActionStatus(StrEnum):
    ACTIVE = "active"
    CANCELLED = "cancelled"


# One row an action that stands. `ex_date` is the first session on which the market trades without it.
# ratio: of a split new shares for an old one (1:10 is 0.1), of a stock dividend new shares beside an old one.
# amount: cash, or the value of what is spun off, for a share held before `ex_date`, in quote currency.
# price_factor: multiplier of prices before `ex_date`, where given; reference_close: raw close before `ex_date`.
# announced: information only; when we knew is the ledger's.
ACTION_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("ex_date", pa.date32()),
        ("kind", pa.string()),
        ("ratio", pa.float64()),
        ("amount", pa.float64()),
        ("currency", pa.string()),
        ("new_symbol", pa.string()),
        ("price_factor", pa.float64()),
        ("reference_close", pa.float64()),
        ("announced", pa.date32()),
        ("note", pa.string()),
    ]
)

# Rows as parsed, good and bad, with their place in the source: `rules` holds the `;`-separated ids of what is
# wrong, `original` the source text. One source row may hold two actions (a split and a dividend of one day).
RAW_ACTION_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("line", pa.int64()),
        *((field.name, field.type) for field in ACTION_SCHEMA),
        ("status", pa.string()),
        ("rules", pa.string()),
        ("original", pa.string()),
    ]
)

_ROW, _FILE = Scope.ROW, Scope.FILE

# Besides these, files are refused under the ids of `rules` that fit: empty_file, missing_column, duplicate_header.
ACTION_RULES: tuple[Rule, ...] = (
    Rule("action_bad_line", _ROW, "the line cannot be split into the header's fields, or is no text"),
    Rule("action_no_symbol", _ROW, "the symbol is empty or a null marker"),
    Rule("action_bad_symbol", _ROW, "the symbol is too long or has characters that cannot be shown"),
    Rule("action_bad_date", _ROW, "the ex date is missing, cannot be read, or is out of all reason"),
    Rule("action_unknown_kind", _ROW, "the kind of action is unknown, or the row does not say one"),
    Rule("action_bad_ratio", _ROW, "the ratio is missing, or is no number above 0"),
    Rule("action_wrong_way", _ROW, "a reverse split has a ratio above 1, or a forward split one below: write new:old"),
    Rule("action_bad_amount", _ROW, "the amount is missing, or is no number above 0"),
    Rule("action_bad_factor", _ROW, "the price factor is missing, or is no number above 0"),
    Rule("action_bad_close", _ROW, "the reference close is no number above 0"),
    Rule("action_no_new_symbol", _ROW, "a change of symbol does not say the new one, or it is the old one"),
    Rule("action_bad_status", _ROW, "the status is neither active nor cancelled"),
    Rule("action_repeated_date", _ROW, "a later row of this file has the same date"),
    Rule("action_file_unreadable", _FILE, "the file is no text in which actions can be recognised"),
)
ACTION_RULE_BY_ID = {rule.id: rule for rule in ACTION_RULES}

EARLIEST, LATEST = date(1792, 5, 17), date(2200, 1, 1)
LONGEST_SYMBOL = 64
_SHARE_KINDS = (ActionKind.SPLIT, ActionKind.STOCK_DIVIDEND)
_CASH_KINDS = (ActionKind.CASH_DIVIDEND, ActionKind.SPIN_OFF)
# Several of these on one day add up (a regular and a special dividend); of the others only one can be true.
_ADDING_KINDS = _CASH_KINDS
_KEY = ("symbol", "ex_date", "kind", "new_symbol")
_USED = (*ACTION_SCHEMA.names, "status", "rules")
# (`empty_table` imports pandas.)
_NO_ROWS = pa.Table.from_batches([], pa.schema([*ACTION_SCHEMA, RAW_ACTION_SCHEMA.field("status")]))

Codes = NDArray[np.int64]


def action_rules(action: Mapping[str, Any]) -> list[str]:
    """The ids of the row rules that the values of an action break, in the order of `ACTION_RULES`.

    Values are as in RAW_ACTION_SCHEMA; a key that is not there counts as null.
    """
    kind = action.get("kind")
    # What is cancelled need not be told in full.
    active = action.get("status") != ActionStatus.CANCELLED
    checks = (
        ("action_no_symbol", not action.get("symbol")),
        ("action_bad_symbol", not _is_name(action.get("symbol"))),
        ("action_bad_date", not _is_date(action.get("ex_date"))),
        ("action_unknown_kind", kind not in list(ActionKind)),
        ("action_bad_ratio", not _is_positive(action.get("ratio"), needed=active and kind in _SHARE_KINDS)),
        ("action_bad_amount", not _is_positive(action.get("amount"), needed=active and _needs_amount(action))),
        (
            "action_bad_factor",
            not _is_positive(action.get("price_factor"), needed=active and kind == ActionKind.FACTOR),
        ),
        ("action_bad_close", not _is_positive(action.get("reference_close"), needed=False)),
        ("action_no_new_symbol", kind == ActionKind.SYMBOL_CHANGE and not _is_renamed(action)),
    )
    return [rule for rule, broken in checks if broken]


def standing_actions(parts: Sequence[pa.Table]) -> pa.Table:
    """The actions that hold after all parts, the last known ones counting.

    Shape:   parts of RAW_ACTION_SCHEMA in ledger order; returns ACTION_SCHEMA sorted by (symbol, ex_date, kind,
             new_symbol) and, among equals of these, by value. Rows with rules are left out.
    Values:  what a part says of a (symbol, ex_date, kind, new_symbol) replaces what earlier parts said of it. Within
             one part the last row counts, but different cash amounts of one day (a regular and a special dividend)
             all do. A row whose status is cancelled removes what was said before it, of its kind and day.
    Errors:  SchemaMismatch where a part has other columns.
    """
    rows = pa.concat_tables([_NO_ROWS, *(_good_rows(part) for part in parts)]).combine_chunks()
    part_of = np.repeat(np.arange(len(parts)), [pc.sum(pc.is_null(part["rules"])).as_py() or 0 for part in parts])
    key, position = _key_codes(rows), np.arange(rows.num_rows)
    kept = part_of == _last_by_key(key, part_of, np.ones(len(key), bool))
    cancelled = pc.equal(rows["status"].fill_null(""), ActionStatus.CANCELLED).to_numpy()
    kept &= position > _last_by_key(key, position, kept & cancelled)
    adding = pc.is_in(rows["kind"], pa.array(list(_ADDING_KINDS))).to_numpy()
    kept &= adding | (position == _last_by_key(key, position, kept))
    kept[_repetitions(rows, key, np.flatnonzero(kept & adding))] = False
    return _sorted(rows.filter(pa.array(kept)).select(ACTION_SCHEMA.names))


def actions_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of RAW_ACTION_SCHEMA; what a row does not have is null."""
    return pa.Table.from_pylist([dict(row) for row in rows], RAW_ACTION_SCHEMA)


def empty_actions() -> pa.Table:
    """No actions, for callers whose feed names none."""
    return pa.Table.from_batches([], ACTION_SCHEMA)


def _good_rows(part: pa.Table) -> pa.Table:
    missing = [name for name in _USED if name not in part.column_names]
    if missing:
        raise SchemaMismatch(f"a part of corporate actions lacks {', '.join(missing)}; take the file in again")
    return part.filter(pc.is_null(part["rules"])).select(_NO_ROWS.column_names).cast(_NO_ROWS.schema)


def _key_codes(rows: pa.Table) -> Codes:
    """One number a row, equal where symbol, ex date, kind and new symbol are."""
    key = np.zeros(rows.num_rows, np.int64)
    for name in _KEY:
        encoded = rows[name].combine_chunks().dictionary_encode("encode")
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        # Renumbered at each column, so that the product never overflows.
        key = np.unique(key * max(len(encoded.dictionary), 1) + codes, return_inverse=True)[1]
    return key


def _last_by_key(key: Codes, values: Codes, among: NDArray[np.bool_]) -> Codes:
    """For each row the last of `values` among the marked rows of its key; -1 where none is marked."""
    last = np.full(int(key.max(initial=-1)) + 1, -1)
    # Of a repeated index numpy keeps the last value.
    last[key[among]] = values[among]
    return last[key]


def _repetitions(rows: pa.Table, key: Codes, positions: Codes) -> list[int]:
    """Which of these rows say again what a row before them says, value for value."""
    several = positions[np.isin(key[positions], _repeated(key[positions]))]
    actions = rows.select(ACTION_SCHEMA.names).take(pa.array(several)).to_pylist()
    seen: set[tuple[Any, ...]] = set()
    found = []
    for position, action in zip(several.tolist(), actions, strict=True):
        values = tuple(action.values())
        if values in seen:
            found.append(position)
        seen.add(values)
    return found


def _repeated(codes: Codes) -> Codes:
    values, counts = np.unique(codes, return_counts=True)
    return values[counts > 1]


def _sorted(actions: pa.Table) -> pa.Table:
    names = (*_KEY, "ratio", "amount", "price_factor", "note")
    return actions.take(pc.sort_indices(actions, sort_keys=[(name, "ascending", "at_start") for name in names]))


def _needs_amount(action: Mapping[str, Any]) -> bool:
    """A vendor's factor says as much as the amount it was made from."""
    return action.get("kind") in _CASH_KINDS and action.get("price_factor") is None


def _is_positive(value: float | None, *, needed: bool) -> bool:
    return not needed if value is None else math.isfinite(value) and value > 0


def _is_name(symbol: str | None) -> bool:
    return not symbol or (len(symbol) <= LONGEST_SYMBOL and symbol.isprintable() and "\ufffd" not in symbol)


def _is_date(day: date | None) -> bool:
    return day is not None and EARLIEST <= day < LATEST


def _is_renamed(action: Mapping[str, Any]) -> bool:
    new = action.get("new_symbol")
    return bool(new) and new != action.get("symbol") and _is_name(new)
