"""A partition's base bars as the rows they become: on the session clock, in ticks, by series; and their digests.

No connection here: which series a symbol has is asked of `series`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.aggregation import Floats, Ints
from marketdata_pipelines.domain.bars import BAR_SCHEMA, PRICES
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.domain.session_clock import SessionClock
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines.errors import BarsInvalid, BarsNotSorted, SchemaMismatch, StoreError
from marketdata_pipelines.stores.timescale.rollups import Window
from marketdata_pipelines.stores.timescale.ticks import group_scales, ticks_array, to_ticks
from marketdata_pipelines.stores.timescale.vwaps import to_stored, vwap_scales

COLUMNS = ("series_id", "st", "ts", *PRICES, "volume", "vwap", "trade_count", "regular")
_PG_EPOCH_US = 946_684_800_000_000
# A symbol's volume of a partition must be summed in 64 bits.
_LARGEST_SUM = float(2**62)
_UNKNOWN_COUNT = -1
NOT_DECIMAL = -1
# (type's number in PostgreSQL, bytes, numpy's name) as `record_send` gives them.
_TIMESTAMP, _TIMESTAMPTZ, _BIGINT, _FLOAT8, _BOOL = (1114, 8), (1184, 8), (20, 8), (701, 8), (16, 1)


@dataclass(frozen=True, slots=True)
class Series:
    """A symbol's rows of certain scales: value = ticks / 10^scale (all 0 where doubles are kept).

    What is ticks among vwaps, `vwaps` says.
    """

    series_id: int
    price_scale: int
    volume_scale: int
    vwap_scale: int = 0


@dataclass(frozen=True, slots=True)
class PreparedBars:
    """Bars of one partition, checked, before they have series.

    `starts` is the first row of each of `symbols`; the scales are the smallest that hold the symbol's values exactly,
    -1 where none does; of vwaps, which may be kept as they are, those that suit most of them, ANY_SCALE without any.
    """

    bars: pa.Table
    symbols: list[str]
    starts: Ints
    clock: Ints
    price_scales: NDArray[np.int16]
    volume_scales: NDArray[np.int16]
    vwap_scales: NDArray[np.int16]
    sessions: int

    @property
    def are_decimal(self) -> bool:
        return bool((self.price_scales >= 0).all() and (self.volume_scales >= 0).all())

    @property
    def sizes(self) -> Ints:
        sizes: Ints = np.diff(np.append(self.starts, self.bars.num_rows))
        return sizes


class SeriesRows:
    """Rows as they are stored, ordered by (series_id, st): `table` has COLUMNS, `spans` each series' rows in it."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table.combine_chunks()
        ids = self.table["series_id"].to_numpy()
        starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])) if len(ids) else np.zeros(0, np.int64)
        sizes = np.diff(np.append(starts, len(ids))) if len(ids) else starts
        spans = zip(starts.tolist(), sizes.tolist(), strict=True)
        self.spans: Mapping[int, tuple[int, int]] = dict(zip(ids[starts].tolist(), spans, strict=True))
        # Made while the server is asked for its own, or is sent the rows.
        pool = ThreadPoolExecutor(1)
        self._digests = pool.submit(_digests, self.table, self.spans)
        pool.shutdown(wait=False)

    @property
    def digests(self) -> Mapping[int, tuple[int, str]]:
        """The count and MD5 of each series' rows, as `select_series_digests.sql` tells them."""
        return self._digests.result()

    def of(self, series: Sequence[int]) -> pa.Table:
        """The rows of some series; all of them without a copy."""
        if len(series) == len(self.spans):
            return self.table
        parts = [self.table.slice(*self.spans[one]) for one in sorted(series)]
        return pa.concat_tables(parts) if parts else self.table.schema.empty_table()

    def count(self, series: Iterable[int]) -> int:
        """How many rows some series have."""
        return sum(self.spans[one][1] for one in series)


