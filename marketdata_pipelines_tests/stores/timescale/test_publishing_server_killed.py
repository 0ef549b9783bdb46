"""The whole server killed while a partition is sent, and started again: the old partition or the new, never a part."""

import random
from collections.abc import Iterator

import pytest

from marketdata_pipelines.errors import StoreUnavailable
from marketdata_pipelines.stores.timescale import chunks
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.faulty_servers import FaultyServer, faulty_server
from marketdata_pipelines_tests.servers import PostgresServer
from marketdata_pipelines_tests.stores.timescale.faulty_publication import (
    BARS,
    differences,
    is_in_ledger,
    open_store,
    publish,
    published_version,
)
from marketdata_pipelines_tests.waiting import wait_until


@pytest.fixture(scope="module")
def faulty(postgres_server: PostgresServer) -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def database(faulty: FaultyServer) -> Iterator[str]:
    faulty.resume()
    yield faulty.new_database()
    faulty.wire.arm(None)


@pytest.fixture(params=[1, 100_000], ids=["a chunk a session", "one chunk"])
def either_chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The partition's chunk is emptied and filled, as of large feeds, or its rows are deleted and others written."""
    monkeypatch.setattr(chunks, "_ROWS_OF_A_LARGE_SESSION", request.param)


@pytest.mark.usefixtures("either_chunk")
def test_a_server_that_stays_away_leaves_the_old_partition_and_takes_the_new_when_it_is_back(
    faulty: FaultyServer, database: str
) -> None:
    with open_store(faulty.url(database)) as store:
        sent = bytes_of_a_publication(faulty, store)
        faulty.wire.arm(random.Random(1).randrange(sent // 10, sent), faulty.kill)

        with pytest.raises(StoreUnavailable, match=f"us: .*{faulty.place}/{database} did not answer: .*try again"):
            publish(store, "new")
        faulty.resume()

        assert published_version(store) == "old"
        assert differences(store, "old") == []
        assert publish(store, "new").rows == BARS["new"].num_rows
        assert published_version(store) == "new"
        assert differences(store, "new") == []


@pytest.mark.usefixtures("either_chunk")
@pytest.mark.parametrize("seed", range(2))
def test_a_server_that_was_killed_and_is_back_is_not_noticed_by_who_publishes(
    faulty: FaultyServer, database: str, seed: int
) -> None:
    with open_store(faulty.url(database)) as store:
        sent = bytes_of_a_publication(faulty, store)
        faulty.wire.arm(random.Random(seed).randrange(1, sent), faulty.kill_and_resume)

        published = publish(store, "new")

        assert not faulty.wire.is_armed
        assert (published.inputs, published.changed, published.rolled) == ("new", True, True)
        assert published_version(store) == "new"
        assert differences(store, "new") == []


@pytest.mark.parametrize("seed", range(2))
def test_the_very_first_publication_is_done_whole_though_the_server_is_killed_in_its_tables_or_rows(
    faulty: FaultyServer, database: str, seed: int
) -> None:
    with open_store(faulty.url(faulty.new_database())) as other:
        faulty.wire.arm(None)
        publish(other, "new")
        sent = faulty.wire.sent
    with open_store(faulty.url(database)) as store:
        # The tables are made by the first percents of what is sent.
        faulty.wire.arm(random.Random(seed).randrange(1, sent // (20 if seed else 1)), faulty.kill_and_resume)

        publish(store, "new")

        assert not faulty.wire.is_armed
        assert differences(store, "new") == []


def test_one_session_killed_makes_the_server_throw_out_everybody_and_the_publication_is_done_again(
    faulty: FaultyServer, database: str
) -> None:
    with open_store(faulty.url(database)) as store:
        sent = bytes_of_a_publication(faulty, store)
        faulty.wire.arm(sent // 2, lambda: faulty.kill_sessions(database))

        published = publish(store, "new")

        assert (published.inputs, published.changed) == ("new", True)
        assert differences(store, "new") == []


def test_a_commit_whose_answer_was_lost_is_neither_lost_nor_done_twice(faulty: FaultyServer, database: str) -> None:
    def kill_once_committed() -> None:
        wait_until(lambda: is_in_ledger(faulty.direct_url(database), "new"), "the commit")
        faulty.kill_and_resume()

    with open_store(faulty.url(database)) as store:
        publish(store, "new")
        publish(store, "old")
        faulty.wire.arm_at(b"COMMIT", None)
        publish(store, "new")
        commits = faulty.wire.sent
        publish(store, "old")
        faulty.wire.arm_at(b"COMMIT", commits, kill_once_committed)

        published = publish(store, "new")

        assert not faulty.wire.is_armed
        assert (published.inputs, published.changed) == ("new", False)
        assert differences(store, "new") == []


def bytes_of_a_publication(faulty: FaultyServer, store: TimescaleStore) -> int:
    """What replacing the old partition by the new takes; the old one is there afterwards."""
    publish(store, "old")
    faulty.wire.arm(None)
    publish(store, "new")
    sent = faulty.wire.sent
    publish(store, "old")
    return sent
