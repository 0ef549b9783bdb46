"""Many values at once: pipelines of bounded size, on one server or over a cluster. What they hold is not known here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from redis.cluster import RedisCluster

from marketdata_pipelines.stores.redis.client import RedisClient
from marketdata_pipelines.stores.redis.kept import KeptConnections

# A batch is held by both sides until it is through: it ends at whichever is reached first.
_BATCH_BYTES = 4_000_000
_BATCH_KEYS = 500


def read(asked: KeptConnections | RedisClient, keys: Sequence[str]) -> list[bytes | None]:
    """The values under the keys, in their order; None where there is none. Raises the client's own errors."""
    found: list[bytes | None] = []
    for start in range(0, len(keys), _BATCH_KEYS):
        batch = list(keys[start : start + _BATCH_KEYS])
        if isinstance(asked, KeptConnections):
            told: Any = asked.read("MGET", *batch) if len(batch) > 1 else [asked.read("GET", *batch)]
        elif isinstance(asked, RedisCluster):
            # One MGET for each slot, sent to each node together.
            told = asked.mget_nonatomic(batch)
        else:
            told = asked.mget(batch)
        found += told
    return found


def write(client: RedisClient, values: Mapping[str, bytes], ttl_seconds: int) -> None:
    """Put values under their keys for so long. A batch that fails leaves those before it written."""
    for batch in _batches(values):
        with client.pipeline(transaction=False) as pipeline:
            for key in batch:
                pipeline.set(key, values[key], ex=ttl_seconds)
            pipeline.execute()


def name(client: RedisClient, key: str, members: Sequence[str], ttl_seconds: int) -> int:
    """Add members to a set that is kept for so long; how many are new."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.sadd(key, *members)
        pipeline.expire(key, ttl_seconds)
        told: Any = pipeline.execute()
    return int(told[0])


def remove(client: RedisClient, keys: Iterable[str]) -> int:
    """Take keys away, their memory freed in the background; how many there were."""
    wanted, removed = list(keys), 0
    for start in range(0, len(wanted), _BATCH_KEYS):
        with client.pipeline(transaction=False) as pipeline:
            for key in wanted[start : start + _BATCH_KEYS]:
                pipeline.unlink(key)
            removed += sum(pipeline.execute())
    return removed


def _batches(values: Mapping[str, bytes]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for key, value in values.items():
        if batch and (len(batch) >= _BATCH_KEYS or size + len(value) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(key)
        size += len(value)
    if batch:
        yield batch