def prepare_bars(feed: Feed, window: Window, clock: SessionClock, bars: pa.Table) -> PreparedBars:
    """Check a partition's bars and lay them on the session clock.

    Shape:   BAR_SCHEMA sorted by (symbol, ts).
    Errors:  SchemaMismatch, BarsNotSorted; BarsInvalid for a price that is none; StoreError for a bar outside the
             partition or outside every session.
    """
    missing = [name for name in BAR_SCHEMA.names if name not in bars.column_names]
    if missing:
        raise SchemaMismatch(f"bars of {feed.name} to publish lack {', '.join(missing)}; give every column of the lake")
    bars = bars.select(BAR_SCHEMA.names)
    codes, symbols = symbol_codes(bars["symbol"])
    ts, days = int_values(bars["ts"]), int_values(bars["session_date"])
    _check_order(feed, codes, ts)
    _check_window(feed, window, days)
    try:
        at = clock.to_clock(ts, days.astype(np.int32))
    except ValueError as error:
        raise StoreError(f"{feed.name} cannot be published: {error}") from error
    _check_numbers(feed, bars)
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.zeros(0, np.int64)
    names = [symbols[code] for code in codes[starts]]
    volumes = float_values(bars["volume"])
    price_scales = group_scales([float_values(bars[name]) for name in PRICES], starts)
    volume_scales = group_scales([volumes], starts)
    _mark_large_sums(volumes, starts, volume_scales)
    scales = price_scales, volume_scales, vwap_scales(float_values(bars["vwap"]), starts)
    return PreparedBars(bars, names, starts, at, *scales, _count_days(days))


def is_summable(volumes: Floats, scale: int) -> bool:
    """Whether the sum of a partition's volumes, in ticks of 10^-scale, is safe in 64 bits."""
    return float(np.nansum(np.abs(volumes))) * 10.0**scale < _LARGEST_SUM


def arrange_rows(prepared: PreparedBars, series: Sequence[Series], *, in_ticks: bool) -> SeriesRows:
    """The rows of prepared bars, `series` being those of `prepared.symbols` in order.

    Errors: StoreError for a value that its series' scales do not hold.
    """
    bars, sizes = prepared.bars, prepared.sizes
    ids = np.repeat(np.array([one.series_id for one in series], np.int32), sizes)
    order = np.lexsort((prepared.clock, ids))
    is_ordered = bool((order[1:] > order[:-1]).all())
    prices = [float_values(bars[name]) for name in PRICES]
    volume = float_values(bars["volume"])
    if in_ticks:
        price_scale = np.repeat(np.array([one.price_scale for one in series], np.int16), sizes)
        volume_scale = np.repeat(np.array([one.volume_scale for one in series], np.int16), sizes)
        numbers = [ticks_array(to_ticks(values, price_scale)) for values in prices]
        volumes = ticks_array(to_ticks(volume, volume_scale))
    else:
        numbers = [pa.array(values) for values in prices]
        volumes = pa.array(volume, mask=np.isnan(volume))
    columns = [
        pa.array(ids),
        pa.array(prepared.clock).view(pa.timestamp("us")),
        bars["ts"].cast(pa.timestamp("us", tz="UTC")),
        *numbers,
        volumes,
        _stored_vwaps(bars["vwap"], np.repeat(np.array([one.vwap_scale for one in series], np.int16), sizes)),
        bars["trade_count"],
        bars["regular"],
    ]
    table = pa.table(dict(zip(COLUMNS, columns, strict=True)))
    return SeriesRows(table if is_ordered else table.take(pa.array(order)))


def _stored_vwaps(column: pa.ChunkedArray, scales: NDArray[np.int16]) -> pa.Array | pa.ChunkedArray:
    if not scales.any():
        return column
    stored = to_stored(float_values(column), scales)
    return pa.array(stored, mask=column.is_null().to_numpy() if column.null_count else None)


def _digests(table: pa.Table, spans: Mapping[int, tuple[int, int]]) -> dict[int, tuple[int, str]]:
    rows = memoryview(_sent_rows(table))
    width = len(rows) // max(table.num_rows, 1)
    made = {}
    for one, (start, size) in spans.items():
        part = rows[start * width : (start + size) * width]
        made[one] = (size, hashlib.md5(part, usedforsecurity=False).hexdigest())
    return made


