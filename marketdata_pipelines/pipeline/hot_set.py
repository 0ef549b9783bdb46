"""The hot set of a feed in Redis: the last bar of every symbol, and the bars of its newest partitions.

Written through when they are published, and told to every process that holds some of them. What else is loaded before
it is asked for is decided in `serving.cache.warming`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import table_name
from marketdata_pipelines.domain.partitions import Period, period_of
from marketdata_pipelines.domain.store_tables import ROLLUPS
from marketdata_pipelines.domain.tables import LATEST_BARS, VALIDATED_BARS, bar_table
from marketdata_pipelines.pipeline.latest import LatestBars, latest_revision
from marketdata_pipelines.pipeline.publishing import horizon_of, stored_rows
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.redis.keys import Group

if TYPE_CHECKING:
    from marketdata_pipelines.pipeline.serving_stores import OpenRedis
    from marketdata_pipelines.stores.redis.store import RedisStore

# The last bars of all symbols are one revision; under this name Redis points at it.
LATEST, EVERY = "latest", "all"

# What people look at again and again: a trading week of minutes; a month of hours is the month.
RECENT_PARTITIONS = {Period.DAY: 5, Period.WEEK: 5, Period.MONTH: 2, Period.YEAR: 2}


@dataclass(frozen=True, slots=True)
class HotWritten:
    """One table of one partition, or the last bars of all symbols, as it was put into Redis."""

    table: str
    partition: str
    rows: int
    bytes: int
    revision: str
    seconds: float


def hot_tables(feed: Feed) -> dict[str, Period]:
    """The tables whose newest partitions are kept in memory: the bars, and those combined to 5m, 1h and 1d."""
    tables = {VALIDATED_BARS: period_of(feed.partition)}
    for timeframe in ROLLUPS:
        if timeframe in feed.timeframes:
            tables[table_name(timeframe)] = bar_table(feed, timeframe)[1]
    return tables


def wanted_revisions(lake: Lake, feed: Feed) -> dict[tuple[str, str], str]:
    """What Redis should have: (table, partition) with its revision, oldest first; the last bars come last."""
    wanted = {
        (table, stored.partition): stored.inputs
        for table, period in hot_tables(feed).items()
        for stored in lake.catalog.stored(table, feed.name)[-RECENT_PARTITIONS[period] :]
    }
    if lake.catalog.stored(LATEST_BARS, feed.name):
        wanted[LATEST, EVERY] = latest_revision(lake, feed.name)
    return wanted


def hot_set_behind(lake: Lake, store: "RedisStore", feed: Feed) -> dict[str, str]:
    """What Redis does not have as the lake has it: `table partition` with the revision it should have, or `gone`."""
    behind = {f"{table} {key}": revision for (table, key), revision in _behind(lake, store, feed).items()}
    return behind | {f"{table} {key}": "gone" for table, key in _outlived(lake, store, feed)}


def fill_hot_set(lake: Lake, redis: "OpenRedis", feed: Feed, *, everything: bool = False) -> Iterator[HotWritten]:
    """Bring Redis up to date with the lake, oldest first; `everything` also writes what it should have already.

    Values come first, then the pointer to them, then the word to every process that holds others.

    Errors: StoreUnavailable when it does not answer; StoreError when it has no room.
    """
    store = redis.store
    wanted = wanted_revisions(lake, feed) if everything else _behind(lake, store, feed)
    for table, key in _outlived(lake, store, feed):
        store.withdraw(feed.name, table, key)
        redis.tell(Group(feed.name, table, key, ""))
    for table, key in wanted:
        written = _put_latest(lake, redis, feed) if table == LATEST else _put(lake, redis, feed, table, key)
        if written is not None:
            yield written


def _put(lake: Lake, redis: "OpenRedis", feed: Feed, table: str, key: str) -> HotWritten | None:
    began = time.monotonic()
    found = stored_rows(lake, feed.name, table, key)
    if found is None:
        return None
    stored, rows = found
    group, horizon_us = (
        Group(feed.name, table, key, stored.inputs),
        horizon_of(lake, feed, hot_tables(feed)[table], key),
    )
    pointed = redis.store.publish_bars(group, rows, horizon_us)
    if pointed.moved:
        redis.tell(group)
    return HotWritten(table, key, rows.num_rows, rows.nbytes, stored.inputs, time.monotonic() - began)


def _put_latest(lake: Lake, redis: "OpenRedis", feed: Feed) -> HotWritten:
    began = time.monotonic()
    latest = LatestBars(lake).of(feed)
    horizon_us = max(lake.catalog.horizons(feed.name).values(), default=0)
    written = redis.store.put_table(Group(feed.name, LATEST_BARS, EVERY, latest.revision), latest.rows)
    pointed = redis.store.point(Group(feed.name, LATEST, EVERY, latest.revision), horizon_us)
    if pointed.moved:
        if pointed.other is not None and pointed.other != latest.revision:
            redis.store.drop(Group(feed.name, LATEST_BARS, EVERY, pointed.other))
        redis.tell(Group(feed.name, LATEST_BARS, EVERY, latest.revision))
    return HotWritten(LATEST, EVERY, latest.rows.num_rows, written, latest.revision, time.monotonic() - began)


def _behind(lake: Lake, store: "RedisStore", feed: Feed) -> dict[tuple[str, str], str]:
    wanted = wanted_revisions(lake, feed)
    there = {table: store.revisions(feed.name, table) for table in {table for table, _ in wanted}}
    return {
        (table, key): revision
        for (table, key), revision in wanted.items()
        if key not in there[table] or there[table][key].revision != revision
    }


def _outlived(lake: Lake, store: "RedisStore", feed: Feed) -> list[tuple[str, str]]:
    """Partitions Redis points at that the lake does not have any more."""
    found = []
    for table in hot_tables(feed):
        stored = {each.partition for each in lake.catalog.stored(table, feed.name)}
        found += [(table, key) for key in sorted(store.revisions(feed.name, table)) if key not in stored]
    return found
