"""LEAN map files into actions: changes of symbol and the delisting. Their rows are read in `lean_map`."""

from itertools import pairwise
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.actions import ActionKind, ActionStatus, action_rules, actions_table
from marketdata_pipelines.sources.reference.lean_factors import first_day_after
from marketdata_pipelines.sources.reference.lean_map import MapRow, MapSpan, map_entity, map_spans, read_map_rows


def read_map_actions(content: bytes, name: str) -> pa.Table:
    """The changes of symbol and the delisting that a map file tells of, and its bad rows.

    Shape:   RAW_ACTION_SCHEMA in order of rows, each action at the row with the old symbol's last date.
    Errors:  SourceRejected (empty_file); nothing else, whatever the bytes are.
    """
    rows = read_map_rows(content, name)
    spans = map_spans(rows)
    actions = [_renamed(old, new) for old, new in pairwise(spans)]
    actions += [_delisted(span) for span in spans[-1:] if span.last_date is not None]
    actions += [{**_place(row), "symbol": map_entity(name), "rules": row.rules} for row in rows if row.rules]
    return actions_table(sorted(actions, key=lambda action: action["row"]))


def _renamed(old: MapSpan, new: MapSpan) -> dict[str, Any]:
    return _judged(old, {"kind": ActionKind.SYMBOL_CHANGE, "new_symbol": new.ticker})


def _delisted(span: MapSpan) -> dict[str, Any]:
    return _judged(span, {"kind": ActionKind.DELISTING})


def _judged(span: MapSpan, values: dict[str, Any]) -> dict[str, Any]:
    ex_date = None if span.last_date is None else first_day_after(span.last_date)
    action = {**values, "symbol": span.ticker, "ex_date": ex_date, "status": ActionStatus.ACTIVE}
    return {**_place(span.row), **action, "rules": ";".join(action_rules(action)) or None}


def _place(row: MapRow) -> dict[str, Any]:
    return {"row": row.row, "line": row.line, "original": row.original}
