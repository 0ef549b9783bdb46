"""Tables of people's own assets in the SQL store: any columns and a `partition`, replaced partition by partition.

Each has a companion, `<table>__partitions`, that tells a partition without rows from one that was never written. The
tables of feeds are not made here (see `publishing`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql

from marketdata_pipelines.errors import SchemaMismatch, SettingsInvalid
from marketdata_pipelines.stores.timescale.copied import copy_out
from marketdata_pipelines.stores.timescale.copying import copy_into
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.locks import lock_key
from marketdata_pipelines.stores.timescale.retrying import retried
from marketdata_pipelines.stores.timescale.user_types import HELD, declared, held_table

PARTITION = "partition"
_LONGEST_NAME = 63
_BESIDE = "__partitions"
_COLUMNS_SQL = """
select a.attname, format_type(a.atttypid, null)
from pg_attribute a
where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
_KEY_SQL = """
select a.attname
from pg_index i join unnest(i.indkey) with ordinality k(attnum, place) on true
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = to_regclass(%s) and i.indisprimary
order by k.place
"""
Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class UserTable:
    """Where an asset's rows are, and by which columns a partition's rows are told apart; none: by nothing."""

    schema: str
    name: str
    key: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return f"{self.schema}.{self.name}"

    def identifier(self, suffix: str = "") -> sql.Identifier:
        return sql.Identifier(self.schema, self.name + suffix)

    def regclass(self) -> str:
        return ".".join('"' + part.replace('"', '""') + '"' for part in (self.schema, self.name))


class UserTables:
    """Writes and reads such tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, table: UserTable, partition: str, rows: pa.Table, revision: str) -> int:
        """Replace a partition's rows in one transaction, the table made where there is none; the number of rows.

        Errors: SchemaMismatch when the rows do not fit the table that is there, or two of them share a key;
        StoreUnavailable after three attempts.
        """
        held = held_table(rows, table.text)
        _check_names(table, held)

        def work() -> int:
            with self._database.connection(f"replace {partition} of {table.text}") as connection:
                # Held to the end of the transaction: the table is made once, and one writer at a time replaces in it.
                connection.execute("select pg_advisory_xact_lock(%s)", [lock_key("user table", table.text)])
                self._prepare(connection, table, held.schema)
                return _put(connection, table, partition, held, revision)

        return retried(work)

    def read(self, table: UserTable, partition: str, columns: Sequence[str] | None = None) -> pa.Table | None:
        """A partition's rows in the order of the key; None where it was never written.

        Errors: SchemaMismatch for a column that is not there.
        """
        with self._database.connection(f"read {partition} of {table.text}") as connection:
            there = _columns(connection, table)
            if not there or partition not in _partitions(connection, table):
                return None
            wanted = [name for name in there if name != PARTITION] if columns is None else list(columns)
            unknown = [name for name in wanted if name not in there]
            if unknown:
                raise SchemaMismatch(f"{table.text} has no column {unknown[0]}; there: {', '.join(there)}")
            key = [name for name in _key(connection, table) if name != PARTITION]
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
            return _partitions(connection, table) if _columns(connection, table) else {}

    def _prepare(self, connection: Connection, table: UserTable, schema: pa.Schema) -> None:
        there = _columns(connection, table)
        if there:
            _check_columns(table, schema, there)
            return
        exists = connection.execute("select 1 from pg_namespace where nspname = %s", [table.schema]).fetchone()
        if exists is None:
            # Another asset's writer may make it at the same moment.
            connection.execute("select pg_advisory_xact_lock(%s)", [lock_key("schema", table.schema)])
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(table.schema)))
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(field.name), sql.SQL(declared(field.type))) for field in schema
        ]
        parts = [sql.SQL("{} text not null").format(sql.Identifier(PARTITION)), *columns]
        if table.key:
            key = sql.SQL(", ").join(map(sql.Identifier, (PARTITION, *table.key)))
            parts.append(sql.SQL("primary key ({})").format(key))
        connection.execute(sql.SQL("create table {} ({})").format(table.identifier(), sql.SQL(", ").join(parts)))
        if not table.key:
            connection.execute(sql.SQL("create index on {} ({})").format(table.identifier(), sql.Identifier(PARTITION)))
        connection.execute(
            sql.SQL(
                "create table {} (partition text primary key, rows bigint not null, revision text not null, "
                "written_at timestamptz not null default now())"
            ).format(table.identifier(_BESIDE))
        )


def _put(connection: Connection, table: UserTable, partition: str, rows: pa.Table, revision: str) -> int:
    delete = sql.SQL("delete from {} where {} = %s").format(table.identifier(), sql.Identifier(PARTITION))
    connection.execute(delete, [partition])
    alike = pa.DictionaryArray.from_arrays(np.zeros(rows.num_rows, np.int32), pa.array([partition], pa.string()))
    whole = rows.add_column(0, PARTITION, alike)
    try:
        count = copy_into(connection, table.schema, table.name, whole.column_names, whole)
    except psycopg.errors.UniqueViolation as error:
        key = ", ".join(table.key)
        raise SchemaMismatch(
            f"two rows of {partition} of {table.text} share one ({key}): {error.diag.message_detail}; name the columns "
            "that tell them apart in the asset's metadata `primary_key`, or write one of them"
        ) from error
    except psycopg.errors.NotNullViolation as error:
        raise SchemaMismatch(
            f"{error.diag.column_name} of {partition} of {table.text} is null in a row, and part of its key"
        ) from error
    note = sql.SQL(
        "insert into {} (partition, rows, revision) values (%s, %s, %s) on conflict (partition) do update "
        "set rows = excluded.rows, revision = excluded.revision, written_at = now()"
    )
    connection.execute(note.format(table.identifier(_BESIDE)), [partition, count, revision])
    return count


def _columns(connection: Connection, table: UserTable) -> dict[str, str]:
    return dict(connection.execute(_COLUMNS_SQL, [table.regclass()]).fetchall())


def _key(connection: Connection, table: UserTable) -> list[str]:
    return [name for (name,) in connection.execute(_KEY_SQL, [table.regclass()])]


def _partitions(connection: Connection, table: UserTable) -> dict[str, str]:
    query = sql.SQL("select partition, revision from {} order by 1").format(table.identifier(_BESIDE))
    return dict(connection.execute(query).fetchall())


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
    for name in (table.schema, table.name + _BESIDE, *rows.column_names):
        if not name or len(name.encode()) > _LONGEST_NAME or "\0" in name:
            raise SettingsInvalid(f"{name!r} is no name for PostgreSQL: 1 to {_LONGEST_NAME} bytes; rename it")


def _check_columns(table: UserTable, schema: pa.Schema, there: Mapping[str, str]) -> None:
    wanted = {field.name: declared(field.type) for field in schema}
    have = {name: kind for name, kind in there.items() if name != PARTITION}
    if PARTITION not in there:
        raise SchemaMismatch(f"{table.text} is there already and was not made for an asset; give the asset another key")
    for name in dict.fromkeys((*wanted, *have)):
        if wanted.get(name) != have.get(name):
            raise SchemaMismatch(
                f"column {name} of {table.text} is {wanted.get(name, 'missing')} in the new rows and "
                f"{have.get(name, 'missing')} in the store; write what the table has, or drop the table"
            )
