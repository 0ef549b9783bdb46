"""Series of a feed: which id a symbol's rows of certain decimal scales have; a new pair of scales is a new series."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketdata_pipelines.domain.aggregation import Floats
from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.frames import float_values
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.base_rows import PreparedBars, Series, is_summable
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.ticks import to_ticks

_SELECT = (
    "select symbol, series_id, price_scale, volume_scale from marketdata.series"
    " where feed = %s and symbol = any(%s) order by symbol, price_scale, volume_scale"
)
_INSERT = (
    "insert into marketdata.series (feed, symbol, price_scale, volume_scale)"
    " select %s, s.symbol, s.price_scale, s.volume_scale"
    " from unnest(%s::text[], %s::smallint[], %s::smallint[]) as s (symbol, price_scale, volume_scale)"
    " order by s.symbol on conflict do nothing"
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Scales that a symbol's values need; where doubles are kept, those that say so."""

    symbol: str
    price_scale: int
    volume_scale: int
    in_ticks: bool


def take_series(connection: Connection, feed_name: str, prepared: PreparedBars, *, in_ticks: bool) -> list[Series]:
    """The series of each of the bars' symbols, made where there is none that holds their values exactly.

    The one of the fewest decimals that suffices is taken, so that a symbol's series stay few.
    """
    wanted = _wanted(prepared, in_ticks=in_ticks)
    found = _choose(connection, feed_name, prepared, wanted)
    missing = [one for one, series in zip(wanted, found, strict=True) if series is None]
    if missing:
        columns = ([getattr(one, name) for one in missing] for name in ("symbol", "price_scale", "volume_scale"))
        connection.execute(_INSERT, [feed_name, *columns])
        found = _choose(connection, feed_name, prepared, wanted)
    return [series for series in found if series is not None]


def series_of_symbols(connection: Connection, feed_name: str, symbols: Sequence[str]) -> dict[int, str]:
    """Every series of some symbols, with its symbol."""
    rows = connection.execute(_SELECT, [feed_name, list(symbols)]).fetchall()
    return {series_id: symbol for symbol, series_id, _, _ in rows}


def _wanted(prepared: PreparedBars, *, in_ticks: bool) -> list[_Wanted]:
    if not in_ticks:
        return [_Wanted(symbol, 0, 0, False) for symbol in prepared.symbols]
    scales = zip(prepared.symbols, prepared.price_scales.tolist(), prepared.volume_scales.tolist(), strict=True)
    return [_Wanted(*one, in_ticks=True) for one in scales]


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
    if (series.price_scale, series.volume_scale) == (wanted.price_scale, wanted.volume_scale):
        return True
    if not wanted.in_ticks or series.price_scale < wanted.price_scale or series.volume_scale < wanted.volume_scale:
        return False
    # More decimals hold the same value only while its ticks stay below 2^53, and their quotient the same double.
    rows = prepared.bars.slice(int(prepared.starts[at]), int(prepared.sizes[at]))
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
