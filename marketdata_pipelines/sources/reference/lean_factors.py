"""LEAN factor files into actions: `YYYYMMDD,price factor,split factor[,reference close]`, without header.

A row's factors hold for every date up to its own, back to the row before: what a day multiplied prices by is the
quotient of two rows.
"""

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.actions import EARLIEST, LATEST, ActionKind, ActionStatus, action_rules, actions_table
from marketdata_pipelines.sources.reference import action_cells as cells
from marketdata_pipelines.sources.reference.rows import Record, decode_text, split_records

_ENDINGS = re.compile(r"(\.factors?)?(\.(csv|txt))?(\.(gz|zst|bz2|xz))?$", re.IGNORECASE)
_LINE = re.compile(r"[0-9]{8},[^,]+,[^,]+(,[^,]*)?")
_NUMBER = re.compile(r"[+-]?([0-9.]+(e[+-]?[0-9]+)?|inf(inity)?|nan)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _FactorRow:
    row: int
    record: Record
    day: date | None = None
    price: float | None = None
    split: float | None = None
    close: float | None = None
    rules: list[str] = field(default_factory=list)


def factor_symbol(name: str) -> str:
    """The symbol a factor file is about: its base name without endings, in capitals (`aapl.factor.csv` is AAPL)."""
    return _ENDINGS.sub("", re.split(r"[/\\]", name)[-1]).strip().upper()


def looks_like_factors(head: str) -> bool:
    """Whether a text's first line that is not empty is a row of a factor file."""
    first = next((line.strip() for line in head.splitlines() if line.strip()), "")
    return bool(_LINE.fullmatch(first)) and all(_NUMBER.fullmatch(cell.strip()) for cell in first.split(",")[1:3])


def first_day_after(last_session: date) -> date:
    """The ex date behind a last session: the next day that is no Saturday or Sunday.

    A holiday may be hit; no bar lies between it and the session meant.
    """
    return last_session + timedelta(days=max(7 - last_session.weekday(), 1) if last_session.weekday() >= 4 else 1)


def read_factors(content: bytes, name: str) -> pa.Table:
    """The changes of factors in a file as actions, and its bad rows.

    Shape:   RAW_ACTION_SCHEMA in order of rows; up to two actions (`factor`, `split`) for the row whose date is the
             last before them, none for a row that changes nothing.
    Values:  ratios are quotients as exact as the file writes its factors, not rounded to what a split probably was, so
             that the file's own products come out again. A bad row is skipped: the change it was part of happens
             after the row before it.
    Errors:  SourceRejected (empty_file); nothing else, whatever the bytes are.
    """
    symbol = factor_symbol(name)
    rows = [_read(number, record) for number, record in enumerate(split_records(decode_text(content, name), ","), 1)]
    latest = {row.day: row.row for row in rows if not row.rules}
    repeated = {row.row for row in rows if not row.rules and latest[row.day] != row.row}
    good = sorted(
        (row for row in rows if not row.rules and row.row not in repeated), key=lambda row: row.day or date.min
    )
    actions = [_bad(row, symbol, row.rules) for row in rows if row.rules]
    actions += [_bad(row, symbol, ["action_repeated_date"]) for row in rows if row.row in repeated]
    for row, following in zip(good, [*good, None][1:], strict=True):
        actions += _changes(row, following, symbol)
    return actions_table(sorted(actions, key=lambda action: action["row"]))


def _read(number: int, record: Record) -> _FactorRow:
    found = record.cells
    if found is None or not 3 <= len(found) <= 4:
        return _FactorRow(number, record, rules=["action_bad_line"])
    rules = []
    day = _day(found[0])
    if day is None:
        rules.append("action_bad_date")
    price, split = _factor(found[1]), _factor(found[2])
    if price is None or split is None:
        rules.append("action_bad_factor")
    # Rows that only begin a file have a close of 0 or 1; it is never used where nothing changes.
    close = _factor(found[3]) if len(found) == 4 else None
    return _FactorRow(number, record, day, price, split, close, rules)


def _day(text: str) -> date | None:
    try:
        day = cells.read_date(text) if re.fullmatch("[0-9]{8}", text) else None
    except cells.CellInvalid:
        return None
    return day if day is not None and EARLIEST <= day < LATEST else None


def _factor(text: str) -> float | None:
    """A factor above 0; LEAN writes `inf` where it could not tell one."""
    try:
        value = cells.read_number(text)
    except cells.CellInvalid:
        return None
    return value if value is not None and value > 0 else None


def _changes(row: _FactorRow, following: _FactorRow | None, symbol: str) -> list[dict[str, Any]]:
    """What happened between a row and the next; after the last row every factor is 1."""
    price, split = row.price or 1.0, row.split or 1.0
    next_price = following.price or 1.0 if following else 1.0
    next_split = following.split or 1.0 if following else 1.0
    shared = {**_place(row, symbol), "ex_date": first_day_after(row.day or date.min), "status": ActionStatus.ACTIVE}
    changes: list[dict[str, Any]] = []
    if price != next_price:
        note = f"price factor {price!r} before, {next_price!r} after"
        changes.append({"kind": ActionKind.FACTOR, "price_factor": price / next_price, "reference_close": row.close,
                        "note": note})  # fmt: skip
    if split != next_split:
        note = f"split factor {split!r} before, {next_split!r} after"
        changes.append({"kind": ActionKind.SPLIT, "ratio": next_split / split, "note": note})
    return [_judged({**shared, **change}) for change in changes]


def _judged(action: dict[str, Any]) -> dict[str, Any]:
    return {**action, "rules": ";".join(action_rules(action)) or None}


def _bad(row: _FactorRow, symbol: str, rules: list[str]) -> dict[str, Any]:
    return {**_place(row, symbol), "kind": ActionKind.FACTOR, "ex_date": None, "rules": ";".join(rules)}


def _place(row: _FactorRow, symbol: str) -> dict[str, Any]:
    return {"row": row.row, "line": row.record.line, "symbol": symbol, "original": row.record.original}
