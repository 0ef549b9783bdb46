"""Bars that the tests of Redis put and get; nothing here asserts."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.stores.redis.keys import Group

DAY = date(2024, 3, 8)
OPEN_US = 1_709_908_200_000_000
MINUTE_US = 60_000_000
# As bars are read back: symbols are plain text.
KEPT_SCHEMA = BAR_SCHEMA.set(0, pa.field("symbol", pa.string()))
GROUP = Group("us_equities_1m", "validated_bars", DAY.isoformat(), "0123456789abcdef")


def minute_bars(symbols: Sequence[str], count: int = 3, *, price: float = 100.0) -> pa.Table:
    """Bars of BAR_SCHEMA, `count` minutes a symbol; the first volume, VWAP and trade count of each are unknown."""
    numbers = np.tile(np.arange(count), len(symbols))
    opened = pa.array(OPEN_US + numbers * MINUTE_US, pa.int64())
    names = pa.array(np.repeat(np.arange(len(symbols), dtype=np.int32), count))
    unknown = numbers == 0
    prices = [pa.array(price + numbers + step) for step in (0.0, 0.25, -0.25, 0.1)]
    columns = [
        pa.DictionaryArray.from_arrays(names, pa.array(list(symbols), pa.string())),
        opened.cast(BAR_SCHEMA.field("ts").type),
        pa.array(OPEN_US + (numbers + 1) * MINUTE_US, pa.int64()).cast(BAR_SCHEMA.field("ts_close").type),
        pa.array([DAY] * len(numbers), pa.date32()),
        *prices,
        pa.array(numbers * 100.0, mask=unknown),
        pa.array(numbers + price, mask=unknown),
        pa.array(numbers, mask=unknown),
        pa.array(numbers < 2),
    ]
    return pa.table(columns, schema=BAR_SCHEMA)


def of_symbol(bars: pa.Table, symbol: str) -> list[dict[str, object]]:
    """Its rows as Python values."""
    return [row for row in bars.to_pylist() if row["symbol"] == symbol]
