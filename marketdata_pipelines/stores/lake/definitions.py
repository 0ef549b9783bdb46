"""How each feed was defined when: texts by version, in the lake's catalog.

What a text means is not known here (see `domain.feed_records`).
"""

import sqlite3
from importlib.resources import files
from pathlib import Path

from marketdata_pipelines.stores.lake.connections import Connections


class Definitions:
    """The recorded definitions of every feed of one lake."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections = Connections(path)

    def record(self, feed: str, version: str, text: str, known_at_us: int) -> None:
        """Note that a feed is defined so from now on; nothing where it was defined so before."""
        newest = self.at(feed)
        if newest is not None and newest[0] == version:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connections.get()
        connection.execute("begin immediate")
        try:
            connection.execute(_schema())
            connection.execute(
                "insert or replace into definition (feed, known_at_us, version, text) values (?, ?, ?, ?)",
                (feed, known_at_us, version, text),
            )
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")

    def at(self, feed: str, known_at_us: int | None = None) -> tuple[str, str] | None:
        """(version, text) in force at an instant (UTC microseconds; the newest when left out); of a feed that was
        defined only later its first; None where none was ever recorded."""
        rows = self.all(feed)
        known = [row for row in rows if known_at_us is None or row[0] <= known_at_us] or rows[:1]
        return (known[-1][1], known[-1][2]) if known else None

    def all(self, feed: str) -> list[tuple[int, str, str]]:
        """(known_at_us, version, text) of a feed, oldest first."""
        if not self._path.exists():
            return []
        query = "select known_at_us, version, text from definition where feed = ? order by known_at_us"
        try:
            return [tuple(row) for row in self._connections.get().execute(query, (feed,))]
        except sqlite3.OperationalError:
            # A catalog from before there were any has no such table.
            return []


def _schema() -> str:
    return files("marketdata_pipelines.stores.sql").joinpath("sqlite", "0004_add_definitions.sql").read_text("utf-8")
