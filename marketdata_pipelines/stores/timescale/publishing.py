"""Publishing the lake's bars to a SQL database: a partition at a time, whole or not at all, as often as wanted.

`TimescaleStore` is what others call; each of its jobs has a module of its own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.store_tables import TRADES
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale import (
    comparing,
    compressing,
    dashboards,
    late,
    ledger,
    quality_events,
    retaining,
)
from marketdata_pipelines.stores.timescale.base_rows import prepare_bars
from marketdata_pipelines.stores.timescale.coarse_rows import coarse_rows
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.feed_layout import FeedLayout, read_layout
from marketdata_pipelines.stores.timescale.locks import Connection, lock_partition
from marketdata_pipelines.stores.timescale.partitions import SECONDS, PartitionWriter, Told
from marketdata_pipelines.stores.timescale.records import Difference, Published, Storage
from marketdata_pipelines.stores.timescale.retrying import retried
from marketdata_pipelines.stores.timescale.trades import TradeWriter, compare_trades
from marketdata_pipelines.stores.timescale.windows import partition_window, window_clock


class TimescaleStore:
    """The bars of feeds in one database: TimescaleDB, or plain PostgreSQL with the same tables and answers.

    Every method is a transaction of its own, or several that leave the same when done again; where the server does
    not answer they try again by themselves (see `retrying`). Readers see a partition as it was or as it is.

    Errors: StoreUnavailable when the server does not answer; StoreError with what to do for everything it refuses.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._writer = PartitionWriter(database)
        self._trades = TradeWriter(self._writer)

    def ensure_feed(self, feed: Feed) -> FeedLayout:
        """Make the feed's schema, tables, rollups and views where they are not there; the store itself too.

        Where the feed's interval, anchor or partitioning changed, what was published of it is taken down.
        """
        return retried(lambda: self._writer.make(feed))

    def replace_partition(
        self,
        feed: Feed,
        table: str,
        partition: str,
        bars: pa.Table,
        inputs: str,
        horizon_us: int,
        run_id: str = "",
        *,
        rolls: bool = True,
    ) -> Published:
        """Make the store's partition of `table` these bars, in one transaction with its line in the ledger.

        Shape:   `bars` as the lake holds that table, sorted by (symbol, ts); no rows: the partition becomes empty.
        Writes:  rows that are there already are not written again; where none differs nothing is (`changed` false).
        Rollups: hold the same rows afterwards (`rolled`); after a kill between, the next publication sees to it. With
                 `rolls` false it is left to `finish_rollups`: readers combine the bars themselves until then.
        Errors:  BarsNotSorted, SchemaMismatch; StoreError for bars of other days than the partition's.
        """
        window = partition_window(feed, table, partition)
        told = Told(table, partition, inputs, horizon_us, run_id)
        if table != VALIDATED_BARS:
            rows = coarse_rows(feed, table, window, bars)
            return retried(lambda: self._writer.write_coarse(feed, window, rows, told))
        clock = window_clock(feed, window)
        prepared = prepare_bars(feed, window, clock, bars)
        entry = retried(lambda: self._writer.write_bars(feed, window, clock, prepared, told))
        return self._rolled(feed, [entry])[0] if rolls else entry

    def replace_trades(
        self,
        feed: Feed,
        partition: str,
        trades: pa.Table,
        inputs: str,
        horizon_us: int,
        run_id: str = "",
        *,
        again: bool = False,
    ) -> Published:
        """Make the trades of a base partition these, in one transaction with its line in the ledger (`trades`).

        Shape:   BAR_TRADE_SCHEMA, sorted by (symbol, seq); no rows: the partition becomes empty.
        Writes:  every row, where the ledger's inputs are others or `again` is asked; else nothing.
        Errors:  SchemaMismatch, BarsNotSorted, BarsInvalid; StoreError for a trade outside every session.
        """
        told = Told(TRADES, partition, inputs, horizon_us, run_id)
        return retried(lambda: self._trades.replace(feed, trades, told, again=again))

    def remove_trades(self, feed: Feed, partition: str) -> int:
        """Take a partition's trades and their line in the ledger out; how many there were."""
        return retried(lambda: self._trades.remove(feed, partition))

    def compare_trades(
        self, feed: Feed, partition: str, trades: pa.Table, bars: pa.Table | None, *, limit: int = 100
    ) -> list[Difference]:
        """Where the stored trades differ from these, and from the base bars all of which were made of them.

        Counts are compared exactly, sums of sizes, which are added up in another order, to one part in 10^9.
        """
        window = partition_window(feed, VALIDATED_BARS, partition)
        with self._reading(feed, f"comparing trades of {partition}") as connection:
            return compare_trades(connection, feed, window, trades, bars, limit)

    def upsert_rows(self, feed: Feed, bars: pa.Table) -> list[Published]:
        """Add late base bars, or replace those with the same (symbol, ts), whatever partitions they are in.

        Shape:  BAR_SCHEMA in any order; of several rows of one (symbol, ts) the last counts.
        Ledger: the `inputs` of the partitions become empty: they are no longer what the lake gave, so that the next
                publication is not taken for done.
        """
        parts = late.partition_bars(feed, bars)
        return self._rolled(feed, retried(lambda: self._writer.write_late(feed, parts)))

    def remove_partition(self, feed: Feed, table: str, partition: str) -> int:
        """Take a partition's rows and its line in the ledger out; how many rows there were."""
        return retried(lambda: self._writer.remove(feed, table, partition))

    def published(self, feed_name: str, table: str) -> dict[str, Published]:
        """What is published of a table, by partition; nothing of a feed that nobody published."""

        def work() -> dict[str, Published]:
            with self.database.connection(f"{feed_name}: reading what is published") as connection:
                return ledger.read_published(connection, feed_name, table) if ledger.is_there(connection) else {}

        return retried(work)

    def finish_rollups(self, feed: Feed) -> int:
        """Refresh the rollups of every partition that a kill left behind; how many there were."""
        return retried(lambda: self._writer.finish(feed))

    def compare(self, feed: Feed, table: str, partition: str, bars: pa.Table, *, limit: int = 100) -> list[Difference]:
        """Where the store's partition differs from these bars, at most `limit` values; none: every bit is equal."""
        window = partition_window(feed, table, partition)
        prepared = None
        if table == VALIDATED_BARS:
            prepared = prepare_bars(feed, window, window_clock(feed, window), bars)
        with self._reading(feed, f"comparing {table} {partition}") as connection:
            if prepared is None:
                return comparing.compare_coarse(connection, feed, table, window, bars, limit)
            return comparing.compare_bars(connection, feed, window, prepared, limit)

    def compare_rollups(
        self, feed: Feed, partition: str, tables: Mapping[str, pa.Table], *, limit: int = 100
    ) -> list[Difference]:
        """Where the rollups of a base partition differ from the lake's tables (`bars_5m`, `bars_1h`, `bars_1d`).

        Prices, counts and instants are compared exactly; volume and notional, which are summed in another order, to
        one part in 10^9. Tables of the lake that have no rollup are not looked at.
        """
        window = partition_window(feed, VALIDATED_BARS, partition)
        with self._reading(feed, f"comparing rollups of {partition}") as connection:
            return comparing.compare_rollups(connection, feed, window, tables, limit)

    def replace_view(self, feed: Feed, view: str, table: pa.Table, inputs: str = "") -> datetime:
        """Make the feed's dashboard table `view` these rows, in one transaction; the instant of the refresh."""

        def work() -> datetime:
            self._writer.ensure(feed)
            with self._writer.transaction(feed, f"refreshing {view}") as connection:
                lock_partition(connection, feed.name, view, "")
                return dashboards.replace_view(connection, feed, view, table, inputs)

        return retried(work)

    def refreshed(self, feed: Feed) -> dict[str, str]:
        """What each dashboard table of a feed was made of (`inputs` of its refresh); none before the first."""

        def work() -> dict[str, str]:
            with self.database.connection(f"{feed.name}: reading what was refreshed") as connection:
                return dashboards.read_refreshes(connection, feed.name) if ledger.is_there(connection) else {}

        return retried(work)

    def newest_quality_event(self, feed: Feed) -> int:
        """The number of the newest of the feed's quality events in the store; 0 where there is none."""

        def work() -> int:
            self._writer.ensure(feed)
            with self.database.connection(f"{feed.name}: reading quality events") as connection:
                return quality_events.newest_event(connection, feed.name)

        return retried(work)

    def append_quality_events(self, feed: Feed, events: pa.Table) -> int:
        """Add those of the feed's events (QUALITY_EVENT_SCHEMA) that are newer than the newest there; how many."""

        def work() -> int:
            self._writer.ensure(feed)
            with self._writer.transaction(feed, "publishing quality events") as connection:
                lock_partition(connection, feed.name, "quality_events", "")
                is_timescale = self._writer.is_timescale
                return quality_events.append_events(connection, feed.name, events, is_timescale=is_timescale)

        return retried(work)

    def compress(self, feed: Feed, *, after_days: int = 7) -> int:
        """Compress the chunks that end so many days before the newest published session; how many.

        Nothing on plain PostgreSQL, nor where the extension cannot. Call it when a range has been published: chunks
        that are written to afterwards are taken up again by the next call.
        """
        if not self.database.engine.has_columnstore:
            return 0

        def work() -> int:
            what = f"{feed.name}: compressing"
            with self.database.connection(what, autocommit=True, statement_seconds=SECONDS) as connection:
                if not ledger.is_there(connection) or read_layout(connection, feed.name) is None:
                    return 0
                return compressing.compress_chunks(connection, feed, after_days)

        return retried(work)

    def drop_before(self, feed: Feed, day: date) -> int:
        """Remove base bars of the partitions that end before `day`, with their lines in the ledger; how many rows.

        Rollups and coarse tables keep what was derived from them.
        """

        def work() -> int:
            if not self.published(feed.name, VALIDATED_BARS):
                return 0
            # A rollup that is behind could not be made any more.
            self._writer.finish(feed)
            with self._writer.transaction(feed, f"dropping bars before {day}") as connection:
                return retaining.drop_before(connection, feed, day, is_timescale=self._writer.is_timescale)

        return retried(work)

    def storage(self, feed: Feed) -> list[Storage]:
        """What each of the feed's tables takes, largest first."""
        with self._reading(feed, "measuring") as connection:
            return compressing.measure(connection, feed, is_timescale=self._writer.is_timescale)

    def _rolled(self, feed: Feed, entries: list[Published]) -> list[Published]:
        if any(not entry.rolled for entry in entries):
            self.finish_rollups(feed)
        return [replace(entry, rolled=True) for entry in entries]

    @contextmanager
    def _reading(self, feed: Feed, what: str) -> Iterator[Connection]:
        with self.database.connection(f"{feed.name}: {what}", statement_seconds=SECONDS) as connection:
            if not ledger.is_there(connection) or read_layout(connection, feed.name) is None:
                where = self.database.address.shown
                raise StoreError(f"{feed.name} is not published to {where}; run: marketdata publish {feed.name}")
            yield connection
