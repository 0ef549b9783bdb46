"""Writes of some symbols' rows: whatever came before, the lake holds what a dictionary would."""

import random
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import BAR_SCHEMA, REJECTED_SCHEMA
from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.lake import table_writes
from marketdata_pipelines.stores.lake.deltas import MOST_DELTAS, NO_SYMBOL
from marketdata_pipelines.stores.lake.duck import connect, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import Row, bar, bar_table, lake_files

DAY = "2024-03-08"
TABLE = "validated_bars"
NAMES = [f"S{number:02}" for number in range(20)]
# Decimals of the prices: two, four, none, and too many for a decimal.
STEPS = (0.01, 0.0001, 1.0, 1 / 3)


@pytest.fixture(autouse=True)
def _small_tables_have_deltas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_writes, "SMALLEST_BASE_ROWS", 20)


def rows_of(symbol: str, count: int, kind: int = 0, first: int = 0) -> list[Row]:
    step = STEPS[kind]
    prices = [round(100 + number * step, 4) if kind < 3 else 100 + number / 3 + step for number in range(count)]
    return [
        bar(symbol, f"2024-03-08 14:{first + number:02}", price, volume=None if number % 3 == 1 else 5.0)
        for number, price in enumerate(prices)
    ]


def base_rows(count: int = 5) -> dict[str, list[Row]]:
    return {name: rows_of(name, count) for name in NAMES}


def table_of(model: dict[str, list[Row]]) -> pa.Table:
    rows = [row for name in sorted(model) for row in model[name]]
    if not rows:
        return BAR_SCHEMA.empty_table()
    table = bar_table(rows)
    # As the program makes them: only symbols that occur, in order.
    names = sorted({row["symbol"] for row in rows})
    codes = [names.index(value) for value in table["symbol"].to_pylist()]
    column = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names, pa.string()))
    return table.set_column(0, BAR_SCHEMA.field("symbol"), column)


def whole(lake: Lake, model: dict[str, list[Row]], inputs: str = "whole") -> None:
    lake.store("f", [TableWrite(TABLE, DAY, table_of(model), inputs)], {"code_version": "1"})


def some(lake: Lake, model: dict[str, list[Row]], *names: str, inputs: str = "some") -> None:
    part = {name: model[name] for name in names if name in model}
    lake.store("f", [TableWrite(TABLE, DAY, table_of(part), inputs, symbols=names)], {"code_version": "1"})


def assert_holds(lake: Lake, model: dict[str, list[Row]]) -> None:
    """Reading, its projections and filters, DuckDB and the index agree with the model."""
    stored = lake.catalog.stored_partition(TABLE, "f", DAY)
    expected = table_of(model)
    assert stored is not None
    assert lake.read(TABLE, "f", DAY).to_pylist() == expected.to_pylist()
    assert lake.read(TABLE, "f", DAY).schema.equals(expected.schema)
    assert lake.read(TABLE, "f", DAY, ["close", "ts"]).equals(expected.select(["close", "ts"]))
    for wanted in ({NAMES[3], NAMES[7]}, set(NAMES), {"no such"}):
        part = table_of({name: rows for name, rows in model.items() if name in wanted})
        assert lake.read(TABLE, "f", DAY, symbols=wanted).to_pylist() == part.to_pylist()
        assert lake.read(TABLE, "f", DAY, ["close"], symbols=wanted).to_pylist() == part.select(["close"]).to_pylist()
        assert in_duckdb(lake, wanted) == part.to_pylist()
    assert in_duckdb(lake, None) == expected.to_pylist()
    assert (stored.rows, stored.symbols) == (expected.num_rows, len({name for name in model if model[name]}))
    assert stored.bytes == sum((lake.layout.root / file.path).stat().st_size for file in stored.files)
    extent = table_writes.extent_of(expected)
    assert (stored.first_ts_us, stored.last_ts_us) == (extent.first_ts_us, extent.last_ts_us)
    assert set(lake_files(lake)) == {file.path for file in stored.files}


def in_duckdb(lake: Lake, symbols: set[str] | None) -> list[Row]:
    stored = lake.catalog.stored(TABLE, "f")
    with connect() as connection:
        relation = relation_sql(lake.layout.root, stored, symbols=symbols)
        table = connection.sql(f"select * from ({relation}) order by symbol, ts").to_arrow_table()
    assert table.schema.field("close").type == pa.float64()
    return table.to_pylist()


def deltas(lake: Lake) -> int:
    stored = lake.catalog.stored_partition(TABLE, "f", DAY)
    return 0 if stored is None else len(stored.deltas)


