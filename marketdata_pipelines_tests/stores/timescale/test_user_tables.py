"""Tables of people's own assets in real databases: replaced whole, read back as written, refused with the reason."""

from datetime import UTC, datetime
from threading import Thread

import psycopg
import pyarrow as pa
import pytest

from marketdata_pipelines.errors import MarketDataError, SchemaMismatch, SettingsInvalid
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.user_tables import UserTable, UserTables

AT = datetime(2024, 5, 2, 13, 30, tzinfo=UTC)
TABLE = UserTable("research", "signals", ("symbol", "ts"))


def rows(*symbols: str, strength: float | None = 1.5) -> pa.Table:
    return pa.table(
        {
            "symbol": pa.array(symbols, pa.string()),
            "ts": pa.array([AT] * len(symbols), pa.timestamp("us", tz="UTC")),
            "strength": pa.array([strength] * len(symbols), pa.float64()),
        }
    )


def test_a_partition_is_replaced_and_the_others_stay(store_database: Database) -> None:
    tables = UserTables(store_database)
    tables.replace(TABLE, "2024-05-02", rows("AAA", "BBB"), "one")
    tables.replace(TABLE, "2024-05-03", rows("AAA"), "two")

    tables.replace(TABLE, "2024-05-02", rows("CCC", strength=None), "three")

    found = tables.read(TABLE, "2024-05-02")
    assert found is not None
    assert found.equals(rows("CCC", strength=None))
    assert tables.revisions(TABLE) == {"2024-05-02": "three", "2024-05-03": "two"}


def test_names_of_any_make_are_names_and_nothing_else(store_database: Database) -> None:
    odd = UserTable('re"search', "sig nals; drop table x", ("the key",))
    table = pa.table({"the key": ["a'b"], 'co"l': [1]})

    UserTables(store_database).replace(odd, "it's", table, "one")

    found = UserTables(store_database).read(odd, "it's", ['co"l'])
    assert found is not None
    assert found.to_pydict() == {'co"l': [1]}


def test_types_postgresql_lacks_are_widened_and_what_would_lose_is_refused(store_database: Database) -> None:
    tables, table = UserTables(store_database), UserTable("research", "kinds")
    narrow = pa.table({"small": pa.array([1], pa.int8()), "big": pa.array([7], pa.uint64()), "none": pa.nulls(1)})
    late = pa.table({"at": pa.array([1], pa.timestamp("ns"))})

    tables.replace(table, "p", narrow, "one")
    found = tables.read(table, "p")
    with pytest.raises(SchemaMismatch, match=r"column at of research\.late is timestamp\[ns\] with values"):
        tables.replace(UserTable("research", "late"), "p", late, "one")
    with pytest.raises(SchemaMismatch, match=r"column x of research\.lists is list"):
        tables.replace(UserTable("research", "lists"), "p", pa.table({"x": [[1]]}), "one")

    assert found is not None
    assert found.to_pydict() == {"small": [1], "big": [7], "none": [None]}
    assert found.schema.types == [pa.int16(), pa.int64(), pa.string()]


def test_two_rows_of_one_key_are_refused_and_what_was_there_stays(store_database: Database) -> None:
    tables = UserTables(store_database)
    tables.replace(TABLE, "2024-05-02", rows("AAA"), "one")

    with pytest.raises(MarketDataError) as error:
        tables.replace(TABLE, "2024-05-02", rows("BBB", "BBB"), "two")

    found = tables.read(TABLE, "2024-05-02")
    assert isinstance(error.value, SchemaMismatch)
    assert "share one (symbol, ts)" in str(error.value)
    assert found is not None
    assert found["symbol"].to_pylist() == ["AAA"]


@pytest.mark.parametrize(
    ("table", "made", "said"),
    [
        (TABLE, rows("AAA").drop_columns(["strength"]), "strength of research.signals is missing in the new rows"),
        (TABLE, rows("AAA").append_column("more", pa.array([1])), "more of research.signals is bigint in the new rows"),
        (UserTable("research", "other", ("id",)), rows("AAA"), "no column id, which `primary_key` names"),
        (UserTable("research", "own"), pa.table({"partition": ["x"]}), "has a column `partition`"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_what_to_do(
    store_database: Database, table: UserTable, made: pa.Table, said: str
) -> None:
    tables = UserTables(store_database)
    tables.replace(TABLE, "2024-05-02", rows("AAA"), "one")

    with pytest.raises(SchemaMismatch) as error:
        tables.replace(table, "2024-05-03", made, "two")

    assert said in str(error.value)


def test_a_name_too_long_for_postgresql_is_refused(store_database: Database) -> None:
    with pytest.raises(SettingsInvalid, match="1 to 63 bytes"):
        UserTables(store_database).replace(UserTable("research", "x" * 60), "p", rows("AAA"), "one")


def test_a_table_somebody_else_made_is_left_alone(store_database: Database, store_dsn: str) -> None:
    with psycopg.connect(store_dsn, autocommit=True) as connection:
        connection.execute("create schema research")
        connection.execute("grant usage on schema research to public")
        connection.execute("create table research.signals (symbol text, ts timestamptz, strength double precision)")

    with pytest.raises(SchemaMismatch, match="is there already and was not made for an asset"):
        UserTables(store_database).replace(TABLE, "p", rows("AAA"), "one")


def test_writers_at_once_leave_each_partition_whole(store_database: Database) -> None:
    tables = UserTables(store_database)
    days = [f"2024-05-0{day}" for day in range(1, 5)]
    writers = [Thread(target=tables.replace, args=(TABLE, day, rows("AAA", "BBB"), "one")) for day in days * 2]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    found = [tables.read(TABLE, day) for day in days]
    assert [None if each is None else each.num_rows for each in found] == [2] * 4
