"""Which raw parts a partition's tables were made of when they were last walked.

A record that is older than the tables names other inputs than they do: whoever reads it compares.
"""

import json
import sqlite3
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from marketdata_pipelines.stores.lake.connections import Connections


@dataclass(frozen=True, slots=True)
class Walked:
    """`inputs` is the digest of the validated bars made, `horizon_us` when the newest of `parts` (ids) became known."""

    inputs: str
    horizon_us: int
    parts: tuple[str, ...]


class Walks:
    """The last walks of one lake's large partitions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections = Connections(path)

    def note(self, feed: str, partition: str, walked: Walked) -> None:
        """Keep what a partition's tables were made of, in place of what was kept before."""
        connection = self._connections.get()
        connection.execute("begin immediate")
        try:
            connection.execute(_schema())
            connection.execute(
                "insert or replace into walk (feed, partition, inputs, horizon_us, parts) values (?, ?, ?, ?, ?)",
                (feed, partition, walked.inputs, walked.horizon_us, json.dumps(walked.parts)),
            )
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")

    def last(self, feed: str, partition: str) -> Walked | None:
        """What was kept of a partition; None where nothing was."""
        if not self._path.exists():
            return None
        query = "select inputs, horizon_us, parts from walk where feed = ? and partition = ?"
        try:
            row = self._connections.get().execute(query, (feed, partition)).fetchone()
        except sqlite3.OperationalError:
            # A catalog in which no large partition was walked yet has no such table.
            return None
        return None if row is None else Walked(row["inputs"], row["horizon_us"], tuple(json.loads(row["parts"])))


def _schema() -> str:
    return files("marketdata_pipelines.stores.sql").joinpath("sqlite", "0006_add_walks.sql").read_text("utf-8")
