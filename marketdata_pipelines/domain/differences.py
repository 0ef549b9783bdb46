"""What two states of one table say differently, bar for bar. Pure; why they differ is not known here."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.domain.session_grid import Ints

_UNKNOWN = -(2**63)


class DifferenceKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Differing:
    """N bars in order of (symbol, ts): their positions before and after (-1: no such bar).

    `columns`: for bars that are on both sides, the names of what differs, `;`-separated; else None.
    """

    old: Ints
    new: Ints
    columns: list[str | None]

    def kinds(self) -> list[str]:
        """What became of each."""
        kinds = np.where(self.old < 0, DifferenceKind.ADDED.value, DifferenceKind.CHANGED.value)
        return [str(kind) for kind in np.where(self.new < 0, DifferenceKind.REMOVED.value, kinds)]


def compare_bars(old: pa.Table, new: pa.Table, columns: tuple[str, ...]) -> Differing:
    """Where two tables of bars, each unique by (symbol, ts), differ in these columns; unknown is equal to unknown."""
    count = old.num_rows
    codes, symbols = symbol_codes(pa.chunked_array([*_texts(old), *_texts(new)], pa.string()))
    ts = np.concatenate((int_values(old["ts"]), int_values(new["ts"])))
    ids = pair_ids(codes.astype(np.int64), ts, len(symbols))
    every, at = np.unique(ids, return_inverse=True)
    place = np.full((2, len(every)), -1, np.int64)
    place[0, at[:count]] = np.arange(count)
    place[1, at[count:]] = np.arange(new.num_rows)
    both = np.flatnonzero((place >= 0).all(axis=0))
    unlike = {name: _unlike(old[name], new[name], place[0, both], place[1, both]) for name in columns}
    differs = np.ones(len(every), bool)
    differs[both] = np.logical_or.reduce(list(unlike.values()))
    names: list[str | None] = [None] * len(every)
    for position in np.flatnonzero(differs[both]).tolist():
        names[both[position]] = ";".join(name for name, mask in unlike.items() if mask[position])
    chosen = np.flatnonzero(differs)
    return Differing(place[0, chosen], place[1, chosen], [names[position] for position in chosen.tolist()])


def pair_ids(codes: Ints, ts: Ints, symbols: int) -> Ints:
    """A number for each pair of symbol code and time, in their order."""
    if not len(ts):
        return np.zeros(0, np.int64)
    first = int(ts.min())
    span = int(ts.max()) - first + 1
    # A pair of far apart times no longer fits one number.
    if span * max(symbols, 1) < 2**62:
        return codes * span + (ts - first)
    distinct, instant = np.unique(ts, return_inverse=True)
    return codes * len(distinct) + instant


def _unlike(old: pa.ChunkedArray, new: pa.ChunkedArray, one: Ints, other: Ints) -> NDArray[np.bool_]:
    if pa.types.is_floating(old.type):
        left, right = float_values(old)[one], float_values(new)[other]
        return ~((left == right) | (np.isnan(left) & np.isnan(right)))
    left_values, right_values = _integers(old)[one], _integers(new)[other]
    different: NDArray[np.bool_] = left_values != right_values
    return different


def _integers(column: pa.ChunkedArray) -> Ints:
    return int_values(column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column, _UNKNOWN)


def _texts(table: pa.Table) -> list[pa.Array]:
    return list(table["symbol"].cast(pa.string()).chunks)
