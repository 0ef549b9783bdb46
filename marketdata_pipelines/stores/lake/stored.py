"""The index's record of one stored partition of a table. How it is kept is in `catalog`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from marketdata_pipelines.stores.lake.deltas import Delta, LiveFile, deltas_text, live_files, read_deltas


@dataclass(frozen=True, slots=True)
class Stored:
    """One partition of a derived table; `inputs` is the digest of everything it was derived from.

    `path` is its file and `deltas` are those beside it; everything else is of all of them together. `run_id` is the
    run that walked it last, empty where none did or an earlier release.
    """

    tbl: str
    feed: str
    partition: str
    path: str
    rows: int
    bytes: int
    symbols: int
    first_ts_us: int | None
    last_ts_us: int | None
    signature: str
    inputs: str
    deltas: tuple[Delta, ...] = ()
    run_id: str = ""

    @property
    def files(self) -> list[LiveFile]:
        """Its files, oldest first, with the symbols that do not count in each."""
        return live_files(self.path, self.deltas)


def with_runs(entries: Iterable[Stored], before: Mapping[tuple[str, str], Stored], run_id: str | None) -> list[Stored]:
    """With the run that made their rows; None: that of the entries they replace, by (table, partition)."""
    if run_id is not None:
        return [replace(entry, run_id=run_id) for entry in entries]
    known = ((entry, before.get((entry.tbl, entry.partition))) for entry in entries)
    return [entry if earlier is None else replace(entry, run_id=earlier.run_id) for entry, earlier in known]


def stored_columns(stored: Stored) -> list[object]:
    """Its values in the order of its fields, as the index keeps them."""
    return [deltas_text(stored.deltas) if f.name == "deltas" else getattr(stored, f.name) for f in fields(Stored)]


def stored_values(columns: Mapping[str, Any]) -> Stored:
    """The inverse; an index from before there were deltas has no such column until its next write."""
    return Stored(**{**columns, "deltas": read_deltas(columns.get("deltas"))})
