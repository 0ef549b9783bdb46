"""New databases for tests of the SQL store, on plain PostgreSQL and on TimescaleDB; nothing here asserts.

PostgreSQL comes from its wheel. TimescaleDB is used where MARKETDATA_TEST_TIMESCALE_DSN names a server on which
databases can be made; tests that need it are skipped elsewhere, saying so.
"""

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines_tests.servers import PostgresServer, start_postgres

TIMESCALE_VARIABLE = "MARKETDATA_TEST_TIMESCALE_DSN"
ENGINES = ("postgres", "timescale")


def command(dsn: str, *statements: str) -> None:
    """Execute each statement in a transaction of its own, as the login of `dsn`."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def new_database(server_dsn: str, *, with_timescale: bool = False) -> Iterator[str]:
    """The address of an empty database on the server that `server_dsn` reaches; dropped at the end."""
    name = f"marketdata_test_{uuid.uuid4().hex[:12]}"
    place = urlsplit(server_dsn)
    dsn = urlunsplit(place._replace(path=f"/{name}"))
    quoted = sql.Identifier(name).as_string()
    command(server_dsn, f"create database {quoted}")
    try:
        if with_timescale:
            command(dsn, "create extension timescaledb")
        yield dsn
    finally:
        command(server_dsn, f"drop database {quoted} with (force)")


def timescale_server() -> str:
    """The address of a server with TimescaleDB; the test is skipped, saying so, where none is named."""
    server = os.environ.get(TIMESCALE_VARIABLE)
    if not server:
        pytest.skip(f"NOT TESTED ON TIMESCALEDB: {TIMESCALE_VARIABLE} names no server where databases can be made")
    return server


@pytest.fixture(params=ENGINES)
def store_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a new, empty database for this test, once on each engine."""
    if request.param == "timescale":
        with new_database(timescale_server(), with_timescale=True) as dsn:
            yield dsn
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        with new_database(postgres.url("postgres")) as dsn:
            yield dsn


@pytest.fixture
def store_database(store_dsn: str) -> Iterator[Database]:
    """A store in a new database, on each engine, with its tables made."""
    with Database(store_dsn) as database:
        database.migrate()
        yield database


@pytest.fixture
def own_server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A PostgreSQL of this test alone, which it may stop."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    folder.chmod(0o755)
    server = start_postgres(folder / "server")
    yield server
    # What runs there now, the test may have started.
    left = server.folder / "data" / "postmaster.pid"
    if left.exists():
        os.kill(int(left.read_text("utf-8").split()[0]), signal.SIGINT)
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)
