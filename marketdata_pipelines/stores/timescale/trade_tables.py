"""The table of a feed's trades: made, its chunks, and its rows of one partition taken out."""

from datetime import timedelta

from psycopg import sql

from marketdata_pipelines.domain.store_tables import TRADES
from marketdata_pipelines.stores.timescale.chunks import empty_chunks, fitting_days, list_chunks, make_chunks
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.rollups import Window
from marketdata_pipelines.stores.timescale.templates import statement

_COMPRESSION = (
    "select compression_enabled from timescaledb_information.hypertables"
    " where hypertable_schema = %s and hypertable_name = %s"
)


def create_trades(connection: Connection, feed_name: str, number: sql.SQL, *, is_timescale: bool) -> None:
    """Make the table and its view where they are not there."""
    schema = sql.Identifier(feed_name)
    options = sql.SQL("") if is_timescale else sql.SQL("partition by range (st)")
    connection.execute(statement("postgres", "create_trades", schema=schema, number=number, options=options))
    if is_timescale:
        width = sql.Literal(timedelta(days=1))
        connection.execute(
            statement("timescale", "create_hypertable", table=_literal(connection, feed_name), width=width)
        )
        if connection.execute(_COMPRESSION, [feed_name, TRADES]).fetchone() != (True,):
            connection.execute(
                statement("timescale", "enable_columnstore", schema=schema, table=sql.Identifier(TRADES))
            )
    connection.execute(statement("postgres", "create_trades_view", schema=schema))


def is_made(connection: Connection, feed_name: str) -> bool:
    """Whether the feed has the table: one that brought no trades has none."""
    row = connection.execute(
        "select to_regclass(format('%%I.%%I', %s::text, %s::text)) is not null", [feed_name, TRADES]
    ).fetchone()
    return bool(row and row[0])


def fit_chunks(
    connection: Connection, feed_name: str, window: Window, rows: int, sessions: int, *, is_timescale: bool
) -> None:
    """Make ready the chunks that rows of a window go to; the first partition published decides how wide they are."""
    there = list_chunks(connection, feed_name, is_timescale=is_timescale, table=TRADES)
    days = (there[0].last - there[0].first).days if there else fitting_days(rows, sessions, window)
    if not is_timescale:
        make_chunks(connection, feed_name, days, window, TRADES)
    elif not there:
        connection.execute(
            sql.SQL("select set_chunk_time_interval({table}, {width})").format(
                table=_literal(connection, feed_name), width=sql.Literal(timedelta(days=days))
            )
        )


def take_out(connection: Connection, feed_name: str, window: Window, *, is_timescale: bool) -> None:
    """Remove every trade of a window, in the caller's transaction."""
    chunks = list_chunks(connection, feed_name, is_timescale=is_timescale, table=TRADES)
    touched = [chunk for chunk in chunks if chunk.touches(window)]
    empty_chunks(connection, [chunk for chunk in touched if chunk.lies_in(window)])
    if all(chunk.lies_in(window) for chunk in touched):
        return
    if is_timescale:
        connection.execute("set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
    connection.execute(
        sql.SQL("delete from {} where st >= %s and st < %s").format(sql.Identifier(feed_name, TRADES)),
        list(window.bounds),
    )


def _literal(connection: Connection, feed_name: str) -> sql.Literal:
    return sql.Literal(sql.Identifier(feed_name, TRADES).as_string(connection))
