"""A table that is stored again with the same rows keeps its file."""

from pathlib import Path

import pyarrow as pa

from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.table_writes import TableWrite
from marketdata_pipelines_tests.builders import bar_table, lake_files, minutes

VERSIONS: dict[str, object] = {"feed": "f", "code_version": "1"}


def store(lake: Lake, table: pa.Table, inputs: str, versions: dict[str, object] = VERSIONS) -> None:
    lake.store("f", [TableWrite("validated_bars", "2024-01-05", table, inputs)], versions)


def bars(price: float = 100.0) -> pa.Table:
    return bar_table([*minutes("A", "2024-01-05 14:30", 5, price), *minutes("B", "2024-01-05 14:30", 3)])


def inputs(lake: Lake) -> str:
    stored = lake.catalog.stored_partition("validated_bars", "f", "2024-01-05")
    assert stored is not None
    return stored.inputs


def test_the_same_rows_keep_their_bytes_and_get_their_new_inputs(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    store(lake, bars(), "first")
    before = lake_files(lake)
    inode = (tmp_path / "validated_bars" / "f" / "2024-01-05.parquet").stat().st_ino

    store(lake, bars(), "second")

    assert (lake_files(lake), inputs(lake)) == (before, "second")
    assert (tmp_path / "validated_bars" / "f" / "2024-01-05.parquet").stat().st_ino == inode


def test_other_rows_or_another_release_write_the_file_anew(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    store(lake, bars(), "first")
    before = lake_files(lake)

    store(lake, bars(), "first", {**VERSIONS, "code_version": "2"})
    upgraded = lake_files(lake)
    store(lake, bars(101.0), "third", {**VERSIONS, "code_version": "2"})

    assert len({next(iter(each.values())) for each in (before, upgraded, lake_files(lake))}) == 3
    assert lake.read("validated_bars", "f", "2024-01-05")["open"][0].as_py() == 101.0


def test_a_file_that_was_lost_is_written_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    store(lake, bars(), "first")
    (tmp_path / "validated_bars" / "f" / "2024-01-05.parquet").unlink()

    store(lake, bars(), "first")

    assert lake.read("validated_bars", "f", "2024-01-05").num_rows == 8
