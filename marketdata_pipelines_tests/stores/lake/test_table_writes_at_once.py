"""Writers of different symbols at once, readers beside them, and writers that are killed: no row is lost."""

import random
import signal
import subprocess
import sys
import threading
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pytest

from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.stores.lake import table_writes
from marketdata_pipelines.stores.lake.duck import asked_again, connect, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import lake_files
from marketdata_pipelines_tests.stores.lake.test_lake_holds import at_once
from marketdata_pipelines_tests.stores.lake.test_table_writes import DAY, NAMES, TABLE, base_rows, rows_of, table_of
from marketdata_pipelines_tests.waiting import wait_until

ROUNDS = 12
KILLS = 8


@pytest.fixture(autouse=True)
def _small_tables_have_deltas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_writes, "SMALLEST_BASE_ROWS", 20)


def write_again_and_again(root: Path, symbol: str, rounds: int = ROUNDS) -> None:
    """Replace a symbol's rows; the last round writes `rounds` % 4 + 1 of them. Compacts now and then."""
    table_writes.SMALLEST_BASE_ROWS = 20
    lake = Lake(root)
    for number in range(1, rounds + 1):
        table = table_of({symbol: rows_of(symbol, number % 4 + 1)})
        lake.store("f", [TableWrite(TABLE, DAY, table, f"{symbol}{number}", symbols=(symbol,))], {})
        if number % 5 == 0:
            lake.compact(TABLE, "f", DAY)


def stored_base(lake: Lake) -> None:
    lake.store("f", [TableWrite(TABLE, DAY, table_of(base_rows()), "")], {})


def expected(symbols: str) -> pa.Table:
    return table_of(base_rows() | {symbol: rows_of(symbol, ROUNDS % 4 + 1) for symbol in symbols})


def test_threads_that_write_different_symbols_lose_nothing(lake: Lake) -> None:
    stored_base(lake)

    at_once([partial(write_again_and_again, lake.layout.root, symbol) for symbol in "WXYZ"])

    assert lake.read(TABLE, "f", DAY).to_pylist() == expected("WXYZ").to_pylist()


def test_processes_that_write_different_symbols_lose_nothing_and_readers_see_whole_tables(lake: Lake) -> None:
    stored_base(lake)
    context = get_context("spawn")
    processes = [context.Process(target=write_again_and_again, args=(lake.layout.root, symbol)) for symbol in "XY"]

    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        for process in processes:
            process.join(0.005)
        found = lake.read(TABLE, "f", DAY, symbols=NAMES)
        assert found.num_rows == 5 * len(NAMES)
        assert asked_again(lambda: rows_in_duckdb(lake)) == 5 * len(NAMES)

    assert [process.exitcode for process in processes] == [0, 0]
    assert lake.read(TABLE, "f", DAY).to_pylist() == expected("XY").to_pylist()


def rows_in_duckdb(lake: Lake) -> int:
    relation = relation_sql(lake.layout.root, lake.catalog.stored(TABLE, "f"), symbols=NAMES)
    with connect() as connection:
        row = connection.execute(f"select count(*) from ({relation})").fetchone()
    assert row is not None
    return int(row[0])


def test_a_table_merged_under_a_reader_is_looked_up_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    stored_base(lake)
    new = TableWrite(TABLE, DAY, table_of({"X": rows_of("X", 1)}), "", symbols=("X",))
    lake.store("f", [new], {})
    seen = lake.catalog.stored_partition(TABLE, "f", DAY)
    lake.compact(TABLE, "f", DAY)
    # The reader looked into the index before the table was merged, and opens its files after.
    answers = [seen, lake.catalog.stored_partition(TABLE, "f", DAY)]
    monkeypatch.setattr(lake.catalog, "stored_partition", lambda *_: answers.pop(0))

    found = lake.read(TABLE, "f", DAY)

    assert found.num_rows == 101
    assert answers == []


def test_a_file_that_is_gone_for_good_is_missed(lake: Lake) -> None:
    stored_base(lake)
    lake.layout.table_file(TABLE, "f", DAY).unlink()

    with pytest.raises(PartitionMissing, match=r"2024-03-08\.parquet is not in"):
        lake.read(TABLE, "f", DAY)
    with pytest.raises(PartitionMissing):
        lake.store("f", [TableWrite(TABLE, DAY, table_of({"X": rows_of("X", 1)}), "", symbols=("X",))], {})


def test_rows_planned_on_a_table_that_changed_meanwhile_are_planned_again(lake: Lake) -> None:
    stored_base(lake)
    one, two = (TableWrite(TABLE, DAY, table_of({x: rows_of(x, 2)}), "", symbols=(x,)) for x in "XY")
    waiting = threading.Thread(target=lake.store, args=("f", [two], {}))

    def holds() -> bool:
        # The other has planned and written its file, and waits for its turn.
        waiting.start()
        wait_until(lambda: len(list(lake.layout.temporary.glob("*.tmp"))) == 2, "two files to be put into place")
        return True

    lake.store("f", [one], {}, holds=holds)
    waiting.join(60)

    model = base_rows() | {"X": rows_of("X", 2), "Y": rows_of("Y", 2)}
    assert lake.read(TABLE, "f", DAY).to_pylist() == table_of(model).to_pylist()
    assert list(lake.layout.temporary.iterdir()) == []


_WORK = """
import sys
from pathlib import Path
from marketdata_pipelines_tests.stores.lake.test_table_writes_at_once import write_again_and_again
print("ready", flush=True)
write_again_and_again(Path(sys.argv[1]), sys.argv[2], 10_000)
"""


def test_killed_writers_leave_a_lake_that_is_read_and_written_on(lake: Lake) -> None:
    stored_base(lake)
    moments = random.Random(7)

    for number in range(KILLS):
        command = [sys.executable, "-c", _WORK, str(lake.layout.root), "WXYZ"[number % 4]]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(moments.uniform(0.05, 0.4))
            process.kill()
            assert process.wait() == -signal.SIGKILL
        stored = lake.catalog.stored_partition(TABLE, "f", DAY)
        assert stored is not None
        assert all((lake.layout.root / file.path).is_file() for file in stored.files)
        assert lake.read(TABLE, "f", DAY, symbols=NAMES).to_pylist() == table_of(base_rows()).to_pylist()
        assert lake.read(TABLE, "f", DAY).num_rows == stored.rows

    for symbol in "WXYZ":
        write_again_and_again(lake.layout.root, symbol)
    lake.compact(TABLE, "f", DAY)
    lake.clear_leftovers()

    stored = lake.catalog.stored_partition(TABLE, "f", DAY)
    assert stored is not None
    assert lake.read(TABLE, "f", DAY).to_pylist() == expected("WXYZ").to_pylist()
    # Each write removes what killed ones left of its partition.
    assert list(lake_files(lake)) == [file.path for file in stored.files]
