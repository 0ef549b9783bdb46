"""Having an asset's table to oneself for an instant, without holding up its readers; nothing is changed here."""

from collections.abc import Callable

import psycopg
from psycopg import sql

from marketdata_pipelines.stores.timescale.locks import Connection, lock_key

# Longer than a second, after which the server has an automatic vacuum give way.
_SECONDS = 2
_TRIES = 5
_PAUSE_SECONDS = 0.5


def lock_writing(connection: Connection, table: str, partition: str, *, alone: bool) -> None:
    """Until the transaction ends nobody else writes the partition; alone: nor any other of the table."""
    lock = "select pg_advisory_xact_lock(%s)"
    connection.execute(lock if alone else "select pg_advisory_xact_lock_shared(%s)", [lock_key("user table", table)])
    connection.execute(lock, [lock_key("user table", table, partition)])


def had_alone(
    connection: Connection, tables: list[sql.Identifier], work: Callable[[], None], pause: Callable[[float], None]
) -> bool:
    """Do `work` with the strongest lock on tables, taken in their order; false, and nothing done, where that fails.

    Whoever comes to read waits behind this: it gives up after two seconds at a table and lets them through, and tries
    five times. Once it did, the locks stay until the transaction ends. `pause` waits some seconds.
    """
    for attempt in range(_TRIES):
        if attempt:
            pause(_PAUSE_SECONDS)
        try:
            with connection.transaction():
                connection.execute("select set_config('lock_timeout', %s, true)", [f"{_SECONDS}s"])
                for table in tables:
                    connection.execute(sql.SQL("lock table only {} in access exclusive mode").format(table))
                work()
                connection.execute("select set_config('lock_timeout', '0', true)")
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            continue
        return True
    return False
