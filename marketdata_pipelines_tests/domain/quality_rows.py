"""Profiles, suspects and findings that tests of the quality rules are made of; nothing here asserts."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, PROFILE_SCHEMA, SUSPECT_SCHEMA, Severity
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID

Row = dict[str, Any]
FIRST_DAY = date(2024, 3, 4)


def session_day(number: int) -> date:
    """The n-th weekday from FIRST_DAY on, or before it for a negative number."""
    weeks, day = divmod(number, 5)
    return FIRST_DAY + timedelta(weeks=weeks, days=day)


def opening(day: date) -> datetime:
    """New York's open in winter."""
    return datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC)


def profile(symbol: str, day: date, **changes: Any) -> Row:
    """A clean session of a liquid symbol: 390 bars around 100, a million shares."""
    begins = opening(day)
    row: Row = {
        "symbol": symbol,
        "session_date": day,
        "session_open": begins,
        "session_close": begins + timedelta(minutes=390),
        "expected": 390,
        "bars": 390,
        "extended_bars": 0,
        "gaps": 0,
        "longest_gap": 0,
        "first_ts": begins,
        "last_ts": begins + timedelta(minutes=389),
        "open": 100.0,
        "high": 101.0,
        "low": 99.0,
        "close": 100.0,
        "volume": 1_000_000.0,
        "zero_volume_bars": 0,
        "unchanged_bars": 0,
        "return_scale": 0.0004,
        "range_scale": 0.0005,
        "volume_median": 2500.0,
        "bar_at_close": False,
        "rejected_validity": 0,
        "rejected_consistency": 0,
        "rejected_uniqueness": 0,
        "rejected_timeliness": 0,
    }
    row |= changes
    rejected = sum(row[name] for name in row if name.startswith("rejected_"))
    return {"raw_rows": row["bars"] + rejected} | row


def profile_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as PROFILE_SCHEMA, in their order."""
    return pa.Table.from_pylist(list(rows), schema=PROFILE_SCHEMA)


def quiet_sessions(*symbols: str, first: int = -20, count: int = 20, **changes: Any) -> pa.Table:
    """Clean sessions of symbols on consecutive weekdays."""
    days = [session_day(number) for number in range(first, first + count)]
    return profile_table(profile(symbol, day, **changes) for symbol in symbols for day in days)


def suspect(kind: str, symbol: str, day: date, minute: int, value: float, **changes: Any) -> Row:
    """A bar that stands out, so many minutes after the open."""
    ts = opening(day) + timedelta(minutes=minute)
    row: Row = {
        "symbol": symbol,
        "session_date": day,
        "kind": kind,
        "ts": ts,
        "ts_last": ts,
        "bars": 1,
        "value": value,
        "scale": 0.0004,
        "file": "a.csv",
        "line": minute + 2,
        "row": minute + 1,
        "part": "part-1",
        "standing": True,
    }
    return row | changes


def suspect_table(rows: Iterable[Mapping[str, Any]] = ()) -> pa.Table:
    """Rows as SUSPECT_SCHEMA, in their order."""
    return pa.Table.from_pylist(list(rows), schema=SUSPECT_SCHEMA)


def finding(rule: str, symbol: str | None, day: date | None, **changes: Any) -> Row:
    """A finding of one bar under a rule's own dimension and severity."""
    known = QUALITY_RULE_BY_ID[rule]
    row: Row = {
        "rule": rule,
        "dimension": str(known.dimension),
        "severity": str(known.severity),
        "symbol": symbol,
        "session_date": day,
        "bars": 1,
        "standing": True,
    }
    return row | changes


def finding_rows(*rows: Row) -> pa.Table:
    """Rows as FINDING_SCHEMA."""
    return pa.Table.from_pylist(list(rows), schema=FINDING_SCHEMA)


def blocking(row: Row) -> Row:
    """The same finding under a rule that blocks."""
    return row | {"severity": str(Severity.BLOCK)}
