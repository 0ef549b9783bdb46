from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.roles import READER, WRITER, grant_late, grant_schema, roles_of
from marketdata_pipelines_tests.servers import PostgresServer
from marketdata_pipelines_tests.store_databases import command


class Logins:
    """Makes logins on the server of a database, and removes them with what they were granted."""

    def __init__(self, store_dsn: str) -> None:
        self._dsn = store_dsn
        self._made: list[str] = []

    def make(self, options: str = "", *, member_of: str = "") -> str:
        """The address of the same database for a new login."""
        name = f"test_{uuid4().hex[:12]}"
        command(self._dsn, f"create role {name} login password '{name}' {options}")
        self._made.append(name)
        if member_of:
            command(self._dsn, f"grant {member_of} to {name}")
        place = urlsplit(self._dsn)
        return urlunsplit(place._replace(netloc=f"{name}:{name}@{place.hostname}:{place.port}"))

    def remove(self) -> None:
        for name in self._made:
            command(self._dsn, f"drop owned by {name} cascade", f"drop role {name}")


@pytest.fixture
def logins(store_dsn: str) -> Iterator[Logins]:
    made = Logins(store_dsn)
    yield made
    made.remove()


def _owner(dsn: str, table: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select pg_get_userbyid(relowner) from pg_class where oid = to_regclass(%s)", [table]
        ).fetchone()
    return row and row[0]


def _login(dsn: str) -> str:
    return str(urlsplit(dsn).username)


def test_the_store_belongs_to_the_writer_role_and_even_a_superuser_works_as_it(
    store_dsn: str, store_database: Database
) -> None:
    with store_database.connection() as connection:
        told = connection.execute("select current_user, session_user").fetchone()
        rights = connection.execute(
            "select rolsuper, rolcanlogin, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
        ).fetchone()

    assert told == (WRITER, "postgres")
    assert rights == (False, False, False, False)
    assert _owner(store_dsn, "marketdata.feeds") == WRITER


def test_a_reader_reads_everything_and_changes_nothing(store_database: Database, logins: Logins) -> None:
    with store_database.connection() as connection:
        connection.execute("create schema f")
        connection.execute("create table f.before (x int)")
        grant_schema(connection, "f")
        connection.execute("create table f.later (x int)")

    with Database(logins.make(member_of=READER)) as reader:
        with reader.connection() as connection:
            for table in ("f.before", "f.later", "marketdata.feeds", "marketdata.published"):
                assert connection.execute(f"select count(*) from {table}".encode()).fetchone() == (0,)
        for statement in (
            b"insert into f.later values (1)",
            b"delete from marketdata.published",
            b"truncate f.before",
            b"create table f.mine (x int)",
            b"create schema mine",
            b"drop table f.later",
        ):
            with (
                pytest.raises(StoreError, match=r"refused: (permission denied|must be owner)"),
                reader.connection() as connection,
            ):
                connection.execute(statement)


def test_a_writer_replaces_what_another_writer_made(store_database: Database, logins: Logins) -> None:
    with Database(logins.make(member_of=WRITER)) as one, one.connection() as connection:
        connection.execute("create schema f")
        connection.execute("create table f.bars (x int)")

    with Database(logins.make(member_of=WRITER)) as other, other.connection() as connection:
        connection.execute("truncate f.bars")
        connection.execute("drop table f.bars")
        owner = connection.execute("select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'f'").fetchone()

    assert owner == (WRITER,)


def test_a_login_that_may_make_roles_makes_them_and_becomes_a_writer(own_server: PostgresServer) -> None:
    own_server.run("create role ann login password 'ann' createrole", "create database market owner ann")
    dsn = own_server.url("market", user="ann", password="ann")

    with Database(dsn) as database:
        database.migrate()
        with database.connection() as connection:
            roles = roles_of(connection)
            user = connection.execute("select current_user").fetchone()

    assert roles.is_writer
    assert roles.label == "ann is a member of marketdata_writer"
    assert roles.advice == ""
    assert user == (WRITER,)
    assert _owner(dsn, "marketdata.published") == WRITER


def test_roles_that_an_administrator_made_are_all_a_login_needs(own_server: PostgresServer) -> None:
    own_server.run("create database market", f"create role {READER}", f"create role {WRITER}")
    own_server.run("create role loader login password 'loader'", f"grant {WRITER} to loader")
    own_server.run(f"grant create on database market to {WRITER}")
    dsn = own_server.url("market", user="loader", password="loader")

    with Database(dsn) as database:
        database.migrate()
        with database.connection() as connection:
            connection.execute("create schema f")
            user = connection.execute("select current_user").fetchone()

    assert user == (WRITER,)
    assert _owner(dsn, "marketdata.feeds") == WRITER


def test_a_writer_role_that_may_not_create_schemas_does_not_own_the_store(own_server: PostgresServer) -> None:
    own_server.run("create database market", f"create role {READER}", f"create role {WRITER}")
    own_server.run("create role loader login password 'loader'", f"grant {WRITER} to loader")
    own_server.run("grant create on database market to loader")
    dsn = own_server.url("market", user="loader", password="loader")

    with Database(dsn) as database:
        database.migrate()
        with database.connection() as connection:
            connection.execute("create schema f")

    assert _owner(dsn, "marketdata.feeds") == "loader"


def test_roles_made_after_the_store_are_granted_when_it_is_next_used(own_server: PostgresServer) -> None:
    own_server.run("create role ann login password 'ann'", "create database market owner ann")
    dsn = own_server.url("market", user="ann", password="ann")
    with Database(dsn) as database:
        database.migrate()
        with database.connection() as connection:
            before = roles_of(connection)
            connection.execute("create schema f")
            connection.execute("create table f.bars (x int)")
            connection.execute("insert into marketdata.feeds values ('f', 'ticks', 7, 'v1', 60000000)")
    own_server.run(f"create role {READER}", f"create role {WRITER}", f"grant {WRITER} to ann")

    with Database(dsn) as database:
        assert database.migrate() == ()
        with database.connection() as connection:
            assert grant_late(connection) == ()

    own_server.run("create role bob login password 'bob'", f"grant {READER} to bob")
    with Database(own_server.url("market", user="bob", password="bob")) as reader, reader.connection() as connection:
        assert connection.execute("select count(*) from f.bars, marketdata.feeds").fetchone() == (0,)
    assert before.label == "ann works with its own rights"
    assert before.advice == (
        "let an administrator run: create role marketdata_reader; create role marketdata_writer; "
        'grant marketdata_writer to "ann"'
    )


def test_a_login_that_is_no_member_works_with_its_own_rights(store_dsn: str, logins: Logins) -> None:
    mine = logins.make()
    command(store_dsn, f"grant create on database {urlsplit(store_dsn).path[1:]} to {_login(mine)}")

    with Database(mine) as database:
        assert database.migrate()
        with database.connection() as connection:
            connection.execute("create schema f")
            grant_schema(connection, "f")
            roles = roles_of(connection)

    assert roles.label == f"{_login(mine)} works with its own rights"
    assert _owner(store_dsn, "marketdata.published") == _login(mine)


def test_a_login_that_may_create_nothing_is_told_what_it_lacks(store_dsn: str, logins: Logins) -> None:
    with Database(logins.make()) as database, pytest.raises(StoreError) as caught:
        database.migrate()

    assert "preparing the SQL store: " in str(caught.value)
    assert "permission denied for database" in str(caught.value)
    assert "give the login the role marketdata_writer" in str(caught.value)
