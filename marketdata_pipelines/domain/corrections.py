"""How accepted bars changed as one ingest followed another: the schema, and the rule that finds the changes.

Pure arrays: which rows are good is `validation`'s verdict, where they come from is not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import SYMBOL, TS
from marketdata_pipelines.domain.frames import float_values, int_values
from marketdata_pipelines.domain.session_grid import Ints

CORRECTIONS = "corrections"
# What a bar says: a row that differs in one of these is another statement about it.
VALUES = ("open", "high", "low", "close", "volume", "vwap", "trade_count")
_NOBODY = -1
_NEVER = -(2**62)
_Codes = NDArray[np.int8]


class ChangeKind(StrEnum):
    """What became of a bar. `first` is no correction: nothing had been known that it could have been part of."""

    CHANGED = "changed"
    REMOVED = "removed"
    RESTORED = "restored"
    LATE = "late"
    FIRST = "first"


KINDS = tuple(ChangeKind)
_CHANGED, _REMOVED, _RESTORED, _LATE, _FIRST = range(len(KINDS))


def _value_type(name: str) -> pa.DataType:
    return pa.int64() if name == "trade_count" else pa.float64()


# One row a change of one bar by one ingest, sorted by (symbol, ts, known_at, seq). `known_at` and `seq` are the
# ingest's that caused it. `file`, `line`, `row` and `part` are the new row's place; where no row is left, `file` and
# `part` are those that took it away. `previous_*`: where the old row came from.
CORRECTION_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("ts", TS),
        ("session_date", pa.date32()),
        ("kind", pa.string()),
        *((f"old_{name}", _value_type(name)) for name in VALUES),
        *((f"new_{name}", _value_type(name)) for name in VALUES),
        ("known_at", TS),
        ("seq", pa.int64()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("row", pa.int64()),
        ("part", pa.string()),
        ("cause", pa.string()),
        ("previous_file", pa.string()),
        ("previous_seq", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class BarKeys:
    """The bars that rows are about, each once: symbol code, open, end (UTC microseconds), and its symbol-session."""

    code: Ints
    ts: Ints
    close: Ints
    group: Ints


@dataclass(frozen=True, slots=True)
class ReplacedWindow:
    """Earlier rows with first_us <= ts <= last_us are gone unless brought again; of these symbol codes, or of all."""

    first_us: int
    last_us: int
    codes: Ints | None


@dataclass(frozen=True, slots=True)
class Offer:
    """What one raw part says: for each bar of `keys` its good row in `rows`; `brought` are bars it has any row of."""

    keys: Ints
    rows: Ints
    brought: Ints
    window: ReplacedWindow | None


@dataclass(frozen=True, slots=True)
class Step:
    """One ingest: when it became known, the offer it brought (a position), and the offers that count from then on."""

    known_at_us: int
    brings: int | None
    standing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """N changes in order of (step, key): positions of the step, the bar, its row before and after (-1: none).

    `kind` is a position in KINDS.
    """

    step: Ints
    key: Ints
    old: Ints
    new: Ints
    kind: _Codes

    def take(self, chosen: NDArray[np.bool_] | Ints) -> "Changes":
        return Changes(*(getattr(self, name)[chosen] for name in self.__slots__))


def trace_changes(keys: BarKeys, offers: Sequence[Offer], steps: Sequence[Step]) -> Changes:
    """Every time another row, or none, came to stand for a bar; also rows that say the same as the one before.

    Rules:   the last standing offer with a good row for a bar wins; a replaced window removes what earlier ones said.
             A bar that comes after its symbol-session had bars that were known when it was complete is `late`; a bar
             that was still to come then is `first`, as is everything a symbol-session begins with.
    """
    timeline = _Timeline(keys, offers)
    found = [timeline.take(position, step) for position, step in enumerate(steps)]
    if not found:
        nothing = np.zeros(0, np.int64)
        return Changes(nothing, nothing, nothing, nothing, np.zeros(0, np.int8))
    return Changes(*(np.concatenate([getattr(part, name) for part in found]) for name in Changes.__slots__))


def says_the_same(raw: pa.Table, one: Ints, other: Ints) -> NDArray[np.bool_]:
    """Whether pairs of rows say the same of their bar; unknown is equal to unknown."""
    same = np.ones(len(one), bool)
    for name in VALUES:
        if name == "trade_count":
            counts = int_values(raw[name])
            same &= counts[one] == counts[other]
            continue
        values = float_values(raw[name])
        left, right = values[one], values[other]
        same &= (left == right) | (np.isnan(left) & np.isnan(right))
    return same


class _Timeline:
    """Which row stands for each bar, from ingest to ingest."""

    def __init__(self, keys: BarKeys, offers: Sequence[Offer]) -> None:
        self._keys, self._offers = keys, offers
        self._row = np.full(len(keys.ts), _NOBODY, np.int64)
        self._seen = np.zeros(len(keys.ts), bool)
        # When the newest ingest that brought bars of a symbol-session became known.
        self._known = np.full(int(keys.group.max()) + 1 if len(keys.group) else 0, _NEVER, np.int64)
        self._standing: tuple[int, ...] = ()

    def take(self, position: int, step: Step) -> Changes:
        """Go one ingest further."""
        brought = () if step.brings is None else (step.brings,)
        if step.standing == (*self._standing, *brought):
            touched, before = self._add(brought)
        else:
            before = self._row
            self._row = self._replayed(step.standing)
            touched = np.flatnonzero(self._row != before)
            before = before[touched]
        self._standing = step.standing
        after = self._row[touched]
        moved = before != after
        touched, before, after = touched[moved], before[moved], after[moved]
        kind = self._kinds(touched, before, after)
        for offer in brought:
            if offer in step.standing:
                groups = self._keys.group[self._offers[offer].keys]
                self._known[groups] = np.maximum(self._known[groups], step.known_at_us)
        return Changes(np.full(len(touched), position, np.int64), touched, before, after, kind)

    def _add(self, brought: tuple[int, ...]) -> tuple[Ints, Ints]:
        """The bars that may have another row now, and their rows before."""
        if not brought:
            nothing = np.zeros(0, np.int64)
            return nothing, nothing
        offer = self._offers[brought[0]]
        touched = np.sort(np.concatenate((offer.keys, self._removed_by(offer, self._row))))
        before = self._row[touched]
        self._apply(offer, self._row)
        return touched, before

    def _replayed(self, standing: tuple[int, ...]) -> Ints:
        row = np.full(len(self._row), _NOBODY, np.int64)
        for position in standing:
            self._apply(self._offers[position], row)
        return row

    def _apply(self, offer: Offer, row: Ints) -> None:
        row[self._removed_by(offer, row)] = _NOBODY
        row[offer.keys] = offer.rows

    def _removed_by(self, offer: Offer, row: Ints) -> Ints:
        window = offer.window
        if window is None:
            return np.zeros(0, np.int64)
        covered = (row != _NOBODY) & (self._keys.ts >= window.first_us) & (self._keys.ts <= window.last_us)
        if window.codes is not None:
            covered &= np.isin(self._keys.code, window.codes)
        covered[offer.brought] = False
        return np.flatnonzero(covered)

    def _kinds(self, touched: Ints, before: Ints, after: Ints) -> _Codes:
        expected = self._keys.close[touched] <= self._known[self._keys.group[touched]]
        kind = np.select(
            [(before != _NOBODY) & (after != _NOBODY), after == _NOBODY, self._seen[touched], expected],
            [_CHANGED, _REMOVED, _RESTORED, _LATE],
            _FIRST,
        )
        self._seen[touched] = True
        return kind.astype(np.int8)
