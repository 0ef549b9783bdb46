"""Writing one partition: what it lies in made ready, its rows, clock and ledger line in one transaction, its rollups.

`PartitionWriter` does each step once; trying again, and what is asked from outside, is `publishing`'s.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.session_clock import SessionClock
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreUnavailable
from marketdata_pipelines.stores.timescale import late, ledger
from marketdata_pipelines.stores.timescale.base_rows import PreparedBars, prepare_bars
from marketdata_pipelines.stores.timescale.chunks import fitting_days, make_chunks
from marketdata_pipelines.stores.timescale.coarse_rows import delete_coarse, replace_coarse
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.engine import Engine
from marketdata_pipelines.stores.timescale.feed_layout import FeedLayout, Numbers, read_layout
from marketdata_pipelines.stores.timescale.feeds import make_feed, needs_making
from marketdata_pipelines.stores.timescale.locks import Connection, lock_layout, lock_partition, refreshing
from marketdata_pipelines.stores.timescale.records import Published
from marketdata_pipelines.stores.timescale.replacing import Replaced, remove_bars, replace_bars, replace_clock
from marketdata_pipelines.stores.timescale.rollups import Window, feed_rollups, refresh_buckets
from marketdata_pipelines.stores.timescale.windows import partition_window, window_clock

logger = logging.getLogger(__name__)

# A partition may have millions of rows: more than a query is given.
SECONDS = 900.0
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """What a publication is told to note of a partition beside its rows."""

    table: str
    partition: str
    inputs: str
    horizon_us: int
    run_id: str = ""

    def entry(self, feed_name: str) -> Published:
        told = (self.table, self.partition, self.inputs, 0, 0, "", self.horizon_us, False, self.run_id, _NEVER)
        return Published(feed_name, *told)


class PartitionWriter:
    """Writes partitions of feeds to one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._migrated: Engine | None = None

    @property
    def is_timescale(self) -> bool:
        return self.database.engine.is_timescale

    def make(self, feed: Feed) -> FeedLayout:
        """Make what the feed needs where it is not there."""
        self._ready()
        with self.database.connection(f"preparing {feed.name}", statement_seconds=SECONDS) as connection:
            return make_feed(connection, feed, is_timescale=self.is_timescale)

    def ensure(self, feed: Feed) -> None:
        """The same, where a look at the ledger does not tell that it is there."""
        self._ready()
        with self.database.connection(f"preparing {feed.name}") as connection:
            missing = needs_making(feed, read_layout(connection, feed.name))
        if missing:
            self.make(feed)

    def write_bars(
        self, feed: Feed, window: Window, clock: SessionClock, prepared: PreparedBars, told: Told
    ) -> Published:
        """Make the partition's base bars `prepared`; on TimescaleDB its rollups are behind until `finish`."""
        self._fit(feed, window, prepared)
        with self.transaction(feed, f"publishing {told.partition}") as connection:
            lock_partition(connection, feed.name, told.table, told.partition)
            layout = _checked(feed, prepared, read_layout(connection, feed.name))
            before = ledger.read_partition(connection, feed.name, told.table, told.partition)
            replaced = replace_bars(connection, feed, layout, window, prepared, is_timescale=self.is_timescale)
            replace_clock(connection, feed, window, clock)
            return _noted(connection, before, told.entry(feed.name), replaced, rolled=self._rolls_at_once(feed))

    def write_coarse(self, feed: Feed, window: Window, rows: pa.Table, told: Told) -> Published:
        """Make the partition's bars of a session or several these."""
        self.ensure(feed)
        with self.transaction(feed, f"publishing {told.table} {told.partition}") as connection:
            lock_partition(connection, feed.name, told.table, told.partition)
            before = ledger.read_partition(connection, feed.name, told.table, told.partition)
            replaced = replace_coarse(connection, feed, told.table, window, rows)
            return _noted(connection, before, told.entry(feed.name), replaced, rolled=True)

    def write_late(self, feed: Feed, parts: Mapping[str, pa.Table]) -> list[Published]:
        """Merge late bars, by partition, into what is there, all in one transaction."""
        windows = {partition: partition_window(feed, VALIDATED_BARS, partition) for partition in sorted(parts)}
        clocks = {partition: window_clock(feed, window) for partition, window in windows.items()}
        for partition, window in windows.items():
            self._fit(feed, window, prepare_bars(feed, window, clocks[partition], parts[partition]))
        found = []
        with self.transaction(feed, "publishing late rows") as connection:
            for partition, window in windows.items():
                lock_partition(connection, feed.name, VALIDATED_BARS, partition)
                merged = late.merged_bars(connection, feed, window, parts[partition])
                prepared = prepare_bars(feed, window, clocks[partition], merged)
                found.append(self._merge(connection, feed, partition, window, prepared))
                replace_clock(connection, feed, window, clocks[partition])
        return found

    def remove(self, feed: Feed, table: str, partition: str) -> int:
        """Take a partition's rows and ledger line out; how many rows there were."""
        window = partition_window(feed, table, partition)
        with self.transaction(feed, f"removing {table} {partition}") as connection:
            layout = read_layout(connection, feed.name) if ledger.is_there(connection) else None
            if layout is None:
                return 0
            lock_partition(connection, feed.name, table, partition)
            before = ledger.read_partition(connection, feed.name, table, partition)
            if table != VALIDATED_BARS:
                rows = delete_coarse(connection, feed, table, window)
            else:
                rows = remove_bars(connection, feed, layout, window, is_timescale=self.is_timescale)
            is_rolled = table != VALIDATED_BARS or self._rolls_at_once(feed)
            if is_rolled or (before is None and not rows):
                ledger.remove_published(connection, feed.name, table, partition)
                return rows
            # Its line goes when the rollups are empty too: should that not be reached, it is known to be behind.
            horizon_us = before.horizon_us if before else 0
            ledger.write_published(connection, Told(table, partition, "", horizon_us).entry(feed.name))
        self.finish(feed)
        with self.transaction(feed, f"removing {table} {partition}") as connection:
            ledger.remove_empty(connection, feed.name, table, partition)
        return rows

    def finish(self, feed: Feed) -> int:
        """Refresh the rollups of the partitions whose ledger line says they are behind; how many."""
        if not self.is_timescale:
            return 0
        what = f"{feed.name}: refreshing rollups"
        with self.database.connection(what, autocommit=True, statement_seconds=SECONDS) as connection:
            if not ledger.is_there(connection):
                return 0
            with refreshing(connection, feed.name):
                entries = ledger.read_published(connection, feed.name, VALIDATED_BARS).values()
                behind = [entry for entry in entries if not entry.rolled]
                for entry in behind:
                    refresh_buckets(connection, feed, partition_window(feed, VALIDATED_BARS, entry.partition))
                    ledger.mark_rolled(connection, entry)
        return len(behind)

    @contextmanager
    def transaction(self, feed: Feed, what: str) -> Iterator[Connection]:
        """A transaction during which the feed's layout stays as it is."""
        with self.database.connection(f"{feed.name}: {what}", statement_seconds=SECONDS) as connection:
            lock_layout(connection, feed.name)
            yield connection

    def _merge(
        self, connection: Connection, feed: Feed, partition: str, window: Window, prepared: PreparedBars
    ) -> Published:
        layout = _checked(feed, prepared, read_layout(connection, feed.name))
        before = ledger.read_partition(connection, feed.name, VALIDATED_BARS, partition)
        replaced = replace_bars(
            connection, feed, layout, window, prepared, is_timescale=self.is_timescale, only=prepared.symbols
        )
        if before is not None and not replaced.changed:
            return before
        told = Told(VALIDATED_BARS, partition, "", before.horizon_us if before else 0)
        return _noted(connection, before, told.entry(feed.name), replaced, rolled=self._rolls_at_once(feed))

    def _fit(self, feed: Feed, window: Window, prepared: PreparedBars) -> None:
        """Make or adapt what the bars lie in, in transactions before their own: others are kept waiting shortly."""
        self._ready()
        with self.database.connection(f"{feed.name}: preparing") as connection:
            layout = read_layout(connection, feed.name)
            is_first = not ledger.has_published(connection, feed.name, VALIDATED_BARS)
        if is_first or needs_making(feed, layout) or _needs_doubles(prepared, layout):
            days = fitting_days(prepared.bars.num_rows, prepared.sessions, window) if prepared.sessions else None
            numbers: Numbers = "ticks" if prepared.are_decimal else "double"
            with self.database.connection(f"{feed.name}: preparing", statement_seconds=SECONDS) as connection:
                make_feed(connection, feed, is_timescale=self.is_timescale, numbers=numbers, chunk_days=days)
        if not self.is_timescale and prepared.sessions:
            with self.transaction(feed, "preparing") as connection:
                layout = read_layout(connection, feed.name)
                if layout is not None:
                    make_chunks(connection, feed.name, layout.chunk_days, window)

    def _rolls_at_once(self, feed: Feed) -> bool:
        return not self.is_timescale or not feed_rollups(feed)

    def _ready(self) -> None:
        # After an outage another server may answer, one that has not got the tables.
        engine = self.database.engine
        if self._migrated is not engine:
            self.database.migrate()
            self._migrated = engine


