"""Publishing trades beside the bars they make: a partition whole or not at all, with its line in the ledger."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time

import numpy as np
import pyarrow as pa
from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, number_values, symbol_codes
from marketdata_pipelines.domain.store_tables import TRADES
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreUnavailable
from marketdata_pipelines.stores.timescale import ledger
from marketdata_pipelines.stores.timescale.base_rows import PreparedBars
from marketdata_pipelines.stores.timescale.comparing import SUM_TOLERANCE
from marketdata_pipelines.stores.timescale.copying import copy_into
from marketdata_pipelines.stores.timescale.feed_layout import FeedLayout, Numbers, read_layout
from marketdata_pipelines.stores.timescale.feeds import make_feed
from marketdata_pipelines.stores.timescale.locks import Connection, lock_partition
from marketdata_pipelines.stores.timescale.partitions import SECONDS, PartitionWriter, Told
from marketdata_pipelines.stores.timescale.records import Difference, Published
from marketdata_pipelines.stores.timescale.rollups import Window
from marketdata_pipelines.stores.timescale.series import take_series
from marketdata_pipelines.stores.timescale.templates import statement
from marketdata_pipelines.stores.timescale.trade_rows import COLUMNS, arrange_trades, checksum, prepare_trades
from marketdata_pipelines.stores.timescale.trade_tables import fit_chunks, is_made, take_out
from marketdata_pipelines.stores.timescale.windows import partition_window, window_clock

logger = logging.getLogger(__name__)

Totals = dict[tuple[str, date], dict[str, float]]


class TradeWriter:
    """Writes the trades of base partitions to one database; each method is done once (see `publishing`)."""

    def __init__(self, writer: PartitionWriter) -> None:
        self._writer = writer

    def replace(self, feed: Feed, trades: pa.Table, told: Told, *, again: bool) -> Published:
        """Make the partition's trades these, where the ledger does not say that they are; `again`: in any case."""
        window = partition_window(feed, VALIDATED_BARS, told.partition)
        prepared = prepare_trades(feed, window_clock(feed, window), trades)
        self._fit(feed, window, prepared)
        with self._writer.transaction(feed, f"publishing trades of {told.partition}") as connection:
            lock_partition(connection, feed.name, TRADES, told.partition)
            before = ledger.read_partition(connection, feed.name, TRADES, told.partition)
            if before is not None and before.inputs == told.inputs and not again:
                return before
            layout = _checked(feed, prepared, read_layout(connection, feed.name))
            in_ticks = layout.numbers == "ticks"
            rows = arrange_trades(prepared, take_series(connection, layout, prepared), in_ticks=in_ticks)
            take_out(connection, feed.name, window, is_timescale=self._writer.is_timescale)
            count = copy_into(connection, feed.name, TRADES, COLUMNS, rows)
            entry = replace(
                told.entry(feed.name), rows=count, symbols=len(prepared.symbols), checksum=checksum(prepared),
                rolled=True, changed=True, written=count,
            )  # fmt: skip
            logger.info("published %s %s %s: %d rows", feed.name, TRADES, told.partition, count)
            return ledger.write_published(connection, entry)

    def remove(self, feed: Feed, partition: str) -> int:
        """Take a partition's trades and ledger line out; how many there were."""
        window = partition_window(feed, VALIDATED_BARS, partition)
        with self._writer.transaction(feed, f"removing trades of {partition}") as connection:
            if not ledger.is_there(connection) or not is_made(connection, feed.name):
                return 0
            lock_partition(connection, feed.name, TRADES, partition)
            before = ledger.read_partition(connection, feed.name, TRADES, partition)
            take_out(connection, feed.name, window, is_timescale=self._writer.is_timescale)
            ledger.remove_published(connection, feed.name, TRADES, partition)
            return before.rows if before is not None else 0

    def _fit(self, feed: Feed, window: Window, prepared: PreparedBars) -> None:
        self._writer.ensure(feed)
        database, is_timescale = self._writer.database, self._writer.is_timescale
        with database.connection(f"{feed.name}: preparing trades") as connection:
            layout, is_there = read_layout(connection, feed.name), is_made(connection, feed.name)
        needs_doubles = layout is not None and layout.numbers == "ticks" and not prepared.are_decimal
        if needs_doubles or not is_there:
            with database.connection(f"{feed.name}: preparing trades", statement_seconds=SECONDS) as connection:
                numbers: Numbers = "double" if needs_doubles else "ticks"
                make_feed(connection, feed, is_timescale=is_timescale, numbers=numbers)
        if prepared.sessions:
            with self._writer.transaction(feed, "preparing trades") as connection:
                rows = prepared.bars.num_rows
                fit_chunks(connection, feed.name, window, rows, prepared.sessions, is_timescale=is_timescale)


