"""The chunks a feed's base bars or trades lie in: how wide they are, which a window touches, how one is emptied.

TimescaleDB makes chunks by itself; on plain PostgreSQL they are native partitions, made before rows come. A chunk is
emptied by `truncate` and never dropped to be made again: whoever reads meanwhile would find no chunk, and no rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from psycopg import sql

from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines.stores.timescale.locks import Connection, lock_key
from marketdata_pipelines.stores.timescale.rollups import BARS, Window
from marketdata_pipelines.stores.timescale.templates import statement

# A session of at least so many rows gets a chunk of its own; otherwise a chunk is to hold about so many.
_ROWS_OF_A_LARGE_SESSION = 100_000
_ROWS_OF_A_CHUNK = 1_000_000
_MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk's table and the days [first, last) it covers."""

    schema: str
    name: str
    first: date
    last: date
    is_compressed: bool

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def lies_in(self, window: Window) -> bool:
        return window.first <= self.first and self.last <= window.last

    def touches(self, window: Window) -> bool:
        return self.first < window.last and window.first < self.last


def fitting_days(rows: int, sessions: int, window: Window) -> int:
    """How many days a chunk should cover, told by one partition of `rows` in so many sessions."""
    days = (window.last - window.first).days
    if not rows or rows >= _ROWS_OF_A_LARGE_SESSION * max(sessions, 1):
        return 1 if rows else days
    return min(max(_ROWS_OF_A_CHUNK * days // rows, 1), _MOST_DAYS)


def list_chunks(connection: Connection, feed_name: str, *, is_timescale: bool, table: str = BARS) -> list[Chunk]:
    """Every chunk of a feed's bars or trades, oldest first."""
    engine = "timescale" if is_timescale else "postgres"
    rows = connection.execute(statement(engine, "select_chunks"), {"feed": feed_name, "table": table}).fetchall()
    return [Chunk(*row) for row in rows]


def make_chunks(connection: Connection, feed_name: str, chunk_days: int, window: Window, table: str = BARS) -> None:
    """On plain PostgreSQL: make the chunks that cover a window where they are not there."""
    if not _missing(connection, feed_name, chunk_days, window, table):
        return
    # Others may be making the same.
    connection.execute("select pg_advisory_xact_lock(%s)", [lock_key("chunks", feed_name, table)])
    for first in _missing(connection, feed_name, chunk_days, window, table):
        name = f"{table}_{first:%Y%m%d}"
        bounds = [datetime.combine(day, time()) for day in (first, first + timedelta(days=chunk_days))]
        connection.execute(
            statement(
                "postgres",
                "create_chunk",
                schema=sql.Identifier(feed_name),
                table=sql.Identifier(table),
                chunk=sql.Identifier(name),
                check=sql.Identifier(f"{name}_days"),
                first=sql.Literal(bounds[0]),
                last=sql.Literal(bounds[1]),
            )
        )


def _missing(connection: Connection, feed_name: str, chunk_days: int, window: Window, table: str) -> list[date]:
    there = {chunk.first for chunk in list_chunks(connection, feed_name, is_timescale=False, table=table)}
    return missing_chunks(chunk_days, window, there)


def missing_chunks(chunk_days: int, window: Window, there: set[date]) -> list[date]:
    """First days of the chunks of `chunk_days` that a window needs beside those that are there."""
    at = EPOCH + timedelta(days=(window.first - EPOCH).days // chunk_days * chunk_days)
    found = []
    while at < window.last:
        if at not in there:
            found.append(at)
        at += timedelta(days=chunk_days)
    return found


def empty_chunks(connection: Connection, chunks: Sequence[Chunk]) -> None:
    """Take every row out of chunks; who reads them waits until the transaction ends."""
    for chunk in chunks:
        connection.execute(sql.SQL("truncate {}").format(chunk.identifier))
        if chunk.is_compressed:
            # There is nothing in it: it only ceases to be one whose new rows lie beside its compressed ones.
            name = sql.Literal(chunk.identifier.as_string(connection))
            connection.execute(sql.SQL("select decompress_chunk({}::regclass)").format(name))
