"""Large partitions of assets' tables in real databases: exchanged whole, under readers, rivals, rights and views."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pyarrow as pa
import pytest

from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.timescale import copying, user_leaves, user_locks
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.user_tables import UserTable, UserTables
from marketdata_pipelines_tests.stores.timescale.score_tables import LARGE, MANY, TABLE, ask, leaves, rows, sums


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_leaves, "_ROWS_OF_A_LEAF", LARGE)


@pytest.fixture
def tables(store_database: Database) -> UserTables:
    return UserTables(store_database, pause=lambda _: None)


def test_a_large_partition_gets_a_new_leaf_and_small_ones_share_one(tables: UserTables, store_dsn: str) -> None:
    for name, count in [("a", MANY), ("b", MANY), ("c", 3), ("d", 4)]:
        tables.replace(TABLE, name, rows(count, 1), "one")
    before = leaves(store_dsn)

    tables.replace(TABLE, "a", rows(MANY, 2), "two")
    tables.replace(TABLE, "c", rows(5, 2), "two")

    after = leaves(store_dsn)
    assert set(before) == set(after) == {"FOR VALUES IN ('a')", "FOR VALUES IN ('b')", "DEFAULT"}
    assert [bound for bound in before if before[bound] != after[bound]] == ["FOR VALUES IN ('a')"]
    assert sums(store_dsn) == {"a": (MANY, 2), "b": (MANY, 1), "c": (5, 2), "d": (4, 1)}
    found = tables.read(TABLE, "a")
    assert found is not None
    assert found.equals(rows(MANY, 2))


@pytest.mark.parametrize("name", ["it's", "back\\slash", "2024-05-02|AAA", "ümläut", ""])
def test_partitions_of_any_name_have_leaves(tables: UserTables, store_dsn: str, name: str) -> None:
    tables.replace(TABLE, name, rows(MANY, 1), "one")
    tables.replace(TABLE, name, rows(MANY, 2), "two")

    assert sums(store_dsn) == {name: (MANY, 2)}
    assert len(leaves(store_dsn)) == 1


def test_a_partition_that_grows_leaves_the_rest_and_one_that_shrinks_keeps_its_leaf(
    tables: UserTables, store_dsn: str
) -> None:
    tables.replace(TABLE, "a", rows(3, 1), "one")
    tables.replace(TABLE, "b", rows(3, 1), "one")

    tables.replace(TABLE, "a", rows(MANY, 2), "two")
    grown = sums(store_dsn), ask(store_dsn, f'select count(*) from research."{leaves(store_dsn)["DEFAULT"]}"')
    tables.replace(TABLE, "a", rows(2, 3), "three")

    assert grown == ({"a": (MANY, 2), "b": (3, 1)}, [(3,)])
    assert sums(store_dsn) == {"a": (2, 3), "b": (3, 1)}
    assert set(leaves(store_dsn)) == {"FOR VALUES IN ('a')", "DEFAULT"}


def test_a_table_without_a_key_has_leaves_too(store_database: Database, store_dsn: str) -> None:
    tables, table = UserTables(store_database), UserTable("research", "scores")
    twice = pa.concat_tables([rows(MANY, 1), rows(MANY, 1)])

    tables.replace(table, "a", twice, "one")
    tables.replace(table, "a", twice.slice(0, 700), "two")
    tables.replace(table, "b", rows(3, 1), "one")

    assert sums(store_dsn) == {"a": (700, 1), "b": (3, 1)}


def test_rows_that_share_a_key_leave_the_old_leaf(tables: UserTables, store_dsn: str) -> None:
    tables.replace(TABLE, "a", rows(MANY, 1), "one")
    before = leaves(store_dsn)

    with pytest.raises(SchemaMismatch, match=r"two rows of a of research\.scores share one \(id\)"):
        tables.replace(TABLE, "a", pa.concat_tables([rows(MANY, 2), rows(1, 2)]), "two")

    assert leaves(store_dsn) == before
    assert sums(store_dsn) == {"a": (MANY, 1)}
    assert tables.revisions(TABLE) == {"a": "one"}


def test_a_first_write_that_is_refused_leaves_no_table(tables: UserTables, store_dsn: str) -> None:
    with pytest.raises(SchemaMismatch, match="share one"):
        tables.replace(TABLE, "a", pa.concat_tables([rows(MANY, 2), rows(1, 2)]), "one")

    assert ask(store_dsn, "select to_regclass('research.scores')") == [(None,)]


def test_who_reads_meanwhile_sees_the_old_partition_or_the_new(tables: UserTables, store_dsn: str) -> None:
    tables.replace(TABLE, "a", rows(MANY, 0), "0")
    tables.replace(TABLE, "small", rows(3, 0), "0")
    ended = threading.Event()

    def read(prepared: bool) -> Counter[tuple[int, int, int]]:
        seen: Counter[tuple[int, int, int]] = Counter()
        with psycopg.connect(store_dsn, autocommit=True) as connection:
            query = "select count(*), min(value), max(value) from research.scores where partition = 'a'"
            while not ended.is_set():
                row = connection.execute(query, prepare=prepared).fetchone()
                assert row is not None
                seen[row] += 1
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read, prepared) for prepared in (False, True)]
        try:
            for turn in range(1, 25):
                tables.replace(TABLE, "a", rows(MANY + turn, turn), str(turn))
        finally:
            ended.set()
        seen = readers[0].result() + readers[1].result()

    assert len(seen) > 2
    assert set(seen) <= {(MANY + turn, turn, turn) for turn in range(25)}


def test_who_began_to_read_before_finds_a_whole_partition(tables: UserTables, store_dsn: str) -> None:
    tables.replace(TABLE, "a", rows(MANY, 1), "one")
    tables.replace(TABLE, "b", rows(MANY, 1), "one")
    with psycopg.connect(store_dsn) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("select 1")

        tables.replace(TABLE, "a", rows(MANY + 1, 2), "two")

        found = reader.execute("select count(*), min(value) from research.scores where partition = 'a'").fetchone()
    assert found == (MANY + 1, 2)


@pytest.mark.parametrize("later", [MANY + 1, 3], ids=["large", "small"])
@pytest.mark.parametrize("earlier", [MANY, 3], ids=["from-a-leaf", "from-the-rest"])
def test_a_reader_that_does_not_end_is_not_waited_for(
    tables: UserTables, store_dsn: str, monkeypatch: pytest.MonkeyPatch, earlier: int, later: int
) -> None:
    monkeypatch.setattr(user_locks, "_SECONDS", 0.02)
    tables.replace(TABLE, "a", rows(earlier, 1), "one")
    tables.replace(TABLE, "b", rows(2, 1), "one")
    before = leaves(store_dsn)

    with psycopg.connect(store_dsn) as reader:
        reader.execute("select count(*) from research.scores")
        tables.replace(TABLE, "a", rows(later, 2), "two")
        meanwhile = leaves(store_dsn)
        other = sums(store_dsn)

    assert other == {"a": (later, 2), "b": (2, 1)}
    assert meanwhile == before
    tables.replace(TABLE, "a", rows(MANY, 3), "three")
    assert sums(store_dsn) == {"a": (MANY, 3), "b": (2, 1)}
    tables_there = "select count(*) from pg_class where relkind = 'r' and relname like 'scores%'"
    # Its two leaves and its ledger.
    assert ask(store_dsn, tables_there) == [(3,)]


def test_a_new_partition_waits_for_no_reader(tables: UserTables, store_dsn: str) -> None:
    tables.replace(TABLE, "a", rows(MANY, 1), "one")

    with psycopg.connect(store_dsn) as reader:
        reader.execute("select count(*) from research.scores")
        tables.replace(TABLE, "b", rows(MANY, 1), "one")

    assert set(leaves(store_dsn)) == {"FOR VALUES IN ('a')", "FOR VALUES IN ('b')"}


def test_writers_of_several_partitions_load_at_the_same_time(
    tables: UserTables, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["a", "b", "c"]
    for name in names:
        tables.replace(TABLE, name, rows(MANY, 0), "0")
    meeting, encode = threading.Barrier(3, timeout=20), copying.encode

    def encode_together(table: pa.Table) -> Iterator[bytes]:
        meeting.wait()
        yield from encode(table)

    monkeypatch.setattr(user_leaves, "encode", encode_together)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: tables.replace(TABLE, name, rows(MANY, 1), "one"), names))

    assert sums(store_dsn) == dict.fromkeys(names, (MANY, 1))


def test_rivals_of_large_and_small_partitions_end_with_one_of_them_whole(tables: UserTables, store_dsn: str) -> None:
    def write(seed: int) -> None:
        with Database(store_dsn) as database:
            own = UserTables(database, pause=lambda _: None)
            for turn in range(6):
                count = (MANY, 3, MANY + 7)[(seed + turn) % 3]
                own.replace(TABLE, "ab"[(seed + turn) % 2], rows(count, 10 * seed + turn), f"{seed} {turn}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))

    noted = ask(store_dsn, "select partition, rows from research.scores__partitions")
    assert {name: count for name, (count, _) in sums(store_dsn).items()} == dict(noted)


def test_a_table_has_no_more_leaves_than_a_server_can_lock(
    tables: UserTables, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_leaves, "_MOST_LEAVES", 2)

    for name in ("a", "b", "c", "c"):
        tables.replace(TABLE, name, rows(MANY, 1), name)

    assert set(leaves(store_dsn)) == {"FOR VALUES IN ('a')", "FOR VALUES IN ('b')", "DEFAULT"}
    assert sums(store_dsn) == dict.fromkeys("abc", (MANY, 1))
