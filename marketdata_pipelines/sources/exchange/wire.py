"""The simulated exchange's JSON into bars: pure, and nothing but bars or a SourceUnavailable for any bytes."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.sources.pulled.protocol import PULLED_BAR_SCHEMA

_FLOATS = ("open", "high", "low", "close", "volume", "vwap")
_LONGEST_COUNT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class WirePage:
    """One page: `bars` has PULLED_BAR_SCHEMA; `next_cursor` is None on the last page."""

    bars: pa.Table
    next_cursor: str | None


def parse_page(content: bytes) -> WirePage:
    """Read a page of /v1/bars.

    A value that is no number is null. Errors: SourceUnavailable for a body that is cut off, is no page, or has a bar
    without symbol or time: such an answer is damaged, and asking again may give a good one.
    """
    try:
        document = json.loads(content)
        rows, cursor = document["bars"], document["next_cursor"]
        if not isinstance(rows, list) or not (cursor is None or isinstance(cursor, str)):
            raise ValueError("bars is no list, or next_cursor no text")
        table = pa.Table.from_pylist([_bar(row) for row in rows], schema=PULLED_BAR_SCHEMA)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, pa.ArrowException) as error:
        raise SourceUnavailable(f"the answer is no page of bars ({str(error)[:200]!r}); it may be cut off") from error
    return WirePage(table, cursor)


def error_text(content: bytes) -> str:
    """What an error answer says, in short."""
    try:
        told = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        told = content[:200].decode("utf-8", "replace")
    return " ".join(str(told)[:200].split())


def _bar(row: dict[str, Any]) -> dict[str, Any]:
    symbol, ts = row["symbol"], row["ts"]
    if not isinstance(symbol, str) or not symbol or not isinstance(ts, str):
        raise ValueError("a bar without symbol or time")
    moment = datetime.fromisoformat(ts)
    if moment.tzinfo is None:
        raise ValueError(f"{ts!r} has no zone")
    values: dict[str, Any] = {name: _number(row.get(name)) for name in _FLOATS}
    values |= {"symbol": symbol, "ts": to_us(moment.astimezone(UTC)), "trade_count": _count(row.get("trade_count"))}
    return {**values, "original": json.dumps(row)}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _count(value: object) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and abs(value) <= _LONGEST_COUNT else None  # type: ignore[arg-type, return-value]
