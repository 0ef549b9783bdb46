"""Connections to one SQLite file: one a thread, kept open, because opening costs more than most questions.

A forked process never touches those of its parent, and a file that was replaced is opened anew.
"""

import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

_BUSY_SECONDS = 60.0
# Connections of the parent process: SQLite forbids a child even to close them.
_inherited: list[sqlite3.Connection] = []


class Connections:
    """Gives each thread of each process its own connection to `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()

    def get(self) -> sqlite3.Connection:
        """The connection of this thread; makes the file where it is not there.

        Errors: sqlite3.OperationalError when the folder is missing or the file cannot be opened.
        """
        held: _Held | None = getattr(self._own, "held", None)
        if held is None or not held.is_current(self._path):
            held = self._own.held = _Held(self._path)
        return held.connection


class _Held:
    """An open connection and what it was opened on; closed with its thread."""

    def __init__(self, path: Path) -> None:
        self._pid = os.getpid()
        self.connection = _open(path)
        self._file = _identity(path)

    def is_current(self, path: Path) -> bool:
        """Whether this process opened it, and on the file that is there now."""
        return self._pid == os.getpid() and self._file == _identity(path)

    def __del__(self) -> None:
        connection = getattr(self, "connection", None)
        if connection is None:
            return
        if self._pid == os.getpid():
            connection.close()
        else:
            _inherited.append(connection)


def _open(path: Path) -> sqlite3.Connection:
    # A thread's connection may be closed by another one, once the thread is gone.
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        # Readers and a writer then do not wait for each other; whoever is refused meets another making the change.
        with suppress(sqlite3.OperationalError):
            connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("select count(*) from sqlite_master")
    except sqlite3.OperationalError:
        connection.close()
        if os.access(path.parent, os.W_OK):
            raise
        # A write-ahead log needs a folder to write to; a lake that nobody writes to does not change.
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
