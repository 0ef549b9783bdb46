"""DuckDB over tables with deltas: which files it is given, and what it may leave unread."""

from itertools import permutations
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.errors import PartitionMissing, StoreError
from marketdata_pipelines.stores.lake import table_writes
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.deltas import NO_SYMBOL
from marketdata_pipelines.stores.lake.duck import asked_again, connect, create_view, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.stores.lake.test_duck import VALUES

OLD = [f"S{number}" for number in range(9)]


@pytest.fixture(autouse=True)
def _small_tables_have_deltas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_writes, "SMALLEST_BASE_ROWS", 1)


def rows(symbol: str | None, values: np.ndarray) -> pa.Table:
    names = pa.array([symbol] * len(values), pa.string())
    return pa.table({"symbol": names, "ts": np.arange(len(values)), "x": values.astype(np.float64)})


def put(lake: Lake, key: str, base: np.ndarray, delta: np.ndarray, name: str = "NEW") -> Stored:
    """Nine symbols with the same values, and a delta of one more."""
    whole = pa.concat_tables([rows(symbol, base) for symbol in OLD])
    lake.store("f", [TableWrite("t", key, whole, "")], {})
    new = rows(name or None, delta)
    (stored,) = lake.store("f", [TableWrite("t", key, new, "", symbols=(name,))], {})
    assert len(stored.deltas) == 1
    return stored


def values(lake: Lake, stored: list[Stored], symbols: list[str] | None = None) -> np.ndarray:
    with connect() as connection:
        table = connection.sql(relation_sql(lake.layout.root, stored, symbols=symbols)).to_arrow_table()
    assert table.schema.field("x").type == pa.float64()
    return np.sort(table["x"].to_numpy())


def test_files_of_every_encoding_and_their_deltas_give_exact_values(lake: Lake) -> None:
    few = {name: array[-40:] for name, array in VALUES.items()}
    for base, delta in permutations(few, 2):
        stored = [put(lake, f"{base}-{delta}", few[base], few[delta]), put(lake, base, few[base], few[base])]

        expected = np.concatenate([*[few[base]] * 9, few[delta], *[few[base]] * 10])
        assert np.array_equal(values(lake, stored), np.sort(expected))
        assert np.array_equal(values(lake, stored, symbols=["NEW"]), np.sort(np.append(few[delta], few[base])))


def test_rows_without_a_symbol_are_told_from_the_others(lake: Lake) -> None:
    stored = [put(lake, "a", np.array([1.5, 2.5]), np.array([7.25]), NO_SYMBOL)]
    first = values(lake, stored, symbols=[NO_SYMBOL])
    again = lake.store("f", [TableWrite("t", "a", rows(None, np.array([8.0])), "", symbols=(NO_SYMBOL,))], {})

    assert first.tolist() == [7.25]
    assert values(lake, again, symbols=[NO_SYMBOL]).tolist() == [8.0]
    assert len(values(lake, again)) == 19


def test_files_in_which_the_same_symbols_do_not_count_are_read_together(lake: Lake) -> None:
    stored = [put(lake, str(number), np.array([1.0]), np.array([2.0])) for number in range(20)]

    relation = relation_sql(lake.layout.root, stored)

    assert relation.count("read_parquet") == 2
    assert len(values(lake, stored)) == 200


def test_files_that_cannot_hold_the_symbols_are_not_read(lake: Lake) -> None:
    stored = [put(lake, "a", np.array([1.0]), np.array([2.0]))]

    old = relation_sql(lake.layout.root, stored, symbols=["S3"])
    new = relation_sql(lake.layout.root, stored, symbols=["NEW"])

    assert ("delta-" in old, "a.parquet" in old) == (False, True)
    assert ("delta-" in new, "a.parquet" in new) == (True, False)
    assert values(lake, stored, symbols=[]).tolist() == []


def test_a_filter_on_symbols_reaches_the_files(lake: Lake) -> None:
    stored = [put(lake, "a", np.array([1.0]), np.array([2.0]))]

    with connect() as connection:
        create_view(connection, "v", lake.layout.root, stored)
        plan = connection.execute("explain select x from v where symbol = 'S3'").fetchall()[0][1]

    # Each of the two scans has it, so nothing is left to be filtered after them.
    assert (plan.count("READ_PARQUET"), plan.count("symbol = 'S3'")) == (2, 2)
    assert "─ Filter ─" not in plan


def test_symbols_with_quotes_are_symbols(lake: Lake) -> None:
    stored = [put(lake, "a", np.array([1.0]), np.array([2.0]), "O'B")]

    assert values(lake, stored, symbols=["O'B"]).tolist() == [2.0]
    assert len(values(lake, stored)) == 10


def test_a_question_whose_files_were_merged_meanwhile_is_asked_again(lake: Lake) -> None:
    seen = [put(lake, "2024-03-08", np.array([1.0]), np.array([2.0]))]
    lake.compact("t", "f", "2024-03-08")
    looks = [seen, lake.catalog.stored("t", "f")]

    found = asked_again(lambda: values(lake, looks.pop(0)))

    assert len(found) == 10
    assert looks == []


def test_a_file_that_is_gone_for_good_is_told(lake: Lake, tmp_path: Path) -> None:
    stored = [put(lake, "a", np.array([1.0]), np.array([2.0]))]
    (lake.layout.root / stored[0].path).unlink()

    with pytest.raises(StoreError, match=r"a file of the lake cannot be read .* run: marketdata lake verify"):
        asked_again(lambda: values(lake, stored))


def test_what_is_missing_for_other_reasons_is_raised_as_it_is() -> None:
    def nothing() -> None:
        raise PartitionMissing("f has no bars_5m")

    def wrong() -> None:
        raise duckdb.BinderException("no such column")

    with pytest.raises(PartitionMissing, match="f has no bars_5m"):
        asked_again(nothing)
    with pytest.raises(duckdb.BinderException):
        asked_again(wrong)
