"""The lake's ledger and index: one SQLite file.

The ledger says what each ingest brought, when it became known, and under which versions; `known_at` lives nowhere
else. The index says which file holds which partition of which table, so that reads go by exact path. One
transaction a commit: a killed process leaves the catalog as it was.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

from marketdata_pipelines.stores.lake.connections import Connections
from marketdata_pipelines.stores.lake.ledger import Ingest as Ingest
from marketdata_pipelines.stores.lake.ledger import PulledWindow as PulledWindow
from marketdata_pipelines.stores.lake.ledger import RawPart as RawPart
from marketdata_pipelines.stores.lake.ledger import StandingPart as StandingPart
from marketdata_pipelines.stores.lake.ledger import ingest_column, ingest_of, part_columns, standing_of
from marketdata_pipelines.stores.lake.removals import Removals
from marketdata_pipelines.stores.lake.stored import Stored as Stored
from marketdata_pipelines.stores.lake.stored import stored_columns, stored_values


class Catalog:
    """Safe across threads, forks and processes: each thread has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections = Connections(path)
        self.removals = Removals(path)

    def record_ingest(self, ingest: Ingest, parts: Iterable[RawPart]) -> int:
        """Append an ingest and its raw parts in one transaction; returns its sequence number."""
        names = [field.name for field in fields(Ingest) if field.name != "seq"]
        values = [ingest_column(ingest, name) for name in names]
        marks = ", ".join("?" for _ in names)
        with self._write() as connection:
            cursor = connection.execute(f"insert into ingest ({', '.join(names)}) values ({marks})", values)
            seq = int(cursor.lastrowid or 0)
            connection.executemany(
                """
                insert into raw_part (seq, feed, partition, tbl, part_id, path, rows, symbols)
                values (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [(seq, ingest.feed, *part_columns(part)) for part in parts],
            )
        return seq

    def ingests(self, feed: str) -> list[Ingest]:
        """Every ingest of a feed in order of sequence."""
        return [ingest_of(row) for row in self._read("select * from ingest where feed = ? order by seq", (feed,))]

    def contents(self, feed: str) -> dict[str, tuple[int, str]]:
        """(sequence, parse version) of the newest ingest of every content a feed was given, refused ones too."""
        query = "select sha256, max(seq) as seq, parse_version from ingest where feed = ? group by sha256"
        return {row["sha256"]: (row["seq"], row["parse_version"]) for row in self._read(query, (feed,))}

    def latest_ingest(self, feed: str, sha256: str) -> Ingest | None:
        """The newest ingest of a file content."""
        query = "select * from ingest where feed = ? and sha256 = ? order by seq desc limit 1"
        return next((ingest_of(row) for row in self._read(query, (feed, sha256))), None)

    def standing_parts(
        self, feed: str, partitions: Iterable[str] | None = None, *, as_of_us: int | None = None
    ) -> list[StandingPart]:
        """Raw parts that count, in order of (known_at, sequence): of each file content only its newest ingest's.

        What a vendor said of a running session does not count once a later pull covers it.
        """
        known = 2**62 if as_of_us is None else as_of_us
        query = """
            select i.*, p.partition, p.tbl, p.part_id, p.path as part_path, p.rows as part_rows, p.symbols
            from raw_part p join ingest i on i.seq = p.seq
            where p.feed = ? and i.status = 'accepted' and i.known_at_us <= ?
              and i.seq = (
                  select max(j.seq) from ingest j
                  where j.feed = i.feed and j.sha256 = i.sha256 and j.known_at_us <= ?
              )
        """
        wanted = None if partitions is None else list(partitions)
        if wanted is not None and len(wanted) == 1:
            rows = self._read(
                query + " and p.partition = ? order by i.known_at_us, i.seq", (feed, known, known, wanted[0])
            )
        else:
            rows = self._read(query + " order by i.known_at_us, i.seq", (feed, known, known))
        keep = None if wanted is None else set(wanted)
        found = _without_outlived([standing_of(row) for row in rows if keep is None or row["partition"] in keep])
        removed = self.removals.every(feed)
        if not removed:
            return found
        seqs = {part.ingest.seq for part in found}
        # A part whose file is gone counts again where what superseded it does not, and reading it says so.
        gone = {(removal.path, removal.seq) for removal in removed if seqs.issuperset(removal.superseders)}
        return [each for each in found if (each.part.path, each.ingest.seq) not in gone]

    def raw_parts(self, feed: str) -> list[RawPart]:
        """Every raw part the ledger names, whether it counts or not."""
        query = "select partition, tbl, part_id, path, rows from raw_part where feed = ? order by seq, partition, tbl"
        return [RawPart(*row) for row in self._read(query, (feed,))]

    def accepted_parts(self, feed: str, partition: str) -> tuple[list[StandingPart], list[Ingest]]:
        """Every raw part ever accepted for a partition, and the ingests of these contents that brought it nothing
        (a later one withdraws what the content brought before); both in order of (known_at, sequence)."""
        rows = self._read(_schema("select_accepted_parts"), {"feed": feed, "partition": partition})
        nothing = [ingest_of(row) for row in rows if row["partition"] is None]
        return [standing_of(row) for row in rows if row["partition"] is not None], nothing

    def content_partitions(self, feed: str, sha256: str) -> list[str]:
        """The partitions that the newest accepted ingest of a file content brought something for, sorted."""
        query = """
            select distinct p.partition as partition
            from raw_part p join ingest i on i.seq = p.seq
            where i.feed = ? and i.sha256 = ? and i.status = 'accepted'
              and i.seq = (select max(j.seq) from ingest j where j.feed = i.feed and j.sha256 = i.sha256)
            order by 1
        """
        return [row["partition"] for row in self._read(query, (feed, sha256))]

    def horizons(self, feed: str, start: str = "", end: str = "9999-99-99") -> dict[str, int]:
        """When the newest standing raw part of each partition in start..end became known, UTC microseconds."""
        query = """
            select p.partition as partition, max(i.known_at_us) as known_at_us
            from raw_part p join ingest i on i.seq = p.seq
            where p.feed = ? and i.status = 'accepted' and p.partition between ? and ?
              and i.seq = (select max(j.seq) from ingest j where j.feed = i.feed and j.sha256 = i.sha256)
            group by p.partition
        """
        return {row["partition"]: row["known_at_us"] for row in self._read(query, (feed, start, end))}

    def raw_partitions(self, feed: str) -> list[str]:
        """Partitions that any accepted ingest brought rows or deletions for, sorted."""
        query = """
            select distinct p.partition as partition from raw_part p join ingest i on i.seq = p.seq
            where p.feed = ? and i.status = 'accepted' order by 1
        """
        return [row["partition"] for row in self._read(query, (feed,))]

    def commit_stored(self, stored: Iterable[Stored], removed: Iterable[tuple[str, str, str]] = ()) -> None:
        """Index derived files, and forget removed (table, feed, partition)s, in one transaction."""
        names = [field.name for field in fields(Stored)]
        marks = ", ".join("?" for _ in names)
        with self._write() as connection:
            connection.executemany(
                f"insert or replace into stored ({', '.join(names)}) values ({marks})",
                [stored_columns(item) for item in stored],
            )
            connection.executemany("delete from stored where tbl = ? and feed = ? and partition = ?", list(removed))

    def stored(self, table: str, feed: str, start: str = "", end: str = "9999-99-99") -> list[Stored]:
        """The files of a table whose partition key lies in start..end, in key order."""
        query = "select * from stored where tbl = ? and feed = ? and partition between ? and ? order by partition"
        return [stored_values(dict(row)) for row in self._read(query, (table, feed, start, end))]

    def stored_partition(self, table: str, feed: str, partition: str) -> Stored | None:
        """One partition's file, or None."""
        return next(iter(self.stored(table, feed, partition, partition)), None)

    def stored_at(self, feed: str, places: Collection[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """The files at some (table, partition)s, as far as there are any."""
        tables, partitions = sorted({table for table, _ in places}), sorted({partition for _, partition in places})
        marks = [", ".join("?" for _ in names) for names in (tables, partitions)]
        query = f"select * from stored where feed = ? and tbl in ({marks[0]}) and partition in ({marks[1]})"
        found = [stored_values(dict(row)) for row in self._read(query, (feed, *tables, *partitions))]
        return {(each.tbl, each.partition): each for each in found if (each.tbl, each.partition) in places}

    def stored_inputs(self, feed: str) -> dict[tuple[str, str], str]:
        """The inputs digest of everything a feed has stored, by (table, partition)."""
        query = "select tbl, partition, inputs from stored where feed = ?"
        return {(row["tbl"], row["partition"]): row["inputs"] for row in self._read(query, (feed,))}

    def feeds(self) -> list[str]:
        """Every name under which anything was taken in or stored, sorted."""
        return [row["feed"] for row in self._read("select feed from ingest union select feed from stored", ())]

    def tables(self) -> list[tuple[str, str, int, int, int]]:
        """(table, feed, partitions, rows, bytes) of everything stored."""
        query = """
            select tbl, feed, count(*) as n, sum(rows) as rows, sum(bytes) as bytes
            from stored group by tbl, feed order by feed, tbl
        """
        return [(r["tbl"], r["feed"], r["n"], r["rows"], r["bytes"]) for r in self._read(query, ())]

    def _read(self, query: str, parameters: tuple[object, ...] | dict[str, object]) -> list[sqlite3.Row]:
        if not self._path.exists():
            return []
        connection = self._connections.get()
        try:
            return connection.execute(query, parameters).fetchall()
        except sqlite3.OperationalError:
            if not _is_made(connection):
                return []
            # Made by an earlier release: a write brings it up to date.
            with self._write():
                pass
            return connection.execute(query, parameters).fetchall()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connections.get()
        if not _is_made(connection):
            connection.executescript(f"begin immediate; {_schema('create_catalog')} commit;")
        connection.execute("begin immediate")
        try:
            if not _has_column(connection, "ingest", "pulled"):
                connection.execute(_schema("0002_add_pulled"))
            if not _has_column(connection, "stored", "deltas"):
                connection.execute(_schema("0003_add_deltas"))
            if not _has_column(connection, "raw_part", "symbols"):
                connection.execute(_schema("0005_add_part_symbols"))
            if not _has_column(connection, "stored", "run_id"):
                connection.execute(_schema("0009_add_run"))
            yield connection
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")


def _is_made(connection: sqlite3.Connection) -> bool:
    # The file is there before its tables are: another process may be making them, or was killed before it did.
    return connection.execute("select 1 from sqlite_master where name = 'stored'").fetchone() is not None


def _has_column(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return any(row["name"] == column for row in connection.execute(f"pragma table_info({table})"))


def _schema(name: str) -> str:
    return files("marketdata_pipelines.stores.sql").joinpath("sqlite", f"{name}.sql").read_text("utf-8")


def _without_outlived(standing: list[StandingPart]) -> list[StandingPart]:
    pulled = [(part, part.ingest.pulled) for part in standing if part.ingest.pulled is not None]
    outlived = {
        part.ingest.seq
        for position, (part, window) in enumerate(pulled)
        if not window.settled and any(later.complete and later.covers(window) for _, later in pulled[position + 1 :])
    }
    return [part for part in standing if part.ingest.seq not in outlived] if outlived else standing
