"""Letting old base bars and trades go: whole partitions with their lines in the ledger, so that the ledger stays true.

Rollups and coarse tables keep what was derived. They stay right because a rollup is only ever refreshed for a
partition that the ledger has: a refresh over days whose bars are gone would delete its buckets.
"""

from datetime import date

from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import period_of, period_start
from marketdata_pipelines.domain.store_tables import TRADES
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.timescale.chunks import Chunk, list_chunks
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.rollups import BARS, Window
from marketdata_pipelines.stores.timescale.trade_tables import is_made


def drop_before(connection: Connection, feed: Feed, day: date, *, is_timescale: bool) -> int:
    """Remove base bars and trades of the partitions that end before `day`, in the caller's transaction; how many rows.

    Whole chunks are dropped, which costs next to nothing; of a chunk that reaches further, the rows are deleted.
    """
    first_kept = period_start(day, period_of(feed.partition))
    row = connection.execute(
        "with gone as (delete from marketdata.published"
        " where feed = %s and tbl = any(%s) and partition < %s returning rows)"
        " select coalesce(sum(rows), 0)::bigint from gone",
        [feed.name, [VALIDATED_BARS, TRADES], first_kept.isoformat()],
    ).fetchone()
    if is_timescale:
        connection.execute("set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
    before = Window(date.min, first_kept)
    for table in (BARS, TRADES) if is_made(connection, feed.name) else (BARS,):
        for chunk in list_chunks(connection, feed.name, is_timescale=is_timescale, table=table):
            if chunk.lies_in(before):
                _drop(connection, sql.Identifier(feed.name, table), chunk, is_timescale=is_timescale)
        connection.execute(
            sql.SQL("delete from {} where st < %s").format(sql.Identifier(feed.name, table)), [first_kept]
        )
    return int(row[0]) if row else 0


def _drop(connection: Connection, table: sql.Identifier, chunk: Chunk, *, is_timescale: bool) -> None:
    if not is_timescale:
        connection.execute(sql.SQL("drop table {}").format(chunk.identifier))
        return
    name = sql.Literal(table.as_string(connection))
    connection.execute(
        sql.SQL("select drop_chunks({}, older_than => %s::timestamp, newer_than => %s::timestamp)").format(name),
        [chunk.last, chunk.first],
    )
