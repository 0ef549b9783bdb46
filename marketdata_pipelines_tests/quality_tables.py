"""Scores and findings that tests are made of, and how they get into a lake; nothing here asserts."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.quality.grades import grade_of, quality_of
from marketdata_pipelines.domain.quality.records import (
    FINDING_SCHEMA,
    QUALITY_FINDINGS,
    QUALITY_SCORES,
    SCORE_SCHEMA,
    Dimension,
)
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import us

Row = dict[str, Any]


def scored(symbol: str | None, session: str, score: float, **changes: Any) -> Row:
    """One row of scores: every dimension at 100 but completeness, which is `score`; symbol None: the session."""
    row: Row = {
        "symbol": symbol,
        "session_date": date.fromisoformat(session),
        **dict.fromkeys(map(str, Dimension), 100.0),
        "completeness": score,
        "score": score,
        "quality": str(quality_of(score)),
        "grade": str(grade_of(score)),
        "bars": 10,
        "expected": 10,
        "raw_rows": 10,
        "rejected_rows": 0,
        "findings": 0,
        "blocked": False,
    }
    return row | changes


def finding(rule: str, session: str, symbol: str | None = None, ts: str | None = None, **changes: Any) -> Row:
    """One row of findings: of one bar, of a span with `ts_last`, or of a whole session."""
    known = QUALITY_RULE_BY_ID.get(rule)
    row: Row = {
        "rule": rule,
        "dimension": "accuracy" if known is None else str(known.dimension),
        "severity": "warn" if known is None else str(known.severity),
        "symbol": symbol,
        "session_date": date.fromisoformat(session),
        "ts": None if ts is None else us(ts),
        "ts_last": None if ts is None else us(changes.pop("ts_last", ts)),
        "bars": None if ts is None else 1,
        "value": 2.0,
        "limit": 1.0,
        "message": f"{rule} is broken",
        "file": None,
        "line": None,
        "row": None,
        "part": None,
        "standing": True,
    }
    return row | changes


def store_quality(
    lake: Lake, feed: str, key: str, scores: Iterable[Mapping[str, Any]], findings: Iterable[Mapping[str, Any]] = ()
) -> None:
    """Put a partition's verdicts where the graph puts them."""
    made = {
        QUALITY_SCORES: pa.Table.from_pylist([dict(row) for row in scores], schema=SCORE_SCHEMA),
        QUALITY_FINDINGS: pa.Table.from_pylist([dict(row) for row in findings], schema=FINDING_SCHEMA),
    }
    lake.store(feed, [TableWrite(name, key, table, "digest", None) for name, table in made.items()], {})
