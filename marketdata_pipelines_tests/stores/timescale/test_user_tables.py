"""Tables of people's own assets in real databases: replaced whole, read back as written, refused with the reason."""

from datetime import UTC, datetime
from threading import Thread

import psycopg
import pyarrow as pa
import pytest

from marketdata_pipelines.errors import MarketDataError, SchemaMismatch, SettingsInvalid, StoreUnavailable
from marketdata_pipelines.stores.timescale import retrying, user_locks
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


def snapshot(database: Database) -> list[tuple[object, ...]]:
    """The rows with the place and the transaction that wrote each: what is written anew has others."""
    with database.connection() as connection:
        return connection.execute(
            "select symbol, strength, ctid::text, xmin::text from research.signals order by 1"
        ).fetchall()


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
        (
            TABLE,
            rows("AAA").set_column(2, "strength", pa.array(["strong"])),
            "strength of research.signals is text in the new rows and double precision in the store",
        ),
        (
            UserTable("research", "signals", ("symbol",)),
            rows("AAA"),
            "told apart by (symbol, ts) in the store, and by (symbol) now",
        ),
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


def test_the_same_rows_again_are_not_written(store_database: Database) -> None:
    tables = UserTables(store_database)
    first = tables.replace(TABLE, "2024-05-02", rows("AAA", "BBB"), "one")
    before = snapshot(store_database)

    again = tables.replace(TABLE, "2024-05-02", rows("AAA", "BBB"), "one")

    assert (first.rows, first.written) == (2, True)
    assert (again.rows, again.written) == (2, False)
    assert snapshot(store_database) == before


def test_rows_that_somebody_took_out_are_written_again(store_database: Database) -> None:
    tables = UserTables(store_database)
    tables.replace(TABLE, "2024-05-02", rows("AAA", "BBB"), "one")
    with store_database.connection() as connection:
        connection.execute("delete from research.signals where symbol = 'BBB'")

    again = tables.replace(TABLE, "2024-05-02", rows("AAA", "BBB"), "one")

    assert again.written
    assert [row[0] for row in snapshot(store_database)] == ["AAA", "BBB"]


def test_a_new_column_is_added_and_null_in_older_partitions(store_database: Database) -> None:
    tables = UserTables(store_database)
    tables.replace(TABLE, "2024-05-02", rows("AAA"), "one")

    done = tables.replace(TABLE, "2024-05-03", rows("AAA").append_column("more", pa.array([7])), "two")

    older, newer = tables.read(TABLE, "2024-05-02"), tables.read(TABLE, "2024-05-03")
    assert done.added == ("more",)
    assert older is not None
    assert newer is not None
    assert older["more"].to_pylist() == [None]
    assert newer["more"].to_pylist() == [7]


def test_a_column_that_readers_do_not_let_be_added_is_named(
    store_database: Database, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    tables = UserTables(store_database, pause=pauses.append)
    tables.replace(TABLE, "2024-05-02", rows("AAA"), "one")
    more = rows("AAA").append_column("more", pa.array([7]))
    monkeypatch.setattr(user_locks, "_SECONDS", 0.02)
    monkeypatch.setattr(retrying, "TRIES", 1)

    with psycopg.connect(store_dsn) as reader:
        reader.execute("select from research.signals")
        with pytest.raises(StoreUnavailable, match=r"research\.signals gets the new column more, and queries"):
            tables.replace(TABLE, "2024-05-03", more, "two")

    assert len(pauses) >= 4
    assert tables.replace(TABLE, "2024-05-03", more, "two").added == ("more",)


@pytest.mark.parametrize(
    ("held", "given"),
    [
        (pa.array([1, 2]), pa.array([3.0, None])),
        (pa.array([1, 2]), pa.array([3, None], pa.int16())),
        (pa.array([1.5, 2.5]), pa.array([3, None])),
        (pa.array(["a", "b"]), pa.nulls(2)),
    ],
)
def test_numbers_of_another_type_are_kept_as_the_tables_where_none_changes(
    store_database: Database, held: pa.Array, given: pa.Array
) -> None:
    tables, table = UserTables(store_database), UserTable("research", "kinds")
    tables.replace(table, "a", pa.table({"x": held}), "one")

    tables.replace(table, "b", pa.table({"x": given}), "two")

    found = tables.read(table, "b")
    assert found is not None
    assert found.schema.types == [held.type]
    assert found["x"].to_pylist() == given.to_pylist()


def test_numbers_that_would_change_are_refused(store_database: Database) -> None:
    tables, table = UserTables(store_database), UserTable("research", "kinds")
    tables.replace(table, "a", pa.table({"x": [1]}), "one")

    with pytest.raises(SchemaMismatch, match=r"x of research\.kinds is double precision .* bigint in the store"):
        tables.replace(table, "b", pa.table({"x": [1.5]}), "two")


def test_analysts_may_read_what_is_made(store_database: Database) -> None:
    UserTables(store_database).replace(TABLE, "2024-05-02", rows("AAA"), "one")

    with store_database.connection() as connection:
        connection.execute("set local role marketdata_reader")
        found = connection.execute("select symbol from research.signals").fetchall()

    assert found == [("AAA",)]


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
