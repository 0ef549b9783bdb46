"""Tables of people's own assets in the SQL store: any columns and a `partition`, replaced partition by partition.

Each has a companion, `<table>__partitions`, that tells a partition without rows from one that was never written, and
what each was written of. How a table lies there is `user_layout`'s, how rows get into it `user_leaves`'. The tables of
feeds are not made here (see `publishing`).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from psycopg import sql

from marketdata_pipelines.errors import SchemaMismatch, SettingsInvalid, StoreUnavailable
from marketdata_pipelines.stores.timescale.copied import copy_out
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.retrying import retried
from marketdata_pipelines.stores.timescale.user_layout import (
    LEDGER,
    LONGEST_NAME,
    PARTITION,
    Layout,
    UserTable,
    add_columns,
    create,
    look,
)
from marketdata_pipelines.stores.timescale.user_leaves import Leaves, wants_to_be_alone
from marketdata_pipelines.stores.timescale.user_locks import had_alone, lock_writing
from marketdata_pipelines.stores.timescale.user_types import HELD, fitted_table, held_table

__all__ = ["Replacement", "UserTable", "UserTables"]

# A table without partitions is one COPY, however large.
_SECONDS = 1_800


@dataclass(frozen=True, slots=True)
class Replacement:
    """A partition's rows now, and whether any were written; `added` are the columns the table got for them."""

    rows: int
    written: bool
    added: tuple[str, ...] = ()