def compare_trades(
    connection: Connection, feed: Feed, window: Window, trades: pa.Table, bars: pa.Table | None, limit: int
) -> list[Difference]:
    """Where the stored trades of a window differ from the lake's, by symbol and session, in counts and sums of sizes.

    They are compared with the trades themselves and, given bars all of which were made of trades, with the volume and
    trade count of these.
    """
    there = _stored_totals(connection, feed, window)
    found = list(_differences(there, _trade_totals(trades), TRADES))
    if bars is not None:
        found += _differences(there, _bar_totals(bars), VALIDATED_BARS)
    return found[:limit]


def _checked(feed: Feed, prepared: PreparedBars, layout: FeedLayout | None) -> FeedLayout:
    if layout is None or (layout.numbers == "ticks" and not prepared.are_decimal):
        raise StoreUnavailable(f"{feed.name} needs another layout than another process made meanwhile; publish again")
    return layout


def _stored_totals(connection: Connection, feed: Feed, window: Window) -> Totals:
    first, last = window.bounds
    query = statement("postgres", "select_trade_totals", schema=sql.Identifier(feed.name))
    rows = connection.execute(query, {"first": first, "last": last}).fetchall()
    names = ("count", "trade_count", "size", "volume")
    return {(symbol, day): dict(zip(names, values, strict=True)) for symbol, day, *values in rows}


def _trade_totals(trades: pa.Table) -> Totals:
    size = np.nan_to_num(float_values(trades["size"]))
    price, volume = (trades[name].to_numpy() for name in ("counts_price", "counts_volume"))
    ones = np.ones(trades.num_rows)
    return _totals(trades, {"count": ones, "trade_count": price, "size": size, "volume": size * volume})


def _bar_totals(bars: pa.Table) -> Totals:
    """Of bars whose volume is known; a session in which one is not cannot be told by its sum."""
    return _totals(bars, {name: number_values(bars[name]) for name in ("trade_count", "volume")})


def _totals(rows: pa.Table, values: dict[str, np.ndarray]) -> Totals:
    codes, symbols = symbol_codes(rows["symbol"])
    days = rows["session_date"].combine_chunks().view(pa.int32()).to_numpy()
    pairs, at = np.unique(np.stack([codes, days]), axis=1, return_inverse=True)
    sums = {name: np.bincount(at.reshape(-1), column, pairs.shape[1]) for name, column in values.items()}
    return {
        (symbols[code], date.fromordinal(date(1970, 1, 1).toordinal() + day)): {
            name: float(sums[name][position]) for name in sums
        }
        for position, (code, day) in enumerate(pairs.T.tolist())
    }


def _differences(store: Totals, lake: Totals, table: str) -> Iterator[Difference]:
    for symbol, day in sorted(store.keys() | lake.keys()):
        ts = datetime.combine(day, time(), UTC)
        there, other = store.get((symbol, day)), lake.get((symbol, day))
        if there is None or other is None:
            column, shown = next(iter((other or there or {}).items()))
            yield Difference(table, symbol, ts, column, *((None, shown) if there is None else (shown, None)))
            continue
        for column, value in other.items():
            if not np.isnan(value) and abs(there[column] - value) > SUM_TOLERANCE * max(abs(value), 1.0):
                yield Difference(table, symbol, ts, column, there[column], value)
