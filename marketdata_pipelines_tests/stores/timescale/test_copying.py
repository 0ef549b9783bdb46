"""Arrow tables into a real PostgreSQL by binary COPY."""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale import copying
from marketdata_pipelines.stores.timescale.copying import copy_into, encode, read_binary
from marketdata_pipelines_tests.stores.timescale.copy_rows import (
    COLUMNS,
    SCHEMA,
    copied_tables,
    date_rows,
    made_table,
)

few = settings(
    phases=(Phase.explicit, Phase.generate),
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def rows_there(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor(binary=True) as cursor:
        return cursor.execute("select * from copied").fetchall()


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


@few
@given(table=copied_tables())
def test_rows_are_there_as_they_were_given(table: pa.Table, postgres_url: str) -> None:
    with made_table(postgres_url) as connection:
        count = copy_into(connection, "public", "copied", list(COLUMNS), table)

        assert count == table.num_rows
        assert rows_there(connection) == rows_of(table)


@few
@given(table=copied_tables())
def test_slices_of_any_size_make_the_same_stream(table: pa.Table) -> None:
    whole = b"".join(encode(table))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "SLICE_ROWS", 3)
        patch.setattr(copying, "_SLICE_BYTES", 200)
        pieces = list(encode(table))

    assert b"".join(pieces) == whole
    assert read_binary(pieces, SCHEMA).equals(read_binary(whole, SCHEMA))


def test_columns_go_by_name_and_those_not_named_stay_out(postgres_url: str) -> None:
    table = pa.table({"text": ["a"], "spare": [1.5], "big": [7]})

    with made_table(postgres_url) as connection:
        copy_into(connection, "public", "copied", ["big", "text"], table)

        assert connection.execute("select big, text, whole from copied").fetchall() == [(7, "a", None)]


def test_names_with_quotes_and_capitals_are_taken_as_they_are(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute('create schema "My ""feed"""')
        connection.execute('create table "My ""feed"""."Bars; drop" ("open ""x""" bigint)')

        copy_into(connection, 'My "feed"', "Bars; drop", ['open "x"'], pa.table({'open "x"': [1, 2]}))

        assert connection.execute('select * from "My ""feed"""."Bars; drop"').fetchall() == [(1,), (2,)]


def test_one_long_text_among_many_short_ones_does_not_widen_them_all() -> None:
    texts = ["a"] * 60_000 + ["b" * 1_000_000] + ["c"] * 5_000
    table = pa.table({"text": texts})

    pieces = list(encode(table))

    assert max(len(piece) for piece in pieces) < copying._SLICE_BYTES
    assert read_binary(pieces, table.schema).equals(table)


def test_many_rows_are_sent_in_pieces_of_16_thousand() -> None:
    table = pa.table({"big": np.arange(200_000), "double": np.arange(200_000) / 7})

    pieces = list(encode(table))

    assert [len(piece) for piece in pieces] == [19, *[16_384 * 26] * 12, 3_392 * 26, 2]
    assert read_binary(pieces, table.schema).equals(table)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_numbers_that_are_not_finite_are_refused_by_column_and_row(value: float, kind: pa.DataType) -> None:
    table = pa.table({"close": pa.array([1.0, None, value], kind)})

    with pytest.raises(StoreError, match=r"column close, row 2: -?(nan|inf) is not finite"):
        encode(table)


def test_a_nan_that_is_masked_by_null_is_null() -> None:
    masked = pa.array(np.array([math.nan, 1.5]), mask=np.array([True, False]))

    assert read_binary(encode(pa.table({"close": masked})), pa.schema([("close", pa.float64())])).to_pydict() == {
        "close": [None, 1.5]
    }


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_text_with_a_nul_is_refused(kind: pa.DataType) -> None:
    with pytest.raises(StoreError, match=r"column symbol, row 1: 'a\\x00b' holds a NUL"):
        encode(pa.table({"symbol": pa.array(["ok", "a\0b"]).cast(kind)}))


def test_bytes_that_are_no_utf8_are_refused() -> None:
    buffers = [None, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe")]
    broken = pa.Array.from_buffers(pa.string(), 1, buffers)

    with pytest.raises(StoreError, match="column symbol is no valid UTF-8"):
        encode(pa.table({"symbol": broken}))


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_before_postgresqls_first_are_refused_and_the_first_is_not(zone: str | None, postgres_url: str) -> None:
    first = -211_813_488_000_000_000 + 946_684_800_000_000
    name = "instant" if zone else "clock"

    def moments(us: int) -> pa.Table:
        return pa.table({name: pa.array([None, us], pa.int64()).cast(pa.timestamp("us", tz=zone))})

    with pytest.raises(StoreError, match=f"column {name}, row 1: .* before 4714 BC"):
        encode(moments(first - 1))
    with made_table(postgres_url) as connection:
        copy_into(connection, "public", "copied", [name], moments(first))
        copy_into(connection, "public", "copied", [name], moments(2**63 - 1))
        years = connection.execute("select extract(year from coalesce(clock, instant)) from copied order by 1")
        assert [year and int(year) for (year,) in years.fetchall()] == [-4714, 294247, None, None]


@pytest.mark.parametrize("outside", [-2_451_545 + 10_957 - 1, 2_145_031_949 + 10_957])
def test_dates_that_postgresql_does_not_hold_are_refused_and_the_last_ones_are_not(
    outside: int, postgres_url: str
) -> None:
    inside = outside + 1 if outside < 0 else outside - 1

    with pytest.raises(StoreError, match=r"column day, row 1: .* beyond the dates"):
        encode(date_rows([0, outside]))
    with made_table(postgres_url) as connection:
        copy_into(connection, "public", "copied", ["day"], date_rows([inside]))
        assert connection.execute("select day - date '1970-01-01' from copied").fetchall() == [(inside,)]


@pytest.mark.parametrize(
    "kind", [pa.timestamp("ns"), pa.timestamp("s", tz="UTC"), pa.decimal128(10, 2), pa.uint64(), pa.binary()]
)
def test_types_without_a_counterpart_are_refused_by_name(kind: pa.DataType) -> None:
    with pytest.raises(StoreError, match=r"column size is .*, which the store cannot hold; cast it"):
        encode(pa.table({"size": pa.nulls(1, kind)}))


def test_a_column_of_another_type_is_refused_before_anything_is_sent(postgres_url: str) -> None:
    wrong = pa.table({"big": [1.5]})

    with made_table(postgres_url) as connection:
        with pytest.raises(StoreError, match=r"public\.copied\.big is int8, not what double goes into"):
            copy_into(connection, "public", "copied", ["big"], wrong)
        # The transaction goes on: nothing has failed in it.
        assert connection.execute("select count(*) from copied").fetchone() == (0,)


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        ("copied", ["price"], "lack the columns price"),
        ("copied", ["nowhere"], r"copied\.nowhere is no such column"),
        ("bars", ["big"], r"there is no table public\.bars"),
    ],
)
def test_a_table_or_column_that_is_not_there_is_named(
    table: str, columns: list[str], message: str, postgres_url: str
) -> None:
    with made_table(postgres_url) as connection, pytest.raises(StoreError, match=message):
        copy_into(connection, "public", table, columns, pa.table({"big": [1], "nowhere": [1]}))


def test_what_the_server_refuses_leaves_no_row(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create table copied (big bigint primary key)")
        connection.commit()

        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            copy_into(connection, "public", "copied", ["big"], pa.table({"big": [1, 2, 1]}))

        assert connection.execute("select count(*) from copied").fetchone() == (0,)


def test_instants_of_any_zone_are_the_same_instants(postgres_url: str) -> None:
    moment = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
    table = pa.table({"instant": pa.array([moment]).cast(pa.timestamp("us", tz="America/New_York"))})

    with made_table(postgres_url) as connection:
        copy_into(connection, "public", "copied", ["instant"], table)

        assert connection.execute("select instant from copied").fetchone() == (moment,)