class UserTables:
    """Writes and reads such tables. `pause` waits some seconds for readers to end."""

    def __init__(self, database: Database, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._database = database
        self._pause = pause

    def replace(self, table: UserTable, partition: str, rows: pa.Table, revision: str) -> Replacement:
        """Replace a partition's rows in one transaction, the table made where there is none.

        Readers find the old rows or the new ones, and wait for two seconds at most. `revision` stands for the rows:
        where it is the stored one and as many rows are there, nothing is written. A column the table has not is added
        to it. Different partitions are written at once.

        Errors: SchemaMismatch when the rows do not fit the table that is there, or two of them share a key;
        StoreUnavailable after three attempts.
        """
        held = held_table(rows, table.text)
        _check_names(table, held)
        if retried(lambda: self._is_stored(table, partition, held, revision)):
            return Replacement(held.num_rows, written=False)

        def work() -> Replacement:
            try:
                return self._replace(table, partition, held, rows.schema, revision, alone=False)
            except _MustBeAlone:
                return self._replace(table, partition, held, rows.schema, revision, alone=True)

        return retried(work)

    def read(self, table: UserTable, partition: str, columns: Sequence[str] | None = None) -> pa.Table | None:
        """A partition's rows in the order of the key; None where it was never written.

        Errors: SchemaMismatch for a column that is not there.
        """
        what = f"read {partition} of {table.text}"
        with self._database.connection(what, statement_seconds=_SECONDS) as connection:
            layout = look(connection, table)
            if layout is None or _entry(connection, table, partition) is None:
                return None
            there = layout.columns
            wanted = [name for name in there if name != PARTITION] if columns is None else list(columns)
            unknown = [name for name in wanted if name not in there]
            if unknown:
                raise SchemaMismatch(f"{table.text} has no column {unknown[0]}; there: {', '.join(there)}")
            key = [name for name in layout.key if name != PARTITION]
            schema = pa.schema([(name, _held_type(table, name, there[name])) for name in wanted])
            query = sql.SQL("select {} from {} where {} = {}").format(
                sql.SQL(", ").join(map(sql.Identifier, wanted)),
                table.identifier(),
                sql.Identifier(PARTITION),
                sql.Literal(partition),
            )
            if key:
                query += sql.SQL(" order by {}").format(sql.SQL(", ").join(map(sql.Identifier, key)))
            return copy_out(connection, query, schema)

    def revisions(self, table: UserTable) -> Mapping[str, str]:
        """The partitions that were written, with the revision of each; none where there is no such table."""
        with self._database.connection(f"look at {table.text}") as connection:
            if look(connection, table) is None:
                return {}
            query = sql.SQL("select partition, revision from {} order by 1").format(table.identifier(LEDGER))
            return dict(connection.execute(query).fetchall())

    def _is_stored(self, table: UserTable, partition: str, rows: pa.Table, revision: str) -> bool:
        with self._database.connection(f"look at {partition} of {table.text}") as connection:
            layout = look(connection, table)
            if layout is None or _new_columns(table, layout, rows.schema):
                return False
            if _entry(connection, table, partition) != (rows.num_rows, revision):
                return False
            count = sql.SQL("select count(*) from {} where {} = %s")
            statement = count.format(table.identifier(), sql.Identifier(PARTITION))
            return connection.execute(statement, [partition]).fetchone() == (rows.num_rows,)

    def _replace(
        self, table: UserTable, partition: str, held: pa.Table, given: pa.Schema, revision: str, *, alone: bool
    ) -> Replacement:
        """The work of `replace`. Errors: _MustBeAlone, nothing done, where it must be and is not."""
        what = f"replace {partition} of {table.text}"
        with self._database.connection(what, statement_seconds=_SECONDS) as connection:
            lock_writing(connection, table.text, partition, alone=alone)
            layout = look(connection, table)
            added: tuple[str, ...] = ()
            if layout is not None:
                added = _new_columns(table, layout, held.schema)
                held = fitted_table(held, given, layout.columns, table.text)
            if layout is None or added:
                if not alone:
                    raise _MustBeAlone
                layout = self._extended(connection, table, layout, held.schema, added)
            entry = _entry(connection, table, partition)
            in_rest = entry is not None and layout.leaf(partition) is None
            if not alone and wants_to_be_alone(layout, partition, held.num_rows, in_rest=in_rest):
                raise _MustBeAlone
            Leaves(connection, table, layout, partition, self._pause).put(held, in_rest=in_rest)
            _note(connection, table, partition, held.num_rows, revision)
            return Replacement(held.num_rows, written=True, added=added)

    def _extended(
        self, connection: Connection, table: UserTable, layout: Layout | None, schema: pa.Schema, added: Sequence[str]
    ) -> Layout:
        if layout is None:
            return create(connection, table, schema)
        add = partial(add_columns, connection, table, schema, added)
        if not had_alone(connection, [table.identifier()], add, self._pause):
            raise StoreUnavailable(
                f"{table.text} gets the new column {added[0]}, and queries that do not end hold the table; end them, "
                "then try again"
            )
        return look(connection, table) or layout


class _MustBeAlone(Exception):
    """Nobody else may write any partition of the table meanwhile."""


def _entry(connection: Connection, table: UserTable, partition: str) -> tuple[int, str] | None:
    """How many rows were written of a partition, and their revision."""
    query = sql.SQL("select rows, revision from {} where partition = %s").format(table.identifier(LEDGER))
    return connection.execute(query, [partition]).fetchone()


def _note(connection: Connection, table: UserTable, partition: str, rows: int, revision: str) -> None:
    note = sql.SQL(
        "insert into {} (partition, rows, revision) values (%s, %s, %s) on conflict (partition) do update "
        "set rows = excluded.rows, revision = excluded.revision, written_at = now()"
    )
    connection.execute(note.format(table.identifier(LEDGER)), [partition, rows, revision])


def _held_type(table: UserTable, column: str, declared: str) -> pa.DataType:
    if declared not in HELD:
        raise SchemaMismatch(f"column {column} of {table.text} is {declared}, which was not made here; drop the table")
    return HELD[declared]


def _check_names(table: UserTable, rows: pa.Table) -> None:
    if PARTITION in rows.column_names:
        raise SchemaMismatch(f"{table.text} has a column `partition`, which the store adds by itself; rename it")
    missing = [name for name in table.key if name not in rows.column_names]
    if missing:
        raise SchemaMismatch(
            f"{table.text} has no column {missing[0]}, which `primary_key` names; there: {', '.join(rows.column_names)}"
        )
    for name in (table.schema, table.name + LEDGER, *rows.column_names):
        if not name or len(name.encode()) > LONGEST_NAME or "\0" in name:
            raise SettingsInvalid(f"{name!r} is no name for PostgreSQL: 1 to {LONGEST_NAME} bytes; rename it")


def _new_columns(table: UserTable, layout: Layout, schema: pa.Schema) -> tuple[str, ...]:
    """Columns the table has not.

    Errors: SchemaMismatch for one that the rows lack, and where the rows are told apart by others than the table's.
    """
    for name, kind in layout.columns.items():
        if name != PARTITION and name not in schema.names:
            raise SchemaMismatch(
                f"column {name} of {table.text} is missing in the new rows and {kind} in the store; write what the "
                "table has, or drop the table"
            )
    key = tuple(name for name in layout.key if name != PARTITION)
    if set(key) != set(table.key):
        raise SchemaMismatch(
            f"rows of {table.text} are told apart by ({', '.join(key)}) in the store, and by ({', '.join(table.key)}) "
            "now; name the same columns in the asset's metadata `primary_key`, or drop the table"
        )
    return tuple(name for name in schema.names if name not in layout.columns)