steps: st.SearchStrategy[tuple[str, list[str], int, int]] = st.one_of(
    st.tuples(st.just("some"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
              st.integers(0, 4), st.integers(0, 3)),
    st.tuples(st.just("whole"), st.lists(st.sampled_from(NAMES), min_size=0, max_size=20, unique=True),
              st.integers(1, 5), st.integers(0, 3)),
    st.tuples(st.just("compact"), st.just([]), st.just(0), st.just(0)),
    st.tuples(st.just("remove"), st.just([]), st.just(0), st.just(0)),
)  # fmt: skip


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(work=st.lists(steps, min_size=1, max_size=14))
def test_any_writes_removals_and_compactions_leave_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, work: list[tuple[str, list[str], int, int]]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    model: dict[str, list[Row]] = base_rows()
    whole(lake, model)

    for number, (kind, names, count, decimals) in enumerate(work):
        if kind == "remove":
            lake.store("f", [TableWrite(TABLE, DAY, None, "")], {})
            assert lake.catalog.stored_partition(TABLE, "f", DAY) is None
            assert lake_files(lake) == {}
            model = {}
            continue
        if kind == "compact":
            lake.compact(TABLE, "f", DAY)
            if not model and lake.catalog.stored_partition(TABLE, "f", DAY) is None:
                continue
            assert deltas(lake) == 0
        fresh = {name: rows_of(name, count, decimals, number) for name in names}
        if kind == "whole":
            model = fresh
            whole(lake, model, f"inputs {number}")
        if kind == "some":
            model = {**model, **fresh}
            some(lake, model, *names, inputs=f"inputs {number}")
        assert_holds(lake, {name: rows for name, rows in model.items() if rows})

    before = lake.catalog.stored_partition(TABLE, "f", DAY)
    if before is not None:
        lake.compact(TABLE, "f", DAY)
        other = Lake(tmp_path_factory.mktemp("other"))
        whole(other, {name: rows for name, rows in model.items() if rows}, before.inputs)
        assert list(lake_files(lake).values()) == list(lake_files(other).values())


def test_few_rows_beside_a_large_table_are_a_delta_whose_bytes_depend_on_its_rows_alone(
    lake: Lake, tmp_path: Path
) -> None:
    other = Lake(tmp_path / "other")
    for each, first in ((lake, 0), (other, 10)):
        whole(each, {name: rows_of(name, 5, first=first) for name in NAMES})
        some(each, {"NEW": rows_of("NEW", 3)}, "NEW")

    assert deltas(lake) == deltas(other) == 1
    beside = [{name: body for name, body in lake_files(each).items() if "delta-" in name} for each in (lake, other)]
    assert beside[0] == beside[1]


def test_many_rows_are_merged_at_once(lake: Lake) -> None:
    model = base_rows()
    whole(lake, model)

    model |= {name: rows_of(name, 4, 1) for name in NAMES[:3]}
    some(lake, model, *NAMES[:3])

    assert deltas(lake) == 0
    assert_holds(lake, model)


def test_too_many_deltas_are_merged_by_the_next_write(lake: Lake) -> None:
    model = base_rows(40)
    whole(lake, model)
    counts = []

    for number in range(MOST_DELTAS + 2):
        model[f"NEW{number}"] = rows_of(f"NEW{number}", 1)
        some(lake, model, f"NEW{number}", inputs=f"inputs {number}")
        counts.append(deltas(lake))

    assert counts == [*range(1, MOST_DELTAS + 1), 0, 1]
    assert_holds(lake, model)


def test_a_symbol_written_again_and_again_has_one_delta(lake: Lake) -> None:
    model = base_rows()
    whole(lake, model)

    for count in (1, 2, 1, 2, 0):
        model["S04"] = rows_of("S04", count, 1)
        some(lake, model, "S04")
        assert deltas(lake) == 1

    del model["S04"]
    assert_holds(lake, model)


def test_a_table_without_rows_is_left_when_all_symbols_are_gone(lake: Lake) -> None:
    whole(lake, {"A": rows_of("A", 2)})

    some(lake, {}, "A")

    assert lake.read(TABLE, "f", DAY).equals(BAR_SCHEMA.empty_table())


def test_rows_of_symbols_make_a_partition_where_there_is_none(lake: Lake) -> None:
    some(lake, {"A": rows_of("A", 2)}, "A", "B")

    assert_holds(lake, {"A": rows_of("A", 2)})


def rejected(*rows: tuple[str, int, str | None]) -> pa.Table:
    values = [{"file": file, "row": row, "symbol": symbol, "rules": "r", "part": "p"} for file, row, symbol in rows]
    return pa.Table.from_pylist(values, schema=REJECTED_SCHEMA)


def test_rejected_rows_keep_the_order_of_their_files_and_those_without_a_symbol_are_a_group(lake: Lake) -> None:
    rows: list[tuple[str, int, str | None]] = [("a", row, ["A", None, "B"][row % 3]) for row in range(60)]
    for symbols, part in (
        (("C",), rejected(("Z", 1, "C"), ("a", 7, "C"))),
        ((NO_SYMBOL,), rejected(("a", 1, None), ("b", 9, None))),
        (("C", NO_SYMBOL), rejected(("a", 2, "C"), ("c", 1, None))),
    ):
        lake.store("f", [TableWrite("rejected_bars", DAY, rejected(*rows), "")], {})

        lake.store("f", [TableWrite("rejected_bars", DAY, part, "", symbols=symbols)], {})

        left = [row for row in rows if (row[2] or NO_SYMBOL) not in symbols]
        left += [(row["file"], row["row"], row["symbol"]) for row in part.to_pylist()]
        found = lake.read("rejected_bars", "f", DAY)
        assert [(r["file"], r["row"], r["symbol"]) for r in found.to_pylist()] == sorted(left, key=lambda r: r[:2])
        lake.compact("rejected_bars", "f", DAY)
        assert lake.read("rejected_bars", "f", DAY).equals(found)


def test_tables_that_rank_symbols_or_have_none_are_written_whole(lake: Lake) -> None:
    ranked = pa.table({"session_date": [1], "rank": [1], "symbol": ["A"]})

    with pytest.raises(SchemaMismatch, match="top_volume ranks symbols against each other"):
        lake.store("f", [TableWrite("top_volume", DAY, ranked, "", symbols=("A",))], {})
    with pytest.raises(SchemaMismatch, match="t has no column symbol"):
        lake.store("f", [TableWrite("t", DAY, pa.table({"n": [1]}), "", symbols=("A",))], {})


def test_a_table_of_other_columns_is_not_mixed_with_new_rows(lake: Lake) -> None:
    old = table_of(base_rows()).drop_columns(["regular"])
    lake.store("f", [TableWrite(TABLE, DAY, old, "")], {})

    with pytest.raises(SchemaMismatch, match=r"validated_bars is stored with the columns .* write it whole"):
        some(lake, {"A": rows_of("A", 1)}, "A")
    with pytest.raises(SchemaMismatch, match="write it whole"):
        some(lake, {name: rows_of(name, 5) for name in NAMES}, *NAMES)


def test_writes_that_contradict_themselves_are_refused(lake: Lake) -> None:
    one, two = rows_of("A", 1), rows_of("B", 1)
    alone = TableWrite(TABLE, DAY, table_of({"A": one}), "", symbols=("A",))

    with pytest.raises(ValueError, match="has rows of 'B', which is not among its symbols"):
        lake.store("f", [TableWrite(TABLE, DAY, table_of({"A": one, "B": two}), "", symbols=("A",))], {})
    with pytest.raises(ValueError, match="written twice at once"):
        lake.store("f", [alone, alone], {})
    with pytest.raises(ValueError, match="removed whole"):
        lake.store("f", [TableWrite(TABLE, DAY, None, "", symbols=("A",))], {})
    assert lake_files(lake) == {}


def test_a_merged_table_takes_the_versions_of_its_last_write(lake: Lake) -> None:
    whole(lake, base_rows())
    write = TableWrite(TABLE, DAY, table_of({"NEW": rows_of("NEW", 1)}), "new", symbols=("NEW",))
    (stored,) = lake.store("f", [write], {"code_version": "2"})
    before = lake.manifest(stored)

    compacted = lake.compact(TABLE, "f", DAY)

    assert (before["code_version"], before["symbols"]) == ("2", ["NEW"])
    assert compacted is not None
    assert lake.manifest(compacted) == {
        "code_version": "2", "partition": DAY, "rows": 101, "table": TABLE,
    }  # fmt: skip


def test_symbols_are_found_in_whatever_row_groups_they_lie(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from marketdata_pipelines.stores.lake import parquet

    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 10)
    model = base_rows()
    whole(lake, model)
    random.Random(3).shuffle(names := list(NAMES))

    for name in names:
        assert lake.read(TABLE, "f", DAY, symbols=[name]).to_pylist() == table_of({name: model[name]}).to_pylist()
