"""Tables for dashboards (daily summary, hourly volume, …): finished rows of a feed, replaced whole at each refresh."""

from datetime import datetime

import pyarrow as pa
from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.copying import copy_into
from marketdata_pipelines.stores.timescale.locks import Connection

# The store's own tables and views in a feed's schema.
_TAKEN = ("bars", "rollup_")
_TYPES = {
    pa.string(): "text",
    pa.large_string(): "text",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
    pa.date32(): "date",
}


def replace_view(connection: Connection, feed: Feed, view: str, table: pa.Table, inputs: str) -> datetime:
    """Make "<feed>"."<view>" these rows, in the caller's transaction; the instant of the refresh.

    The table is made of the columns given, and made anew when they change. Readers see the rows before or after.

    Errors: StoreError for a name the store has for itself, or a column type without a counterpart.
    """
    if view.startswith(_TAKEN):
        raise StoreError(f"{view} is the store's own in {feed.name}; give the view another name")
    rows = pa.table({name: _plain(table[name]) for name in table.column_names})
    columns = {field.name: _type(view, field) for field in rows.schema}
    name = sql.Identifier(feed.name, view)
    if _columns_of(connection, feed.name, view) != columns:
        connection.execute(sql.SQL("drop table if exists {} cascade").format(name))
        listed = (sql.SQL("{} ").format(sql.Identifier(one)) + _TYPE_SQL[kind] for one, kind in columns.items())
        connection.execute(sql.SQL("create table {} ({})").format(name, sql.SQL(", ").join(listed)))
    else:
        connection.execute(sql.SQL("delete from {}").format(name))
    copy_into(connection, feed.name, view, rows.column_names, rows)
    row = connection.execute(
        "insert into marketdata.refreshes (feed, view, refreshed_at, rows, inputs)"
        " values (%s, %s, clock_timestamp(), %s, %s) on conflict (feed, view) do update"
        " set refreshed_at = excluded.refreshed_at, rows = excluded.rows, inputs = excluded.inputs"
        " returning refreshed_at",
        [feed.name, view, rows.num_rows, inputs],
    ).fetchone()
    assert row is not None
    refreshed_at: datetime = row[0]
    return refreshed_at


def read_refreshes(connection: Connection, feed_name: str) -> dict[str, str]:
    """What each view of a feed was made of at its last refresh (`inputs`); nothing of tables somebody has dropped."""
    rows = connection.execute(
        "select view, inputs from marketdata.refreshes where feed = %s and to_regclass(format('%%I.%%I', feed, view))"
        " is not null",
        [feed_name],
    ).fetchall()
    return dict(rows)


def _columns_of(connection: Connection, feed_name: str, view: str) -> dict[str, str]:
    rows = connection.execute(
        "select column_name::text, data_type::text from information_schema.columns"
        " where table_schema = %s and table_name = %s order by ordinal_position",
        [feed_name, view],
    ).fetchall()
    return dict(rows)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type) and column.type.unit != "us":
        column = column.cast(pa.timestamp("us", tz=column.type.tz))
    return column


def _type(view: str, field: pa.Field) -> str:
    if pa.types.is_timestamp(field.type):
        return f"timestamp {'with' if field.type.tz else 'without'} time zone"
    if field.type not in _TYPES:
        raise StoreError(f"the column {field.name} of {view} is {field.type}, which has no counterpart in PostgreSQL")
    return _TYPES[field.type]


_TYPE_SQL = {
    "timestamp with time zone": sql.SQL("timestamptz"),
    "timestamp without time zone": sql.SQL("timestamp"),
    "text": sql.SQL("text"),
    "smallint": sql.SQL("smallint"),
    "integer": sql.SQL("integer"),
    "bigint": sql.SQL("bigint"),
    "real": sql.SQL("real"),
    "double precision": sql.SQL("double precision"),
    "boolean": sql.SQL("boolean"),
    "date": sql.SQL("date"),
}
