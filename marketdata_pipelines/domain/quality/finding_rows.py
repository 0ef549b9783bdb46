"""Findings as rows of FINDING_SCHEMA: made from a rule and a place, put in order. What is one is decided elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA
from marketdata_pipelines.domain.quality.rules import QualityRule

FindingRow = dict[str, Any]
_PLACE = ("symbol", "session_date", "ts", "ts_last", "bars", "file", "line", "row", "part", "standing")
# Beyond the columns people sort by, everything that can tell two findings apart: order must not depend on input order.
_ORDER = ("symbol", "session_date", "ts", "rule", "ts_last", "part", "file", "line", "row", "value")


def finding_row(rule: QualityRule, place: Mapping[str, Any], value: float, limit: float, message: str) -> FindingRow:
    """One broken rule at a place: a suspect's row, or any mapping with some of its columns (`standing` unless said)."""
    row = {"standing": True, **{name: place[name] for name in _PLACE if place.get(name) is not None}}
    return row | {
        "rule": rule.id,
        "dimension": str(rule.dimension),
        "severity": str(rule.severity),
        "value": float(value),
        "limit": float(limit),
        "message": message,
    }


def finding_table(rows: Sequence[FindingRow]) -> pa.Table:
    """Rows as a table of FINDING_SCHEMA; what a row does not say is null."""
    return pa.Table.from_pylist(list(rows), schema=FINDING_SCHEMA)


def sorted_findings(findings: pa.Table) -> pa.Table:
    """Findings in order of (symbol, session_date, ts, rule), null first: whole sessions before single bars."""
    if findings.num_rows < 2:
        return findings.combine_chunks()
    keys = findings.select(_ORDER)
    keys = keys.set_column(0, "symbol", keys["symbol"].cast(pa.string()))
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending", "at_start") for name in _ORDER])
    return findings.take(order).combine_chunks()


def count_text(count: float) -> str:
    """A number of bars or a volume as a person writes it: no decimals from 10 on."""
    return f"{count:,.0f}" if count >= 10 or float(count).is_integer() else f"{count:.2g}"


def percent(log_move: float) -> str:
    """A move given as |ln(a / b)|, as a percentage or, where it is large, as a factor."""
    factor = float(np.exp(abs(log_move)))
    if factor < 2:
        return f"{(factor - 1):.1%}"
    return f"{factor:.3g} times" if factor < 100 else f"{factor:,.0f} times"
