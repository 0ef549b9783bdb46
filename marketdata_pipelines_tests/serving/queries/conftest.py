"""A lake of several calendars, and the same published to each engine; nothing here asserts."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import VALIDATED_BARS, feed_tables
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries
from marketdata_pipelines_tests.builders import Row, bar, make_home, minutes, source_of, take_in, us, walk_stale
from marketdata_pipelines_tests.servers import PostgresServer
from marketdata_pipelines_tests.store_databases import TIMESCALE_VARIABLE, new_database

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
FEEDS = """
feeds:
  us: {source: landing, interval: 1m, calendar: XNYS, extended_hours: [04:00, 20:00]}
  auction: {source: landing, interval: 1m, calendar: XNYS, closing_auction: own_bar}
  hk: {source: landing, interval: 1m, calendar: XHKG}
  coin: {source: landing, interval: 1m, calendar: 24/7}
  hourly: {source: landing, interval: 1h, calendar: XNYS}
  quarter: {source: landing, interval: 15m, calendar: XHKG}
  daily: {source: landing, interval: 1d, calendar: XNYS}
  weekly: {source: landing, interval: 1w, calendar: XNYS}
  monthly: {source: landing, interval: 1M, calendar: XNYS}
  empty: {source: landing, interval: 1m, calendar: XNYS}
"""
NAMES = ("us", "auction", "hk", "coin", "hourly", "quarter", "daily", "weekly", "monthly")
# The middle of a session: its later buckets are not final.
KNOWN = "2024-07-05 17:10"
COARSE = ("bars_1d", "bars_2d", "bars_1w", "bars_1mo")


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LakeReader:
    """A lake with half-days, breaks, extended hours, unknown volumes and prices of changing scale."""
    found = LakeReader(make_home(tmp_path_factory.mktemp("data"), FEEDS))
    for name, days in _rows().items():
        sources = [source_of(f"{name}-{at}.csv", rows) for at, rows in enumerate(days)]
        take_in(found.lake, found.feed(name), *sources, known_at=KNOWN if name == "us" else "2024-08-01")
        assert not any(outcome.blocked for outcome in walk_stale(found.lake, found.feed(name)))
    return found


@pytest.fixture(scope="module", params=["postgres", "timescale"])
def store_address(request: pytest.FixtureRequest) -> Iterator[str]:
    """A new database of this module, once on each engine."""
    if request.param == "timescale":
        server = os.environ.get(TIMESCALE_VARIABLE)
        if not server:
            pytest.skip(f"NOT TESTED ON TIMESCALEDB: {TIMESCALE_VARIABLE} names no server where databases can be made")
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        server = postgres.url("postgres")
    with new_database(server, with_timescale=request.param == "timescale") as dsn:
        yield dsn


@pytest.fixture(scope="module")
def database(store_address: str, reader: LakeReader) -> Iterator[Database]:
    """Everything of the lake in that database."""
    with Database(store_address) as opened:
        opened.migrate()
        for name in NAMES:
            publish(opened, reader.lake, reader.feed(name))
        yield opened


@pytest.fixture(scope="module")
def queries(database: Database) -> TimescaleQueries:
    return TimescaleQueries(database)


def publish(database: Database, lake: Lake, feed: Feed) -> None:
    """Everything the lake holds of a feed, as publishing does it."""
    store = TimescaleStore(database)
    store.ensure_feed(feed)
    horizons = lake.catalog.horizons(feed.name)
    tables = {name for table_set in feed_tables(feed) for name in table_set.tables}
    wanted = (VALIDATED_BARS, *(name for name in COARSE if name in tables))
    # A partition that makes the store keep doubles takes what was published before with it.
    for table in (*wanted, *wanted):
        published = store.published(feed.name, table)
        for stored in lake.catalog.stored(table, feed.name):
            if stored.partition not in published:
                bars = lake.read(table, feed.name, stored.partition)
                horizon_us = horizons.get(stored.partition, 0)
                store.replace_partition(feed, table, stored.partition, bars, stored.inputs, horizon_us)


def _rows() -> dict[str, list[list[Row]]]:
    """Files by feed, each of one day or more."""
    return {
        "us": [
            _spread("A", "2024-07-02 13:30", 90) + _spread("B", "2024-07-02 13:30", 40, volume=None),
            # A half-day: the regular session ends at 17:00 UTC.
            _spread("A", "2024-07-03 13:30", 70, 3.0) + _extended("2024-07-03"),
            _spread("A", "2024-07-05 13:30", 70, price=99.1234) + _spread("C", "2024-07-05 13:30", 60, price=1.23456),
        ],
        "auction": [[*minutes("A", "2024-07-02 19:50", 10), bar("A", "2024-07-02 20:00", 101.0, volume=5e6)]],
        "hk": [_spread("0700", "2024-07-02 01:30", 75, 2.0) + _spread("0700", "2024-07-02 05:00", 90, 2.0)],
        "coin": [
            _spread("BTC", "2024-07-01 22:00", 300, 7.0, price=61234.5) + _spread("ETH", "2024-07-02 00:00", 20),
            # No number of decimals holds this volume: the store keeps the feed's values as doubles.
            [bar("BTC", "2024-07-04 03:00", 60000.125, volume=0.1 + 0.2, vwap=60000.125, trade_count=7)],
        ],
        "hourly": [[bar("A", us("2024-07-01 13:00") + n * HOUR_US, 100 + n, volume=10.5 * n) for n in range(7)]],
        "quarter": [[*minutes("0700", "2024-07-02 01:30", 10, step=900_000_000)]],
        "daily": [
            [bar("A", us("2024-07-01") + n * DAY_US, 50 + n / 8, volume=1e6 + n) for n in (0, 1, 2, 4, 7, 8, 9)]
            + [bar("B", "2024-07-02", 7.125, volume=None), bar("A", "2023-12-29", 49.0)]
        ],
        "weekly": [[bar("A", us("2024-06-24") + n * 7 * DAY_US, 50 + n / 8, volume=1e6 + n) for n in range(3)]],
        "monthly": [[bar("A", f"2024-{month:02d}-01", 50 + month / 8, volume=1e7 + month) for month in (5, 6, 7)]],
    }


def _spread(symbol: str, start: str, count: int, step: float = 2.0, price: float = 100.0, **changes: Any) -> list[Row]:
    """Bars some minutes apart, some with a vwap and a count of trades."""
    rows = minutes(symbol, start, count, price, int(step * 60_000_000))
    for at, row in enumerate(rows):
        row.update(changes)
        if at % 3 == 0:
            row.update(vwap=row["low"] + 0.0123, trade_count=at + 1)
    return rows


def _extended(day: str) -> list[Row]:
    early = [bar("A", f"{day} 12:00", 98.5), bar("A", f"{day} 13:29", 99.0)]
    # D has bars before the open only, E before and in the session, A also after the close.
    others = [bar("D", f"{day} 11:00", 5.25), bar("E", f"{day} 11:00", 6.25), *minutes("E", f"{day} 14:00", 3, 6.5)]
    return [*early, bar("A", f"{day} 18:30", 101.5), *others]
