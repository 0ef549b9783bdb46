"""The digests of files seen in a drop folder, by path and stamp, so that each content is read once to be known.

A cache: deleting it costs reading the files again. What became of a content is in the ledger, never here.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_BUSY_SECONDS = 20.0
_TABLE = "create table if not exists digest (path text primary key, stamp text not null, sha256 text not null)"


class Digests:
    """One feed's drop folder. A stamp is whatever changes when a file may have: its size and times."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def known(self) -> dict[str, tuple[str, str]]:
        """(stamp, sha256) of every path."""
        if not self._path.exists():
            return {}
        with self._connect() as connection:
            rows = connection.execute("select path, stamp, sha256 from digest").fetchall()
        return {path: (stamp, sha256) for path, stamp, sha256 in rows}

    def remember(self, found: Mapping[str, tuple[str, str]], gone: Iterable[str] = ()) -> None:
        """Keep the (stamp, sha256) of paths, and drop paths that are gone."""
        rows = [(path, *values) for path, values in found.items()]
        dropped = [(path,) for path in gone]
        if not rows and not dropped:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect() as connection:
            connection.execute("begin immediate")
            connection.executemany("insert or replace into digest (path, stamp, sha256) values (?, ?, ?)", rows)
            connection.executemany("delete from digest where path = ?", dropped)
            connection.execute("commit")

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            connection.execute(_TABLE)
            yield connection
        finally:
            connection.close()
