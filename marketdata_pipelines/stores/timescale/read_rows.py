"""Rows of reads as numpy columns: packed or streamed by the server, rescaled, of symbols instead of series, in order.

Which statement gave them is `read_statements`'; what users see of them is made in `read_answers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.stores.timescale.vwaps import from_stored

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

# PostgreSQL's clock begins in 2000.
PG_EPOCH_US = 946_684_800_000_000
PG_EPOCH_DAYS = 10_957
UNKNOWN_COUNT = -1
# How each column is packed, in the order of read_packed_bars.
_PACKED = {
    "series": ">i4", "st": ">i8", "ts": ">i8", "open": ">f8", "high": ">f8", "low": ">f8", "close": ">f8",
    "volume": ">f8", "money": ">f8", "trades": ">i8", "mark": ">i4",
}  # fmt: skip
STREAMED = pa.schema(
    [
        ("series", pa.int32()), ("st", pa.timestamp("us")), ("ts", pa.timestamp("us", tz="UTC")),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "money")),
        ("trades", pa.int64()), ("mark", pa.int32()),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Series:
    """The series of the asked symbols: ids increasing, with the symbol and the decimal scales of each."""

    ids: Ints
    symbols: tuple[str, ...]
    price_scales: NDArray[np.int16]
    volume_scales: NDArray[np.int16]
    vwap_scales: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class BarRows:
    """N rows by (symbol, st) in quote currency and base units; `code` is a position in `symbols`, which are sorted.

    `st` is the session clock and `ts` the first bar's open, both in microseconds; `money` is a vwap (base bars) or a
    notional (buckets), `mark` tells regular bars or counts bars. Unknown floats are NaN, unknown counts -1.
    """

    symbols: tuple[str, ...]
    code: Codes
    st: Ints
    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    money: Floats
    trades: Ints
    mark: Ints

    def __len__(self) -> int:
        return len(self.st)

    def take(self, rows: NDArray[Any]) -> "BarRows":
        """Some rows, by position or by flag."""
        return BarRows(self.symbols, *(getattr(self, each.name)[rows] for each in fields(self)[1:]))


def read_series(
    ids: Sequence[int] | None,
    symbols: Sequence[str] | None,
    price_scales: Sequence[int] | None,
    volume_scales: Sequence[int] | None,
    vwap_scales: Sequence[int] | None,
) -> Series:
    """Series from arrays as the server sends them; None where there is no series."""
    return Series(
        np.array(ids or (), np.int64),
        tuple(symbols or ()),
        np.array(price_scales or (), np.int16),
        np.array(volume_scales or (), np.int16),
        np.array(vwap_scales or (), np.int16),
    )


def unpack(row: Sequence[Any], *, has_vwaps: bool) -> BarRows:
    """The row of a packed statement; `has_vwaps`: its money is vwaps as they are stored."""
    series, packed = read_series(*row[:5]), row[5:]
    kinds = zip(_PACKED.items(), packed, strict=True)
    # Native at once: numpy may take a swapped operand's memory for its result, which Arrow then refuses.
    columns = {name: _native(np.frombuffer(data or b"", kind)) for (name, kind), data in kinds}
    return _rows(series, {**columns, "st": columns["st"] + PG_EPOCH_US, "ts": columns["ts"] + PG_EPOCH_US}, has_vwaps)


def from_stream(series: Series, streamed: pa.Table, *, has_vwaps: bool) -> BarRows:
    """The rows of a streamed statement (STREAMED); `has_vwaps` as for `unpack`."""
    columns = {name: _values(streamed[name]) for name in streamed.column_names}
    return _rows(series, columns, has_vwaps)


def merged(rows: BarRows) -> BarRows:
    """One row for each (symbol, st): those of a symbol that changed its scale within a bucket are combined.

    Totals (`merged_symbols`) are combined whatever their st.
    """
    return _folded(rows, (rows.code[1:] != rows.code[:-1]) | (rows.st[1:] != rows.st[:-1]))


def merged_symbols(rows: BarRows) -> BarRows:
    """One row for each symbol; the greatest st is kept."""
    ordered = rows.take(np.lexsort((rows.ts, rows.code)))
    return _folded(ordered, ordered.code[1:] != ordered.code[:-1])


def newest(rows: BarRows) -> BarRows:
    """The row of each symbol with the greatest ts."""
    ordered = rows.take(np.lexsort((rows.ts, rows.code)))
    return ordered.take(np.append(ordered.code[1:] != ordered.code[:-1], True)[: len(ordered)])


def _folded(rows: BarRows, begins: NDArray[np.bool_]) -> BarRows:
    if begins.all():
        return rows
    first = np.flatnonzero(np.append(True, begins))
    last = np.append(first[1:], len(rows)) - 1
    trades = np.add.reduceat(rows.trades, first)
    unknown = np.logical_or.reduceat(rows.trades == UNKNOWN_COUNT, first)
    return replace(
        rows.take(first),
        st=np.maximum.reduceat(rows.st, first),
        high=np.maximum.reduceat(rows.high, first),
        low=np.minimum.reduceat(rows.low, first),
        close=rows.close[last],
        volume=np.add.reduceat(rows.volume, first),
        money=np.add.reduceat(rows.money, first),
        trades=np.where(unknown, UNKNOWN_COUNT, trades),
        mark=np.add.reduceat(rows.mark, first),
    )


def _rows(series: Series, columns: Mapping[str, NDArray[Any]], has_vwaps: bool) -> BarRows:
    at = np.searchsorted(series.ids, columns["series"])
    names = tuple(sorted(set(series.symbols)))
    rank = {name: code for code, name in enumerate(names)}
    code = np.array([rank[name] for name in series.symbols], np.int32)[at]
    order = np.lexsort((columns["ts"], columns["st"], code))
    prices = _powers(series.price_scales)[at[order]]
    floats = {name: columns[name][order] / prices for name in ("open", "high", "low", "close")}
    money = columns["money"][order].astype(np.float64)
    if has_vwaps and series.vwap_scales.any():
        money = from_stored(money, series.vwap_scales[at[order]])
    return BarRows(
        names,
        code[order],
        columns["st"][order].astype(np.int64),
        columns["ts"][order].astype(np.int64),
        **floats,
        volume=columns["volume"][order] / _powers(series.volume_scales)[at[order]],
        money=money,
        trades=columns["trades"][order].astype(np.int64),
        mark=columns["mark"][order].astype(np.int64),
    )


def _powers(scales: NDArray[np.int16]) -> Floats:
    # The same division of two doubles by which the ticks were proved exact at the write.
    powers: Floats = np.power(10.0, np.arange(10))[scales]
    return powers


def _native(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("="))


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    if array.null_count:
        array = array.fill_null(float("nan") if pa.types.is_floating(array.type) else UNKNOWN_COUNT)
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values
