"""Large partitions of assets' tables while connections die and servers are killed: the old rows or the new, no part."""

import random
import signal
from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from marketdata_pipelines.errors import StoreUnavailable
from marketdata_pipelines.stores.timescale import copying, retrying, user_leaves
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.user_tables import UserTable, UserTables
from marketdata_pipelines_tests.servers import PostgresServer, resume_postgres

TABLE = UserTable("research", "scores", ("id",))
MANY = 2_000


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_leaves, "_ROWS_OF_A_LEAF", 100)
    # Rows go in several pieces.
    monkeypatch.setattr(copying, "SLICE_ROWS", 256)


def rows(count: int, value: int) -> pa.Table:
    return pa.table({"id": pa.array(range(count), pa.int64()), "value": pa.array([value] * count, pa.int64())})


def found(dsn: str) -> tuple[Any, ...] | None:
    with psycopg.connect(dsn) as connection:
        query = "select count(*), min(value), max(value) from research.scores where partition = 'a'"
        return connection.execute(query).fetchone()


def tables_there(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'research'::regnamespace"
        ).fetchall()
    return [name for (name,) in rows]


def cut(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 20000) from pg_stat_activity"
            " where datname = current_database() and application_name = 'marketdata'"
        )


@pytest.mark.parametrize("seed", range(6))
def test_a_connection_cut_before_any_statement_is_tried_again_and_leaves_the_new_partition(
    store_database: Database, store_dsn: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    tables = UserTables(store_database)
    tables.replace(TABLE, "a", rows(MANY, 1), "one")
    execute = psycopg.Connection.execute
    left = random.Random(seed).randrange(1, 25)

    def execute_or_cut(self: psycopg.Connection[Any], *statement: Any, **options: Any) -> psycopg.Cursor[Any]:
        nonlocal left
        left -= 1
        if left == 0:
            cut(store_dsn)
        return execute(self, *statement, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", execute_or_cut)

    tables.replace(TABLE, "a", rows(MANY + 1, 2), "two")

    assert left < 0
    assert found(store_dsn) == (MANY + 1, 2, 2)
    assert len(tables_there(store_dsn)) == 2


@pytest.mark.parametrize("piece", [1, 4])
def test_a_server_that_goes_away_amid_the_rows_keeps_the_old_partition(
    own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    dsn, encode = own_server.url("postgres"), copying.encode
    monkeypatch.setattr(retrying, "TRIES", 1)

    def encode_and_kill(table: pa.Table) -> Iterator[bytes]:
        for at, part in enumerate(encode(table)):
            if at == piece:
                own_server.halt(signal.SIGQUIT)
            yield part

    with Database(dsn) as database:
        database.migrate()
        tables = UserTables(database)
        tables.replace(TABLE, "a", rows(MANY, 1), "one")
        # This server does not wait for the disk at a commit.
        own_server.run("checkpoint")
        monkeypatch.setattr(user_leaves, "encode", encode_and_kill)
        with pytest.raises(StoreUnavailable, match="replace a of research"):
            tables.replace(TABLE, "a", rows(MANY + 1, 2), "two")
        monkeypatch.setattr(user_leaves, "encode", encode)
        again = resume_postgres(own_server)

        kept, noted, names = found(dsn), tables.revisions(TABLE), tables_there(dsn)
        tables.replace(TABLE, "a", rows(MANY + 1, 2), "two")

        assert (kept, noted, len(names)) == ((MANY, 1, 1), {"a": "one"}, 2)
        assert found(dsn) == (MANY + 1, 2, 2)
        again.halt()
