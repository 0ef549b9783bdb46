"""Which revision of a table's partitions is the newest: from the lake's index, else from what was published.

A revision is the index's `Stored.inputs`: the digest of everything a partition was made of. Answers are kept under it,
so an answer that is no longer right is never asked for again.
"""

import os
import sqlite3
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

from marketdata_pipelines.pipeline.latest import EVERY_PARTITION, revision_of

_BUSY_SECONDS = 60.0
_numbers = count(1)
# Connections of the parent process: SQLite forbids a child even to close them.
_inherited: list[sqlite3.Connection] = []


@dataclass(frozen=True, eq=False)
class Revisions:
    """The revisions of one table as they were at one look. `number` differs from that of every other content."""

    by_partition: Mapping[str, str]
    partitions: tuple[str, ...]
    number: int = field(default_factory=lambda: next(_numbers))
    _digests: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, by_partition: Mapping[str, str]) -> "Revisions":
        """From {partition: revision}."""
        return cls(by_partition, tuple(sorted(by_partition)))

    def between(self, first: str = "", last: str = "9999-99-99") -> tuple[str, ...]:
        """The partitions in first..last, in order."""
        return self.partitions[bisect_left(self.partitions, first) : bisect_right(self.partitions, last)]

    def digest(self, first: str = "", last: str = "9999-99-99") -> str:
        """One revision of what is made of the partitions in first..last; what is published as one thing has its own."""
        if self.partitions == (EVERY_PARTITION,):
            return self.by_partition[EVERY_PARTITION]
        found = self._digests.get((first, last))
        if found is None:
            found = revision_of({key: self.by_partition[key] for key in self.between(first, last)})
            self._digests[first, last] = found
        return found


class RevisionsUnknown(Exception):
    """Nobody can tell now which revisions are the newest."""


class RevisionSource(Protocol):
    """Says what the newest revisions are."""

    def of(self, feed: str, table: str) -> Revisions:
        """The revisions of a table. The same object as before where nothing has changed since.

        Errors: RevisionsUnknown where they are at a server that does not answer.
        """
        ...

    def anew(self, feed: str, table: str) -> Revisions:
        """As `of`, but as they are this moment: what is remembered is looked up again.

        Errors: as `of`.
        """
        ...

    def forget(self, feed: str | None = None) -> None:
        """Look again, at one feed or all, before the next answer."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


class LakeRevisions:
    """From the index of a lake. SQLite says whether anybody has written since: what is answered is never old."""

    def __init__(self, catalog: Path) -> None:
        self._path = catalog
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int, int] | None = None
        self._version = -1
        self._checked: dict[tuple[str, str], Revisions] = {}
        self._known: dict[tuple[str, str], Revisions] = {}
        self._lock = threading.Lock()

    def of(self, feed: str, table: str) -> Revisions:
        """The revisions of a table now; none where there is no index yet.

        Errors: sqlite3.Error when the index cannot be read.
        """
        with self._lock:
            connection = self._current()
            if connection is None:
                return self._keep((feed, table), {})
            version = connection.execute("pragma data_version").fetchone()[0]
            if version != self._version:
                self._checked.clear()
                self._version = version
            found = self._checked.get((feed, table))
            return found if found is not None else self._keep((feed, table), _stored_inputs(connection, feed, table))

    def anew(self, feed: str, table: str) -> Revisions:
        """As `of`, which is never behind."""
        return self.of(feed, table)

    def forget(self, feed: str | None = None) -> None:
        """Read again: also what did not change."""
        with self._lock:
            for key in [key for key in self._checked if feed in (None, key[0])]:
                del self._checked[key]

    def close(self) -> None:
        """Close the index; it is opened again where something more is asked."""
        with self._lock:
            self._let_go()

    def _keep(self, key: tuple[str, str], by_partition: dict[str, str]) -> Revisions:
        known = self._known.get(key)
        if known is None or known.by_partition != by_partition:
            known = self._known[key] = Revisions.of(by_partition)
        self._checked[key] = known
        return known

    def _current(self) -> sqlite3.Connection | None:
        try:
            # Half the time of the path's own method.
            found = os.stat(self._path)
        except FileNotFoundError:
            self._let_go()
            return None
        identity = (os.getpid(), found.st_dev, found.st_ino)
        if identity != self._opened:
            self._let_go()
            self._connection, self._opened = _open(self._path), identity
        return self._connection

    def _let_go(self) -> None:
        connection, opened = self._connection, self._opened
        self._connection, self._opened, self._version = None, None, -1
        self._checked.clear()
        if connection is None or opened is None:
            return
        if opened[0] == os.getpid():
            connection.close()
        else:
            _inherited.append(connection)


class PublishedRevisions:
    """From what publishers noted in Redis or the SQL store, where no lake is at hand; kept for `keep_seconds` at most.

    `read` gives {partition: revision} of (feed, table), or None while the server does not answer.
    """

    def __init__(
        self,
        read: Callable[[str, str], Mapping[str, str] | None],
        keep_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._keep_seconds, self._clock = read, keep_seconds, clock
        self._known: dict[tuple[str, str], Revisions] = {}
        self._until: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        self._forgotten = 0

    def of(self, feed: str, table: str) -> Revisions:
        """As noted at most `keep_seconds` ago.

        Errors: RevisionsUnknown when the server does not answer and nothing is remembered.
        """
        key = (feed, table)
        with self._lock:
            if self._clock() < self._until.get(key, 0.0):
                return self._known[key]
        return self.anew(feed, table)

    def anew(self, feed: str, table: str) -> Revisions:
        """As they are noted this moment.

        Errors: RevisionsUnknown when the server does not answer.
        """
        key = (feed, table)
        with self._lock:
            asked, forgotten = self._clock(), self._forgotten
        read = self._read(feed, table)
        if read is None:
            raise RevisionsUnknown
        by_partition = dict(read)
        with self._lock:
            known = self._known.get(key)
            if known is None or known.by_partition != by_partition:
                known = self._known[key] = Revisions.of(by_partition)
            # What was forgotten while it was on its way may be old already.
            if forgotten == self._forgotten:
                self._until[key] = asked + self._keep_seconds
            return known

    def forget(self, feed: str | None = None) -> None:
        """Ask the server before the next answer."""
        with self._lock:
            self._forgotten += 1
            for key in [key for key in self._until if feed in (None, key[0])]:
                del self._until[key]

    def close(self) -> None:
        """Nothing is held open."""


def _stored_inputs(connection: sqlite3.Connection, feed: str, table: str) -> dict[str, str]:
    query = "select partition, inputs from stored where tbl = ? and feed = ?"
    try:
        return dict(connection.execute(query, (table, feed)).fetchall())
    except sqlite3.OperationalError:
        # The file is there before its tables are: another process is making them.
        if connection.execute("select 1 from sqlite_master where name = 'stored'").fetchone() is None:
            return {}
        raise


def _open(path: Path) -> sqlite3.Connection:
    address = path.absolute().as_uri()
    with suppress(sqlite3.OperationalError):
        connection = sqlite3.connect(
            f"{address}?mode=rw", _BUSY_SECONDS, uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("select count(*) from sqlite_master")
        except sqlite3.OperationalError:
            connection.close()
            raise
        return connection
    # A write-ahead log needs a folder to write to; a lake that nobody writes to does not change.
    return sqlite3.connect(f"{address}?immutable=1", uri=True, isolation_level=None, check_same_thread=False)
