"""Who waits for whom: advisory locks of the SQL store, kept by the server for as long as a transaction or session."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]


def lock_key(*parts: str) -> int:
    """The 64-bit number of a lock, the same in every process."""
    digest = hashlib.blake2b("\x1f".join(("marketdata", *parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def lock_layout(connection: Connection, feed_name: str, *, exclusively: bool = False) -> None:
    """Until the transaction ends nobody else changes the feed's layout; exclusively: nor publishes to it."""
    function = "pg_advisory_xact_lock" if exclusively else "pg_advisory_xact_lock_shared"
    connection.execute(f"select {function}(%s)", [lock_key("layout", feed_name)])


def lock_partition(connection: Connection, feed_name: str, table: str, partition: str) -> None:
    """Until the transaction ends nobody else writes the partition."""
    connection.execute("select pg_advisory_xact_lock(%s)", [lock_key("partition", feed_name, table, partition)])


@contextmanager
def refreshing(connection: Connection, feed_name: str) -> Iterator[None]:
    """Nobody else refreshes the feed's rollups meanwhile; the connection commits each statement by itself."""
    key = [lock_key("refresh", feed_name)]
    connection.execute("select pg_advisory_lock(%s)", key)
    try:
        yield
    finally:
        if not connection.closed and not connection.broken:
            connection.execute("select pg_advisory_unlock(%s)", key)
