"""Faults of every kind at random points of publications: readers see whole partitions, and the end is the lake's."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale import chunks
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.faulty_servers import FaultyServer, faulty_server
from marketdata_pipelines_tests.servers import PostgresServer
from marketdata_pipelines_tests.small_disks import limit_files
from marketdata_pipelines_tests.stores.timescale.faulty_publication import (
    BARS,
    differences,
    open_store,
    publish,
    published_version,
    total,
)

# What a whole publication sends is a little more, and it has these commits: of what it prepares, and its own.
_MOST_BYTES = 1_500_000
_COMMITS = 3
_SHORT_BYTES = 1_200_000
FAULTS = ("cut", "cut at commit", "session killed", "server killed", "server gone", "disk full")
STEPS = st.tuples(st.sampled_from(FAULTS), st.floats(0, 1))


@pytest.fixture(scope="module")
def faulty(postgres_server: PostgresServer) -> Iterator[FaultyServer]:
    with faulty_server(initdb=("--wal-segsize=1",)) as server:
        yield server


class Reader(threading.Thread):
    """Counts and adds up the store's bars again and again, whatever becomes of its connection."""

    def __init__(self, dsn: Callable[[], str]) -> None:
        super().__init__(daemon=True)
        self._dsn, self._ended = dsn, threading.Event()
        self.seen: Counter[tuple[int, int]] = Counter()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._read()
            except psycopg.OperationalError:
                self._ended.wait(0.02)

    def end(self) -> None:
        self._ended.set()
        self.join(30)

    def _read(self) -> None:
        with psycopg.connect(self._dsn(), autocommit=True) as connection:
            while not self._ended.wait(0.002):
                row = connection.execute("select count(*), sum(round(close * 100))::bigint from us.bars_1m").fetchone()
                assert row is not None
                self.seen[row] += 1


@contextmanager
def reading(dsn: Callable[[], str]) -> Iterator[Reader]:
    reader = Reader(dsn)
    reader.start()
    try:
        yield reader
    finally:
        reader.end()


def prepare_fault(faulty: FaultyServer, store: TimescaleStore, database: str, fault: str, share: float) -> None:
    """Have the next publication meet a fault, `share` of its way on."""
    at_bytes: dict[str, Callable[[], None]] = {
        "cut": faulty.wire.cut,
        "session killed": lambda: faulty.kill_sessions(database),
        "server killed": faulty.kill_and_resume,
        "server gone": faulty.kill,
    }
    if fault in at_bytes:
        faulty.wire.arm(1 + int(share * _MOST_BYTES), at_bytes[fault])
    elif fault == "cut at commit":
        faulty.wire.arm_at(b"COMMIT", 1 + int(share * _COMMITS))
    else:
        # It holds for the server's processes that begin from now on.
        store.database.close()
        limit_files(faulty.server, _SHORT_BYTES)


def mend(faulty: FaultyServer, store: TimescaleStore) -> None:
    """The wire is whole, the server there, and its disk has room."""
    faulty.wire.arm(None)
    faulty.recover()
    limit_files(faulty.server, None)
    store.database.close()


def check_step(faulty: FaultyServer, store: TimescaleStore, database: str, fault: str, share: float) -> bool:
    """Publish the other version under a fault, and see what is there once that is over; whether it was met."""
    before = published_version(store)
    after = "new" if before == "old" else "old"
    prepare_fault(faulty, store, database, fault, share)
    try:
        publish(store, after)
    except StoreError as error:
        told, is_met, expected = str(error), True, {before, after}
    else:
        told, is_met, expected = "", fault != "disk full" and not faulty.wire.is_armed, {after}
    mend(faulty, store)
    assert not told or faulty.place in told
    found = published_version(store)
    assert found in expected
    assert differences(store, found) == []
    return is_met


def test_readers_see_whole_partitions_whatever_happens_and_the_end_is_what_the_lake_has(
    faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {total(bars) for bars in BARS.values()}
    met: Counter[str] = Counter()

    @settings(
        max_examples=3,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow],
        deadline=None,
    )
    @example([(fault, 0.6) for fault in FAULTS], 1, "new")
    @given(st.lists(STEPS, min_size=2, max_size=3), st.sampled_from([1, 100_000]), st.sampled_from(sorted(BARS)))
    def run(steps: list[tuple[str, float]], rows_of_a_large_session: int, last: str) -> None:
        # The partition's chunk is emptied and filled, or its rows are deleted and others written.
        monkeypatch.setattr(chunks, "_ROWS_OF_A_LARGE_SESSION", rows_of_a_large_session)
        database = faulty.new_database()
        with open_store(faulty.url(database)) as store:
            publish(store, "old")
            with reading(lambda: faulty.direct_url(database)) as reader:
                for fault, share in steps:
                    met[fault] += check_step(faulty, store, database, fault, share)
                publish(store, last)
            assert published_version(store) == last
            assert differences(store, last) == []
        assert reader.seen.keys() <= whole
        assert reader.seen

    run()
    assert met.keys() == set(FAULTS)
    assert min(met.values()) > 0
