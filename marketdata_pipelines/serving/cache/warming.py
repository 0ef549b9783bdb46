"""Fills Redis before anybody asks: the hot set of a feed, and more of the symbols that are asked for most."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.pipeline.hot_set import fill_hot_set
from marketdata_pipelines.pipeline.latest import EVERY_PARTITION
from marketdata_pipelines.pipeline.serving_stores import redis_store
from marketdata_pipelines.serving.cache.piece_reading import HOT_PARTITIONS
from marketdata_pipelines.serving.cache.sharing import most_asked
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.redis.keys import Group
from marketdata_pipelines.stores.redis.store import RedisStore

# How many of the symbols asked for most get all partitions that may be kept.
_FAVOURITES = 50


@dataclass(frozen=True, slots=True)
class WarmReport:
    """What was put into Redis: last bars of so many symbols, and the rows and bytes of so many values' groups.

    `favourites` are the symbols asked for most, which got more partitions than the others.
    """

    feed: str
    symbols: int
    partitions: int
    rows: int
    bytes: int
    favourites: int
    seconds: float


def warm_feed(settings: Settings, feed: Feed, *, favourites: int = _FAVOURITES) -> WarmReport:
    """Put a feed's last bars and newest partitions into Redis, whether or not they should be there already.

    The symbols asked for most, by the figures all processes share, get as many partitions as are ever kept.

    Errors: SettingsInvalid where no Redis is configured; StoreUnavailable when it does not answer; StoreError when it
            has no room.
    """
    began = time.monotonic()
    lake = Lake(settings.lake)
    with redis_store(settings) as redis:
        written = list(fill_hot_set(lake, redis, feed, everything=True))
        store = redis.store
        done = {each.partition for each in written if each.table == VALIDATED_BARS}
        wanted = most_asked(store, feed.name, favourites)
        rows, size, more = _fill_favourites(lake, store, feed, wanted, done)
    latest = [each.rows for each in written if each.partition == EVERY_PARTITION]
    return WarmReport(
        feed.name,
        sum(latest),
        len(written) - len(latest) + more,
        sum(each.rows for each in written) + rows,
        sum(each.bytes for each in written) + size,
        len(wanted),
        time.monotonic() - began,
    )


def _fill_favourites(
    lake: Lake, store: RedisStore, feed: Feed, symbols: Sequence[str], done: set[str]
) -> tuple[int, int, int]:
    """(rows, bytes, partitions) of the older partitions that may be kept."""
    rows = size = partitions = 0
    if not symbols:
        return rows, size, partitions
    for stored in lake.catalog.stored(VALIDATED_BARS, feed.name)[-HOT_PARTITIONS:]:
        if stored.partition in done:
            continue
        try:
            bars = lake.read(VALIDATED_BARS, feed.name, stored.partition, symbols=symbols)
        except PartitionMissing:
            # Removed since it was listed.
            continue
        now = lake.catalog.stored_partition(VALIDATED_BARS, feed.name, stored.partition)
        if now is None or now.inputs != stored.inputs:
            continue
        size += store.put_bars(Group(feed.name, VALIDATED_BARS, stored.partition, stored.inputs), bars, symbols)
        rows, partitions = rows + bars.num_rows, partitions + 1
    return rows, size, partitions
