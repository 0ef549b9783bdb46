"""The trades that a partition's validated bars were made of: of each bar those of the part whose bar stands.

The verdicts are `validate`'s. Trades in no bar (none of their interval counts for a price) and those of bars that a
later part replaced stay in the lake's raw parts.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values, symbol_codes, symbol_column
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.session_grid import Ints, Mask, SessionGrid, feed_grid
from marketdata_pipelines.domain.tables import RAW_TRADES, VALIDATED_BARS
from marketdata_pipelines.domain.trades import BAR_TRADE_SCHEMA, counting_trades, trade_buckets
from marketdata_pipelines.domain.validation import MISSING_TS, trade_mask
from marketdata_pipelines.pipeline.standing import follows
from marketdata_pipelines.pipeline.validate import DecidedRows, LoadedPart, bars_of_trades, decide_rows
from marketdata_pipelines.stores.lake.lake import Lake

_PLACE = ("price", "size", "exchange", "conditions")


def stored_bar_trades(lake: Lake, feed: Feed, key: str) -> pa.Table | None:
    """The trades of the validated bars that the lake has of a base partition.

    Shape:  BAR_TRADE_SCHEMA; None while the raw parts are no longer those of the bars (not walked yet, or withheld by
            a check).
    """
    if not follows(lake, feed, VALIDATED_BARS, key, [key]):
        return None
    standing = lake.catalog.standing_parts(feed.name, [key])
    parts = [LoadedPart(part, lake.read_part(feed.name, part.part)) for part in standing]
    trades = bar_trades(feed, feed_grid(feed, *partition_span(key, period_of(feed.partition))), parts)
    return trades if follows(lake, feed, VALIDATED_BARS, key, [key]) else None


def bar_trades(feed: Feed, grid: SessionGrid, parts: Sequence[LoadedPart]) -> pa.Table:
    """The trades of the bars that stand among some raw parts of one partition, given in ledger order.

    Shape:  BAR_TRADE_SCHEMA, sorted by (symbol, seq); of trades at one instant the order is that of their file.
    """
    as_bars = [bars_of_trades(feed, grid, part)[0] if _has_trades(part) else part for part in parts]
    if not any(part.table.num_rows for part in as_bars):
        return BAR_TRADE_SCHEMA.empty_table()
    decided = decide_rows(feed, grid, as_bars)
    found = [
        _trades_of(feed, grid, part, _standing_bars(decided, position))
        for position, part in enumerate(parts)
        if _has_trades(part)
    ]
    return _ordered(pa.concat_tables(found)) if found else BAR_TRADE_SCHEMA.empty_table()


def _has_trades(part: LoadedPart) -> bool:
    return part.standing.part.tbl == RAW_TRADES


def _standing_bars(decided: DecidedRows, position: int) -> pa.Table:
    """Symbol and open (UTC microseconds) of the bars of one part that stand."""
    order = decided.order[decided.source[decided.order] == position]
    rows = decided.raw.select(["symbol", "ts"]).take(pa.array(order))
    return pa.table({"symbol": rows["symbol"], "ts": int_values(rows["ts"])})


def _trades_of(feed: Feed, grid: SessionGrid, part: LoadedPart, bars: pa.Table) -> pa.Table:
    """The trades of one part that are in its bars; `seq` is not yet counted."""
    mask, placement = trade_mask(part.table, feed, grid, part.standing.ingest.known_at_us)
    opens = trade_buckets(feed, int_values(part.table["ts"], MISSING_TS), placement.anchor)
    kept = np.flatnonzero((mask == 0) & _inside(part.table["symbol"], opens, bars))
    rows = part.table.take(pa.array(kept))
    price, volume = counting_trades(rows, feed.trade_filter)
    columns = {
        "symbol": rows["symbol"].cast(BAR_TRADE_SCHEMA.field("symbol").type),
        "seq": np.zeros(len(kept), np.int64),
        "ts": rows["ts"],
        "session_date": pa.array(_days(grid, placement.session[kept])).view(pa.date32()),
        **{name: rows[name] for name in _PLACE},
        "counts_price": price,
        "counts_volume": volume,
    }
    return pa.table(columns, schema=BAR_TRADE_SCHEMA)


def _inside(symbols: pa.ChunkedArray, opens: Ints, bars: pa.Table) -> Mask:
    """Which trades are in one of some bars, by the open of the bar each of them is in."""
    codes, _ = symbol_codes(pa.chunked_array([*symbols.chunks, *bars["symbol"].chunks], pa.string()))
    instants, instant = np.unique(np.concatenate((opens, int_values(bars["ts"]))), return_inverse=True)
    key = codes.astype(np.int64) * len(instants) + instant
    inside: Mask = np.isin(key[: len(opens)], key[len(opens) :])
    return inside


def _days(grid: SessionGrid, session: Ints) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    days = grid.dates[session] if len(grid.dates) else np.zeros(len(session))
    return days.astype(np.int32)


def _ordered(trades: pa.Table) -> pa.Table:
    """Sorted, each symbol's trades counted. What comes first among equals stays first: parts, then rows of a file."""
    codes, symbols = symbol_codes(trades["symbol"].cast(pa.string()))
    order = np.lexsort((int_values(trades["ts"]), codes))
    codes = codes[order]
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.zeros(0, np.int64)
    sizes = np.diff(np.append(starts, len(codes))) if len(codes) else starts
    counted = np.arange(len(codes)) - np.repeat(starts, sizes)
    rows = trades.take(pa.array(order))
    rows = rows.set_column(0, "symbol", symbol_column(codes, symbols))
    return rows.set_column(1, "seq", pa.array(counted.astype(np.int64))).cast(BAR_TRADE_SCHEMA)
