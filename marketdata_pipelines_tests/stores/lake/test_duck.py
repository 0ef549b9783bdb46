"""DuckDB over lake files of any encoding."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.duck import connect, create_view, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines.stores.lake.parquet import read_file, write_file

RANDOM = np.random.default_rng(5)
# By encoding: two and four decimals, nine decimals, integers up to 2**53, doubles.
VALUES = {
    "scale2": np.round(RANDOM.uniform(0, 1e6, 500), 2),
    "scale4": np.append(np.round(RANDOM.uniform(0, 1e4, 500), 4), 1.2345),
    "scale9": np.append(np.round(RANDOM.uniform(0, 9e5, 500), 9), 1e-9),
    "whole": RANDOM.integers(0, 2**53, 500).astype(np.float64),
    "double": RANDOM.uniform(0, 1, 500),
}


def stored_values(lake: Lake, values: dict[str, np.ndarray]) -> list[Stored]:
    """One file for each array, indexed under the feed `f`."""
    writes = [TableWrite("t", name, _table(array), "") for name, array in values.items()]
    return lake.store("f", writes, {})


def _table(values: np.ndarray) -> pa.Table:
    return pa.table({"symbol": pa.array(["A"] * len(values)), "x": values, "n": np.arange(len(values))})


def duck_values(lake: Lake, stored: list[Stored]) -> np.ndarray:
    with connect() as connection:
        table = connection.sql(relation_sql(lake.layout.root, stored)).to_arrow_table()
    assert table.schema.field("x").type == pa.float64()
    return np.sort(table["x"].to_numpy())


def test_files_of_every_encoding_are_what_the_test_thinks_they_are(lake: Lake) -> None:
    signatures = [item.signature for item in stored_values(lake, VALUES)]

    assert signatures == ["x:2", "x:4", "x:9", "x:0", "x:double"]


def test_files_read_together_in_every_order_give_exact_values(lake: Lake) -> None:
    stored = {item.partition: item for item in stored_values(lake, VALUES)}

    for names in permutations(stored, 3):
        expected = np.sort(np.concatenate([VALUES[name] for name in names]))
        chosen = [stored[name] for name in names]
        read = pa.concat_tables([read_file(lake.layout.root / item.path) for item in chosen])

        assert np.array_equal(duck_values(lake, chosen), expected)
        assert np.array_equal(np.sort(read["x"].to_numpy()), expected)


def test_all_encodings_at_once(lake: Lake) -> None:
    stored = stored_values(lake, VALUES)

    assert np.array_equal(duck_values(lake, stored), np.sort(np.concatenate(list(VALUES.values()))))


def test_a_file_newer_than_its_index_entry_is_read_exactly(lake: Lake) -> None:
    # A writer killed between replacing the file and indexing it, or one that is at it now.
    coarse = {"a": np.array([1.25]), "b": np.array([2.5, 3.75])}
    stored = stored_values(lake, coarse)

    for newer in (VALUES["scale4"], VALUES["double"], VALUES["whole"]):
        write_file(lake.layout.root / stored[1].path, _table(newer), {}, lake.layout.temporary)

        assert np.array_equal(duck_values(lake, stored), np.sort(np.append(newer, 1.25)))


def test_null_stays_null_and_files_may_be_empty(lake: Lake) -> None:
    writes = [
        TableWrite("t", "a", pa.table({"x": [1.5, None]}), ""),
        TableWrite("t", "b", pa.table({"x": pa.array([], pa.float64())}), ""),
        TableWrite("t", "c", pa.table({"x": pa.array([None], pa.float64())}), ""),
    ]

    stored = lake.store("f", writes, {})

    with connect() as connection:
        found = connection.sql(relation_sql(lake.layout.root, stored) + " order by 1").to_arrow_table()
    assert found["x"].to_pylist() == [1.5, None, None]


def test_constant_columns_are_added_as_text(lake: Lake) -> None:
    stored = stored_values(lake, {"a": np.array([1.5])})

    with connect() as connection:
        create_view(connection, "v", lake.layout.root, stored, {"feed": "o'brien"})
        rows = connection.execute("select feed, x from v").fetchall()

    assert rows == [("o'brien", 1.5)]


def test_paths_with_quotes_are_paths(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "it's a lake")

    assert duck_values(lake, stored_values(lake, {"a": np.array([1.5])})).tolist() == [1.5]


def test_tables_without_floats_are_read(lake: Lake) -> None:
    stored = lake.store("f", [TableWrite("t", "a", pa.table({"symbol": ["A"], "n": [1]}), "")], {})

    with connect() as connection:
        assert connection.sql(relation_sql(lake.layout.root, stored)).fetchall() == [("A", 1)]


def test_no_files_are_no_relation(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one file"):
        relation_sql(tmp_path, [])
