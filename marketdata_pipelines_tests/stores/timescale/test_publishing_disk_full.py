"""A server whose disk is full while a partition is sent: told with what to do, the old partition whole, then mended.

Disks are really full where this system lets a small one be made (`small_disks`); a limit of files' lengths works
everywhere, and the server meets it in the same places.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from marketdata_pipelines.errors import StoreError, StoreUnavailable
from marketdata_pipelines.stores.timescale import chunks
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.faulty_servers import FaultyServer, faulty_server
from marketdata_pipelines_tests.servers import PostgresServer
from marketdata_pipelines_tests.small_disks import DiskNotAllowed, SmallDisk, limit_files, small_disk
from marketdata_pipelines_tests.stores.timescale.faulty_publication import (
    BARS,
    differences,
    open_store,
    publish,
    published_version,
)

_SMALL_SEGMENTS = ("--wal-segsize=1",)
_DISK_BYTES = 48 << 20
# Enough for the catalogue and a segment of the log, not for the partition's rows.
_SHORT_BYTES = 1_200_000


@pytest.fixture(scope="module")
def disk() -> Iterator[SmallDisk]:
    # Not below pytest's own folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="disk-"))
    folder.chmod(0o755)
    try:
        with small_disk(folder / "small", _DISK_BYTES) as made:
            yield made
    except DiskNotAllowed as error:
        pytest.skip(f"NOT TESTED ON A FULL DISK, only with a limit of files' lengths: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def faulty(postgres_server: PostgresServer, disk: SmallDisk) -> Iterator[FaultyServer]:
    """A server that can keep databases on the disk."""
    with faulty_server(initdb=_SMALL_SEGMENTS, within=disk.within) as server:
        (disk.seen / "tables").mkdir(mode=0o777)
        (disk.seen / "tables").chmod(0o777)
        server.server.run(f"create tablespace small location '{disk.folder / 'tables'}'")
        yield server


@pytest.fixture
def database(faulty: FaultyServer, disk: SmallDisk) -> Iterator[str]:
    name = faulty.new_database("tablespace small")
    yield name
    disk.free()
    faulty.server.run(f"drop database {name} with (force)")


@pytest.mark.parametrize("free_bytes", [0, 1_100_000])
def test_a_disk_full_of_other_things_is_told_and_the_old_partition_stays(
    faulty: FaultyServer, disk: SmallDisk, database: str, free_bytes: int
) -> None:
    with open_store(faulty.url(database)) as store:
        publish(store, "old")
        disk.fill(free_bytes)

        with pytest.raises(StoreError) as caught:
            publish(store, "new")

        told = str(caught.value)
        assert told.startswith(f"us: publishing 2024-07-02: {faulty.place}/{database} refused: could not extend file")
        assert told.endswith("No space left on device; make room on the server's disk, then publish again: "
                             "what was not finished is undone")  # fmt: skip
        assert published_version(store) == "old"
        assert differences(store, "old") == []
        disk.free()
        assert publish(store, "new").changed
        assert differences(store, "new") == []


def test_a_first_publication_to_a_full_disk_leaves_nothing_that_anybody_would_take_for_a_partition(
    faulty: FaultyServer, disk: SmallDisk, database: str
) -> None:
    with open_store(faulty.url(database)) as store:
        disk.fill(900_000)

        with pytest.raises(StoreError, match=f"{faulty.place}/{database} refused: .*make room on the server's disk"):
            publish(store, "new")

        disk.free()
        assert published_version(store) == ""
        assert rows_of_feed(faulty.direct_url(database)) == 0
        assert publish(store, "new").rows == BARS["new"].num_rows
        assert differences(store, "new") == []


def test_what_others_publish_meanwhile_to_a_disk_with_room_is_not_held_up(
    faulty: FaultyServer, disk: SmallDisk, database: str
) -> None:
    with open_store(faulty.url(database)) as full, open_store(faulty.url(faulty.new_database())) as roomy:
        publish(full, "old")
        disk.fill(0)

        with pytest.raises(StoreError, match="No space left on device"):
            publish(full, "new")

        assert publish(roomy, "new").changed
        assert differences(roomy, "new") == []


def test_a_full_disk_of_the_log_takes_the_server_down_and_nothing_that_was_told_is_lost(
    postgres_server: PostgresServer, disk: SmallDisk
) -> None:
    log = f"--waldir={disk.folder / 'log'}"
    with faulty_server(initdb=(*_SMALL_SEGMENTS, log), within=disk.within, min_wal_size="2MB") as faulty:
        database = faulty.new_database()
        with open_store(faulty.url(database)) as store:
            publish(store, "old")
            disk.fill(0)
            # Segments that were made before are used up first.
            last, error = publish_until_refused(store)
            disk.free()
            faulty.recover()

            assert f"{faulty.place}/{database}" in str(error)
            # Another process of the server may have met it first, and taken all others down.
            if not isinstance(error, StoreUnavailable):
                assert "No space left on device; make room on the server's disk" in str(error)
            assert published_version(store) == last
            assert differences(store, last) == []
            for version in ("new", "old"):
                publish(store, version)
                assert differences(store, version) == []


@pytest.mark.parametrize("rows_of_a_chunk", [1, 100_000], ids=["emptied", "deleted from"])
def test_a_table_that_the_server_may_not_make_longer_is_told_and_the_old_partition_stays(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, rows_of_a_chunk: int
) -> None:
    monkeypatch.setattr(chunks, "_ROWS_OF_A_LARGE_SESSION", rows_of_a_chunk)
    with faulty_server(initdb=_SMALL_SEGMENTS) as faulty:
        database = faulty.new_database()
        with open_store(faulty.url(database)) as store:
            publish(store, "old")
            store.database.close()
            limit_files(faulty.server, _SHORT_BYTES)

            with pytest.raises(StoreError) as caught:
                publish(store, "new")

            store.database.close()
            limit_files(faulty.server, None)
            told = str(caught.value)
            assert told.startswith(f"us: publishing 2024-07-02: {faulty.place}/{database} refused: could not extend")
            assert told.endswith("File too large; make room on the server's disk, then publish again: "
                                 "what was not finished is undone")  # fmt: skip
            assert published_version(store) == "old"
            assert differences(store, "old") == []
            assert publish(store, "new").changed
            assert differences(store, "new") == []


def publish_until_refused(store: TimescaleStore) -> tuple[str, StoreError]:
    """Publish the versions in turn until the server refuses: the last that was published, and the refusal."""
    last = "old"
    for _ in range(60):
        version = "new" if last == "old" else "old"
        try:
            publish(store, version)
        except StoreError as error:
            return last, error
        last = version
    raise AssertionError("the disk never was full")


def rows_of_feed(dsn: str) -> int:
    """How many rows of the feed anybody sees."""
    with psycopg.connect(dsn) as connection:
        table = connection.execute("select to_regclass('us.bars')").fetchone()
        if table == (None,):
            return 0
        row = connection.execute("select count(*) from us.bars").fetchone()
    assert row is not None
    return int(row[0])
