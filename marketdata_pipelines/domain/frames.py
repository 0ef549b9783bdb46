"""Between Arrow tables of bars and the arrays the kernels work on.

Unknown values are null in Arrow and NaN (floats) or -1 (trade counts) in arrays; NaN never enters a table.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain import aggregation as kernel
from marketdata_pipelines.domain.aggregation import BarColumns, Buckets, Floats, Ints, typical_notional
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA, TS
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.session_grid import Placement
from marketdata_pipelines.errors import BarsNotSorted


def float_values(column: pa.ChunkedArray | pa.Array) -> Floats:
    """A float column as numpy, null as NaN."""
    array = _whole(column)
    if array.null_count:
        array = array.fill_null(float("nan"))
    return array.to_numpy(zero_copy_only=False)


def number_values(column: pa.ChunkedArray | pa.Array) -> Floats:
    """A column of whole or floating numbers as float64 numpy, null as NaN; whole numbers are exact to 2^53."""
    array = _whole(column)
    if not array.null_count:
        return array.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    values: Floats = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
    values[array.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return values


def int_values(column: pa.ChunkedArray | pa.Array, null: int = kernel.UNKNOWN_COUNT) -> Ints:
    """An integer, date or timestamp column as int64 numpy (in its own unit), null as `null`."""
    array = _whole(column)
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    elif pa.types.is_date32(array.type):
        array = array.view(pa.int32()).cast(pa.int64())
    if array.null_count:
        array = array.fill_null(null)
    return array.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)


def symbol_codes(column: pa.ChunkedArray | pa.Array) -> tuple[NDArray[np.int32], list[str]]:
    """Codes whose order is the symbols' order, and the symbols; a null symbol is -1."""
    array = _whole(column)
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    names = array.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda position: names[position])
    rank = np.empty(len(names) + 1, np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    rank[-1] = -1
    indices = array.indices.fill_null(len(names)) if array.indices.null_count else array.indices
    return rank[indices.to_numpy(zero_copy_only=False)], [names[position] for position in order]


def count_symbols(table: pa.Table) -> int:
    """How many symbols a table has; 0 where it has no such column."""
    return len(pc.unique(table["symbol"]).drop_null()) if "symbol" in table.column_names else 0


def nullable(values: Floats) -> pa.Array:
    """A float column with NaN as null."""
    missing = np.isnan(values)
    return pa.array(values, mask=missing if missing.any() else None)


def nullable_count(values: Ints) -> pa.Array:
    """An integer column with -1 as null."""
    missing = values == kernel.UNKNOWN_COUNT
    return pa.array(values, mask=missing if missing.any() else None)


def timestamps(us: Ints) -> pa.Array:
    """UTC microseconds as a timestamp column."""
    return pa.array(us).view(TS)


def symbol_column(codes: NDArray[np.int32], symbols: list[str]) -> pa.DictionaryArray:
    """A dictionary column; only symbols that occur are in the dictionary, so equal rows give equal bytes."""
    present = np.unique(codes[codes >= 0])
    rank = np.zeros(len(symbols) + 1, np.int32)
    rank[present] = np.arange(len(present), dtype=np.int32)
    names = pa.array([symbols[code] for code in present], pa.string())
    missing = codes < 0
    return pa.DictionaryArray.from_arrays(pa.array(rank[codes], mask=missing if missing.any() else None), names)


def bar_columns(bars: pa.Table) -> tuple[BarColumns, list[str]]:
    """Base bars (BAR_SCHEMA) as arrays, and their symbols in order.

    Errors: BarsNotSorted when (symbol, ts) does not increase.
    """
    codes, symbols = symbol_codes(bars["symbol"])
    return coded_columns(bars, codes), symbols


def coded_columns(bars: pa.Table, codes: NDArray[np.int32]) -> BarColumns:
    """Base bars as arrays under symbol codes given by the caller.

    Errors: BarsNotSorted when (code, ts) does not increase.
    """
    ts = int_values(bars["ts"])
    _check_sorted(codes, ts)
    prices = {name: float_values(bars[name]) for name in ("open", "high", "low", "close", "volume", "vwap")}
    vwap = prices.pop("vwap")
    notional = typical_notional(prices["high"], prices["low"], prices["close"], prices["volume"], vwap)
    ones = np.ones(len(ts), np.int64)
    trades = int_values(bars["trade_count"])
    return BarColumns(codes, ts, **prices, notional=notional, trades=trades, bars=ones, first=ts, last=ts)


def aggregate_columns(aggregates: pa.Table) -> tuple[BarColumns, list[str]]:
    """Aggregates (AGGREGATE_SCHEMA) as arrays, to be combined further.

    Errors: BarsNotSorted when (symbol, ts) does not increase.
    """
    codes, symbols = symbol_codes(aggregates["symbol"])
    ts = int_values(aggregates["ts"])
    _check_sorted(codes, ts)
    floats = {name: float_values(aggregates[name]) for name in ("open", "high", "low", "close", "volume", "notional")}
    return (
        BarColumns(
            codes, ts, **floats,
            trades=int_values(aggregates["trade_count"]), bars=int_values(aggregates["bar_count"]),
            first=int_values(aggregates["first_ts"]), last=int_values(aggregates["last_ts"]),
        ),
        symbols,
    )  # fmt: skip


def bucket_table(buckets: Buckets, symbols: list[str], session_days: Ints, horizon_us: int) -> pa.Table:
    """Buckets as a table of AGGREGATE_SCHEMA.

    `session_days`: each bucket's session date in days since 1970. `horizon_us`: what the feed can know; a bucket
    that is complete later is not final.
    """
    floats, ints = buckets.floats, buckets.ints
    volume, notional = floats[:, kernel.VOLUME], floats[:, kernel.NOTIONAL]
    with np.errstate(divide="ignore", invalid="ignore"):
        vwap = np.where(volume > 0, notional / volume, np.nan)
    columns = {
        "symbol": symbol_column(ints[:, kernel.CODE].astype(np.int32), symbols),
        "ts": timestamps(ints[:, kernel.BUCKET]),
        "ts_close": timestamps(ints[:, kernel.COMPLETE]),
        "session_date": pa.array(session_days.astype(np.int32)).view(pa.date32()),
        "open": pa.array(floats[:, kernel.OPEN]),
        "high": pa.array(floats[:, kernel.HIGH]),
        "low": pa.array(floats[:, kernel.LOW]),
        "close": pa.array(floats[:, kernel.CLOSE]),
        "volume": nullable(volume),
        "notional": nullable(notional),
        "vwap": nullable(vwap),
        "trade_count": nullable_count(ints[:, kernel.TRADES]),
        "bar_count": pa.array(ints[:, kernel.BARS]),
        "first_ts": timestamps(ints[:, kernel.FIRST]),
        "last_ts": timestamps(ints[:, kernel.LAST]),
        "is_final": pa.array(ints[:, kernel.COMPLETE] <= horizon_us),
    }
    return pa.table(columns, schema=AGGREGATE_SCHEMA)


def placed_session_days(placement: Placement, session_dates: NDArray[np.int32]) -> Ints:
    """The session date of placed instants in days since 1970 (the first session's for those outside)."""
    if not len(session_dates):
        return np.zeros(len(placement.session), np.int64)
    return session_dates[np.maximum(placement.session, 0)].astype(np.int64)


def label_days(buckets: Buckets) -> Ints:
    """The date of buckets labelled at midnight UTC, in days since 1970."""
    return buckets.ints[:, kernel.BUCKET] // DAY_US


def _check_sorted(codes: NDArray[np.int32], ts: Ints) -> None:
    if len(ts) > 1:
        same = codes[1:] == codes[:-1]
        good = np.where(same, ts[1:] > ts[:-1], codes[1:] > codes[:-1])
        if not good.all():
            at = int(np.flatnonzero(~good)[0]) + 1
            raise BarsNotSorted(f"bars must increase by (symbol, ts), row {at} does not; sort and deduplicate them")


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.unify_dictionaries().combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column
