import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from marketdata_pipelines.errors import SettingsInvalid, StoreError, StoreUnavailable
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines_tests.waiting import wait_until


def _backend(database: Database) -> int:
    with database.connection() as connection:
        return connection.info.backend_pid


def _answer(database: Database, question: str = "select 1") -> object:
    with database.connection() as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def _run(database: Database, what: str, *statements: str, autocommit: bool = False) -> None:
    with database.connection(what, autocommit=autocommit) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_nothing_is_connected_before_it_is_needed() -> None:
    database = Database("postgresql://nobody:55word@127.0.0.1:1/nothing")

    assert repr(database) == "Database(127.0.0.1:1/nothing)"
    database.close()


def test_a_wrong_address_is_refused_at_once() -> None:
    with pytest.raises(SettingsInvalid, match="MARKETDATA_TIMESCALE_DSN"):
        Database("sqlite:///market")


def test_a_transaction_is_committed_at_its_end(store_dsn: str) -> None:
    with Database(store_dsn) as database:
        with database.connection() as connection:
            connection.execute("create table t (x int)")
            connection.execute("insert into t values (1)")

        assert _answer(database, "select count(*) from t") == 1


def test_an_error_rolls_everything_back_and_the_connection_stays_usable(store_dsn: str) -> None:
    with Database(store_dsn, pool_size=1) as database:
        backend = _backend(database)
        with pytest.raises(StoreError, match=r"trying it: .* refused: division by zero"):
            _run(database, "trying it", "create table t (x int)", "select 1/0")

        assert _answer(database, "select to_regclass('t')") is None
        assert _backend(database) == backend


def test_an_error_of_the_borrower_comes_through_as_it_is(store_dsn: str) -> None:
    def work(database: Database) -> None:
        with database.connection() as connection:
            connection.execute("create table t (x int)")
            raise ZeroDivisionError

    with Database(store_dsn) as database:
        with pytest.raises(ZeroDivisionError):
            work(database)

        assert _answer(database, "select to_regclass('t')") is None


def test_a_connection_speaks_utc_and_says_who_it_is(store_dsn: str) -> None:
    with Database(store_dsn, timeout_seconds=12.5) as database, database.connection() as connection:
        told = connection.execute(
            "select current_setting('TimeZone'), current_setting('application_name'), "
            "current_setting('statement_timeout'), current_setting('client_encoding'), "
            "current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()

    assert told == ("UTC", "marketdata", "12500ms", "UTF8", "10min")


def test_what_the_address_says_of_the_connection_counts(store_dsn: str) -> None:
    with Database(f"{store_dsn}?application_name=desk&connect_timeout=2") as database:
        assert _answer(database, "select current_setting('application_name')") == "desk"


def test_a_statement_ends_at_its_limit_and_says_what_to_do(store_dsn: str) -> None:
    with Database(store_dsn, timeout_seconds=0.2) as database:
        with pytest.raises(StoreError, match=r"reading bars: .* ask for less at once, or allow more time") as caught:
            _run(database, "reading bars", "select pg_sleep(20)")

        assert not isinstance(caught.value, StoreUnavailable)
        assert _answer(database) == 1


@pytest.mark.parametrize("autocommit", [False, True])
def test_another_limit_counts_for_one_use_only(store_dsn: str, autocommit: bool) -> None:
    with Database(store_dsn, pool_size=1) as database:
        with database.connection(autocommit=autocommit, statement_seconds=0) as connection:
            inside = connection.execute("select current_setting('statement_timeout')").fetchone()

        assert inside == ("0",)
        assert _answer(database, "select current_setting('statement_timeout')") == "30s"


def test_without_a_transaction_each_statement_stands_alone(store_dsn: str) -> None:
    with Database(store_dsn, pool_size=1) as database:
        with pytest.raises(StoreError, match="division"):
            _run(database, "", "create table t (x int)", "vacuum t", "select 1/0", autocommit=True)

        assert _answer(database, "select to_regclass('t')::text") == "t"
        with database.connection() as connection:
            assert not connection.autocommit


def test_connections_are_used_again_and_never_more_than_allowed(store_dsn: str) -> None:
    with Database(store_dsn, pool_size=2) as database, ThreadPoolExecutor(16) as threads:
        backends = set(threads.map(lambda _: _backend(database), range(200)))

        assert 1 <= len(backends) <= 2


def test_a_full_pool_says_so_after_the_timeout(store_dsn: str) -> None:
    full = pytest.raises(StoreUnavailable, match=r"reading: .*all 1 connections were in use for 0.7 seconds")

    with Database(store_dsn, pool_size=1, timeout_seconds=0.7) as database, database.connection(), full:
        _run(database, "reading", "select 1")


def test_who_waits_gets_the_connection_that_is_given_back(store_dsn: str) -> None:
    with Database(store_dsn, pool_size=1) as database, ThreadPoolExecutor(1) as threads:
        with database.connection() as connection:
            backend = connection.info.backend_pid
            waiting = threads.submit(_backend, database)

        assert waiting.result(20) == backend


def test_a_closed_database_opens_again_when_it_is_used(store_dsn: str) -> None:
    database = Database(store_dsn)
    first = _backend(database)
    database.close()

    second = _backend(database)

    assert second != first
    database.close()


def test_closing_ends_every_connection_and_thread(store_dsn: str) -> None:
    with Database(store_dsn) as database:
        _backend(database)

    assert [each.name for each in threading.enumerate() if each.name.startswith("marketdata 127")] == []
    # The server ends its side a moment after it was told.
    wait_until(lambda: _others(store_dsn) == 0, "the end of every connection", 10)


def test_a_database_that_nobody_holds_closes_its_connections(store_dsn: str) -> None:
    database = Database(store_dsn)
    _backend(database)

    del database
    gc.collect()

    assert [each.name for each in threading.enumerate() if each.name.startswith("marketdata 127")] == []


def test_a_child_process_opens_connections_of_its_own(store_dsn: str) -> None:
    with Database(store_dsn, pool_size=1) as database:
        mine = _backend(database)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            # Nothing of pytest may run here: whatever happens, the child ends.
            try:
                os.write(write, str(_backend(database)).encode())
                database.close()
            finally:
                os._exit(0)
        os.close(write)
        with open(read, "rb") as answer:
            theirs = int(answer.read() or 0)
        os.waitpid(child, 0)

        assert theirs not in (0, mine)
        assert _backend(database) == mine


def _others(dsn: str) -> int:
    """How many connections of the program's the server still has."""
    ours = "datname = current_database() and application_name = 'marketdata'"
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute(f"select count(*) from pg_stat_activity where {ours}").fetchone()
    assert found is not None
    return int(found[0])
