"""Rows of instruments and resolvers that tests are made of; nothing here asserts."""

from datetime import date
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.instruments import RAW_INSTRUMENT_SCHEMA, standing_instruments
from marketdata_pipelines.domain.symbology import Resolver


def day(text: str | None) -> date | None:
    """A date of its text."""
    return None if text is None else date.fromisoformat(text)


def alias(
    name: str, symbol: str | None, begins: str | None = None, ends: str | None = None, /, **more: Any
) -> dict[str, Any]:
    """One row of a file of instruments."""
    return {"instrument_id": name, "symbol": symbol, "from_date": day(begins), "to_date": day(ends), **more}


def raw_part(*rows: dict[str, Any]) -> pa.Table:
    """A raw part of rows."""
    placed = [{"row": number, "line": number + 1, **row} for number, row in enumerate(rows, 1)]
    return pa.Table.from_pylist(placed, schema=RAW_INSTRUMENT_SCHEMA)


def resolver_of(*rows: dict[str, Any]) -> Resolver:
    """A resolver of what rows say together."""
    return Resolver(standing_instruments([raw_part(*rows)]))


def stretches(table: pa.Table) -> list[str]:
    """The aliases of a table as `ID SYMBOL from..to`."""
    columns = [table[name].to_pylist() for name in ("instrument_id", "symbol", "from_date", "to_date")]
    return [
        f"{name} {symbol} {begins or ''}..{ends or ''}" for name, symbol, begins, ends in zip(*columns, strict=True)
    ]
