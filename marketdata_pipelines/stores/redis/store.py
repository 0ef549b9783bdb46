"""Bars and results in Redis: put by partition and revision, read back whole or not at all. Nothing here knows the lake.

A value that is not there, damaged or not of this project is a miss. Nothing is ever looked for by a pattern of keys.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import pyarrow as pa
import redis
from redis.cluster import RedisCluster

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.redis import bulk
from marketdata_pipelines.stores.redis.client import RedisClient, address_of, check_whole, connect, translated
from marketdata_pipelines.stores.redis.invalidation import Change, publish
from marketdata_pipelines.stores.redis.kept import KeptConnections
from marketdata_pipelines.stores.redis.keys import Group, Keys, escape, pointer_name, pointer_of, unescape
from marketdata_pipelines.stores.redis.memory import Accounts, KeepRules, NamespaceMemory, ServerMemory, server_memory
from marketdata_pipelines.stores.redis.scripts import POINT, UNPOINT
from marketdata_pipelines.stores.redis.values import PLAIN_SYMBOL, decode, encode, split_by_symbol

K = TypeVar("K")

logger = logging.getLogger(__name__)

LATEST = "latest"
# Encoded at once: some 16 MB of minutes of a day.
_SYMBOLS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Revision:
    """The newest revision of a partition that was published; `horizon_us` says up to when its publisher knew."""

    revision: str
    horizon_us: int


@dataclass(frozen=True, slots=True)
class Pointed:
    """What became of a publication: whether it is the newest now, and which revision was before (or still is)."""

    moved: bool
    other: str | None


class RedisStore:
    """The values of one namespace. Safe across threads; a client that is safe after a fork stays so.

    Errors of every method: StoreUnavailable when the server does not answer in time, StoreError when it refuses.
    """

    def __init__(
        self,
        client: RedisClient | None,
        namespace: str = "marketdata",
        keep: KeepRules | None = None,
        *,
        url: str = "",
        timeout_seconds: float = 0.5,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._url, self._timeout_seconds = client, url, timeout_seconds
        self._place = address_of(client) if client is not None else url
        self._kept = None if client is None else _kept(client)
        self._lock, self._told_damage = threading.Lock(), False
        self.keys, self.keep = Keys(namespace), keep or KeepRules()
        self.accounts = Accounts(self.keys, self.keep.budget_bytes, now)

    @classmethod
    def at(cls, url: str, namespace: str, keep: KeepRules | None = None, *, timeout_seconds: float = 0.5) -> Self:
        """The store at an address; it is connected to when first asked, so that a server may be away for now."""
        return cls(None, namespace, keep, url=url, timeout_seconds=timeout_seconds)

    def put_bars(self, group: Group, bars: pa.Table, symbols: Sequence[str] | None = None) -> int:
        """Put bars, a value for each symbol; their bytes. Of `symbols` those without bars are known to have none.

        Shape:  any columns with `symbol`, sorted by (symbol, ts). A reader gets what it has asked for, whole, its
                symbol as plain text.
        Errors: SchemaMismatch, BarsNotSorted.
        """
        # What a file says of itself is not told with each symbol.
        bars = bars.replace_schema_metadata(None)
        parts = split_by_symbol(bars)
        if symbols is not None:
            none = bars.schema.set(bars.schema.get_field_index("symbol"), PLAIN_SYMBOL).empty_table()
            parts = {symbol: parts.get(symbol, none) for symbol in dict.fromkeys((*parts, *symbols))}
        names, zstd, size = list(parts), self.keep.zstd_bytes, 0
        # Of no bars the group is counted, too: it is pointed at.
        for start in range(0, max(len(names), 1), _SYMBOLS_AT_ONCE):
            some = names[start : start + _SYMBOLS_AT_ONCE]
            values = (encode(parts[symbol], zstd_bytes=zstd) for symbol in some)
            size += self._put(group, some, dict(zip(self.keys.bars_of(group, some), values, strict=True)))
        return size

    def get_bars(
        self, feed: str, table: str, symbols: Sequence[str], revisions: Mapping[str, str]
    ) -> dict[tuple[str, str], pa.Table]:
        """The bars that are there, by (symbol, partition); `revisions` are the partitions asked for, each as of one.

        A table without rows: the symbol has no bars in that partition. Absent: not known here.
        """
        names = list(symbols)
        places = [(symbol, partition) for partition in revisions for symbol in names]
        groups = (Group(feed, table, partition, revision) for partition, revision in revisions.items())
        keys = [key for group in groups for key in self.keys.bars_of(group, names)]
        return dict(self._decoded(zip(places, self.get_many(keys), strict=True)))

    def recent_bars(self, feed: str, table: str, symbols: Sequence[str], partitions: int) -> dict[str, pa.Table]:
        """The bars of the newest partitions that were published, by symbol; only symbols known in all of them."""
        known = self.revisions(feed, table)
        newest = {partition: known[partition].revision for partition in sorted(known)[-partitions:]}
        found = self.get_bars(feed, table, symbols, newest)
        whole = {}
        for symbol in symbols:
            parts = [found[symbol, partition] for partition in newest if (symbol, partition) in found]
            if newest and len(parts) == len(newest):
                whole[symbol] = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
        return whole

    def publish_bars(self, group: Group, bars: pa.Table, horizon_us: int) -> Pointed:
        """Put a partition's bars, then point at them, then drop those of the revision before.

        Where a later one is published already, it stays, and these bars are dropped again.
        """
        self.put_bars(group, bars)
        pointed = self.point(group, horizon_us)
        if pointed.other is not None and pointed.other != group.revision:
            stale = pointed.other if pointed.moved else group.revision
            self.drop(Group(group.feed, group.table, group.partition, stale))
        return pointed

    def put_table(self, group: Group, table: pa.Table) -> int:
        """Put a table as one value; its bytes. For results: `table` is their name, `partition` what was asked.

        The last bars of a feed are one, too: 500 symbols are 36 KB, read at once in a fifth of a millisecond, and then
        in the reader's memory for each symbol that is asked for, until there are others.
        """
        value = encode(table, zstd_bytes=self.keep.zstd_bytes)
        return self._put(group, [""], {self.keys.whole(group): value})

    def get_table(self, group: Group) -> pa.Table | None:
        """The inverse of `put_table`; None: not known here."""
        found = dict(self._decoded([(group, self.get_many([self.keys.whole(group)])[0])]))
        return found.get(group)

    def point(self, group: Group, horizon_us: int) -> Pointed:
        """Say that a group is its partition's newest, once its values are there.

        A publisher that knew less does not take the place of one that knew more.
        """
        key, ttl = self.keys.revisions(group.feed, group.table), self.keep.ttl_of(group.table)
        with self.asked() as client:
            longest = max(ttl, self.keep.default_ttl_seconds)
            bulk.name(client, self.keys.pointers(), [pointer_name(group.feed, group.table)], longest)
            told: Any = client.eval(POINT, 1, key, group.partition, group.revision, str(horizon_us), str(ttl))
        return Pointed(bool(told[0]), told[1].decode() or None)

    def revisions(self, feed: str, table: str, partitions: Sequence[str] | None = None) -> dict[str, Revision]:
        """The newest published revision of these partitions (None: of all), where one is known here."""
        key = self.keys.revisions(feed, table)
        if partitions is not None and not partitions:
            return {}
        with self.asked() as client:
            if partitions is None:
                told: Any = client.hgetall(key)
                held = [(name.decode(), value) for name, value in told.items()]
            else:
                told = client.hmget(key, list(partitions))
                held = list(zip(partitions, told, strict=True))
        read = ((partition, _revision(value)) for partition, value in held)
        return {partition: revision for partition, revision in read if revision is not None}

    def withdraw(self, feed: str, table: str, partition: str) -> bool:
        """Take a partition away that the record of truth no longer has; whether it was there."""
        held = self.revisions(feed, table, [partition]).get(partition)
        if held is None:
            return False
        with self.asked() as client:
            client.eval(UNPOINT, 1, self.keys.revisions(feed, table), partition, held.revision)
        self.drop(Group(feed, table, partition, held.revision))
        return True

    def drop(self, group: Group) -> int:
        """Take a group's values away; how many there were."""
        with self.asked() as client:
            members = self.keys.members(group)
            told: Any = client.smembers(members)
            symbols = [unescape(name.decode()) for name in told]
            removed = bulk.remove(client, [*self.keys.bars_of(group, symbols), self.keys.whole(group)])
            bulk.remove(client, [members])
            self.accounts.forget(client, group)
        return removed

    def clear(self, feed: str | None = None) -> int:
        """Take away what is kept of a feed, or of all (None); how many values there were."""
        with self.asked() as client:
            groups = self.accounts.groups(client, feed)
            told: Any = client.smembers(self.keys.pointers())
        removed = sum(self.drop(group) for group in groups)
        named = (pointer_of(name.decode()) for name in told)
        tables = {table for table in named if table is not None and feed in (None, table[0])}
        with self.asked() as client:
            bulk.remove(client, [self.keys.revisions(*table) for table in tables])
            if tables:
                client.srem(self.keys.pointers(), *(pointer_name(*table) for table in tables))
        return removed

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values under keys, in their order."""
        with translated(self._place):
            client = self._connected()
            return bulk.read(self._kept or client, keys)

    def put_many(self, values: Mapping[str, bytes], ttl_seconds: int) -> None:
        """Put values under keys. They are not counted as the namespace's; for small ones of the caller's own."""
        with self.asked() as client:
            bulk.write(client, values, ttl_seconds)

    def server_memory(self) -> ServerMemory:
        """What the server says of its memory."""
        with self.asked() as client:
            return server_memory(client)

    def namespace_memory(self) -> NamespaceMemory:
        """What is kept in the namespace, by feed and table."""
        with self.asked() as client:
            return self.accounts.summary(client)

    def tell(self, change: Change) -> int:
        """Tell every process of a change; how many connections heard it (of a cluster: of one node)."""
        with self.asked() as client:
            return publish(client, self.keys.namespace, change)

    @contextmanager
    def asked(self) -> Iterator[RedisClient]:
        """The client, for commands of the caller's own; its errors are translated."""
        with translated(self._place):
            yield self._connected()

    def ping(self) -> None:
        """Nothing, where the server answers; of a cluster, where all of it does."""
        with self.asked() as client:
            client.ping()
            if isinstance(client, RedisCluster):
                check_whole(client)

    def close(self) -> None:
        """End its connections; one made of an address connects again when asked again."""
        with self._lock:
            client, self._client, self._kept = self._client, None, None
        if client is not None:
            client.close()

    def _put(self, group: Group, symbols: list[str], values: dict[str, bytes]) -> int:
        ttl, size, added = self.keep.ttl_of(group.table), sum(map(len, values.values())), 0
        with self.asked() as client:
            # Named and counted before they are there: whoever drops the group finds all of them.
            if symbols:
                added = bulk.name(client, self.keys.members(group), [escape(symbol) for symbol in symbols], ttl)
            over = self.accounts.charge(client, group, size * added // max(len(values), 1), added, ttl)
            bulk.write(client, values, ttl)
        for each in over:
            self.drop(each)
        return size

    def _decoded(self, values: Iterable[tuple[K, bytes | None]]) -> Iterator[tuple[K, pa.Table]]:
        for name, value in values:
            table = None if value is None else decode(value)
            if table is not None:
                yield name, table
            elif value is not None and not self._told_damage:
                self._told_damage = True
                logger.warning("redis holds a value for %s that is damaged or of another release: a miss", name)

    def _connected(self) -> RedisClient:
        if self._client is not None:
            return self._client
        with self._lock:
            if self._client is None:
                if not self._url:
                    raise StoreError("this store of values was closed; open another")
                client = connect(self._url, timeout_seconds=self._timeout_seconds)
                # Whoever finds a client finds this beside it.
                self._kept, self._client = _kept(client), client
            return self._client


def _kept(client: RedisClient) -> KeptConnections | None:
    """The connections to one server; a cluster's client finds each key's node."""
    return KeptConnections(client) if isinstance(client, redis.Redis) else None


def _revision(held: bytes | None) -> Revision | None:
    horizon, parted, revision = (held or b"").partition(b" ")
    if not parted or not horizon.lstrip(b"-").isdigit():
        return None
    return Revision(revision.decode(), int(horizon))
