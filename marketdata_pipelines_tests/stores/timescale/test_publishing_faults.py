"""Publishing while connections die, two processes publish the same, and others read: never half a partition."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale import chunks, copying
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, lake_tables, partition_bars

DAY = "2024-07-02"
FEED = make_feed("XNYS", "1m", name="us")
SHAPES = {f"S{number}": Shape() for number in range(30)}
OLD = partition_bars(FEED, DAY, SHAPES, seed=1)
NEW = partition_bars(FEED, DAY, SHAPES, seed=2)


@pytest.fixture
def store(store_database: Database, monkeypatch: pytest.MonkeyPatch) -> TimescaleStore:
    # As for large sessions: each has a chunk of its own, which is emptied and written anew.
    monkeypatch.setattr(chunks, "_ROWS_OF_A_LARGE_SESSION", 1)
    return TimescaleStore(store_database)


def cut(dsn: str, application: str = "marketdata") -> int:
    """End every connection of the store to this database; how many."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name = %s",
            [application],
        ).fetchall()
    return len(rows)


@pytest.mark.parametrize("piece", [0, 1, 2])
def test_a_connection_cut_while_rows_are_sent_leaves_the_old_partition_and_is_tried_again(
    store: TimescaleStore, store_dsn: str, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    store.replace_partition(FEED, VALIDATED_BARS, DAY, OLD, "old", LATER)
    monkeypatch.setattr(copying, "SLICE_ROWS", 4096)
    seen: list[object] = []
    encode = copying.encode

    def encode_and_cut(table: pa.Table) -> Iterator[bytes]:
        for at, part in enumerate(encode(table)):
            if table.num_rows == NEW.num_rows and at == piece and not seen:
                with psycopg.connect(store_dsn) as reader:
                    # What others see of the ledger right before the cut; the emptied chunk itself would make them wait.
                    seen.append(reader.execute("select inputs, rows from marketdata.published").fetchall())
                cut(store_dsn)
            yield part

    monkeypatch.setattr(copying, "encode", encode_and_cut)

    published = store.replace_partition(FEED, VALIDATED_BARS, DAY, NEW, "new", LATER)

    assert seen == [[("old", OLD.num_rows)]]
    assert (published.inputs, published.rows, published.rolled) == ("new", NEW.num_rows, True)
    assert store.compare(FEED, VALIDATED_BARS, DAY, NEW) == []
    assert store.compare_rollups(FEED, DAY, lake_tables(FEED, DAY, NEW)) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_connection_cut_before_any_statement_leaves_nothing_behind_but_the_new_partition(
    store: TimescaleStore, store_dsn: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    store.replace_partition(FEED, VALIDATED_BARS, DAY, OLD, "old", LATER)
    execute = psycopg.Connection.execute
    left = random.Random(seed).randrange(1, 25)

    def execute_or_cut(self: psycopg.Connection[Any], *statement: Any, **options: Any) -> psycopg.Cursor[Any]:
        nonlocal left
        left -= 1
        if left == 0:
            cut(store_dsn)
        return execute(self, *statement, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", execute_or_cut)

    published = store.replace_partition(FEED, VALIDATED_BARS, DAY, NEW, "new", LATER)

    assert left < 0
    assert (published.inputs, published.rolled) == ("new", True)
    assert store.published("us", VALIDATED_BARS)[DAY].rolled
    assert store.compare(FEED, VALIDATED_BARS, DAY, NEW) == []
    assert store.compare_rollups(FEED, DAY, lake_tables(FEED, DAY, NEW)) == []


def test_a_server_that_stays_away_leaves_the_old_partition_whole(
    store: TimescaleStore, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.replace_partition(FEED, VALIDATED_BARS, DAY, OLD, "old", LATER)
    encode = copying.encode

    def encode_and_cut(table: pa.Table) -> Iterator[bytes]:
        for part in encode(table):
            cut(store_dsn)
            yield part

    with monkeypatch.context() as patch:
        patch.setattr(copying, "encode", encode_and_cut)
        with pytest.raises(StoreError, match="did not answer"):
            store.replace_partition(FEED, VALIDATED_BARS, DAY, NEW, "new", LATER)

    assert store.published("us", VALIDATED_BARS)[DAY].inputs == "old"
    assert store.compare(FEED, VALIDATED_BARS, DAY, OLD) == []
    assert store.replace_partition(FEED, VALIDATED_BARS, DAY, NEW, "new", LATER).changed
    assert store.compare(FEED, VALIDATED_BARS, DAY, NEW) == []


def test_a_kill_between_bars_and_rollups_is_made_good_by_the_next_publication(store: TimescaleStore) -> None:
    store.replace_partition(FEED, VALIDATED_BARS, DAY, OLD, "old", LATER)
    if not store.database.engine.is_timescale:
        pytest.skip("rollups of plain PostgreSQL change with the bars")
    with store.database.connection() as connection:
        connection.execute("update marketdata.published set rolled = false")
        connection.execute("delete from us.bars where series_id = 1")

    again = store.replace_partition(FEED, VALIDATED_BARS, DAY, OLD, "old", LATER)

    assert (again.changed, again.rolled) == (True, True)
    assert store.compare_rollups(FEED, DAY, lake_tables(FEED, DAY, OLD)) == []
    assert store.published("us", VALIDATED_BARS)[DAY].rolled
    assert store.finish_rollups(FEED) == 0


def test_two_that_publish_the_same_partition_leave_one_of_them_whole(store: TimescaleStore, store_dsn: str) -> None:
    versions = {"old": OLD, "new": NEW}

    def publish(inputs: str) -> None:
        with Database(store_dsn) as database:
            other = TimescaleStore(database)
            for _ in range(2):
                other.replace_partition(FEED, VALIDATED_BARS, DAY, versions[inputs], inputs, LATER)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(publish, versions))

    last = store.published("us", VALIDATED_BARS)[DAY]
    assert last.rolled
    assert store.compare(FEED, VALIDATED_BARS, DAY, versions[last.inputs]) == []
    assert store.compare_rollups(FEED, DAY, lake_tables(FEED, DAY, versions[last.inputs])) == []


def test_several_partitions_are_published_at_once(store: TimescaleStore, store_dsn: str) -> None:
    days = ["2024-07-01", DAY, "2024-07-03", "2024-07-05", "2024-07-08", "2024-07-09"]
    bars = {day: partition_bars(FEED, day, SHAPES, seed) for seed, day in enumerate(days)}

    def publish(some: list[str]) -> None:
        with Database(store_dsn) as database:
            for day in some:
                TimescaleStore(database).replace_partition(FEED, VALIDATED_BARS, day, bars[day], day, LATER)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(publish, [days[:2], days[2:4], days[4:]]))

    ledger = store.published("us", VALIDATED_BARS)
    assert {day: (entry.inputs, entry.rolled) for day, entry in ledger.items()} == {day: (day, True) for day in days}
    for day in days:
        assert store.compare(FEED, VALIDATED_BARS, day, bars[day]) == []
        assert store.compare_rollups(FEED, day, lake_tables(FEED, day, bars[day])) == []


def test_who_reads_meanwhile_sees_the_old_partition_or_the_new(store: TimescaleStore, store_dsn: str) -> None:
    store.replace_partition(FEED, VALIDATED_BARS, DAY, OLD, "old", LATER)
    ended = threading.Event()

    def read() -> Counter[tuple[int, int]]:
        seen: Counter[tuple[int, int]] = Counter()
        with psycopg.connect(store_dsn, autocommit=True) as connection:
            while not ended.is_set():
                row = connection.execute("select count(*), sum(close)::bigint from us.bars").fetchone()
                assert row is not None
                seen[row] += 1
        return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for round_number in range(4):
                bars = (NEW, OLD)[round_number % 2]
                store.replace_partition(FEED, VALIDATED_BARS, DAY, bars, str(round_number), LATER)
        finally:
            ended.set()
        seen = readers[0].result() + readers[1].result()

    assert {rows for rows, _ in seen} <= {OLD.num_rows, NEW.num_rows}
    assert len(seen) <= 2
