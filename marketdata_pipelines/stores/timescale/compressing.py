"""Compressing old chunks on TimescaleDB, and what a feed's tables take."""

import logging
from datetime import date, timedelta

from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.store_tables import TRADES
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.timescale.chunks import list_chunks
from marketdata_pipelines.stores.timescale.locks import Connection, refreshing
from marketdata_pipelines.stores.timescale.records import Storage
from marketdata_pipelines.stores.timescale.rollups import BARS
from marketdata_pipelines.stores.timescale.templates import statement

logger = logging.getLogger(__name__)

_COMPRESS = sql.SQL("select compress_chunk({}::regclass, if_not_compressed => true)")


def compress_chunks(connection: Connection, feed: Feed, after_days: int) -> int:
    """Compress what ended `after_days` before the newest published session; each chunk by itself.

    A chunk that was compressed and then written to is compressed again. A chunk that somebody publishes to meanwhile
    waits for that. The connection commits each statement by itself.
    """
    until = _newest_session(connection, feed)
    if until is None:
        return 0
    with refreshing(connection, feed.name):
        due = {
            chunk.name: chunk
            for table in (BARS, TRADES)
            for chunk in list_chunks(connection, feed.name, is_timescale=True, table=table)
            if chunk.last <= until - timedelta(days=after_days)
        }
        wanting = {name for table in (BARS, TRADES) for name in _wanting(connection, feed, table)}
        found = [chunk for name, chunk in due.items() if not chunk.is_compressed or name in wanting]
        for chunk in found:
            connection.execute(_COMPRESS.format(sql.Literal(chunk.identifier.as_string(connection))))
            logger.info("compressed %s %s..%s", feed.name, chunk.first, chunk.last)
    return len(found)


def measure(connection: Connection, feed: Feed, *, is_timescale: bool) -> list[Storage]:
    """What each table of the feed takes, largest first."""
    engine = "timescale" if is_timescale else "postgres"
    rows = connection.execute(statement(engine, "select_storage"), {"feed": feed.name}).fetchall()
    return [Storage(*row) for row in rows]


def _newest_session(connection: Connection, feed: Feed) -> date | None:
    """The newest day with bars: the greatest of the last chunk that has any."""
    row = connection.execute(
        "select max(partition) from marketdata.published where feed = %s and tbl = %s and rows > 0",
        [feed.name, VALIDATED_BARS],
    ).fetchone()
    if row is None or row[0] is None:
        return None
    newest = connection.execute(
        sql.SQL("select max(st)::date from {} where st >= %s::date").format(sql.Identifier(feed.name, BARS)), [row[0]]
    ).fetchone()
    found: date | None = newest[0] if newest else None
    return found


def _wanting(connection: Connection, feed: Feed, table: str) -> set[str]:
    """Compressed chunks that hold rows written since, which are not."""
    values = {"feed": feed.name, "table": table}
    rows = connection.execute(statement("timescale", "select_partial_chunks"), values).fetchall()
    return {name for (name,) in rows}
