"""A table of scores by partition for tests of assets' tables, and what SQL users find of it."""

from typing import Any

import psycopg
import pyarrow as pa

from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.user_tables import UserTable

TABLE = UserTable("research", "scores", ("id",))
# Rows of a large partition, where a leaf begins with a hundred.
LARGE = 100
MANY = 500


def rows(count: int, value: int) -> pa.Table:
    return pa.table({"id": pa.array(range(count), pa.int64()), "value": pa.array([value] * count, pa.int64())})


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def sums(dsn: str) -> dict[str, tuple[int, int]]:
    """Rows and the one value of each partition, as SQL users find them."""
    found = ask(dsn, "select partition, count(*), min(value), max(value) from research.scores group by 1")
    assert all(least == most for _, _, least, most in found)
    return {partition: (count, least) for partition, count, least, _ in found}


def leaves(dsn: str) -> dict[str, str]:
    return dict(
        ask(
            dsn,
            "select pg_get_expr(relpartbound, 0), relname from pg_inherits join pg_class on oid = inhrelid"
            " where inhparent = to_regclass('research.scores')",
        )
    )


def first_layout(database: Database, counts: dict[str, int]) -> None:
    """The table as versions before leaves made it, with rows of value 1."""
    with database.connection() as connection:
        connection.execute("create schema research")
        connection.execute(
            "create table research.scores (partition text not null, id bigint, value bigint,"
            " primary key (partition, id))"
        )
        connection.execute(
            "create table research.scores__partitions (partition text primary key, rows bigint not null,"
            " revision text not null, written_at timestamptz not null default now())"
        )
        for name, count in counts.items():
            connection.execute(
                "insert into research.scores select %s, n, 1 from generate_series(1, %s) n", [name, count]
            )
            connection.execute("insert into research.scores__partitions values (%s, %s, 'old')", [name, count])


def do(database: Database, statement: str) -> None:
    with database.connection() as connection:
        connection.execute(statement.encode())
