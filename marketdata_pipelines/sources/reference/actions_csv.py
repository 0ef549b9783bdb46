"""Files of corporate actions with a header into rows of RAW_ACTION_SCHEMA, good and bad.

One row an action (a column says its kind), or one row a day with a column for each kind, as Yahoo and others write
them. What a row's cells say is in `action_values`; which rows stand is decided in `domain.actions`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.actions import action_rules, actions_table
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.reference import action_cells as cells
from marketdata_pipelines.sources.reference.action_values import own_action, read_values, told_actions
from marketdata_pipelines.sources.reference.rows import Record, decode_text, split_records

_ENDINGS = re.compile(r"(\.(csv|tsv|txt))?(\.(gz|zst|bz2|xz))?$", re.IGNORECASE)
_DELIMITERS = (",", ";", "\t", "|")
_HEAD_CHARACTERS = 65_536
_HEAD_RECORDS = 20
# A header has a date and at least one column that can say what happened.
_TELLING = ("kind", "ratio", "ratio_new", "amount", "capital_gains", "new_symbol", "price_factor")
_SHARED = ("symbol", "ex_date", "currency", "reference_close", "announced", "note", "status")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a file's columns are, and how it writes dates and decimals; `symbol` is for rows that name none."""

    delimiter: str
    header_line: int
    places: Mapping[str, int]
    width: int
    order: cells.DateOrder
    symbol: str | None

    def texts(self, record: Record) -> dict[str, str]:
        """The cells of a record by column; a row may leave out empty cells at its end."""
        found = record.cells or ()
        return {column: found[at] for column, at in self.places.items() if at < len(found)}


def read_actions_csv(content: bytes, name: str) -> pa.Table:
    """Every action of a file, and its bad rows.

    Shape:   RAW_ACTION_SCHEMA in order of rows. A row of the wide form gives an action for each column that says
             something (a ratio other than 0 and 1, an amount other than 0), so none for an ordinary day.
    Values:  without a column for the symbol it is the file's base name. Ratios are new shares for old ones. Dates are
             read as `action_cells` says; with another separator than a comma, numbers may have a decimal comma.
    Errors:  SourceRejected (empty_file, duplicate_header, missing_column, action_file_unreadable); nothing else,
             whatever the bytes are.
    """
    text = decode_text(content, name)
    layout = _lay_out(text, name)
    records = [record for record in split_records(text, layout.delimiter) if record.line > layout.header_line]
    layout = _with_date_order(layout, records)
    actions = []
    for row, record in enumerate(records, 1):
        place = {"row": row, "line": record.line, "original": record.original}
        actions += [{**place, **action} for action in _actions(record, layout)]
    return actions_table(actions)


def _lay_out(text: str, name: str) -> _Layout:
    """The header that most columns are recognised in, over separators and first lines."""
    best, most, header = None, 0, Record(0, None, "")
    for delimiter in _DELIMITERS:
        for record in split_records(text[:_HEAD_CHARACTERS], delimiter)[:_HEAD_RECORDS]:
            places = _places(record.cells or ())
            if len(places) > most:
                best, most, header = delimiter, len(places), record
    if best is None or header.cells is None or most < 2:
        raise SourceRejected(
            f"{name} is no list of corporate actions: no line names columns such as symbol, ex_date, kind, ratio, "
            "amount; write such a header, or name the style (lean_factors, lean_map)",
            rule="action_file_unreadable",
        )
    places = _places(header.cells)
    _check_header(header.cells, places, name)
    symbol = None if "symbol" in places else _ENDINGS.sub("", re.split(r"[/\\]", name)[-1]).strip()
    return _Layout(best, header.line, places, len(header.cells), cells.DateOrder.MONTH_FIRST, symbol)


def _places(header: Sequence[str]) -> dict[str, int]:
    """The place of each known column; of several for one the first in COLUMNS' order of preference."""
    words = [cells.column_word(text) for text in header]
    found = {}
    for column, synonyms in cells.COLUMNS.items():
        here = next((word for word in synonyms if word in words), None)
        if here is not None:
            found[column] = words.index(here)
    return found


def _check_header(header: Sequence[str], places: Mapping[str, int], name: str) -> None:
    words = [cells.column_word(text) for text in header]
    for column, at in places.items():
        if words.count(words[at]) > 1:
            raise SourceRejected(
                f"{name} has two columns {header[at]!r}; leave out the one that is not the {column}",
                rule="duplicate_header",
            )
    wanting = "ex_date" if "ex_date" not in places else None
    if wanting is None and not any(column in places for column in _TELLING):
        wanting = "kind, ratio or amount"
    if wanting is not None:
        shown = ", ".join(text[:30] for text in header[:8])
        raise SourceRejected(f"{name} has no column {wanting} (there: {shown}); add it", rule="missing_column")


def _with_date_order(layout: _Layout, records: Sequence[Record]) -> _Layout:
    texts = [layout.texts(record).get(column, "") for record in records for column in ("ex_date", "announced")]
    order = cells.date_order(texts)
    return replace(layout, order=order)


def _actions(record: Record, layout: _Layout) -> list[dict[str, Any]]:
    if record.cells is None or any(record.cells[layout.width :]):
        return [{"rules": "action_bad_line"}]
    texts = {"symbol": layout.symbol or "", **layout.texts(record)}
    row = read_values(texts, layout.order, decimal_comma=layout.delimiter != ",")
    told = told_actions(row) if cells.is_empty(texts.get("kind", "")) else [own_action(row)]
    if not told and "kind" in layout.places:
        told = [own_action(row)]
    shared = {name: row.values[name] for name in _SHARED}
    return [_judged({**shared, **action}, row.broken) for action in told]


def _judged(action: dict[str, Any], broken: Sequence[str]) -> dict[str, Any]:
    rules = dict.fromkeys([*broken, *action_rules(action)])
    return {**action, "rules": ";".join(rules) or None}
