"""Trades of one partition as they are stored: checked, laid on the session clock, in ticks or as doubles."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.aggregation import Ints
from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values, nullable, symbol_codes
from marketdata_pipelines.domain.session_clock import SessionClock
from marketdata_pipelines.domain.trades import BAR_TRADE_SCHEMA
from marketdata_pipelines.errors import BarsInvalid, BarsNotSorted, SchemaMismatch, StoreError
from marketdata_pipelines.stores.timescale.base_rows import PreparedBars, Series
from marketdata_pipelines.stores.timescale.ledger import checksum_of
from marketdata_pipelines.stores.timescale.ticks import group_scales, ticks_array, to_ticks
from marketdata_pipelines.stores.timescale.vwaps import ANY_SCALE

COLUMNS = (
    "series_id",
    "st",
    "ts",
    "ns",
    "seq",
    "price",
    "size",
    "exchange",
    "conditions",
    *BAR_TRADE_SCHEMA.names[-2:],
)


def prepare_trades(feed: Feed, clock: SessionClock, trades: pa.Table) -> PreparedBars:
    """Check trades (BAR_TRADE_SCHEMA by (symbol, seq)) and lay them on the session clock.

    A trade is told as the bar of itself, so that it finds its series and scales as bars do.

    Errors: SchemaMismatch, BarsNotSorted, BarsInvalid; StoreError for a trade outside every session.
    """
    if trades.schema != BAR_TRADE_SCHEMA:
        raise SchemaMismatch(f"trades of {feed.name} to publish have other columns than {BAR_TRADE_SCHEMA.names}")
    codes, symbols = symbol_codes(trades["symbol"])
    seq, ns, days = int_values(trades["seq"]), int_values(trades["ts"]), int_values(trades["session_date"])
    if len(codes) and codes.min() < 0:
        raise BarsInvalid(f"trades of {feed.name} to publish have no symbol in some row; every trade needs one")
    if not np.where(codes[1:] == codes[:-1], seq[1:] > seq[:-1], codes[1:] > codes[:-1]).all():
        raise BarsNotSorted(f"trades of {feed.name} must increase by (symbol, seq); sort them")
    price, size = float_values(trades["price"]), float_values(trades["size"])
    if not np.isfinite(price).all() or np.isinf(size).any():
        raise BarsInvalid(f"{feed.name} cannot be published: a trade's price or size is no number; validate them first")
    try:
        at = clock.to_clock(ns // 1000, days.astype(np.int32))
    except ValueError as error:
        raise StoreError(f"{feed.name} cannot be published: {error}") from error
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.zeros(0, np.int64)
    rows = trades
    for name in PRICES:
        rows = rows.append_column(name, trades["price"])
    rows = rows.append_column("volume", nullable(size))
    unasked = np.full(len(starts), ANY_SCALE, np.int16)
    scales = group_scales([price], starts), group_scales([size], starts), unasked
    return PreparedBars(rows, [symbols[code] for code in codes[starts]], starts, at, *scales, len(np.unique(days)))


def arrange_trades(prepared: PreparedBars, series: Sequence[Series], *, in_ticks: bool) -> pa.Table:
    """The rows of prepared trades (COLUMNS), `series` being those of `prepared.symbols` in order."""
    trades = prepared.bars
    ids = _each(prepared, [one.series_id for one in series]).astype(np.int32)
    price, size = float_values(trades["price"]), float_values(trades["volume"])
    if in_ticks:
        prices = ticks_array(to_ticks(price, _each(prepared, [one.price_scale for one in series]).astype(np.int16)))
        sizes = ticks_array(to_ticks(size, _each(prepared, [one.volume_scale for one in series]).astype(np.int16)))
    else:
        prices, sizes = pa.array(price), nullable(size)
    ns = int_values(trades["ts"])
    columns = [
        pa.array(ids),
        pa.array(prepared.clock).view(pa.timestamp("us")),
        pa.array(ns // 1000).view(pa.timestamp("us", tz="UTC")),
        pa.array((ns % 1000).astype(np.int16)),
        trades["seq"],
        prices,
        sizes,
        *(trades[name] for name in COLUMNS[7:]),
    ]
    return pa.table(dict(zip(COLUMNS, columns, strict=True)))


def checksum(prepared: PreparedBars) -> str:
    """What tells one publication's trades from another's: of their times, prices and sizes by symbol."""
    values = [int_values(prepared.bars["ts"]), *(float_values(prepared.bars[name]) for name in ("price", "size"))]
    parts = []
    for symbol, start, size in zip(prepared.symbols, prepared.starts.tolist(), prepared.sizes.tolist(), strict=True):
        digest = hashlib.md5(usedforsecurity=False)
        for column in values:
            digest.update(column[start : start + size].tobytes())
        parts.append((symbol, size, digest.hexdigest()))
    return checksum_of(parts)


def _each(prepared: PreparedBars, values: Sequence[int]) -> Ints:
    repeated: Ints = np.repeat(np.array(values, np.int64), prepared.sizes)
    return repeated
