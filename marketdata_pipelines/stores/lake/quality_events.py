"""The log of what happened to the quality of partitions, in the lake's catalog: only ever added to.

Beside it is kept, by partition, what the log has told so far; both change in one transaction. Which events a verdict
makes is decided in `domain.quality.events`.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from importlib.resources import files
from pathlib import Path

import pyarrow as pa

from marketdata_pipelines.domain.quality.events import (
    QUALITY_EVENT_SCHEMA,
    FindingKey,
    QualityEvent,
    QualityState,
    SessionGrade,
)
from marketdata_pipelines.stores.lake.connections import Connections

Decide = Callable[[QualityState], tuple[Sequence[QualityEvent], QualityState]]
_COLUMNS = ("event", "rule", "symbol", "detail", "score_before", "score_after")


class QualityEvents:
    """The quality events of one lake. Safe across threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections = Connections(path)

    def advance(self, feed: str, partition: str, at_us: int, decide: Decide) -> list[QualityEvent]:
        """Append what `decide` makes of the state the log has told so far, and keep the state it gives.

        One transaction: two processes that judge a partition at once tell nothing twice. Returns what was appended.
        """
        with self._write() as connection:
            before = self._state(connection, feed, partition)
            events, after = decide(before)
            self._append(connection, feed, partition, at_us, events)
            if after != before:
                connection.execute(
                    "insert or replace into quality_state (feed, partition, state) values (?, ?, ?)",
                    (feed, partition, _text_of(after)),
                )
        return list(events)

    def append(self, feed: str, partition: str, at_us: int, events: Sequence[QualityEvent]) -> None:
        """Append events that no verdict made."""
        if not events:
            return
        with self._write() as connection:
            self._append(connection, feed, partition, at_us, events)

    def state(self, feed: str, partition: str) -> QualityState:
        """What the log has told of a partition so far; an empty state where it never was judged."""
        if not self._path.exists():
            return QualityState()
        try:
            return self._state(self._connections.get(), feed, partition)
        except sqlite3.OperationalError:
            # A catalog in which no quality was judged yet has no such table.
            return QualityState()

    def read(
        self, feed: str | None = None, start: str = "", end: str = "9999-99-99", *, after_seq: int = 0
    ) -> pa.Table:
        """The events of one feed, or of all, of partitions with a key in start..end, that were noted after one.

        Shape: QUALITY_EVENT_SCHEMA, in the order they were noted.
        """
        if not self._path.exists():
            return QUALITY_EVENT_SCHEMA.empty_table()
        query = "select * from quality_event where partition between ? and ? and seq > ?"
        parameters: tuple[str | int, ...] = (start, end, after_seq)
        if feed is not None:
            query, parameters = f"{query} and feed = ?", (*parameters, feed)
        try:
            rows = self._connections.get().execute(f"{query} order by seq", parameters).fetchall()
        except sqlite3.OperationalError:
            # As above.
            return QUALITY_EVENT_SCHEMA.empty_table()
        names = [name for name in QUALITY_EVENT_SCHEMA.names if name not in ("noted_at", "session_date")]
        columns = {name: [row[name] for row in rows] for name in names}
        columns["noted_at"] = [row["at_us"] for row in rows]
        columns["session_date"] = [row["session_date"] and date.fromisoformat(row["session_date"]) for row in rows]
        return pa.table(columns, schema=QUALITY_EVENT_SCHEMA)

    def _state(self, connection: sqlite3.Connection, feed: str, partition: str) -> QualityState:
        query = "select state from quality_state where feed = ? and partition = ?"
        row = connection.execute(query, (feed, partition)).fetchone()
        return QualityState() if row is None else _state_of(row["state"])

    def _append(
        self, connection: sqlite3.Connection, feed: str, partition: str, at_us: int, events: Sequence[QualityEvent]
    ) -> None:
        connection.executemany(
            f"""
            insert into quality_event (at_us, feed, partition, session_date, {", ".join(_COLUMNS)})
            values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                (at_us, feed, partition, each.session_date and each.session_date.isoformat(),
                 *(getattr(each, name) for name in _COLUMNS))
                for each in events
            ],
        )  # fmt: skip

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connections.get()
        connection.execute("begin immediate")
        try:
            for statement in _statements():
                connection.execute(statement)
            yield connection
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")


def _statements() -> Iterator[str]:
    folder = files("marketdata_pipelines.stores.sql").joinpath("sqlite")
    for name in ("0007_add_quality_events", "0008_add_quality_states"):
        text = folder.joinpath(f"{name}.sql").read_text("utf-8")
        yield from (statement for statement in text.split(";\n") if statement.strip())


def _text_of(state: QualityState) -> str:
    said = {
        "grades": {day: [each.score, each.grade] for day, each in sorted(state.grades.items())},
        "findings": [[*asdict(key).values(), text] for key, text in sorted(state.findings.items())],
        "blocked_by": state.blocked_by,
    }
    return json.dumps(said, sort_keys=True)


def _state_of(text: str) -> QualityState:
    said = json.loads(text)
    return QualityState(
        grades={day: SessionGrade(score, grade) for day, (score, grade) in said["grades"].items()},
        findings={FindingKey(day, rule, symbol): words for day, rule, symbol, words in said["findings"]},
        blocked_by=said["blocked_by"],
    )
