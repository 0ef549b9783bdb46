"""The index's record of one stored partition of a table. How it is kept is in `catalog`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from marketdata_pipelines.stores.lake.deltas import Delta, LiveFile, deltas_text, live_files, read_deltas


@dataclass(frozen=True, slots=True)
class Stored:
    """One partition of a derived table; `inputs` is the digest of everything it was derived from.

    `path` is its file and `deltas` are those beside it; everything else is of all of them together.
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

    @property
    def files(self) -> list[LiveFile]:
        """Its files, oldest first, with the symbols that do not count in each."""
        return live_files(self.path, self.deltas)


def stored_columns(stored: Stored) -> list[object]:
    """Its values in the order of its fields, as the index keeps them."""
    return [deltas_text(stored.deltas) if f.name == "deltas" else getattr(stored, f.name) for f in fields(Stored)]


def stored_values(columns: Mapping[str, Any]) -> Stored:
    """The inverse; an index from before there were deltas has no such column until its next write."""
    return Stored(**{**columns, "deltas": read_deltas(columns.get("deltas"))})
