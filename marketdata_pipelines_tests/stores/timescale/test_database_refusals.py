"""What a server refuses while it runs: no connection left, a statement that takes too long, who waits for whom."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from marketdata_pipelines.errors import StoreError, StoreUnavailable
from marketdata_pipelines.stores.timescale import partitions
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.locks import lock_partition
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.faulty_servers import FaultyServer, faulty_server
from marketdata_pipelines_tests.servers import PostgresServer
from marketdata_pipelines_tests.stores.timescale.faulty_publication import (
    DAY,
    differences,
    open_store,
    publish,
    published_version,
)
from marketdata_pipelines_tests.waiting import wait_until


@pytest.fixture(scope="module")
def narrow(postgres_server: PostgresServer) -> Iterator[FaultyServer]:
    """A server with very few connections."""
    with faulty_server(max_connections="6", superuser_reserved_connections="2", max_wal_senders="0") as server:
        yield server


def test_a_server_that_is_full_is_said_to_be_full_and_used_once_somebody_leaves(narrow: FaultyServer) -> None:
    database = narrow.new_database()
    everybody = [psycopg.connect(narrow.direct_url(database)) for _ in range(6)]
    with open_store(narrow.url(database)) as store:
        with pytest.raises(StoreUnavailable) as caught:
            publish(store, "new")
        for one in everybody:
            one.close()

        told = str(caught.value)
        assert "did not answer: " in told
        assert "too many clients already; wait, or let it take more connections (max_connections, " in told
        assert publish(store, "new").changed


def test_a_publication_that_has_to_wait_for_a_connection_gets_it_by_trying_again(narrow: FaultyServer) -> None:
    database = narrow.new_database()
    everybody = [psycopg.connect(narrow.direct_url(database)) for _ in range(6)]

    def leave() -> None:
        for one in everybody:
            one.close()
        wait_until(narrow.answers, "a connection that is free")

    with open_store(narrow.url(database)) as store:
        # Every connection begins by naming its database; the first is refused.
        narrow.wire.arm_at(b"database", 2, leave)

        assert publish(store, "new").changed
    assert not narrow.wire.is_armed


def test_a_publication_that_waits_too_long_for_another_is_told_and_nothing_changed(
    store_database: Database, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TimescaleStore(store_database)
    publish(store, "old")
    with psycopg.connect(store_dsn) as other, monkeypatch.context() as patch:
        lock_partition(other, "us", "validated_bars", DAY)
        patch.setattr(partitions, "SECONDS", 0.2)

        with pytest.raises(StoreError, match=r"us: publishing 2024-07-02: .* statement timeout; ask for less"):
            publish(store, "new")

    assert published_version(store) == "old"
    assert differences(store, "old") == []
    assert publish(store, "new").changed
    assert differences(store, "new") == []


def test_a_publication_that_an_administrator_stops_leaves_the_old_partition(
    store_database: Database, store_dsn: str
) -> None:
    store = TimescaleStore(store_database)
    publish(store, "old")
    with psycopg.connect(store_dsn) as other, psycopg.connect(store_dsn, autocommit=True) as administrator:
        lock_partition(other, "us", "validated_bars", DAY)

        def stop() -> bool:
            rows = administrator.execute(
                "select pg_cancel_backend(pid) from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchall()
            return bool(rows)

        stopping = threading.Thread(target=wait_until, args=(stop, "the publication to wait"))
        stopping.start()
        with pytest.raises(StoreError, match="canceling statement due to user request") as caught:
            publish(store, "new")
        stopping.join()

    assert not isinstance(caught.value, StoreUnavailable)
    assert published_version(store) == "old"
    assert differences(store, "old") == []


def test_two_that_wait_for_each_other_are_parted_and_both_done(store_database: Database, store_dsn: str) -> None:
    store = TimescaleStore(store_database)
    publish(store, "old")
    with psycopg.connect(store_dsn) as other:
        other.execute("set deadlock_timeout = '10s'")
        other.execute("lock table us.bars in share mode")

        def wait_for_the_partition() -> None:
            # The publication holds its partition, and waits for the table: only one of both can go on.
            wait_until(lambda: waits_for_table(store_dsn), "the publication to wait")
            lock_partition(other, "us", "validated_bars", DAY)
            other.rollback()

        waiting = threading.Thread(target=wait_for_the_partition)
        waiting.start()
        published = publish(store, "new")
        waiting.join()

    assert (published.inputs, published.changed) == ("new", True)
    assert differences(store, "new") == []


def waits_for_table(dsn: str) -> bool:
    """Whether a session of the store waits for a table's lock."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and application_name = 'marketdata' and wait_event_type = 'Lock' and wait_event = 'relation'"
        ).fetchone()
    return bool(row and row[0])
