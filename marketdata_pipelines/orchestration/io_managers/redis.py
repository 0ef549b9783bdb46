"""The IO manager of Redis: an asset's tables in memory, under keys that carry their revision.

What is there may be gone tomorrow: it is for what another asset or the lake can make again.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from dagster import EnvVar, InitResourceContext
from pydantic import PrivateAttr

from marketdata_pipelines.errors import PartitionConflict, SchemaMismatch, SettingsInvalid
from marketdata_pipelines.orchestration.io_managers.partitioned import (
    PartitionedIOManager,
    Place,
    Written,
    symbols_in,
)
from marketdata_pipelines.pipeline.serving_stores import keep_rules
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.redis.keys import Group

if TYPE_CHECKING:
    from marketdata_pipelines.stores.redis.client import RedisClient
    from marketdata_pipelines.stores.redis.store import RedisStore

# A whole partition goes over the wire at once.
_SECONDS = 10.0
_WEEK_SECONDS = 7 * 24 * 3600
# The graph keeps the feeds' own tables there under other names.
_SUFFIX = "@asset"


class RedisIOManager(PartitionedIOManager):
    """Keeps an asset in Redis for `ttl_seconds`: a value a partition, and a pointer to its newest revision.

    Tables of `zstd_bytes` or more are compressed; over `budget_bytes` of the namespace old values are dropped.
    Every process that listens is told of a new revision. Give `url` as an `EnvVar`: Dagster shows what resources are
    configured with.
    """

    url: str
    namespace: str = "marketdata"
    ttl_seconds: int = _WEEK_SECONDS
    zstd_bytes: int | None = None
    budget_bytes: int | None = None
    _client: Any = PrivateAttr(default=None)

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _write(self, place: Place, key: str, table: pa.Table, revision: str, run_id: str) -> Written:
        from marketdata_pipelines.stores.redis.invalidation import Change, publish

        group = Group(place.group, place.name + _SUFFIX, key, revision)
        client, store = self._opened()
        size = store.put_table(group, table)
        # The newer run wins: nothing of an asset says up to when its maker knew.
        pointed = store.point(group, time.time_ns() // 1000)
        if not pointed.moved:
            raise PartitionConflict(f"{place.text} {key} was written by a later run meanwhile; run it again")
        if pointed.other is not None and pointed.other != revision:
            store.drop(Group(group.feed, group.table, key, pointed.other))
        publish(client, self.namespace, Change(group.feed, group.table, key, revision))
        return Written(table.num_rows, symbols_in(table), revision, {"bytes": size})

    def _get(self, place: Place, key: str, columns: Sequence[str] | None) -> pa.Table | None:
        _, store = self._opened()
        feed, name = place.group, place.name + _SUFFIX
        # Between the pointer and the value a newer revision may come, and the older one go.
        for _ in range(2):
            found = store.revisions(feed, name, [key]).get(key)
            if found is None:
                return None
            table = store.get_table(Group(feed, name, key, found.revision))
            if table is not None:
                return table if columns is None else _selected(place, table, columns)
        return None

    def _has(self, place: Place, key: str) -> bool:
        return key in self._opened()[1].revisions(place.group, place.name + _SUFFIX, [key])

    def _opened(self) -> "tuple[RedisClient, RedisStore]":
        from marketdata_pipelines.stores.redis.client import connect
        from marketdata_pipelines.stores.redis.memory import KeepRules
        from marketdata_pipelines.stores.redis.store import RedisStore

        if self._client is None:
            self._client = connect(self.url, timeout_seconds=_SECONDS)
        keep = KeepRules({}, self.ttl_seconds, self.zstd_bytes, self.budget_bytes)
        return self._client, RedisStore(self._client, self.namespace, keep)


def redis_io_manager(settings: Settings) -> RedisIOManager:
    """The IO manager over the configured Redis, keeping what the settings say; its address stays in the environment.

    Errors: SettingsInvalid where none is configured.
    """
    if settings.redis_url is None:
        raise SettingsInvalid("no Redis is configured; set MARKETDATA_REDIS_URL")
    keep = keep_rules(settings)
    return RedisIOManager(
        url=EnvVar("MARKETDATA_REDIS_URL"),
        namespace=settings.redis_namespace,
        ttl_seconds=keep.default_ttl_seconds,
        zstd_bytes=keep.zstd_bytes,
        budget_bytes=keep.budget_bytes,
    )


def _selected(place: Place, table: pa.Table, columns: Sequence[str]) -> pa.Table:
    unknown = [name for name in columns if name not in table.column_names]
    if unknown:
        raise SchemaMismatch(f"{place.text} has no column {unknown[0]}; there: {', '.join(table.column_names)}")
    return table.select(list(columns))
