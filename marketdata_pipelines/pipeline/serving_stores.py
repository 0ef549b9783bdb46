"""Opens the serving stores that are configured; their drivers are imported when one is asked for.

Neither is ever needed: everything they hold is in the lake.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marketdata_pipelines.domain.tables import LATEST_BARS
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.redis.keys import Group

if TYPE_CHECKING:
    from marketdata_pipelines.stores.redis.client import RedisClient
    from marketdata_pipelines.stores.redis.memory import KeepRules
    from marketdata_pipelines.stores.redis.store import RedisStore
    from marketdata_pipelines.stores.timescale.publishing import TimescaleStore

_REDIS_SECONDS = 10.0


@contextmanager
def timescale_store(settings: Settings) -> Iterator["TimescaleStore"]:
    """The configured PostgreSQL or TimescaleDB, connected when it is first asked; closed afterwards.

    Errors: SettingsInvalid where none is configured; StoreUnavailable when it does not answer.
    """
    if settings.timescale_dsn is None:
        raise SettingsInvalid(
            "no PostgreSQL is configured; set MARKETDATA_TIMESCALE_DSN to postgresql://user:password@host/database"
        )
    from marketdata_pipelines.stores.timescale.database import Database
    from marketdata_pipelines.stores.timescale.publishing import TimescaleStore

    database = Database(settings.timescale_dsn.get_secret_value())
    try:
        yield TimescaleStore(database)
    finally:
        database.close()


@dataclass(frozen=True, slots=True)
class OpenRedis:
    """The configured Redis: its values, and the word to every process that holds some of them."""

    store: "RedisStore"
    client: "RedisClient"
    namespace: str

    def tell(self, group: Group) -> None:
        """Say that a partition has another revision now."""
        from marketdata_pipelines.stores.redis.invalidation import Change, publish

        publish(self.client, self.namespace, Change(group.feed, group.table, group.partition, group.revision))


def keep_rules(settings: Settings) -> "KeepRules":
    """How long values are kept in Redis, which are compressed, and how much they may take, as the settings say."""
    from marketdata_pipelines.stores.redis.memory import KeepRules
    from marketdata_pipelines.stores.redis.store import LATEST

    times, zstd_kb, budget_mb = settings.redis_times, settings.redis_zstd_kb, settings.redis_mb
    by_table = dict(times.by_table)
    if LATEST_BARS in by_table:
        # What says which last bars are the newest is kept as long as they are.
        by_table[LATEST] = by_table[LATEST_BARS]
    return KeepRules(
        by_table,
        times.default_seconds,
        zstd_bytes=None if zstd_kb is None else zstd_kb * 1_000,
        budget_bytes=None if budget_mb is None else budget_mb * 1_000_000,
    )


@contextmanager
def redis_store(settings: Settings) -> Iterator[OpenRedis]:
    """The configured Redis; closed afterwards.

    Errors: SettingsInvalid where none is configured; StoreUnavailable when it does not answer.
    """
    if settings.redis_url is None:
        raise SettingsInvalid("no Redis is configured; set MARKETDATA_REDIS_URL to redis://host:port/0")
    from marketdata_pipelines.stores.redis.client import connect
    from marketdata_pipelines.stores.redis.store import RedisStore

    # Whole partitions are written: more than the moment a reader would wait.
    client = connect(settings.redis_url.get_secret_value(), timeout_seconds=_REDIS_SECONDS)
    try:
        store = RedisStore(client, settings.redis_namespace, keep_rules(settings))
        yield OpenRedis(store, client, settings.redis_namespace)
    finally:
        client.close()
