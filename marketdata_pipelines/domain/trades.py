"""Trades into the feed's base bars.

Order inside a bar is by time, then by file order. What counts for OHLC and for volume is decided apart by the
feed's trade filter. Coarser bars come from these (see `aggregation`).
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA, SYMBOL, TS, TS_NS
from marketdata_pipelines.domain.feeds import Feed, TradeFilter
from marketdata_pipelines.domain.frames import float_values, int_values, nullable, symbol_codes
from marketdata_pipelines.domain.session_grid import Ints

# One row a trade that a validated bar was made of, by (symbol, seq): `seq` counts a symbol's trades of a partition,
# from 0, in the order they count. `ts` is the trade's own time, UTC. size: null = unknown.
BAR_TRADE_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("seq", pa.int64()),
        ("ts", TS_NS),
        ("session_date", pa.date32()),
        ("price", pa.float64()),
        ("size", pa.float64()),
        ("exchange", pa.string()),
        ("conditions", pa.string()),
        ("counts_price", pa.bool_()),
        ("counts_volume", pa.bool_()),
    ]
)


def trades_to_bars(feed: Feed, trades: pa.Table, anchor: Ints) -> pa.Table:
    """Base bars of accepted trades.

    Shape:   N rows of RAW_TRADE_SCHEMA in file order, all valid; returns rows of RAW_BAR_SCHEMA (row and line of the
             bar's first trade) sorted by (symbol, ts).
    Units:   volume is the sum of sizes; vwap the size-weighted price, null at volume 0; trade_count the number of
             trades that count for OHLC.
    Bounds:  `anchor` (UTC microseconds) is where each trade's buckets start; a bar's end is exclusive.
    """
    codes, symbols = symbol_codes(trades["symbol"])
    ns = int_values(trades["ts"])
    bucket = trade_buckets(feed, ns, anchor)
    order = np.lexsort((ns, bucket, codes))
    counts_price, counts_volume = counting_trades(trades, feed.trade_filter)
    order = order[(counts_price | counts_volume)[order]]
    codes, bucket = codes[order], bucket[order]
    starts = _run_starts(codes, bucket)
    price, size = float_values(trades["price"])[order], float_values(trades["size"])[order]
    for_price, for_volume = counts_price[order], counts_volume[order]
    # A bar exists only where a trade counts for OHLC; volume of other trades in it still adds up.
    has_price = np.logical_or.reduceat(for_price, starts) if len(starts) else np.zeros(0, bool)
    high = _reduce(np.maximum, np.where(for_price, price, -np.inf), starts)
    low = _reduce(np.minimum, np.where(for_price, price, np.inf), starts)
    first, last = _first_last(for_price, starts)
    volume = _reduce(np.add, np.where(for_volume, size, 0.0), starts)
    value = _reduce(np.add, np.where(for_volume, price * size, 0.0), starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        vwap = np.clip(np.where(volume > 0, value / volume, np.nan), low, high)
    table = pa.table(
        {
            "row": pa.array(int_values(trades["row"])[order][starts]),
            "line": trades["line"].combine_chunks().take(pa.array(order[starts])),
            "symbol": pa.array([symbols[code] for code in codes[starts]], pa.string()),
            "ts": pa.array(bucket[starts]).cast(TS),
            "open": price[first],
            "high": high,
            "low": low,
            "close": price[last],
            "volume": nullable(volume),
            "vwap": nullable(vwap),
            "trade_count": _reduce(np.add, for_price.astype(np.int64), starts),
            "rules": pa.nulls(len(starts), pa.string()),
            "original": pa.nulls(len(starts), pa.string()),
        },
        schema=RAW_BAR_SCHEMA,
    )
    return table.filter(pa.array(has_price))


def trade_buckets(feed: Feed, ns: Ints, anchor: Ints) -> Ints:
    """The open (UTC microseconds) of the base bar each trade is in; trades in nanoseconds, anchors in microseconds."""
    width = feed.interval.us * 1000
    opens: Ints = (anchor * 1000 + (ns - anchor * 1000) // width * width) // 1000
    return opens


def counting_trades(trades: pa.Table, trade_filter: TradeFilter) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which trades count for OHLC, and which for volume."""
    everything = np.ones(trades.num_rows, bool)
    on_exchange = everything & ~_listed(trades["exchange"], trade_filter.exclude_exchanges)
    price = on_exchange & ~_listed(trades["conditions"], trade_filter.ohlc_exclude_conditions)
    volume = on_exchange & ~_listed(trades["conditions"], trade_filter.volume_exclude_conditions)
    return price, volume


def _listed(column: pa.ChunkedArray, values: tuple[str, ...]) -> NDArray[np.bool_]:
    if not values:
        return np.zeros(len(column), bool)
    found = pc.is_in(column, value_set=pa.array(values, pa.string()))
    return found.to_numpy(zero_copy_only=False)


def _run_starts(codes: NDArray[np.int32], bucket: Ints) -> Ints:
    if not len(codes):
        return np.zeros(0, np.int64)
    changed = (codes[1:] != codes[:-1]) | (bucket[1:] != bucket[:-1])
    return np.concatenate(([0], np.flatnonzero(changed) + 1))


def _reduce(operation: np.ufunc, values: NDArray[Any], starts: Ints) -> NDArray[Any]:
    return operation.reduceat(values, starts) if len(starts) else values[:0]


def _first_last(counts: NDArray[np.bool_], starts: Ints) -> tuple[Ints, Ints]:
    """Positions of the first and last counting trade of each run (the run's own ends where none counts)."""
    if not len(starts):
        return starts, starts
    position = np.arange(len(counts))
    ends = np.append(starts[1:], len(counts)) - 1
    first = np.minimum.reduceat(np.where(counts, position, len(counts)), starts)
    last = np.maximum.reduceat(np.where(counts, position, -1), starts)
    return np.where(first < len(counts), first, starts), np.where(last >= 0, last, ends)
