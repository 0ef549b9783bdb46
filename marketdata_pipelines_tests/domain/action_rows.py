"""Bars, actions and closes that tests of adjustment are made of; nothing here asserts."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.actions import ACTION_SCHEMA
from marketdata_pipelines_tests.builders import day

FIRST = day("2024-03-01")
FAR = day("2030-01-01")
PRICES = ("open", "high", "low", "close", "vwap")


def bars(days: Sequence[date], symbol: str = "A", price: float = 100.0, volume: float | None = 1000.0) -> pa.Table:
    """1d bars as users see them, all of one price."""
    count = len(days)
    return pa.table(
        {
            "symbol": pa.array([symbol] * count, pa.string()),
            "session_date": pa.array(list(days), pa.date32()),
            **{name: pa.array([price] * count, pa.float64()) for name in PRICES},
            "volume": pa.array([volume] * count, pa.float64()),
            "notional": pa.array([None if volume is None else price * volume] * count, pa.float64()),
            "trade_count": pa.array([7] * count, pa.int64()),
        }
    )


def actions(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{"symbol": "A", **row} for row in rows], ACTION_SCHEMA)


def split(on: str, ratio: float, **changes: Any) -> dict[str, Any]:
    return {"kind": "split", "ex_date": day(on), "ratio": ratio, **changes}


def dividend(on: str, amount: float, close: float | None = None, **changes: Any) -> dict[str, Any]:
    return {"kind": "cash_dividend", "ex_date": day(on), "amount": amount, "reference_close": close, **changes}


def closes_of(*rows: tuple[str, float | None]) -> pa.Table:
    return pa.table(
        {
            "symbol": ["A"] * len(rows),
            "session_date": [day(text) for text, _ in rows],
            "close": pa.array([close for _, close in rows], pa.float64()),
        }
    )