def _sent_rows(table: pa.Table) -> bytes:
    """The rows as PostgreSQL's `record_send(row(st, ts, …))` gives them, one after the other."""
    is_ticks = pa.types.is_int64(table["open"].type)
    number = _BIGINT if is_ticks else _FLOAT8
    columns: list[tuple[tuple[int, int], NDArray[np.generic]]] = [
        (_TIMESTAMP, int_values(table["st"]) - _PG_EPOCH_US),
        (_TIMESTAMPTZ, int_values(table["ts"]) - _PG_EPOCH_US),
        *((number, table[name].to_numpy()) for name in PRICES),
        (number, _volumes(table["volume"], is_ticks=is_ticks)),
        (_FLOAT8, float_values(table["vwap"])),
        (_BIGINT, int_values(table["trade_count"], _UNKNOWN_COUNT)),
        (_BOOL, table["regular"].to_numpy()),
    ]
    layout: list[tuple[str, str]] = [("count", ">i4")]
    for at, ((oid, width), _) in enumerate(columns):
        value = "u1" if width == 1 else ">f8" if oid == _FLOAT8[0] else ">i8"
        layout += [(f"type{at}", ">i4"), (f"length{at}", ">i4"), (f"value{at}", value)]
    rows = np.empty(table.num_rows, np.dtype(layout))
    rows["count"] = len(columns)
    for at, ((oid, width), values) in enumerate(columns):
        rows[f"type{at}"], rows[f"length{at}"], rows[f"value{at}"] = oid, width, values
    return rows.tobytes()


def _volumes(column: pa.ChunkedArray, *, is_ticks: bool) -> NDArray[np.generic]:
    return int_values(column, int(np.iinfo(np.int64).min)) if is_ticks else float_values(column)


def _check_order(feed: Feed, codes: NDArray[np.int32], ts: Ints) -> None:
    good = np.where(codes[1:] == codes[:-1], ts[1:] > ts[:-1], codes[1:] > codes[:-1])
    if len(codes) and codes.min() < 0:
        raise BarsInvalid(f"bars of {feed.name} to publish have no symbol in some row; every bar needs one")
    if not good.all():
        at = int(np.argmin(good)) + 1
        raise BarsNotSorted(f"bars of {feed.name} must increase by (symbol, ts), row {at} does not; sort them")


def _check_numbers(feed: Feed, bars: pa.Table) -> None:
    # Told before anything is made ready for them: they would not fit ticks, and doubles neither.
    for name in (*PRICES, "volume", "vwap"):
        values = float_values(bars[name])
        bad = np.isinf(values) if name in ("volume", "vwap") else ~np.isfinite(values)
        if bad.any():
            at = int(np.argmax(bad))
            told = f"{name} in row {at} is {bars[name][at].as_py()}"
            raise BarsInvalid(f"{feed.name} cannot be published: {told}; validate the bars first")


def _check_window(feed: Feed, window: Window, days: Ints) -> None:
    first, last = ((day - EPOCH).days for day in (window.first, window.last))
    outside = np.flatnonzero((days < first) | (days >= last))
    if len(outside):
        at = int(outside[0])
        raise StoreError(
            f"{feed.name}: row {at} is of the session {EPOCH.fromordinal(EPOCH.toordinal() + int(days[at]))}, outside "
            f"the partition {window.first}; give each partition its own bars"
        )


def _count_days(days: Ints) -> int:
    return int(np.count_nonzero(np.bincount(days - days.min()))) if len(days) else 0


def _mark_large_sums(volumes: Floats, starts: Ints, scales: NDArray[np.int16]) -> None:
    if len(starts):
        sums = np.add.reduceat(np.nan_to_num(np.abs(volumes)), starts)
        scales[sums * 10.0**scales >= _LARGEST_SUM] = NOT_DECIMAL
