"""What all processes on a data folder know of each provider: calls in their window, pauses, failures.

One small SQLite file; every change is a transaction of its own, so that runs and daemons that pull at once share one
limit and one breaker. What the numbers mean is in `limits` and `breaker`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BUSY_SECONDS = 60.0
_SCHEMA = """
begin immediate;
create table if not exists call (
    provider text not null,
    token integer primary key autoincrement,
    started_us integer not null,
    finished_us integer
);
create index if not exists call_by_provider on call (provider, started_us);
create table if not exists provider (
    provider text primary key,
    paused_until_us integer not null default 0,
    next_us integer not null default 0,
    failures integer not null default 0,
    open_until_us integer not null default 0,
    probed_until_us integer not null default 0
);
commit;
"""


class ProviderState:
    """The shared file; opens a connection a transaction, so it is safe across threads, forks and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made = False

    @contextmanager
    def changing(self, provider: str) -> Iterator[sqlite3.Connection]:
        """A transaction nobody else's runs beside; the provider has a row in it."""
        connection = self._connect()
        try:
            connection.execute("begin immediate")
            try:
                connection.execute("insert or ignore into provider (provider) values (?)", (provider,))
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")
        finally:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        # Somebody may have removed the file to start afresh.
        made = self._made and self._path.exists()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        connection.row_factory = sqlite3.Row
        # Losing the last instants of this state in a power cut costs nothing: a boot takes longer than a window.
        connection.execute("pragma synchronous = off")
        if not made:
            connection.executescript(_SCHEMA)
            self._made = True
        return connection
