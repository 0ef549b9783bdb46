"""The second tier: Redis behind a circuit. Its absence is a miss, never an error; all it holds is of a revision."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import pyarrow as pa

from marketdata_pipelines.domain.tables import LATEST_BARS
from marketdata_pipelines.errors import StoreError, StoreUnavailable
from marketdata_pipelines.pipeline.latest import EVERY_PARTITION
from marketdata_pipelines.serving.cache.circuit import Circuit
from marketdata_pipelines.serving.cache.pieces import PieceKey, ViewKey
from marketdata_pipelines.serving.cache.statistics import Event, Statistics
from marketdata_pipelines.serving.cache.write_behind import WriteBehind
from marketdata_pipelines.stores.lake.lake import digest
from marketdata_pipelines.stores.redis.client import RedisClient
from marketdata_pipelines.stores.redis.invalidation import Change, EverythingChanged, Subscriber
from marketdata_pipelines.stores.redis.keys import Group
from marketdata_pipelines.stores.redis.store import LATEST, RedisStore

logger = logging.getLogger(__name__)
T = TypeVar("T")


class SecondTier:
    """Reads and writes of Redis that give up at once while it does not answer, and resume when it does.

    Whoever asks first after it went away waits for the client's timeout, nobody after that. A server that answers but
    refuses to write (it is full) goes on being read. With `listen`, which gives a connection, it hears in a thread what
    other processes publish.
    """

    def __init__(
        self,
        store: RedisStore,
        statistics: Statistics,
        *,
        name: str = "Redis",
        listen: Callable[[], RedisClient] | None = None,
        seconds_between_probes: float = 0.5,
    ) -> None:
        self.store, self._statistics = store, statistics
        self.circuit = Circuit(name, store.ping, self._doubt, seconds_between_probes=seconds_between_probes)
        self._behind = WriteBehind(
            on_dropped=lambda: statistics.happened(Event.WRITE_DROPPED), on_failure=self._failed_to_write
        )
        self._name = name
        self._refused = False
        self._on_change: list[Callable[[str, str, str], None]] = []
        self._on_doubt: list[Callable[[], None]] = []
        self._last_latest: dict[str, Group] = {}
        self.subscriber = None if listen is None else Subscriber(listen, store.keys.namespace, self._hear).start()

    def on_change(self, tell: Callable[[str, str, str], None]) -> None:
        """Call with (feed, table, partition) when another process says that it has a new revision."""
        self._on_change.append(tell)

    def on_doubt(self, tell: Callable[[], None]) -> None:
        """Call when word of changes may have been lost."""
        self._on_doubt.append(tell)

    def pieces(self, keys: Sequence[PieceKey]) -> Mapping[PieceKey, pa.Table]:
        """What is there of these pieces of one table; of a symbol without bars a table without rows."""
        if not keys:
            return {}
        feed, table = keys[0].feed, keys[0].table
        symbols = list(dict.fromkeys(key.symbol for key in keys))
        revisions = {key.partition: key.revision for key in keys}
        found = self._asked(lambda: self.store.get_bars(feed, table, symbols, revisions)) or {}
        return {key: found[key.symbol, key.partition] for key in keys if (key.symbol, key.partition) in found}

    def put_pieces(
        self, feed: str, table: str, partition: str, revision: str, rows: pa.Table, symbols: Iterable[str]
    ) -> None:
        """Keep what a partition has of these symbols, perhaps nothing."""
        named = list(symbols)
        self._written(lambda: self.store.put_bars(Group(feed, table, partition, revision), rows, named))

    def latest(self, feed: str, revision: str) -> pa.Table | None:
        """The last bars of a feed, of all symbols, as of a revision of its latest bars, or None."""
        return self._asked(lambda: self.store.get_table(Group(feed, LATEST_BARS, EVERY_PARTITION, revision)))

    def put_latest(self, feed: str, revision: str, rows: pa.Table) -> None:
        """Keep the last bars of a feed; those this process kept before are dropped."""
        group, before = Group(feed, LATEST_BARS, EVERY_PARTITION, revision), self._last_latest.get(feed)
        if self._written(lambda: self.store.put_table(group, rows)):
            self._last_latest[feed] = group
            if before is not None and before != group:
                self._written(lambda: self.store.drop(before))

    def view(self, key: ViewKey) -> pa.Table | None:
        """The rows of a view, or None."""
        return self._asked(lambda: self.store.get_table(_group(key)))

    def put_view(self, key: ViewKey, rows: pa.Table) -> None:
        """Keep the rows of a view; written in the background."""
        if self.circuit.is_closed:
            group = _group(key)
            self._behind.put(group, lambda: self._put_table(group, rows))

    def revisions(self, feed: str, table: str) -> Mapping[str, str] | None:
        """The published revisions by partition; None while the server does not answer, or where it knows of none.

        A server that was emptied knows of none, too: nothing may be concluded from that.
        """
        # The last bars are published as one thing, under a name of their own.
        name = LATEST if table == LATEST_BARS else table
        found = self._asked(lambda: self.store.revisions(feed, name))
        return None if not found else {partition: held.revision for partition, held in found.items()}

    def publish(self, feed: str, table: str, partition: str, revision: str, rows: pa.Table, horizon_us: int) -> bool:
        """Write a partition through and tell every process; whether that was done."""
        group = Group(feed, table, partition, revision)

        def write() -> None:
            if self.store.publish_bars(group, rows, horizon_us).moved:
                self.store.tell(Change(feed, table, partition, revision))

        return self._written(write)

    def attempt(self, write: Callable[[], object]) -> bool:
        """Make another write of the caller's own, which uses `store`; whether that was done."""
        return self._written(write)

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until views that wait to be written are; False where it takes longer."""
        return self._behind.flush(seconds)

    def close(self) -> None:
        """Write what waits, and end the threads and connections."""
        self._behind.close(1.0 if self.circuit.is_closed else 0.0)
        self.circuit.close()
        if self.subscriber is not None:
            self.subscriber.close()
        self.store.close()

    def _asked(self, question: Callable[[], T]) -> T | None:
        if not self.circuit.is_closed:
            return None
        seen = self.circuit.outages
        try:
            return question()
        except StoreUnavailable as error:
            self._away(error, seen)
        except StoreError as error:
            self._tell_refusal(error)
        return None

    def _written(self, write: Callable[[], object]) -> bool:
        if not self.circuit.is_closed:
            return False
        seen = self.circuit.outages
        try:
            write()
        except StoreUnavailable as error:
            self._away(error, seen)
            return False
        except StoreError as error:
            self._statistics.happened(Event.WRITE_REFUSED)
            self._tell_refusal(error)
            return False
        self._refused = False
        self._statistics.happened(Event.WRITTEN)
        return True

    def _put_table(self, group: Group, rows: pa.Table) -> None:
        self._written(lambda: self.store.put_table(group, rows))

    def _failed_to_write(self, error: StoreError) -> None:
        self._tell_refusal(error)

    def _away(self, error: StoreError, seen_outages: int) -> None:
        if self.circuit.open(error, seen_outages):
            self._statistics.happened(Event.OUTAGE)

    def _tell_refusal(self, error: StoreError) -> None:
        if not self._refused:
            self._refused = True
            logger.warning("%s refuses what it is asked; going on without it where it does (%s)", self._name, error)

    def _hear(self, said: Change | EverythingChanged) -> None:
        if isinstance(said, EverythingChanged):
            self._doubt()
            return
        for tell in self._on_change:
            tell(said.feed, said.table, said.partition)

    def _doubt(self) -> None:
        for tell in self._on_doubt:
            tell()


def _group(key: ViewKey) -> Group:
    """Where the rows of a view are kept."""
    asked = f"{key.wanted.start_date or ''}_{key.wanted.end_date or ''}"
    return Group(key.feed, key.view, asked, digest([key.version, *key.made_of]))
