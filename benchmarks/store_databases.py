"""A new database for one benchmark, on a server given or on the PostgreSQL of the tests; dropped at the end."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from marketdata_pipelines_tests.servers import start_postgres
from marketdata_pipelines_tests.store_databases import new_database


@contextmanager
def benchmark_database(server: str | None) -> Iterator[str]:
    """Its address. `server`: postgresql:// of a login that may make databases; None: plain PostgreSQL from its wheel,
    without waiting for the disk. Where the server has TimescaleDB the database gets it."""
    if server is not None:
        with new_database(server, with_timescale=_has_timescale(server)) as dsn:
            yield dsn
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        postgres = start_postgres(Path(folder) / "server")
        try:
            with new_database(postgres.url("postgres")) as dsn:
                yield dsn
        finally:
            postgres.stop()


def _has_timescale(server: str) -> bool:
    with psycopg.connect(server) as connection:
        found = connection.execute("select from pg_available_extensions where name = 'timescaledb'").fetchone()
    return found is not None
