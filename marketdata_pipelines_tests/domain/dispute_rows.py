"""Bars of two feeds that tests compare, and what is told of their disputes; nothing here asserts."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.quality.comparing import Compared, Versus, compare_bars
from marketdata_pipelines.domain.quality.disputes import DAILY_DIFFERS
from marketdata_pipelines.domain.quality.settings import QualitySpec, active_rules
from marketdata_pipelines_tests.builders import Row, bar_table, column, day, minutes, us

RULES = active_rules(QualitySpec())
OPEN = "2024-03-08 14:30"


def session(symbol: str = "A", count: int = 390, price: float = 100.0, start: str = OPEN) -> list[Row]:
    """The minutes of a regular session."""
    return minutes(symbol, start, count, price)


def changed(rows: list[Row], places: Mapping[int, Mapping[str, Any] | None]) -> list[Row]:
    """Rows with some values changed at some positions; None leaves the row out."""
    told = [(row, places.get(at, {})) for at, row in enumerate(rows)]
    return [{**row, **change} for row, change in told if change is not None]


def scaled(rows: list[Row], factor: float, volume: float = 1.0) -> list[Row]:
    """Rows with all prices and volumes multiplied."""
    prices = ("open", "high", "low", "close")
    return [{**row, **{name: row[name] * factor for name in prices}, "volume": row["volume"] * volume} for row in rows]


def compared(own: list[Row] | pa.Table, other: list[Row] | pa.Table, **versus: Any) -> Compared:
    """Two feeds compared minute by minute under the default rules."""
    tables = [each if isinstance(each, pa.Table) else bar_table(each) for each in (own, other)]
    return compare_bars(tables[0], tables[1], RULES, Versus(**{"feed": "b", "timeframe": "1m"} | versus))


def compare_daily(own: pa.Table, other: pa.Table, **versus: Any) -> Compared:
    """Two feeds compared day by day, one of them made of finer bars."""
    return compared(own, other, **{"timeframe": "1d", "rule": DAILY_DIFFERS} | versus)


def told(found: Compared | pa.Table) -> list[tuple[Any, ...]]:
    """(symbol, ts, field, bars, likelier, witness) of each dispute."""
    table = found.disputes if isinstance(found, Compared) else found
    names = ("symbol", "ts", "field", "bars", "likelier", "witness")
    return list(zip(*(column(table, name) for name in names), strict=True))


def daily(closes: list[float], symbol: str = "A", start: str = "2024-03-04", volume: float = 1e6) -> pa.Table:
    """One bar a calendar day, whose range is 2 % of its close."""
    rows = []
    for position, close in enumerate(closes):
        first = us(f"{start} 00:00") + position * DAY_US
        prices = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close}
        date = day(start) + timedelta(days=position)
        rows.append(
            {"symbol": symbol, "ts": first, "ts_close": first + DAY_US, "session_date": date, **prices,
             "volume": volume, "vwap": None, "trade_count": None, "regular": True}
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=BAR_SCHEMA)
