import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from marketdata_pipelines.errors import StoreError, StoreUnavailable
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.retrying import retried
from marketdata_pipelines_tests.servers import PostgresServer, resume_postgres
from marketdata_pipelines_tests.store_databases import command


def _answer(database: Database) -> int:
    with database.connection("asking") as connection:
        row = connection.execute("select 1").fetchone()
    assert row is not None
    return int(row[0])


def _run(database: Database, what: str, statement: str) -> None:
    with database.connection(what) as connection:
        connection.execute(statement.encode())


def _cut(store_dsn: str) -> None:
    with psycopg.connect(store_dsn, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 20000) from pg_stat_activity "
            "where datname = current_database() and application_name = 'marketdata'"
        )


def test_idle_connections_that_were_cut_are_replaced_unseen(store_dsn: str) -> None:
    with Database(store_dsn) as database:
        _answer(database)
        _cut(store_dsn)

        assert _answer(database) == 1


def test_a_whole_pool_of_cut_connections_is_replaced_unseen(store_dsn: str) -> None:
    with Database(store_dsn, pool_size=4) as database, ThreadPoolExecutor(4) as threads:
        meeting = threading.Barrier(4, timeout=20)

        def borrow(_: int) -> int:
            with database.connection() as connection:
                meeting.wait()
                return connection.info.backend_pid

        before = set(threads.map(borrow, range(4)))
        _cut(store_dsn)
        after = set(threads.map(borrow, range(4)))

    assert len(before) == len(after) == 4
    assert not before & after


def test_a_cut_inside_a_transaction_is_told_and_undone_and_the_next_works(store_dsn: str) -> None:
    def work(database: Database) -> None:
        with database.connection("storing") as connection:
            connection.execute("create table t (x int)")
            _cut(store_dsn)
            connection.execute("insert into t values (1)")

    with Database(store_dsn, pool_size=1) as database:
        with pytest.raises(StoreUnavailable, match=r"storing: 127.0.0.1:.* did not answer"):
            work(database)

        with database.connection() as connection:
            assert connection.execute("select to_regclass('t')").fetchone() == (None,)


def test_a_transaction_that_was_cut_is_done_again_whole(store_dsn: str) -> None:
    cuts = [True, False]
    with Database(store_dsn) as database:

        def work() -> None:
            with database.connection() as connection:
                connection.execute("create table if not exists t (x int primary key)")
                connection.execute("insert into t values (1)")
                if cuts.pop(0):
                    _cut(store_dsn)
                connection.execute("insert into t values (2)")

        retried(work, pause=lambda _: None)

        with database.connection() as connection:
            assert connection.execute("select array_agg(x order by x) from t").fetchone() == ([1, 2],)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restarted", "crashed"])
def test_a_restarted_server_is_used_again(own_server: PostgresServer, how: signal.Signals) -> None:
    with Database(own_server.url("postgres"), pool_size=2) as database:
        _answer(database)
        own_server.halt(how)
        with pytest.raises(StoreUnavailable, match=f"asking: 127.0.0.1:{own_server.port}/postgres did not answer"):
            _answer(database)

        again = resume_postgres(own_server)

        assert _answer(database) == 1
        again.halt()


def test_a_server_that_is_back_in_time_is_not_noticed_by_retried_work(own_server: PostgresServer) -> None:
    servers = [own_server]
    with Database(own_server.url("postgres")) as database:
        _answer(database)
        own_server.halt()

        told = retried(lambda: _answer(database), pause=lambda _: servers.append(resume_postgres(own_server)))

        assert told == 1
        servers[-1].halt()


def test_an_unreachable_port_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        database = Database(f"postgresql://u:55word@127.0.0.1:{port}/market")

        with pytest.raises(StoreUnavailable) as caught:
            _answer(database)

    assert str(caught.value) == (
        f'asking: 127.0.0.1:{port}/market did not answer: connection to server at "127.0.0.1", port {port} failed: '
        "Connection refused; see that the server runs, then try again"
    )


def test_a_host_that_does_not_exist_is_told() -> None:
    database = Database("postgresql://u:55word@no-such-host.invalid/market?connect_timeout=3")

    with pytest.raises(StoreUnavailable, match=r"no-such-host.invalid:5432/market did not answer") as caught:
        _answer(database)

    assert "55word" not in str(caught.value)


def test_a_server_that_accepts_and_never_answers_is_given_up() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        database = Database(f"postgresql://u:55word@127.0.0.1:{mute.getsockname()[1]}/market?connect_timeout=2")

        with pytest.raises(StoreUnavailable, match=r"did not answer: .*timeout"):
            _answer(database)


def test_a_wrong_password_is_final_and_not_repeated(postgres_url: str) -> None:
    password = postgres_url.partition("://")[2].partition("@")[0].partition(":")[2]
    database = Database(postgres_url.replace(password, "wr0ngword"))

    with pytest.raises(StoreError, match=r"password authentication failed.*mend the user or password") as caught:
        _answer(database)

    assert not isinstance(caught.value, StoreUnavailable)
    assert "wr0ngword" not in str(caught.value)
    assert "wr0ngword" not in repr(caught.value.__cause__)


def test_a_password_of_odd_characters_opens_the_door(postgres_server: PostgresServer, postgres_url: str) -> None:
    role = postgres_url.rpartition("/")[2]
    command(postgres_server.url("postgres"), f"alter role {role} password 'a@b:c/d%e?f#g h''i'")
    escaped = "a%40b%3Ac%2Fd%25e%3Ff%23g%20h'i"

    with Database(postgres_server.url(role, user=role, password=escaped)) as database:
        assert _answer(database) == 1


def test_a_missing_database_is_final(postgres_server: PostgresServer) -> None:
    database = Database(postgres_server.url("nothing_here"))

    with pytest.raises(StoreError, match='database "nothing_here" does not exist; create the database') as caught:
        _answer(database)

    assert not isinstance(caught.value, StoreUnavailable)


def test_a_login_without_rights_is_told_which_role_it_needs(store_dsn: str) -> None:
    command(store_dsn, "create schema secret", "create table secret.t (x int)")
    question = "set local role pg_monitor; select x from secret.t"

    with Database(store_dsn) as database:
        with pytest.raises(StoreError, match=r"permission denied for .*marketdata_reader where it only reads"):
            _run(database, "reading", question)

        assert _answer(database) == 1


def test_a_standby_is_read_and_says_that_it_takes_no_writes(own_server: PostgresServer) -> None:
    with Database(own_server.url("postgres")) as database:
        database.migrate()
    own_server.halt()
    # Without a primary to follow it answers from what it has.
    (own_server.folder / "data" / "standby.signal").touch()
    standby = resume_postgres(own_server)

    with Database(standby.url("postgres")) as database:
        assert database.engine.is_read_only
        assert "standby" in database.engine.remarks[0]
        assert database.migrate() == ()
        assert _answer(database) == 1
        with pytest.raises(StoreError, match="read-only transaction; the server takes no writes: name the primary"):
            _run(database, "publishing", "delete from marketdata.published")
    standby.halt()
