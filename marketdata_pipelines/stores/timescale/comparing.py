"""Comparing what is published with what the lake holds: digests of each series first, values only where they differ."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import table_name
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.base_rows import PreparedBars, Series, arrange_rows
from marketdata_pipelines.stores.timescale.coarse_rows import coarse_rows, read_coarse
from marketdata_pipelines.stores.timescale.feed_layout import FeedLayout, read_layout
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.records import Difference
from marketdata_pipelines.stores.timescale.replacing import stored_digests
from marketdata_pipelines.stores.timescale.rollups import Window, feed_rollups
from marketdata_pipelines.stores.timescale.row_differences import row_differences
from marketdata_pipelines.stores.timescale.stored_bars import BASE_ROWS, BUCKET_ROWS, read_bars, read_buckets

# Sums of the same values in another order.
SUM_TOLERANCE = 1e-9
_SUMS = ("volume", "notional")


def compare_bars(
    connection: Connection, feed: Feed, window: Window, prepared: PreparedBars, limit: int
) -> list[Difference]:
    """Where the stored base bars of a window differ from `prepared`, by symbol and ts."""
    layout = read_layout(connection, feed.name)
    assert layout is not None
    suspects = _suspects(connection, feed, layout, window, prepared)
    if not suspects:
        return []
    there = read_bars(connection, feed.name, window, suspects)
    lake = prepared.bars.append_column("st", pa.array(prepared.clock).view(pa.timestamp("us")))
    names = lake["symbol"].cast(pa.string())
    lake = lake.set_column(lake.schema.get_field_index("symbol"), "symbol", names).select(BASE_ROWS.names)
    lake = lake.filter(pc.is_in(names, value_set=pa.array(suspects, pa.string())))
    return row_differences(VALIDATED_BARS, there, lake, {}, limit)


def compare_coarse(
    connection: Connection, feed: Feed, table: str, window: Window, bars: pa.Table, limit: int
) -> list[Difference]:
    """Where a stored coarse table of a window differs from the lake's rows."""
    rows = coarse_rows(feed, table, window, bars)
    return row_differences(table, read_coarse(connection, feed, table, window), rows, {}, limit)


def compare_rollups(
    connection: Connection, feed: Feed, window: Window, tables: Mapping[str, pa.Table], limit: int
) -> list[Difference]:
    """Where rollups of a window differ from the lake's aggregates of the same bars."""
    found: list[Difference] = []
    for rollup in feed_rollups(feed):
        lake = tables.get(table_name(rollup.timeframe))
        if lake is None or len(found) >= limit:
            continue
        lake = lake.select(BUCKET_ROWS.names).cast(BUCKET_ROWS)
        there = read_buckets(connection, feed, window, rollup)
        tolerances = dict.fromkeys(_SUMS, SUM_TOLERANCE)
        found += row_differences(rollup.table, there, lake, tolerances, limit - len(found))
    return found


def _suspects(
    connection: Connection, feed: Feed, layout: FeedLayout, window: Window, prepared: PreparedBars
) -> list[str]:
    """Symbols whose stored rows are not, digest by digest, those of `prepared`."""
    there = stored_digests(connection, feed.name, layout, window)
    stored: dict[str, list[Series]] = {}
    for symbol, *series in connection.execute(
        "select symbol, series_id, price_scale, volume_scale, vwap_scale from marketdata.series"
        " where series_id = any(%s)",
        [list(there)],
    ).fetchall():
        stored.setdefault(symbol, []).append(Series(*series))
    everybody = sorted({*stored, *prepared.symbols})
    own = _own_series(prepared, stored)
    try:
        digests = arrange_rows(prepared, own, in_ticks=layout.numbers == "ticks").digests
    except StoreError:
        # Values that are no ticks of the stored scales: they differ somewhere.
        return everybody
    wanted = {symbol: digests[one.series_id] for symbol, one in zip(prepared.symbols, own, strict=True)}
    equal = {
        symbol
        for symbol, series in stored.items()
        if len(series) == 1 and wanted.get(symbol) == there[series[0].series_id]
    }
    return [symbol for symbol in everybody if symbol not in equal]


def _own_series(prepared: PreparedBars, stored: Mapping[str, Sequence[Series]]) -> list[Series]:
    """The series each symbol's rows are stored under; for those without one, scales under a number nobody has."""
    own = []
    scales = zip(prepared.symbols, prepared.price_scales.tolist(), prepared.volume_scales.tolist(), strict=True)
    for at, (symbol, price_scale, volume_scale) in enumerate(scales):
        found = stored.get(symbol, ())
        own.append(found[0] if len(found) == 1 else Series(-1 - at, max(price_scale, 0), max(volume_scale, 0)))
    return own
