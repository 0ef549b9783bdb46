"""Rows and packed columns back from a real PostgreSQL."""

import math
import subprocess
import sys

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.copied import copy_out, decode_float8, decode_int8, read_binary
from marketdata_pipelines.stores.timescale.copying import copy_into, encode
from marketdata_pipelines_tests.stores.timescale.copy_rows import COLUMNS, SCHEMA, copied_tables, made_table

few = settings(
    phases=(Phase.explicit, Phase.generate),
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
ONE = pa.schema([("x", pa.int64())])


@few
@given(table=copied_tables())
def test_what_went_in_comes_back(table: pa.Table, postgres_url: str) -> None:
    with made_table(postgres_url) as connection:
        copy_into(connection, "public", "copied", list(COLUMNS), table)

        back = copy_out(connection, sql.SQL("select * from copied"), SCHEMA)

    assert back.schema == SCHEMA
    assert back.to_pylist() == table.to_pylist()


@few
@given(table=copied_tables())
def test_a_stream_as_psycopg_gives_it_is_read_too(table: pa.Table, postgres_url: str) -> None:
    with made_table(postgres_url) as connection:
        copy_into(connection, "public", "copied", list(COLUMNS), table)
        with connection.cursor().copy("copy copied to stdout (format binary)") as copy:
            assert read_binary(copy, SCHEMA).to_pylist() == table.to_pylist()


@pytest.mark.parametrize("nulls", ["none", "some", "all"])
def test_numbers_come_back_whatever_of_them_is_null(nulls: str) -> None:
    count = 1_000
    mask = {"none": np.zeros(count, bool), "some": np.arange(count) % 3 == 0, "all": np.ones(count, bool)}[nulls]
    table = pa.table({"big": pa.array(np.arange(count), mask=mask), "double": np.arange(count) / 3})

    assert read_binary(b"".join(encode(table)), table.schema).equals(table)


def test_many_rows_come_back_in_order(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        query = sql.SQL("select n, 'row ' || n from generate_series(1::bigint, %s) as n order by n")

        back = copy_out(connection, query, pa.schema([("n", pa.int64()), ("name", pa.string())]), [50_000])

        assert back["n"].to_pylist() == list(range(1, 50_001))
        assert back["name"][-1].as_py() == "row 50000"
        assert connection.execute("select 1").fetchone() == (1,)


def test_rows_of_one_length_are_read_without_loading_the_compiler() -> None:
    program = (
        "import sys, pyarrow as pa\n"
        "from marketdata_pipelines.stores.timescale.copying import encode, read_binary\n"
        "table = pa.table({'a': [1, 2], 'b': [0.5, 1.5], 'c': pa.nulls(2, pa.int64())})\n"
        "assert read_binary(encode(table), table.schema).equals(table)\n"
        "print('numba' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout == "False\n"


def test_no_rows_make_an_empty_table(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        back = copy_out(connection, sql.SQL("select null::bigint where false"), ONE)

    assert back.schema == ONE
    assert back.num_rows == 0


def test_an_error_in_the_midst_of_the_rows_is_the_servers_own(postgres_url: str) -> None:
    query = sql.SQL("select 1 / (90000 - n) from generate_series(1::bigint, 100000) as n")

    with psycopg.connect(postgres_url) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
            copy_out(connection, query, ONE)

        assert connection.execute("select 1").fetchone() == (1,)


def test_a_connection_that_is_cut_in_the_midst_of_the_rows_is_an_operational_error(postgres_url: str) -> None:
    query = sql.SQL(
        "select case when n = 50000 then pg_terminate_backend(pg_backend_pid())::int else n end::bigint "
        "from generate_series(1::bigint, 100000) as n"
    )

    with pytest.raises(psycopg.OperationalError), psycopg.connect(postgres_url) as connection:
        copy_out(connection, query, ONE)


@pytest.mark.parametrize("stream", [b"", b"PGCOPY", b"x" * 40])
def test_what_is_no_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(StoreError, match="no binary COPY stream"):
        read_binary(stream, ONE)


@few
@given(table=copied_tables(), data=st.data())
def test_a_stream_that_is_cut_off_is_refused_or_misses_nothing(table: pa.Table, data: st.DataObject) -> None:
    whole = b"".join(encode(table))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]

    try:
        back = read_binary(cut, SCHEMA)
    except StoreError:
        return
    # Only where the bytes before the cut happen to be those of an end.
    assert cut.endswith(b"\xff\xff")
    assert back.to_pylist() == table.slice(0, back.num_rows).to_pylist()


def test_other_columns_than_asked_are_refused() -> None:
    stream = b"".join(encode(pa.table({"a": [1], "b": [2]})))

    with pytest.raises(StoreError, match="has 2 columns, asked were 1: x"):
        read_binary(stream, ONE)
    with pytest.raises(StoreError, match="column b comes in 8 bytes, no int32; cast it"):
        read_binary(stream, pa.schema([("a", pa.int64()), ("b", pa.int32())]))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("timestamp 'infinity'", pa.timestamp("us")),
        ("timestamptz '-infinity'", pa.timestamp("us", tz="UTC")),
        ("date 'infinity'", pa.date32()),
        ("date '-infinity'", pa.date32()),
    ],
)
def test_infinite_times_are_refused(value: str, kind: pa.DataType, postgres_url: str) -> None:
    with (
        psycopg.connect(postgres_url) as connection,
        pytest.raises(StoreError, match="column x holds infinity, or a time beyond"),
    ):
        copy_out(connection, sql.SQL("select ") + sql.SQL(value), pa.schema([("x", kind)]))


def test_packed_columns_are_their_values(postgres_url: str) -> None:
    query = (
        "select string_agg(int8send(n - 3), ''::bytea order by n), "
        "string_agg(float8send(coalesce(nullif(n, 2) / 4.0, 'NaN')), ''::bytea order by n), "
        "string_agg(int8send(n), ''::bytea) filter (where n > 9) from generate_series(1::bigint, 4) as n"
    )

    with psycopg.connect(postgres_url) as connection, connection.cursor(binary=True) as cursor:
        found = cursor.execute(query).fetchone()

    assert found is not None
    whole, double, nothing = found
    assert decode_int8(whole).tolist() == [-2, -1, 0, 1]
    values = decode_float8(double).tolist()
    assert values[0] == 0.25
    assert math.isnan(values[1])
    assert values[2:] == [0.75, 1.0]
    assert decode_int8(nothing).tolist() == []
    assert decode_int8(whole).dtype == np.int64


def test_bytes_of_half_a_value_are_refused() -> None:
    with pytest.raises(StoreError, match="12 bytes are no whole number of values"):
        decode_float8(b"x" * 12)