def _needs_doubles(prepared: PreparedBars, layout: FeedLayout | None) -> bool:
    return layout is not None and layout.numbers == "ticks" and not prepared.are_decimal


def _checked(feed: Feed, prepared: PreparedBars, layout: FeedLayout | None) -> FeedLayout:
    if layout is None or needs_making(feed, layout) or _needs_doubles(prepared, layout):
        raise StoreUnavailable(f"{feed.name} needs another layout than another process made meanwhile; publish again")
    return layout


def _noted(
    connection: Connection, before: Published | None, entry: Published, replaced: Replaced, *, rolled: bool
) -> Published:
    """The ledger's line of a partition; it stays as it was where neither rows nor inputs are new."""
    if before is not None and not replaced.changed:
        if (before.inputs, before.horizon_us) == (entry.inputs, entry.horizon_us):
            return before
        rolled = rolled or before.rolled
    entry = replace(
        entry,
        rows=replaced.rows,
        symbols=replaced.symbols,
        checksum=replaced.checksum,
        rolled=rolled,
        changed=replaced.changed,
        written=replaced.written + replaced.removed,
    )
    where = f"{entry.feed} {entry.table} {entry.partition}"
    logger.info("published %s: %d rows, of which %d differed", where, entry.rows, entry.written)
    return ledger.write_published(connection, entry)
