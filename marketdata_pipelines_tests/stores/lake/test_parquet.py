"""Lake files: whole or not at all, and the same bytes for the same table."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA, BAR_SCHEMA, RAW_BAR_SCHEMA
from marketdata_pipelines.errors import PartitionMissing, StoreError
from marketdata_pipelines.stores.lake.parquet import (
    FileWrite,
    prepare_files,
    read_file,
    read_manifest,
    remove_leftovers,
    write_file,
)
from marketdata_pipelines_tests.builders import bar, bar_table, raw_bars

MANIFEST: dict[str, object] = {"feed": "a", "rows": 2}


def write(path: Path, table: pa.Table, manifest: dict[str, object] | None = None) -> int:
    return write_file(path, table, MANIFEST if manifest is None else manifest, path.parent / ".tmp")


def some_bars() -> pa.Table:
    rows = [bar("A", "2024-03-08 14:30", 1.25), bar("B", "2024-03-08 14:30", 1.2345, volume=None)]
    return bar_table(rows)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "t" / "2024-03-08.parquet"

    size = write(path, some_bars())

    assert size == path.stat().st_size
    read = read_file(path)
    assert read.to_pylist() == some_bars().to_pylist()
    assert read.drop_columns(["symbol"]).schema.equals(BAR_SCHEMA.remove(0))


@pytest.mark.parametrize("schema", [BAR_SCHEMA, AGGREGATE_SCHEMA, RAW_BAR_SCHEMA])
def test_tables_without_rows_keep_their_columns(tmp_path: Path, schema: pa.Schema) -> None:
    path = tmp_path / "empty.parquet"

    write(path, schema.empty_table())

    read = read_file(path)
    assert read.num_rows == 0
    assert read.column_names == schema.names
    assert read.schema.field("open").type == pa.float64()


def test_the_manifest_is_in_the_file(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", some_bars())
    pq.write_table(pa.table({"x": [1]}), tmp_path / "foreign.parquet")

    assert read_manifest(tmp_path / "a.parquet") == MANIFEST
    assert read_manifest(tmp_path / "foreign.parquet") == {}


def test_the_same_table_and_manifest_give_the_same_bytes(tmp_path: Path) -> None:
    table = some_bars()
    for name in ("a", "b"):
        write(tmp_path / name, table)
    write(tmp_path / "c", pa.concat_tables([table.slice(0, 1), table.slice(1)]), {"rows": 2, "feed": "a"})

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pq.read_table(tmp_path / "c").equals(pq.read_table(tmp_path / "a"))


def test_chosen_columns_only_are_read(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", some_bars())

    assert read_file(tmp_path / "a.parquet", ["symbol", "close"]).column_names == ["symbol", "close"]


def test_the_signature_tells_how_floats_are_stored(tmp_path: Path) -> None:
    table = pa.table({"symbol": ["A"], "open": [1.25], "close": [0.1 + 0.2], "n": [1]})

    prepared = prepare_files([FileWrite(tmp_path / "a.parquet", table, {})], tmp_path)[0]

    assert prepared.signature == "open:2,close:double"


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(PartitionMissing, match="marketdata doctor"):
        read_file(tmp_path / "nothing.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.parquet"
    path.write_bytes(content)

    with pytest.raises(StoreError, match="delete it and materialize its partition again"):
        read_file(path)


def test_a_truncated_file_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.parquet"
    write(path, some_bars())
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(StoreError, match=r"cut\.parquet cannot be read"):
        read_file(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(path, some_bars())
    before = path.read_bytes()

    with pytest.raises(TypeError):
        write(path, some_bars(), {"not json": object()})

    assert path.read_bytes() == before
    assert list((tmp_path / ".tmp").iterdir()) == []


_KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
import pyarrow as pa
from marketdata_pipelines.stores.lake import parquet

def die(prepared):
    assert prepared[0].temporary.stat().st_size > 0
    os.kill(os.getpid(), signal.SIGKILL)

parquet.publish_files = die
folder = Path(sys.argv[1])
parquet.write_file(folder / "a.parquet", pa.table({"x": [9.0]}), {}, folder / ".tmp")
"""


def test_a_killed_writer_leaves_the_old_file_and_its_leftover_goes_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(path, pa.table({"x": [1.0]}))

    killed = subprocess.run([sys.executable, "-c", _KILLED_WHILE_WRITING, str(tmp_path)], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert read_file(path)["x"].to_pylist() == [1.0]
    assert len(list((tmp_path / ".tmp").iterdir())) == 1
    remove_leftovers(tmp_path / ".tmp")
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_what_a_living_writer_has_in_hand_stays(tmp_path: Path) -> None:
    folder = tmp_path / ".tmp"
    folder.mkdir()
    living = folder / f"{os.getpid()}-0123456789ab.tmp"
    living.write_bytes(b"half")

    remove_leftovers(folder)

    assert living.exists()


def test_other_files_in_the_temporary_folder_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / ".tmp"
    folder.mkdir()
    for name in ("notes.tmp", "readme.txt"):
        (folder / name).write_bytes(b"")

    remove_leftovers(folder)
    remove_leftovers(tmp_path / "not there")

    assert sorted(path.name for path in folder.iterdir()) == ["notes.tmp", "readme.txt"]


def test_raw_rows_with_not_a_number_are_kept_as_the_source_said(tmp_path: Path) -> None:
    path = tmp_path / "raw.parquet"

    write(path, raw_bars([bar("A", "2024-03-08 14:30", open=float("nan"), high=float("inf"), low=None)]))

    row = read_file(path).to_pylist()[0]
    assert (str(row["open"]), row["high"], row["low"]) == ("nan", float("inf"), None)
