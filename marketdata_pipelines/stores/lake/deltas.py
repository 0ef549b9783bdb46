"""Delta files: all rows of some symbols of a stored table, in a file beside the one that holds every symbol.

A later file's rows take the place of everything older files hold of its symbols. Records and what follows from them
only: files are read in `stored_rows`, written in `lake`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

# Stands for rows without a symbol, which are a group of their own (null, or an empty text).
NO_SYMBOL = ""
# A write beyond this many files, or beyond this share of the rows, merges all of them into one.
MOST_DELTAS = 8
LARGEST_SHARE = 1 / 8


@dataclass(frozen=True, slots=True)
class Delta:
    """A delta file: `symbols` are those it speaks for, also those it has no rows of, sorted; `path` as in the index.

    `signature` is how its float columns are encoded.
    """

    path: str
    symbols: tuple[str, ...]
    rows: int
    bytes: int
    signature: str


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A file of a stored table, and the symbols whose rows in it do not count: a later file speaks for them.

    `symbols` are those a delta file can have rows of; None for the file that can have any.
    """

    path: str
    gone: frozenset[str]
    symbols: frozenset[str] | None

    def may_hold(self, wanted: frozenset[str]) -> bool:
        """Whether rows of some of these symbols can count in it."""
        left = wanted - self.gone
        return bool(left if self.symbols is None else left & self.symbols)


def live_files(path: str, deltas: Sequence[Delta]) -> list[LiveFile]:
    """The files of a table, oldest first, each with what does not count in it."""
    found: list[LiveFile] = []
    later: set[str] = set()
    for delta in reversed(deltas):
        own = frozenset(delta.symbols)
        found.append(LiveFile(delta.path, own & later, own))
        later |= own
    found.append(LiveFile(path, frozenset(later), None))
    return found[::-1]


def with_delta(deltas: Sequence[Delta], new: Delta) -> tuple[Delta, ...]:
    """The delta files after one more, without those that nothing counts in any more."""
    kept: list[Delta] = []
    later = set(new.symbols)
    for delta in reversed(deltas):
        if not later.issuperset(delta.symbols):
            kept.append(delta)
            later.update(delta.symbols)
    return (*reversed(kept), new)


def deltas_text(deltas: Sequence[Delta]) -> str | None:
    """As the index keeps them; None for none."""
    return json.dumps([asdict(delta) for delta in deltas], separators=(",", ":")) if deltas else None


def read_deltas(text: str | None) -> tuple[Delta, ...]:
    """The inverse of `deltas_text`."""
    if text is None:
        return ()
    return tuple(Delta(**{**item, "symbols": tuple(item["symbols"])}) for item in json.loads(text))
