"""Raw parts whose files were removed by a policy of retention: the ledger keeps them, and when and why they went.

Which parts may go is decided in `pipeline.retention`.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from marketdata_pipelines.stores.lake.connections import Connections


@dataclass(frozen=True, slots=True)
class Removal:
    """The raw part that ingest `seq` brought, without its file; nothing of it counts while the ingests numbered
    `superseders` all do."""

    path: str
    seq: int
    removed_us: int
    superseders: tuple[int, ...]


class Removals:
    """The removed raw parts of one lake, in its catalog."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections = Connections(path)

    def of(self, feed: str) -> dict[str, Removal]:
        """The newest removal of each path."""
        return {removal.path: removal for removal in self.every(feed)}

    def every(self, feed: str) -> list[Removal]:
        """All of them, in the order they were removed."""
        if not self._path.exists():
            return []
        query = "select path, seq, removed_us, superseders from removed_part where feed = ? order by removed_us, seq"
        try:
            rows = self._connections.get().execute(query, (feed,)).fetchall()
        except sqlite3.OperationalError:
            # The table is made when something is removed first.
            return []
        return [Removal(path, seq, removed_us, tuple(json.loads(text))) for path, seq, removed_us, text in rows]

    def record(self, feed: str, removals: Iterable[Removal]) -> None:
        """Note removals, before the files go."""
        rows = [(each.path, each.seq, feed, each.removed_us, json.dumps(each.superseders)) for each in removals]
        connection = self._connections.get()
        connection.execute("begin immediate")
        try:
            connection.execute(_schema())
            connection.executemany("insert or replace into removed_part values (?, ?, ?, ?, ?)", rows)
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")


def _schema() -> str:
    return files("marketdata_pipelines.stores.sql").joinpath("sqlite", "create_removed_part.sql").read_text("utf-8")
