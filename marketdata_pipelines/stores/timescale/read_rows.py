"""Rows of reads as numpy columns: packed or streamed by the server, rescaled, of symbols instead of series, in order.

Which statement gave them is `read_statements`'; what users see of them is made in `read_answers`.
"""

from collections.abc import Sequence
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
_POWERS = np.power(10.0, np.arange(10))
# The columns of read_packed_bars in their order; the floats are one after the other.
_COLUMNS = ("series", "st", "ts", "open", "high", "low", "close", "volume", "money", "trades", "mark")
_SERIES, _ST, _TS, _TRADES, _MARK = (_COLUMNS.index(name) for name in ("series", "st", "ts", "trades", "mark"))
_CLOCKS, _FLOATS = slice(_ST, _TS + 1), slice(_TS + 1, _TRADES)
_PRICES, _VOLUME, _MONEY = slice(0, 4), 4, 5
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
    # All columns are turned around at once: for a day of a symbol the calls would take longer than the work.
    turned = np.frombuffer(b"".join([column or b"" for column in packed]), ">i8").astype(np.int64)
    values = turned.reshape(len(_COLUMNS), -1)
    values[_CLOCKS] += PG_EPOCH_US
    return _rows(series, values, has_vwaps)


def from_stream(series: Series, streamed: pa.Table, *, has_vwaps: bool) -> BarRows:
    """The rows of a streamed statement (STREAMED); `has_vwaps` as for `unpack`."""
    values = np.empty((len(_COLUMNS), streamed.num_rows), np.int64)
    for place, name in enumerate(_COLUMNS):
        column = _values(streamed[name])
        values[place] = column.view(np.int64) if column.dtype == np.float64 else column
    return _rows(series, values, has_vwaps)


def merged(rows: BarRows) -> BarRows:
    """One row for each (symbol, st): those of a symbol that changed its scale within a bucket are combined.

    Totals (`merged_symbols`) are combined whatever their st.
    """
    return _folded(rows, (rows.code[1:] != rows.code[:-1]) | (rows.st[1:] != rows.st[:-1]))


def merged_symbols(rows: BarRows) -> BarRows:
    """One row for each symbol; the greatest st is kept."""
    ordered = by_open(rows)
    return _folded(ordered, ordered.code[1:] != ordered.code[:-1])


def newest(rows: BarRows) -> BarRows:
    """The row of each symbol with the greatest ts."""
    if len(rows) <= 1:
        return rows
    ordered = by_open(rows)
    return ordered.take(np.append(ordered.code[1:] != ordered.code[:-1], True))


def by_open(rows: BarRows) -> BarRows:
    """The rows by (symbol, ts)."""
    follows = rows.ts[1:] >= rows.ts[:-1]
    if len(rows.symbols) > 1:
        follows |= rows.code[1:] > rows.code[:-1]
    return rows if follows.all() else rows.take(np.lexsort((rows.ts, rows.code)))


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


def _rows(series: Series, values: Ints, has_vwaps: bool) -> BarRows:
    """Rows from a row of `values` for each column, floats as their bits; they are changed."""
    if len(series.ids) == 1:
        names, code, at = series.symbols, np.zeros(values.shape[1], np.int32), 0
        if (values[_ST, 1:] < values[_ST, :-1]).any():
            values = np.take(values, np.lexsort((values[_TS], values[_ST])), axis=1)
    else:
        names = tuple(sorted(set(series.symbols)))
        rank = {name: code for code, name in enumerate(names)}
        at = np.searchsorted(series.ids, values[_SERIES])
        code = np.array([rank[name] for name in series.symbols], np.int32)[at]
        order = np.lexsort((values[_TS], values[_ST], code))
        values, code, at = np.take(values, order, axis=1), code[order], at[order]
    floats = values[_FLOATS].view(np.float64)
    # The same division of two doubles by which the ticks were proved exact at the write.
    floats[_PRICES] /= _POWERS[series.price_scales[at]]
    floats[_VOLUME] /= _POWERS[series.volume_scales[at]]
    if has_vwaps and series.vwap_scales.any():
        floats[_MONEY] = from_stored(floats[_MONEY], series.vwap_scales[at])
    opens, high, low, close, volume, money = floats
    trades, mark = values[_TRADES], values[_MARK]
    return BarRows(names, code, values[_ST], values[_TS], opens, high, low, close, volume, money, trades, mark)


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    if array.null_count:
        array = array.fill_null(float("nan") if pa.types.is_floating(array.type) else UNKNOWN_COUNT)
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values
