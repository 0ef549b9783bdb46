"""The store's ledger: which partitions are published, of what; written in the transaction that writes their rows."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.records import Published
from marketdata_pipelines.stores.timescale.templates import statement


def read_published(connection: Connection, feed_name: str, table: str) -> dict[str, Published]:
    """Every published partition of a table, by partition, in order."""
    rows = connection.execute(statement("postgres", "select_ledger"), {"feed": feed_name, "table": table}).fetchall()
    return {row[2]: Published(*row) for row in rows}


def read_partition(connection: Connection, feed_name: str, table: str, partition: str) -> Published | None:
    """One published partition."""
    row = connection.execute(
        "select feed, tbl, partition, inputs, rows, symbols, checksum, horizon_us, rolled, run_id, published_at"
        " from marketdata.published where feed = %s and tbl = %s and partition = %s",
        [feed_name, table, partition],
    ).fetchone()
    return None if row is None else Published(*row)


def write_published(connection: Connection, entry: Published) -> Published:
    """Keep an entry, with the server's time of now."""
    values: dict[str, Any] = {name: getattr(entry, name) for name in Published.__slots__}
    row = connection.execute(statement("postgres", "upsert_published"), values).fetchone()
    assert row is not None
    return replace(entry, published_at=row[0])


def remove_published(connection: Connection, feed_name: str, table: str, partition: str) -> None:
    """Forget a partition."""
    connection.execute(
        "delete from marketdata.published where feed = %s and tbl = %s and partition = %s",
        [feed_name, table, partition],
    )


def mark_rolled(connection: Connection, entry: Published) -> bool:
    """Note that the rollups hold this entry's rows; false when it was published anew meanwhile."""
    found = connection.execute(
        "update marketdata.published set rolled = true"
        " where feed = %s and tbl = %s and partition = %s and published_at = %s",
        [entry.feed, entry.table, entry.partition, entry.published_at],
    )
    return found.rowcount == 1


def checksum_of(parts: Iterable[tuple[str, int, str]]) -> str:
    """The checksum of a partition: of the (symbol, rows, digest) of its series, in whatever order they come."""
    digest = hashlib.md5(usedforsecurity=False)
    for symbol, rows, text in sorted(parts):
        digest.update(f"{symbol}\x1f{rows}\x1f{text}\x1e".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def has_published(connection: Connection, feed_name: str, table: str) -> bool:
    """Whether anything of a table is published."""
    row = connection.execute(
        "select exists (select from marketdata.published where feed = %s and tbl = %s)", [feed_name, table]
    ).fetchone()
    return bool(row and row[0])


def is_there(connection: Connection) -> bool:
    """Whether the store has a ledger: nobody published to it before."""
    row = connection.execute("select to_regclass('marketdata.published') is not null").fetchone()
    return bool(row and row[0])


def remove_empty(connection: Connection, feed_name: str, table: str, partition: str) -> None:
    """Forget a partition whose rows were removed, unless somebody published it meanwhile or its rollups are behind."""
    connection.execute(
        "delete from marketdata.published"
        " where feed = %s and tbl = %s and partition = %s and rows = 0 and inputs = '' and rolled",
        [feed_name, table, partition],
    )
