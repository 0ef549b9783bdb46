"""Several servers in one address: the first away, one promoted, one back; who is asked, and what is said of them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from marketdata_pipelines.errors import StoreError, StoreUnavailable
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines_tests.faulty_servers import FaultyServer, faulty_server
from marketdata_pipelines_tests.servers import PostgresServer, free_port, resume_postgres, start_standby
from marketdata_pipelines_tests.stores.timescale.faulty_publication import (
    differences,
    open_store,
    publish,
    published_version,
)
from marketdata_pipelines_tests.waiting import wait_until

PRIMARY = "target_session_attrs=primary"


class Pair:
    """A primary behind a wire, and its standby."""

    def __init__(self, primary: FaultyServer, standby: PostgresServer, database: str) -> None:
        self.primary, self.standby, self.database = primary, standby, database

    def url(self, options: str = PRIMARY, password: str = "") -> str:
        login = f"postgres:{password}" if password else "postgres"
        return f"postgresql://{login}@{self.places}/{self.database}?{options}"

    @property
    def places(self) -> str:
        return f"{self.primary.place},127.0.0.1:{self.standby.port}"

    def promote(self) -> None:
        """Make the standby a primary."""
        self.standby.run("select pg_promote()")

    def fail_over(self) -> None:
        """The primary is gone, and the standby takes its place."""
        self.primary.kill()
        self.promote()

    def resume_standby(self) -> None:
        """Start the standby where it was, a standby still."""
        self.standby = resume_postgres(self.standby)

    def has_replayed(self) -> bool:
        """Whether the standby has all that the primary has."""
        with psycopg.connect(self.primary.direct_url("postgres")) as connection:
            row = connection.execute(
                "select bool_and(replay_lsn = pg_current_wal_lsn()) from pg_stat_replication"
            ).fetchone()
        return bool(row and row[0])


@pytest.fixture(scope="module")
def primary(postgres_server: PostgresServer) -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def pair(primary: FaultyServer) -> Iterator[Pair]:
    """A primary and a standby of this test, which may do what it likes with both."""
    primary.resume()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    folder.chmod(0o755)
    database = primary.new_database()
    made = Pair(primary, start_standby(primary.server, folder / "standby"), database)
    yield made
    made.standby.kill()
    shutil.rmtree(folder, ignore_errors=True)


def port_of(database: Database) -> int:
    with database.connection("asking") as connection:
        row = connection.execute("select inet_server_port()").fetchone()
    assert row is not None
    return int(row[0])


def test_a_publication_goes_on_at_the_standby_that_takes_the_place_of_its_primary(pair: Pair) -> None:
    with open_store(pair.url()) as store:
        publish(store, "old")
        pair.primary.wire.arm(None)
        publish(store, "new")
        sent = pair.primary.wire.sent
        publish(store, "old")
        wait_until(pair.has_replayed, "the standby to have what the primary has")
        pair.primary.wire.arm(sent // 2, pair.fail_over)

        published = publish(store, "new")

        assert (published.inputs, published.changed) == ("new", True)
        assert port_of(store.database) == pair.standby.port
        assert differences(store, "new") == []


def test_what_the_standby_never_heard_of_is_behind_again_and_published_again(pair: Pair) -> None:
    with open_store(pair.url()) as store:
        publish(store, "old")
        wait_until(pair.has_replayed, "the standby to have what the primary has")
        pair.standby.kill()
        publish(store, "new")

        pair.primary.kill()
        pair.resume_standby()
        pair.promote()

        assert published_version(store) == "old"
        assert differences(store, "old") == []
        publish(store, "new")
        assert differences(store, "new") == []


def test_until_the_standby_is_promoted_it_is_said_that_no_server_takes_writes(pair: Pair) -> None:
    with Database(pair.url(password="hush")) as database:
        assert port_of(database) == pair.primary.server.port
        pair.primary.kill()

        with pytest.raises(StoreUnavailable) as caught:
            port_of(database)
        pair.promote()
        after = port_of(database)

    told = str(caught.value)
    assert told.startswith(f"asking: {pair.places}/{pair.database} did not answer: ")
    assert f'"127.0.0.1", port {pair.primary.wire.port} failed: ' in told
    assert f'"127.0.0.1", port {pair.standby.port} failed: server is in hot standby mode; wait until a fail' in told
    assert "hush" not in told
    assert after == pair.standby.port


def test_what_runs_is_asked_again_after_an_outage(pair: Pair) -> None:
    with Database(pair.url("target_session_attrs=prefer-standby")) as database:
        before = database.engine
        assert port_of(database) == pair.standby.port
        pair.standby.kill()
        port = port_of(database)

        assert before.is_read_only
        assert port == pair.primary.server.port
        assert not database.engine.is_read_only
        assert database.migrate()


def test_a_standby_that_was_promoted_under_open_connections_is_published_to(pair: Pair) -> None:
    with open_store(pair.url()) as store:
        publish(store, "old")
        wait_until(pair.has_replayed, "the standby to have what the primary has")
    with open_store(pair.url("target_session_attrs=any").replace(f"{pair.primary.place},", "")) as store:
        assert published_version(store) == "old"
        with pytest.raises(
            StoreError, match=r"the server takes no writes: name the primary in the address, and of sev"
        ):
            publish(store, "new")
        pair.promote()

        publish(store, "new")

        assert differences(store, "new") == []


def test_the_first_server_is_used_again_once_it_is_back(pair: Pair) -> None:
    with Database(pair.url("target_session_attrs=any"), pool_size=2) as database:
        ports = [port_of(database)]
        pair.primary.kill()
        ports.append(port_of(database))
        pair.primary.resume()
        pair.standby.halt()
        ports.append(port_of(database))

    assert ports == [pair.primary.server.port, pair.standby.port, pair.primary.server.port]


def test_servers_none_of_which_is_there_are_all_named_with_their_reasons() -> None:
    one, two = free_port(), free_port()
    database = Database(f"postgresql://u:55word@127.0.0.1:{one},127.0.0.1:{two}/market")

    with pytest.raises(StoreUnavailable) as caught:
        port_of(database)

    refused = 'connection to server at "127.0.0.1", port {} failed: Connection refused'
    assert str(caught.value) == (
        f"asking: 127.0.0.1:{one},127.0.0.1:{two}/market did not answer: "
        f"{refused.format(one)}; {refused.format(two)}; see that the server runs, then try again"
    )
