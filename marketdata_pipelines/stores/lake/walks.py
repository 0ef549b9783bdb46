"""Which raw parts a partition's tables were made of when they were last walked, and what its checks said then.

A record that is older than the tables names other inputs than they do: whoever reads it compares.
"""

import json
import sqlite3
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from marketdata_pipelines.stores.lake.connections import Connections


@dataclass(frozen=True, slots=True)
class WalkCheck:
    """The outcome of one check of a walk."""

    name: str
    asset: str
    passed: bool
    blocking: bool
    message: str


@dataclass(frozen=True, slots=True)
class WalkProof:
    """How many rows of a partition's raw parts became bars and how many did not, and its checks."""

    raw_rows: int
    accepted_rows: int
    rejected_rows: int
    checks: tuple[WalkCheck, ...]


@dataclass(frozen=True, slots=True)
class Walked:
    """`inputs` is the digest of the validated bars made, `horizon_us` when the newest of `parts` (ids) became known.

    `proof` is None where only some symbols were walked, or by an earlier release.
    """

    inputs: str
    horizon_us: int
    parts: tuple[str, ...]
    proof: WalkProof | None = None


class Walks:
    """The last walks of one lake's base partitions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections = Connections(path)
        self._is_made = False

    def note(self, feed: str, partition: str, walked: Walked) -> None:
        """Keep what a partition's tables were made of, in place of what was kept before."""
        connection = self._connections.get()
        connection.execute("begin immediate")
        try:
            if not self._is_made:
                _make(connection)
            proof = None if walked.proof is None else json.dumps(asdict(walked.proof))
            connection.execute(
                "insert or replace into walk (feed, partition, inputs, horizon_us, parts, proof) "
                "values (?, ?, ?, ?, ?, ?)",
                (feed, partition, walked.inputs, walked.horizon_us, json.dumps(walked.parts), proof),
            )
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")
        self._is_made = True

    def last(self, feed: str, partition: str) -> Walked | None:
        """What was kept of a partition; None where nothing was."""
        if not self._path.exists():
            return None
        query = "select * from walk where feed = ? and partition = ?"
        try:
            row = self._connections.get().execute(query, (feed, partition)).fetchone()
        except sqlite3.OperationalError:
            # A catalog in which no partition was walked yet has no such table.
            return None
        return None if row is None else _walked(row)


def _make(connection: sqlite3.Connection) -> None:
    connection.execute(_schema("0006_add_walks"))
    if not any(row["name"] == "proof" for row in connection.execute("pragma table_info(walk)")):
        connection.execute(_schema("0010_add_walk_proof"))


def _walked(row: sqlite3.Row) -> Walked:
    # A table of an earlier release has no proofs until the next partition is walked.
    text = row["proof"] if "proof" in row.keys() else None  # noqa: SIM118
    proof = None if text is None else _proof(json.loads(text))
    return Walked(row["inputs"], row["horizon_us"], tuple(json.loads(row["parts"])), proof)


def _proof(kept: dict[str, Any]) -> WalkProof:
    return WalkProof(**{**kept, "checks": tuple(WalkCheck(**check) for check in kept["checks"])})


def _schema(name: str) -> str:
    return files("marketdata_pipelines.stores.sql").joinpath("sqlite", f"{name}.sql").read_text("utf-8")
