"""Turns ccxt's candles into bars; no calls and no client in here.

ccxt gives every venue's candles in one shape, [open time in ms UTC, open, high, low, close, volume]: labelled by the
open, volume in base units on spot markets (contracts count as the venue counts them).
"""

import json
import math
from collections.abc import Sequence

import pyarrow as pa

from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.sources.pulled.protocol import PULLED_BAR_SCHEMA

_NUMBERS = ("open", "high", "low", "close", "volume")
# The years a candle may lie in are the pipeline's to judge; beyond these milliseconds no microseconds fit.
_LAST_MS = 2**63 // 1000 - 1
_ORIGINAL_CHARACTERS = 2000


def candle_bars(candles: object, symbol: str) -> pa.Table:
    """The candles of one answer as PULLED_BAR_SCHEMA, in the order they came, repeats and all.

    A value that is no finite number becomes null: the row rules judge it. vwap and trade_count are not in ccxt's
    candles.

    Errors: SourceUnavailable when this is no list of candles, or a candle has no time: the answer is broken.
    """
    if not isinstance(candles, list):
        raise SourceUnavailable(f"candles of {symbol} are no list but {type(candles).__name__}; ask again")
    rows = [_row(candle, place, symbol) for place, candle in enumerate(candles, 1)]
    nulls = [None] * len(rows)
    columns = {
        "symbol": [symbol] * len(rows),
        "ts": [row[0] * 1000 for row in rows],
        **{name: [_number(row, place) for row in rows] for place, name in enumerate(_NUMBERS, 1)},
        "vwap": nulls,
        "trade_count": nulls,
        "original": [json.dumps(row, default=str)[:_ORIGINAL_CHARACTERS] for row in rows],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in PULLED_BAR_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=PULLED_BAR_SCHEMA)


def open_times_ms(candles: Sequence[Sequence[int]]) -> list[int]:
    """The opens of candles that `candle_bars` has read."""
    return [candle[0] for candle in candles]


def _row(candle: object, place: int, symbol: str) -> list[int]:
    opened = candle[0] if isinstance(candle, list) and candle else None
    if not isinstance(candle, list) or not isinstance(opened, int) or isinstance(opened, bool):
        raise SourceUnavailable(f"candle {place} of {symbol} has no open time in milliseconds; ask again")
    if abs(opened) > _LAST_MS:
        raise SourceUnavailable(f"candle {place} of {symbol} opens at {opened} ms, which is no time; ask again")
    return candle


def _number(row: Sequence[object], place: int) -> float | None:
    value = row[place] if place < len(row) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
