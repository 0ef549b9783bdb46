"""Storing only on what still holds, and several writers at once: files and index never part."""

import threading
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pytest
from filelock import FileLock, Timeout

from marketdata_pipelines.errors import PartitionConflict
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines.stores.lake.parquet import read_manifest
from marketdata_pipelines_tests.builders import bar, bar_table, lake_files

DAY, NEXT = "2024-03-08", "2024-03-11"
TABLES = ("bars_5m", "bars_1d", "validated_bars")
ROUNDS = 15


def bars(rows: int) -> pa.Table:
    return bar_table([bar("A", f"2024-03-08 14:{30 + n}", 100.0 + rows) for n in range(rows)])


def writes(mark: str, rows: int, key: str = DAY) -> list[TableWrite]:
    """All tables of a partition, made from inputs of that name."""
    return [TableWrite(name, key, bars(rows), mark) for name in TABLES]


def temporary(lake: Lake) -> list[Path]:
    return list(lake.layout.temporary.iterdir())


def test_tables_are_stored_when_what_they_rest_on_holds(lake: Lake) -> None:
    asked: list[str] = []

    def holds() -> bool:
        asked.append("once")
        return True

    stored = lake.store("f", writes("one", 1), {}, holds=holds)

    assert asked == ["once"]
    assert [each.inputs for each in stored] == ["one"] * 3
    assert temporary(lake) == []


def test_a_conflict_changes_nothing_and_leaves_no_file(lake: Lake) -> None:
    lake.store("f", [*writes("one", 1), *writes("one", 1, NEXT)], {})
    files, index = lake_files(lake), [lake.catalog.stored(name, "f") for name in TABLES]
    again = [*writes("two", 2), TableWrite("bars_5m", NEXT, None, ""), TableWrite("bars_2d", DAY, bars(2), "two")]

    with pytest.raises(
        PartitionConflict, match=r"what 2024-03-08, 2024-03-11 of f was made from has changed meanwhile"
    ):
        lake.store("f", again, {}, holds=lambda: False)

    assert lake_files(lake) == files
    assert [lake.catalog.stored(name, "f") for name in TABLES] == index
    assert lake.catalog.stored("bars_2d", "f") == []
    assert temporary(lake) == []


def test_a_removal_alone_can_conflict_too(lake: Lake) -> None:
    lake.store("f", writes("one", 1), {})

    with pytest.raises(PartitionConflict):
        lake.store("f", [TableWrite("bars_5m", DAY, None, "")], {}, holds=lambda: False)

    assert lake.read("bars_5m", "f", DAY).num_rows == 1


def test_a_question_that_fails_changes_nothing_and_leaves_no_file(lake: Lake) -> None:
    lake.store("f", writes("one", 1), {})
    files = lake_files(lake)

    def holds() -> bool:
        raise ValueError("cannot be told")

    with pytest.raises(ValueError, match="cannot be told"):
        lake.store("f", writes("two", 2), {}, holds=holds)

    assert lake_files(lake) == files
    assert temporary(lake) == []


@pytest.mark.parametrize("position", range(6))
def test_a_table_that_cannot_be_written_leaves_no_file_of_the_others(lake: Lake, position: int) -> None:
    unwritable = pa.table({"interval": pa.nulls(1, pa.month_day_nano_interval())})
    work = [TableWrite(f"t{number}", DAY, bars(2), "") for number in range(6)]
    work[position] = TableWrite("odd", DAY, unwritable, "")

    with pytest.raises(pa.ArrowException):
        lake.store("f", work, {})

    assert lake_files(lake) == {}
    assert temporary(lake) == []


def test_it_is_asked_when_nobody_else_can_store_tables_of_the_feed(lake: Lake) -> None:
    found: list[str] = []

    def holds() -> bool:
        for feed in ("f", "g"):
            try:
                with FileLock(lake.layout.publish_lock(feed), timeout=0):
                    found.append(f"{feed} is free")
            except Timeout:
                found.append(f"{feed} is locked")
        return True

    lake.store("f", writes("one", 1), {}, holds=holds)

    assert found == ["f is locked", "g is free"]


def test_of_two_that_rest_on_the_same_only_the_first_is_stored(lake: Lake) -> None:
    lake.store("f", writes("before", 1), {})
    both_ready = threading.Barrier(2)
    ends: list[str] = []

    def store(mark: str) -> None:
        seen = lake.catalog.stored_partition("bars_1d", "f", DAY)
        both_ready.wait(30)
        try:
            lake.store(
                "f", writes(mark, 2), {}, holds=lambda: lake.catalog.stored_partition("bars_1d", "f", DAY) == seen
            )
            ends.append("stored")
        except PartitionConflict:
            ends.append("conflict")

    at_once([lambda: store("one"), lambda: store("two")])

    assert sorted(ends) == ["conflict", "stored"]
    assert_one_writer(lake)


def test_threads_that_store_the_same_partition_never_mix_files_and_index(lake: Lake) -> None:
    at_once([partial(store_again_and_again, lake.layout.root, mark) for mark in "abcd"])

    assert_one_writer(lake)
    assert temporary(lake) == []


def test_processes_that_store_the_same_partition_never_mix_files_and_index(lake: Lake) -> None:
    context = get_context("spawn")
    processes = [
        context.Process(target=store_again_and_again, args=(lake.layout.root, mark, 4 * ROUNDS)) for mark in "ab"
    ]

    for process in processes:
        process.start()
    looks = 0
    while any(process.is_alive() for process in processes):
        for process in processes:
            process.join(0.02)
        looks += lake.catalog.stored_partition("bars_1d", "f", DAY) is not None
        with FileLock(published(lake), timeout=60):
            assert_one_writer(lake)

    assert looks > 0
    assert [process.exitcode for process in processes] == [0, 0]
    assert_one_writer(lake)
    assert temporary(lake) == []


def store_again_and_again(root: Path, mark: str, rounds: int = ROUNDS) -> None:
    """Store the partition's tables in one commit each, with as many rows as the round has."""
    lake = Lake(root)
    for number in range(rounds):
        lake.store("f", writes(f"{mark}{number}", number % 7 + 1), {"by": f"{mark}{number}"})


def published(lake: Lake) -> Path:
    path = lake.layout.publish_lock("f")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def assert_one_writer(lake: Lake) -> None:
    """What is stored comes from one commit: all tables, their files and the index."""
    stored = [each for name in TABLES if (each := lake.catalog.stored_partition(name, "f", DAY)) is not None]
    manifests = [read_manifest(lake.layout.root / each.path) for each in stored]

    assert len(stored) in (0, len(TABLES))
    assert len({each.inputs for each in stored}) <= 1
    assert [manifest.get("by", each.inputs) for manifest, each in zip(manifests, stored, strict=True)] == [
        each.inputs for each in stored
    ]
    assert [manifest["rows"] for manifest in manifests] == [each.rows for each in stored]
    assert [(lake.layout.root / each.path).stat().st_size for each in stored] == [each.bytes for each in stored]


def at_once(work: list[Callable[[], None]]) -> None:
    """Do all of it in threads; the first error of any is raised."""
    errors: list[BaseException] = []

    def do(each: Callable[[], None]) -> None:
        try:
            each()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=do, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
