"""Verdicts as tables, for tests of what is told about them; nothing here asserts."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, SCORE_SCHEMA, Dimension

DAY = date(2024, 3, 8)
_LEVELS = ((90, "Excellent", "A"), (70, "Good", "B"), (50, "Fair", "C"), (30, "Poor", "D"), (0, "Unacceptable", "F"))


def score_row(symbol: str | None, score: float = 100.0, day: date = DAY, **changes: Any) -> dict[str, Any]:
    """A symbol-session, or with None a session as a whole, all of whose dimensions have the same score."""
    quality, grade = next((quality, grade) for least, quality, grade in _LEVELS if score >= least)
    return {
        "symbol": symbol, "session_date": day, **{str(dimension): score for dimension in Dimension}, "score": score,
        "quality": quality, "grade": grade, "bars": 390, "expected": 390, "raw_rows": 391, "rejected_rows": 1,
        "findings": 0, "blocked": False, **changes,
    }  # fmt: skip


def score_table(*rows: Mapping[str, Any]) -> pa.Table:
    """Rows as SCORE_SCHEMA."""
    return pa.Table.from_pylist(list(rows), schema=SCORE_SCHEMA)


def finding_row(rule: str, symbol: str | None, at: str | None = "2024-03-08T15:00", **changes: Any) -> dict[str, Any]:
    """One finding that warns; `at` is UTC."""
    ts = None if at is None else datetime.fromisoformat(at).replace(tzinfo=UTC)
    return {
        "rule": rule, "dimension": "accuracy", "severity": "warn", "symbol": symbol, "session_date": DAY, "ts": ts,
        "ts_last": ts, "bars": 1, "value": 2.0, "limit": 1.0, "message": f"{rule} is broken", "file": "a.csv",
        "line": 7, "row": 6, "part": "p", "standing": True, **changes,
    }  # fmt: skip


def finding_table(rows: Iterable[Mapping[str, Any]] = ()) -> pa.Table:
    """Rows as FINDING_SCHEMA."""
    return pa.Table.from_pylist(list(rows), schema=FINDING_SCHEMA)
