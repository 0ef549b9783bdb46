from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale import migrating
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.migrating import Migration, migrations, newest_version, stored_version
from marketdata_pipelines_tests.store_databases import command


def _tables(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        found = connection.execute("select tablename from pg_tables where schemaname = 'marketdata'").fetchall()
    return {name for (name,) in found}


def _version(dsn: str) -> str | None:
    with psycopg.connect(dsn) as connection:
        return stored_version(connection)


def test_the_files_are_numbered_without_a_hole_and_each_follows_the_one_before() -> None:
    steps = migrations()

    assert [step.version for step in steps] == [f"{number:04}" for number in range(1, len(steps) + 1)]
    assert [step.after for step in steps] == [None, *(step.version for step in steps[:-1])]


def test_an_empty_database_gets_every_table(store_dsn: str) -> None:
    with Database(store_dsn) as database:
        applied = database.migrate()

    assert applied == tuple(step.name for step in migrations())
    assert _version(store_dsn) == newest_version()
    assert _tables(store_dsn) == {
        "schema_version", "feeds", "series", "published", "session_clock", "quality_events", "refreshes",
    }  # fmt: skip


def test_migrating_again_does_nothing(store_dsn: str, store_database: Database) -> None:
    with store_database.connection() as connection:
        connection.execute("insert into marketdata.feeds values ('f', 'ticks', 7, 'v1', 60000000)")

    assert store_database.migrate() == ()
    with psycopg.connect(store_dsn) as connection:
        assert connection.execute("select feed from marketdata.feeds").fetchall() == [("f",)]


def test_processes_that_come_at_once_migrate_once(store_dsn: str) -> None:
    databases = [Database(store_dsn, pool_size=1) for _ in range(6)]

    with ThreadPoolExecutor(6) as threads:
        applied = list(threads.map(Database.migrate, databases))

    for database in databases:
        database.close()
    assert sorted(map(len, applied)) == [0] * 5 + [len(migrations())]
    assert _version(store_dsn) == newest_version()


def test_a_pool_older_than_the_store_works_as_the_writer_too(store_dsn: str) -> None:
    with Database(store_dsn) as older, Database(store_dsn) as other:
        with older.connection() as connection:
            before = connection.execute("select current_user").fetchone()
        other.migrate()

        assert older.migrate() == ()

        with older.connection() as connection:
            after = connection.execute("select current_user").fetchone()
    assert (before, after) == (("postgres",), ("marketdata_writer",))


def test_only_what_is_missing_is_applied(store_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "-- notes: one row a note, key note.\ncreate table marketdata.notes (note text primary key);"
    longer = (*migrations(), Migration("0099", "0099_create_notes", newest_version(), text))
    monkeypatch.setattr(migrating, "migrations", lambda: longer)

    applied = store_database.migrate()

    assert applied == ("0099_create_notes",)
    with store_database.connection() as connection:
        assert stored_version(connection) == "0099"
        assert connection.execute("select count(*) from marketdata.notes").fetchone() == (0,)


def test_a_migration_that_fails_leaves_nothing_of_any(store_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "-- broken: nothing.\ncreate table marketdata.half (x int); select 1/0;"
    longer = (*migrations(), Migration("0099", "0099_break", newest_version(), text))
    monkeypatch.setattr(migrating, "migrations", lambda: longer)

    with Database(store_dsn) as database, pytest.raises(StoreError, match=r"preparing .* division by zero"):
        database.migrate()

    assert _tables(store_dsn) == set()
    assert _version(store_dsn) is None


def test_an_older_program_leaves_a_newer_layout_alone(store_dsn: str, store_database: Database) -> None:
    command(store_dsn, "update marketdata.schema_version set version_num = '0999'")

    with pytest.raises(StoreError, match=r"is 0999, newer than this program's .*update marketdata-pipelines"):
        store_database.migrate()

    assert _version(store_dsn) == "0999"


def test_a_database_that_only_reads_is_told_of_and_not_touched(store_dsn: str) -> None:
    told = pytest.raises(StoreError, match=r"cannot be written .*name the primary's address")

    with Database(f"{store_dsn}?options=-c%20default_transaction_read_only%3Don") as database, told:
        database.migrate()

    assert _tables(store_dsn) == set()


def test_a_database_that_only_reads_and_is_up_to_date_is_fine(store_dsn: str, store_database: Database) -> None:
    with Database(f"{store_dsn}?options=-c%20default_transaction_read_only%3Don") as database:
        assert database.migrate() == ()
