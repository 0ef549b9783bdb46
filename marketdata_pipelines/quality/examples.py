"""What a verdict is about, as a few records for a person to look at: which rules, which rows, which symbols.

Nothing is judged here (see `checks`): these are only asked for what was found.
"""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.rules import RULE_BY_ID
from marketdata_pipelines.quality.outcome import Example

SHOWN = 10
_LONGEST_TEXT = 120


def rejected_by_rule(rejected: pa.Table) -> tuple[Example, ...]:
    """A record a rule, the most frequent first: how many rows it keeps out, why, and the first of them with its place.

    Shape: `rejected` has REJECTED_SCHEMA; a row with several rules counts for each.
    """
    rules = pc.fill_null(rejected["rules"], "")
    counts: dict[str, int] = {}
    first: dict[str, int] = {}
    for item in pc.value_counts(rules).to_pylist():
        where = pc.index(rules, pa.scalar(item["values"], pa.string())).as_py()
        for rule in filter(None, item["values"].split(";")):
            counts[rule] = counts.get(rule, 0) + item["counts"]
            first[rule] = min(first.get(rule, where), where)
    ordered = sorted(counts, key=lambda rule: (-counts[rule], rule))
    return tuple(_of_rule(rule, counts[rule], rejected.slice(first[rule], 1).to_pylist()[0]) for rule in ordered)


def findings_by_rule(findings: pa.Table) -> tuple[Example, ...]:
    """A record a rule, the most findings first: how many, over how many bars, and the first of them.

    Shape: `findings` has FINDING_SCHEMA, in any order.
    """
    made: dict[str, Example] = {}
    columns = findings.select(["rule", "severity", "symbol", "session_date", "ts", "bars", "message"])
    for row in columns.to_pylist():
        rule = str(row["rule"])
        known = made.setdefault(
            rule,
            {
                "rule": rule,
                "severity": row["severity"],
                "findings": 0,
                "bars": 0,
                "symbol": row["symbol"],
                "first": _plain(row["ts"] or row["session_date"]),
                "message": _plain(row["message"]),
            },
        )
        known["findings"] = int(known["findings"] or 0) + 1
        known["bars"] = int(known["bars"] or 0) + (row["bars"] or 0)
    return tuple(sorted(made.values(), key=lambda each: (-int(each["findings"] or 0), str(each["rule"]))))


def rows_at(bars: pa.Table, wrong: NDArray[np.bool_]) -> tuple[Example, ...]:
    """The first bars that are marked, with their position in the table."""
    chosen = np.flatnonzero(wrong)[:SHOWN]
    columns = ("symbol", "ts", "open", "high", "low", "close", "volume")
    rows = bars.select([name for name in columns if name in bars.column_names]).take(pa.array(chosen)).to_pylist()
    return tuple(
        {"position": int(position)} | {name: _plain(value) for name, value in row.items()}
        for position, row in zip(chosen, rows, strict=True)
    )


def repeated_keys(table: pa.Table, keys: list[str]) -> tuple[Example, ...]:
    """The first keys that occur more than once, with how often."""
    counted = table.select(keys).group_by(keys, use_threads=False).aggregate([([], "count_all")])
    repeated = counted.filter(pc.greater(counted["count_all"], 1)).slice(0, SHOWN)
    rows = [{name: _plain(value) for name, value in row.items()} for row in repeated.to_pylist()]
    return tuple({name: row[name] for name in keys} | {"rows": row["count_all"]} for row in rows)


def symbols_without_bars(expected: tuple[str, ...], bars: pa.Table) -> tuple[Example, ...]:
    """The symbols a feed lists that have no bar, in the feed's order."""
    found = set(pc.unique(bars["symbol"]).to_pylist())
    return tuple({"symbol without bars": symbol} for symbol in expected if symbol not in found)


def _of_rule(rule: str, rows: int, first: dict[str, object]) -> Example:
    known = RULE_BY_ID.get(rule)
    return {
        "rule": rule,
        "rows": rows,
        "because": known.text if known else "",
        "first file": _plain(first["file"]),
        "line": _plain(first["line"]),
    }


def _plain(value: object) -> str | int | float | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
