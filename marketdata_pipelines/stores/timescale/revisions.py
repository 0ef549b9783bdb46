"""Which revision of each partition the SQL store holds, for caches: the ledger's digests, as they are this moment."""

from contextlib import suppress
from datetime import datetime

import psycopg

from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.templates import statement


def read_revisions(database: Database, feed_name: str, table: str) -> dict[str, str]:
    """{partition: revision} of a table in the ledger; none where nothing was ever published.

    Errors: StoreUnavailable; StoreError when the server refuses.
    """
    with (
        database.connection(f"looking up what is published of {feed_name}", autocommit=True) as connection,
        suppress(psycopg.errors.UndefinedTable),
    ):
        rows = connection.execute(
            statement("postgres", "read_revisions"), {"feed": feed_name, "table": table}, prepare=True
        ).fetchall()
        return {partition: revision_of(inputs, at) for partition, inputs, at in rows}
    return {}


def revision_of(inputs: str, published_at: datetime) -> str:
    """The lake's digest of what was published; where rows came in since that the lake did not give, when they did."""
    return inputs or f"rows of {published_at.timestamp()}"
