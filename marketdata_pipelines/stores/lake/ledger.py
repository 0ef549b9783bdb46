"""The ledger's records: ingests, raw parts, and what a vendor was asked for; to and from rows of the catalog."""

import json
import sqlite3
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class PulledWindow:
    """What an ingest asked a vendor for: bars of one partition with start_us <= ts < end_us, UTC microseconds.

    `complete`: the answer speaks for the whole window, so what it leaves out is deleted. `settled`: it was asked for
    after everything in it was over; an unsettled pull speaks until a later one covers it.
    """

    partition: str
    provider: str
    start_us: int
    end_us: int
    symbols: tuple[str, ...]
    complete: bool
    settled: bool

    def covers(self, other: "PulledWindow") -> bool:
        """Whether everything `other` asked for was asked for here too."""
        inside = self.start_us <= other.start_us and other.end_us <= self.end_us
        return inside and self.partition == other.partition and set(other.symbols) <= set(self.symbols)

    def meets(self, other: "PulledWindow") -> bool:
        """Whether some bar was asked for by both."""
        overlap = self.start_us < other.end_us and other.start_us < self.end_us
        return overlap and self.partition == other.partition and bool(set(other.symbols) & set(self.symbols))


@dataclass(frozen=True, slots=True)
class Ingest:
    """One attempt to take in one file, or one answer of a vendor (then `pulled` says what was asked).

    `status` is accepted or refused; times in UTC microseconds.
    """

    feed: str
    file: str
    path: str
    sha256: str
    bytes: int
    known_at_us: int
    run_id: str
    mode: str
    status: str
    rule: str | None
    message: str | None
    findings: tuple[tuple[str, str], ...]
    feed_version: str
    parse_version: str
    calendar_version: str
    code_version: str
    rows: int
    first_ts_us: int | None
    last_ts_us: int | None
    seq: int = 0
    pulled: PulledWindow | None = None


@dataclass(frozen=True, slots=True)
class RawPart:
    """What one ingest brought for one partition of one raw table; `path` is relative to the lake.

    `symbols` are those it has rows of ("" for rows without one), where they are few; None: not known, or many.
    """

    partition: str
    tbl: str
    part_id: str
    path: str
    rows: int
    symbols: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class StandingPart:
    """A raw part with the ingest that brought it."""

    part: RawPart
    ingest: Ingest


def ingest_column(ingest: Ingest, name: str) -> object:
    """An ingest's field as the catalog keeps it."""
    if name == "findings":
        return json.dumps(ingest.findings)
    if name == "pulled":
        return None if ingest.pulled is None else json.dumps(asdict(ingest.pulled), sort_keys=True)
    return getattr(ingest, name)


def ingest_of(row: sqlite3.Row) -> Ingest:
    """An ingest from a row that has its columns."""
    # A catalog that was made before vendors were pulled from has no such column until its next write.
    known = row.keys()
    values = {field.name: row[field.name] for field in fields(Ingest) if field.name in known}
    values["findings"] = tuple((rule, text) for rule, text in json.loads(row["findings"]))
    if values.get("pulled") is not None:
        pulled = json.loads(row["pulled"])
        values["pulled"] = PulledWindow(**{**pulled, "symbols": tuple(pulled["symbols"])})
    return Ingest(**values)


def part_columns(part: RawPart) -> tuple[object, ...]:
    """A raw part as the catalog keeps it."""
    symbols = None if part.symbols is None else json.dumps(part.symbols)
    return part.partition, part.tbl, part.part_id, part.path, part.rows, symbols


def standing_of(row: sqlite3.Row) -> StandingPart:
    """A raw part with its ingest from a row that has the columns of both."""
    symbols = None if row["symbols"] is None else tuple(json.loads(row["symbols"]))
    part = RawPart(row["partition"], row["tbl"], row["part_id"], row["part_path"], row["part_rows"], symbols)
    return StandingPart(part, ingest_of(row))
