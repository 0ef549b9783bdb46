"""How much memory Redis has and the namespace takes, and the budget that keeps the namespace within its share.

What is counted are the values' bytes, by group (a partition of a table as of a revision) and until the group expires; a
server's own eviction is not seen, so that the count is at most too high. Over the budget, the groups that would expire
first are dropped first.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from marketdata_pipelines.stores.redis.client import RedisClient, server_infos
from marketdata_pipelines.stores.redis.keys import Group, Keys, group_of
from marketdata_pipelines.stores.redis.scripts import CHARGE, UNCHARGE

_WEEK_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class KeepRules:
    """How values are kept: seconds by table, else `default_ttl_seconds`.

    Tables of `zstd_bytes` or more are compressed (None: never); over `budget_bytes` old ones are dropped (None: never).
    """

    ttl_seconds: Mapping[str, int] = field(default_factory=dict)
    default_ttl_seconds: int = _WEEK_SECONDS
    zstd_bytes: int | None = None
    budget_bytes: int | None = None

    def ttl_of(self, table: str) -> int:
        return self.ttl_seconds.get(table, self.default_ttl_seconds)


@dataclass(frozen=True, slots=True)
class ServerMemory:
    """What the server says: bytes in use and allowed (0: no limit), its policy when full, and its counts so far.

    Of a cluster the sums over its masters.
    """

    used_bytes: int
    limit_bytes: int
    policy: str
    keys: int
    evicted: int
    expired: int
    hits: int
    misses: int

    @property
    def refuses_when_full(self) -> bool:
        """Whether writes fail when the limit is reached, instead of old keys giving way."""
        return bool(self.limit_bytes) and self.policy == "noeviction"

    def warning(self, budget_bytes: int | None = None) -> str | None:
        """What of this makes a poor cache of a namespace with a budget, with what to do about it; None: nothing."""
        if budget_bytes is not None and (not self.limit_bytes or budget_bytes < self.limit_bytes):
            return None
        if self.refuses_when_full:
            return (
                "Redis refuses to write once it holds its maxmemory (policy noeviction): set maxmemory-policy to "
                "allkeys-lru, or a budget below it (MARKETDATA_REDIS_MB)"
            )
        if not self.limit_bytes:
            return (
                "Redis has no maxmemory: set one, or a budget (MARKETDATA_REDIS_MB), or it may take all memory of its "
                "machine"
            )
        return None


@dataclass(frozen=True, slots=True)
class TableMemory:
    """What the namespace keeps of one table of a feed: bytes and number of values, and of how many partitions."""

    feed: str
    table: str
    bytes: int
    keys: int
    partitions: int


@dataclass(frozen=True, slots=True)
class NamespaceMemory:
    """What the namespace keeps, by feed and table; `budget_bytes` None: not limited. `dropped`: groups over budget."""

    bytes: int
    budget_bytes: int | None
    dropped: int
    tables: tuple[TableMemory, ...]


class Accounts:
    """The count of what a namespace keeps, held on the server and shared by all its processes.

    Methods raise the client's own errors.
    """

    def __init__(self, keys: Keys, budget_bytes: int | None, now: Callable[[], float] = time.time) -> None:
        self._keys, self._budget, self._now = keys, budget_bytes, now

    def charge(self, client: RedisClient, group: Group, size: int, values: int, ttl_seconds: int) -> list[Group]:
        """Count what was written; the groups to drop so that the rest is within the budget."""
        now = int(self._now())
        given = (group.name, size, values, now + ttl_seconds, now, self._budget or 0)
        told: Any = client.eval(CHARGE, 2, *self._keys.accounts(), *(str(each) for each in given))
        named = (group_of(_text(name)) for name in told)
        return [group for group in named if group is not None]

    def forget(self, client: RedisClient, group: Group) -> None:
        """Count a group no more."""
        client.eval(UNCHARGE, 2, *self._keys.accounts(), group.name)

    def groups(self, client: RedisClient, feed: str | None = None) -> list[Group]:
        """What is counted, all or of one feed; what would expire first comes first."""
        told: Any = client.zrange(self._keys.accounts()[0], 0, -1)
        named = (group_of(_text(name)) for name in told)
        return [group for group in named if group is not None and feed in (None, group.feed)]

    def summary(self, client: RedisClient) -> NamespaceMemory:
        """What is kept, by feed and table."""
        told: Any = client.hgetall(self._keys.accounts()[1])
        sizes = {_text(name): int(value) for name, value in told.items()}
        by_table: dict[tuple[str, str], list[Group]] = {}
        for group in self.groups(client):
            by_table.setdefault((group.feed, group.table), []).append(group)
        tables = [_table_memory(feed, table, groups, sizes) for (feed, table), groups in sorted(by_table.items())]
        return NamespaceMemory(
            sum(table.bytes for table in tables), self._budget, sizes.get("evicted", 0), tuple(tables)
        )


def server_memory(client: RedisClient) -> ServerMemory:
    """What the server says of its memory. Raises the client's own errors."""
    infos = server_infos(client)

    def total(name: str) -> int:
        return sum(int(info.get(name, 0)) for info in infos)

    keys = sum(
        int(held["keys"]) for info in infos for name, held in info.items() if name.startswith("db") and "keys" in held
    )
    return ServerMemory(
        used_bytes=total("used_memory"),
        limit_bytes=total("maxmemory"),
        policy=str(infos[0].get("maxmemory_policy", "unknown")),
        keys=keys,
        evicted=total("evicted_keys"),
        expired=total("expired_keys"),
        hits=total("keyspace_hits"),
        misses=total("keyspace_misses"),
    )


def _table_memory(feed: str, table: str, groups: list[Group], sizes: Mapping[str, int]) -> TableMemory:
    return TableMemory(
        feed,
        table,
        bytes=sum(sizes.get(f"b {group.name}", 0) for group in groups),
        keys=sum(sizes.get(f"k {group.name}", 0) for group in groups),
        partitions=len({group.partition for group in groups}),
    )


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
