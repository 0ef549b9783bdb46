"""A PostgreSQL of a test's own, behind a wire, that is killed, limited and started again; nothing here asserts.

A commit is on its disk before it is told, as on a server that is meant to keep things.
"""

import contextlib
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from marketdata_pipelines_tests.faulty_wire import FaultyWire, faulty_wire
from marketdata_pipelines_tests.servers import PostgresServer, resume_postgres, start_postgres
from marketdata_pipelines_tests.waiting import wait_until, wait_until_gone

_OPTIONS = {"synchronous_commit": "on", "full_page_writes": "on", "max_connections": "40"}


class FaultyServer:
    """A PostgreSQL that outlives its processes; clients come through `wire`."""

    def __init__(self, server: PostgresServer, wire: FaultyWire) -> None:
        self.server, self.wire = server, wire

    @property
    def place(self) -> str:
        """Where clients find it: host and port."""
        return f"127.0.0.1:{self.wire.port}"

    def new_database(self, *options: str) -> str:
        """The name of a new, empty database."""
        name = f"store_{uuid.uuid4().hex[:12]}"
        self.server.run(f"create database {name} {' '.join(options)}")
        return name

    def url(self, database: str) -> str:
        """The address of a database, through the wire."""
        return f"postgresql://postgres@{self.place}/{database}"

    def direct_url(self, database: str) -> str:
        """The address of a database, past the wire."""
        return self.server.url(database)

    def kill(self) -> None:
        """End every process at once, unsaved."""
        self.server.kill()

    def resume(self) -> None:
        """Start it again, where it does not run: it recovers what was committed."""
        if self.server.process.poll() is not None:
            self.server = resume_postgres(self.server)

    def recover(self) -> None:
        """Wait until it has come back from a crash by itself; start it where it gave that up."""

        def is_settled() -> bool:
            return self.server.process.poll() is not None or self.answers()

        wait_until(is_settled, "the end of a server or of its recovery")
        self.resume()

    def answers(self) -> bool:
        """Whether it takes a connection now."""
        try:
            psycopg.connect(self.direct_url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill_and_resume(self) -> None:
        self.kill()
        self.resume()

    def kill_sessions(self, database: str) -> None:
        """End the processes of a database's clients; the server then throws out everybody and recovers by itself."""
        with psycopg.connect(self.direct_url(database), autocommit=True) as connection:
            rows = connection.execute(
                "select pid from pg_stat_activity"
                " where datname = current_database() and application_name = 'marketdata'"
            ).fetchall()
        for (pid,) in rows:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until_gone(*(pid for (pid,) in rows))


@contextmanager
def faulty_server(*, initdb: Sequence[str] = (), within: Sequence[str] = (), **options: str) -> Iterator[FaultyServer]:
    """A server in a new folder, removed at the end with all that runs of it."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    folder.chmod(0o755)
    try:
        server = start_postgres(folder / "server", options=_OPTIONS | options, initdb=initdb, within=within)
        with faulty_wire(server.port) as wire:
            faulty = FaultyServer(server, wire)
            try:
                yield faulty
            finally:
                faulty.kill()
                faulty.server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
