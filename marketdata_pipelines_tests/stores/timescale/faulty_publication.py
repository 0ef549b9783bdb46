"""A partition in an old and a new version, published to a server that has faults; what of them its readers see."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pyarrow as pa

from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.records import Difference, Published
from marketdata_pipelines_tests.builders import LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, lake_tables, partition_bars

FEED = make_feed("XNYS", "1m", name="us")
DAY = "2024-07-02"
# More rows than one slice of a stream or one page of a server; prices that are never the same.
_SHAPES = {f"S{number}": Shape() for number in range(40)}
BARS = {"old": partition_bars(FEED, DAY, _SHAPES, seed=1), "new": partition_bars(FEED, DAY, _SHAPES, seed=2)}
_AGGREGATES = {version: lake_tables(FEED, DAY, bars) for version, bars in BARS.items()}


@contextmanager
def open_store(dsn: str) -> Iterator[TimescaleStore]:
    """The store in a database."""
    with Database(dsn) as database:
        yield TimescaleStore(database)


def publish(store: TimescaleStore, version: str) -> Published:
    """Publish one of BARS."""
    return store.replace_partition(FEED, VALIDATED_BARS, DAY, BARS[version], version, LATER)


def differences(store: TimescaleStore, version: str) -> list[Difference]:
    """Where rows or rollups are not those of this version, and none of another."""
    found = store.compare(FEED, VALIDATED_BARS, DAY, BARS[version])
    return found or store.compare_rollups(FEED, DAY, _AGGREGATES[version])


def published_version(store: TimescaleStore) -> str:
    """Which version the ledger says is there; empty: none."""
    entry = store.published(FEED.name, VALIDATED_BARS).get(DAY)
    return entry.inputs if entry else ""


def is_in_ledger(dsn: str, version: str) -> bool:
    """Whether others see that a version is published."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select exists (select from marketdata.published where inputs = %s)", [version]
        ).fetchone()
    return bool(row and row[0])


def total(bars: pa.Table) -> tuple[int, int]:
    """What a reader who counts and adds up sees of a version: its rows, and their closes in hundredths."""
    return bars.num_rows, sum(round(close * 100) for close in bars["close"].to_pylist())
