"""What is to be told and what has been: one SQLite file, so that nothing is told twice or forgotten over a restart.

A happening is added under its id and counts once, however often it is found. When to group and send is decided in
`pipeline.notices`; how a notice travels, in `notify`.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from marketdata_pipelines.domain.notices import Happening, Notice, NoticeKind

_BUSY_SECONDS = 20.0
PENDING, SENT, GIVEN_UP = "pending", "sent", "given up"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice on its way through one channel; `attempts` have failed so far, the last one with `error`."""

    seq: int
    channel: str
    notice: Notice
    attempts: int
    made_us: int
    error: str


class Outbox:
    """Opens a connection per call: safe across threads, forks and processes. Times in UTC microseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, happenings: Iterable[Happening], marks: Mapping[str, str] | None = None) -> int:
        """Remember what is to be told, and marks with it; what is known is left alone. Returns how many are new."""
        rows = [(each.id, each.group, each.feed, each.subject, each.at_us, _text(each)) for each in happenings]
        with self._write() as connection:
            before = connection.total_changes
            connection.executemany(
                "insert or ignore into happening (id, grp, feed, subject, at_us, body) values (?, ?, ?, ?, ?, ?)", rows
            )
            added = connection.total_changes - before
            connection.executemany("insert or replace into mark (name, value) values (?, ?)", (marks or {}).items())
        return added

    def waiting(self) -> dict[str, list[Happening]]:
        """Happenings no notice has been made of, oldest first, by group."""
        groups: dict[str, list[Happening]] = {}
        for row in self._read("select grp, body from happening where notice is null order by at_us, id"):
            groups.setdefault(row["grp"], []).append(_happening(row["body"]))
        return groups

    def last_made_us(self, group: str) -> int | None:
        """When the newest notice of a group was made."""
        rows = self._read("select max(made_us) as made_us from notice where grp = ?", (group,))
        return rows[0]["made_us"] if rows else None

    def make(self, notice: Notice, of: Sequence[Happening], channels: Iterable[str], now_us: int) -> int:
        """Make one notice of happenings and address it to channels, in one transaction; returns its number."""
        with self._write() as connection:
            cursor = connection.execute(
                "insert into notice (grp, made_us, body) values (?, ?, ?)", (of[0].group, now_us, _text(notice))
            )
            seq = int(cursor.lastrowid or 0)
            connection.executemany("update happening set notice = ? where id = ?", [(seq, each.id) for each in of])
            connection.executemany(
                "insert into delivery (notice, channel, state) values (?, ?, ?)",
                [(seq, channel, PENDING) for channel in channels],
            )
        return seq

    def pending(self, channel: str, now_us: int) -> list[Delivery]:
        """What a channel still has to deliver and may try now, oldest first; none while the channel rests."""
        rests = self._read("select 1 from channel where name = ? and next_us > ?", (channel, now_us))
        return [] if rests else [each for each, next_us in self._open(channel) if next_us <= now_us]

    def undelivered(self, channel: str) -> list[Delivery]:
        """Everything a channel still has to deliver, whenever it may be tried."""
        return [each for each, _ in self._open(channel)]

    def sent(self, delivery: Delivery) -> None:
        """A notice has gone out; its channel works."""
        with self._write() as connection:
            self._set(connection, delivery, SENT, 0, "")
            connection.execute("delete from channel where name = ?", (delivery.channel,))

    def put_off(self, delivery: Delivery, next_us: int, error: str) -> None:
        """A notice is tried again at `next_us`."""
        with self._write() as connection:
            self._set(connection, delivery, PENDING, next_us, error)

    def give_up(self, delivery: Delivery, error: str) -> None:
        """A notice is never tried again on this channel."""
        with self._write() as connection:
            self._set(connection, delivery, GIVEN_UP, 0, error)

    def failures(self, channel: str) -> int:
        """How often a channel has failed in a row."""
        return next(
            (row["failures"] for row in self._read("select failures from channel where name = ?", (channel,))), 0
        )

    def rest(self, channel: str, next_us: int) -> None:
        """A channel does not answer: leave it alone until `next_us`."""
        with self._write() as connection:
            connection.execute(
                "insert into channel (name, failures, next_us) values (?, 1, ?) "
                "on conflict (name) do update set failures = failures + 1, next_us = excluded.next_us",
                (channel, next_us),
            )

    def open_failures(self, subject: str, before_us: int) -> list[Happening]:
        """Failures of a job up to an instant that no recovery has followed, oldest first."""
        rows = self._read(
            "select body from happening where subject = ? and settled = 0 and at_us <= ? order by at_us",
            (subject, before_us),
        )
        found = [_happening(row["body"]) for row in rows]
        return [each for each in found if each.kind is NoticeKind.FAILURE]

    def settle(self, failures: Iterable[Happening], recovery: Happening) -> None:
        """Failures are over: remember it and the recovery to tell, in one transaction."""
        with self._write() as connection:
            connection.executemany("update happening set settled = 1 where id = ?", [(each.id,) for each in failures])
            connection.execute(
                "insert or ignore into happening (id, grp, feed, subject, at_us, body) values (?, ?, ?, ?, ?, ?)",
                (recovery.id, recovery.group, recovery.feed, recovery.subject, recovery.at_us, _text(recovery)),
            )

    def mark(self, name: str) -> str | None:
        """A remembered value."""
        return next((str(row["value"]) for row in self._read("select value from mark where name = ?", (name,))), None)

    def set_mark(self, name: str, value: str) -> None:
        """Remember a value under a name."""
        with self._write() as connection:
            connection.execute("insert or replace into mark (name, value) values (?, ?)", (name, value))

    def forget(self, before_us: int) -> None:
        """Drop what was told and delivered, or given up, before an instant."""
        done = f"made_us < ? and not exists (select 1 from delivery d where d.notice = seq and d.state = '{PENDING}')"
        with self._write() as connection:
            old = [row["seq"] for row in connection.execute(f"select seq from notice where {done}", (before_us,))]
            for table, column in (("happening", "notice"), ("delivery", "notice"), ("notice", "seq")):
                connection.executemany(f"delete from {table} where {column} = ?", [(seq,) for seq in old])

    def _open(self, channel: str) -> list[tuple[Delivery, int]]:
        query = """
            select d.notice, d.channel, d.attempts, d.next_us, d.error, n.body, n.made_us
            from delivery d join notice n on n.seq = d.notice
            where d.channel = ? and d.state = 'pending' order by d.notice
        """
        return [
            (
                Delivery(
                    row["notice"], row["channel"], _notice(row["body"]), row["attempts"], row["made_us"], row["error"]
                ),
                row["next_us"],
            )
            for row in self._read(query, (channel,))
        ]

    def _set(self, connection: sqlite3.Connection, delivery: Delivery, state: str, next_us: int, error: str) -> None:
        attempts = delivery.attempts + (state != SENT)
        connection.execute(
            "update delivery set state = ?, attempts = ?, next_us = ?, error = ? where notice = ? and channel = ?",
            (state, attempts, next_us, error, delivery.seq, delivery.channel),
        )

    def _read(self, query: str, parameters: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        if not self._path.exists():
            return []
        with self._connect() as connection:
            return connection.execute(query, parameters).fetchall() if _is_made(connection) else []

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect() as connection:
            connection.execute("begin immediate")
            try:
                if not _is_made(connection):
                    for statement in _schema().split(";\n"):
                        connection.execute(statement)
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            yield connection
        finally:
            connection.close()


def _is_made(connection: sqlite3.Connection) -> bool:
    return connection.execute("select 1 from sqlite_master where name = 'mark'").fetchone() is not None


def _schema() -> str:
    return files("marketdata_pipelines.stores.sql").joinpath("sqlite", "create_outbox.sql").read_text("utf-8")


def _text(record: Happening | Notice) -> str:
    return json.dumps(asdict(record))


def _happening(body: str) -> Happening:
    values = json.loads(body)
    return Happening(**{**values, "kind": NoticeKind(values["kind"])})


def _notice(body: str) -> Notice:
    values = json.loads(body)
    return Notice(**{**values, "kind": NoticeKind(values["kind"]), "lines": tuple(values["lines"])})
