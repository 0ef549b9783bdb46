"""Series of a feed: which id a symbol's rows of certain decimal scales have; other scales are another series."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.aggregation import Floats
from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.frames import float_values
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.base_rows import PreparedBars, Series, is_summable
from marketdata_pipelines.stores.timescale.feed_layout import FeedLayout
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.ticks import to_ticks
from marketdata_pipelines.stores.timescale.vwaps import ANY_SCALE, suits

_SELECT = (
    "select symbol, series_id, price_scale, volume_scale, vwap_scale from marketdata.series"
    " where feed = %s and symbol = any(%s) order by symbol, price_scale, volume_scale, vwap_scale"
)
_INSERT = (
    "insert into marketdata.series (feed, symbol, price_scale, volume_scale, vwap_scale)"
    " select %s, s.symbol, s.price_scale, s.volume_scale, s.vwap_scale"
    " from unnest(%s::text[], %s::smallint[], %s::smallint[], %s::smallint[])"
    " as s (symbol, price_scale, volume_scale, vwap_scale)"
    " order by s.symbol on conflict do nothing"
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Scales that a symbol's values need; where doubles are kept, those that say so."""

    symbol: str
    price_scale: int
    volume_scale: int
    vwap_scale: int
    in_ticks: bool


def take_series(connection: Connection, layout: FeedLayout, prepared: PreparedBars) -> list[Series]:
    """The series of each of the bars' symbols, made where there is none that holds their values exactly.

    The one of the fewest decimals that suffices is taken, so that a symbol's series stay few.
    """
    wanted = _wanted(prepared, layout)
    found = _choose(connection, layout.feed, prepared, wanted)
    missing = [one for one, series in zip(wanted, found, strict=True) if series is None]
    if missing:
        columns = [[getattr(one, name) for one in missing] for name in ("symbol", "price_scale", "volume_scale")]
        vwap_scales = [max(one.vwap_scale, 0) for one in missing]
        connection.execute(_INSERT, [layout.feed, *columns, vwap_scales])
        found = _choose(connection, layout.feed, prepared, wanted)
    return [series for series in found if series is not None]


def series_of_symbols(connection: Connection, feed_name: str, symbols: Sequence[str]) -> dict[int, str]:
    """Every series of some symbols, with its symbol."""
    rows = connection.execute(_SELECT, [feed_name, list(symbols)]).fetchall()
    return {series_id: symbol for symbol, series_id, *_ in rows}


def _wanted(prepared: PreparedBars, layout: FeedLayout) -> list[_Wanted]:
    if layout.numbers != "ticks":
        return [_Wanted(symbol, 0, 0, 0, in_ticks=False) for symbol in prepared.symbols]
    vwap_scales = prepared.vwap_scales if layout.vwap_ticks else np.zeros_like(prepared.vwap_scales)
    scales = zip(prepared.price_scales.tolist(), prepared.volume_scales.tolist(), vwap_scales.tolist(), strict=True)
    return [_Wanted(symbol, *own, in_ticks=True) for symbol, own in zip(prepared.symbols, scales, strict=True)]


def _choose(
    connection: Connection, feed_name: str, prepared: PreparedBars, wanted: list[_Wanted]
) -> list[Series | None]:
    there: dict[str, list[Series]] = {}
    for symbol, *series in connection.execute(_SELECT, [feed_name, prepared.symbols]).fetchall():
        there.setdefault(symbol, []).append(Series(*series))
    return [
        next((series for series in there.get(one.symbol, ()) if _suffices(series, one, prepared, at)), None)
        for at, one in enumerate(wanted)
    ]


def _suffices(series: Series, wanted: _Wanted, prepared: PreparedBars, at: int) -> bool:
    is_alike = (series.price_scale, series.volume_scale) == (wanted.price_scale, wanted.volume_scale)
    if is_alike and wanted.vwap_scale in (series.vwap_scale, ANY_SCALE):
        return True
    if not wanted.in_ticks or series.price_scale < wanted.price_scale or series.volume_scale < wanted.volume_scale:
        return False
    rows = prepared.bars.slice(int(prepared.starts[at]), int(prepared.sizes[at]))
    if wanted.vwap_scale != ANY_SCALE and not suits(float_values(rows["vwap"]), series.vwap_scale, wanted.vwap_scale):
        return False
    return is_alike or _holds(series, rows)


def _holds(series: Series, rows: pa.Table) -> bool:
    # More decimals hold the same value only while its ticks stay below 2^53, and their quotient the same double.
    volume = float_values(rows["volume"])
    return is_summable(volume, series.volume_scale) and all(
        _is_exact(float_values(rows[name]), scale)
        for name, scale in [*((name, series.price_scale) for name in PRICES), ("volume", series.volume_scale)]
    )


def _is_exact(values: Floats, scale: int) -> bool:
    try:
        to_ticks(values, scale)
    except StoreError:
        return False
    return True
