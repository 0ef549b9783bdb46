"""Which instrument a symbol was on a date, and which symbol an instrument bore: one lookup, and whole columns at once.

A symbol that the reference data do not know at all is an instrument of its own, `symbol:NAME`. One that they know, on a
day when nobody bore it, is unresolved: None, in arrays -1. Where two instruments claim one symbol on a day, answers
about it on that day are refused with ReferenceConflict, and so is the name of an instrument that bore two symbols.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.aliases import (
    FIRST_DAY,
    LAST_DAY,
    Alias,
    Segment,
    cut_segments,
    day_date,
    first_day,
    last_day,
)
from marketdata_pipelines.domain.instruments import SYMBOL_ID
from marketdata_pipelines.errors import ReferenceConflict

Codes = NDArray[np.int32]
Ints = NDArray[np.int64]
Range = tuple[str, date | None, date | None]
UNRESOLVED = -1
_DAYS = LAST_DAY - FIRST_DAY + 1


@dataclass(frozen=True, slots=True)
class Resolved:
    """The instrument of each row: `ids[codes[row]]`, none where the code is UNRESOLVED.

    `groups` numbers what may be combined: rows of one instrument share a group, and so do unresolved rows of one symbol
    between two of its bearers. Rows without a symbol are in group -1. `stretches` numbers a symbol's days under one
    bearer, or none, without another's between: two rows of a symbol with one stretch lie in one run of its days.
    """

    codes: Codes
    ids: list[str]
    groups: Ints
    stretches: Ints


class Resolver:
    """Answers for one table of aliases (STANDING_INSTRUMENT_SCHEMA or ALIAS_SCHEMA); build it once a table.

    Bounds: dates are session dates; both ends of every range are included, None is an open end.
    Errors: ReferenceConflict from every method, when an answer lies in contradicting aliases.
    """

    def __init__(self, aliases: pa.Table) -> None:
        columns = [aliases[name].to_pylist() for name in ("instrument_id", "symbol", "from_date", "to_date")]
        self._aliases: dict[str, list[Alias]] = defaultdict(list)
        bearers: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for name, symbol, begins, ends in zip(*columns, strict=True):
            own = self._aliases[name]
            if symbol is not None:
                own.append(Alias(name, symbol, begins, ends))
                bearers[symbol].append((first_day(begins), last_day(ends), name))
        self._bearers = {symbol: cut_segments(ranges) for symbol, ranges in sorted(bearers.items())}
        self._names: dict[str, list[Segment]] = {}
        self._ids = list(self._aliases)
        self._arrays = _Arrays(self._bearers, self._ids)

    @property
    def ids(self) -> list[str]:
        """Every instrument of the table."""
        return list(self._ids)

    @property
    def symbols(self) -> list[str]:
        """Every symbol of the table, in order."""
        return list(self._bearers)

    def knows(self, symbol: str) -> bool:
        """Whether any instrument ever bore the symbol."""
        return symbol in self._bearers

    def has(self, instrument_id: str) -> bool:
        """Whether there is such an instrument: one of the table, or a symbol that the table does not know."""
        own = instrument_id.startswith(SYMBOL_ID) and not self.knows(instrument_id.removeprefix(SYMBOL_ID))
        return instrument_id in self._aliases or own

    def id_of(self, symbol: str, day: date) -> str | None:
        """The instrument that bore a symbol on a day; None when nobody did."""
        found = self.ids_of(symbol, day, day)
        return found[0][0] if found else None

    def symbol_of(self, instrument_id: str, day: date) -> str | None:
        """The symbol an instrument bore on a day; None when it bore none."""
        found = self.names(instrument_id, day, day)
        return found[0][0] if found else None

    def aliases(self, instrument_id: str) -> list[Range]:
        """All symbols an instrument ever bore as (symbol, from, to), as the table has them, in order."""
        if instrument_id not in self._aliases and self.has(instrument_id):
            return [(instrument_id.removeprefix(SYMBOL_ID), None, None)]
        own = sorted(self._aliases.get(instrument_id, ()), key=lambda alias: (alias.first_day, alias.symbol))
        return [(alias.symbol, alias.from_date, alias.to_date) for alias in own]

    def ids_of(self, symbol: str, start: date | None = None, end: date | None = None) -> list[Range]:
        """Who bore a symbol in start..end: (instrument_id, from, to) in order, cut to the range; no stretch twice."""
        if not self.knows(symbol):
            return [(SYMBOL_ID + symbol, start, end)]
        return _between(self._bearers[symbol], start, end, symbol, "symbol of two instruments")

    def names(self, instrument_id: str, start: date | None = None, end: date | None = None) -> list[Range]:
        """What an instrument was called in start..end: (symbol, from, to) in order, cut to the range."""
        if instrument_id not in self._aliases:
            own = self.has(instrument_id)
            return [(instrument_id.removeprefix(SYMBOL_ID), start, end)] if own else []
        found = _between(self._named(instrument_id), start, end, instrument_id, "instrument with two symbols")
        for symbol, first, last in found:
            # What somebody else bore too on these days is nobody's for certain.
            self.ids_of(symbol, first, last)
        return found

    def bearers(self, symbol: str) -> list[tuple[tuple[str, ...], date | None, date | None]]:
        """Everyone who ever bore a symbol, in order; contradictions are given as several names, not refused."""
        segments = self._bearers.get(symbol, ())
        return [(part.claims, day_date(part.first_day), day_date(part.last_day)) for part in segments]

    def resolve(self, codes: Codes, symbols: Sequence[str], days: Ints) -> Resolved:
        """The instrument of every row, without a loop over rows.

        Shape:   `symbols[codes[row]]` is a row's symbol (-1: none), `days[row]` its session date in days since 1970.
        """
        heads, lengths = _runs(codes, days)
        found = self._arrays.resolve(codes[heads], symbols, days[heads])
        return Resolved(
            np.repeat(found.codes, lengths),
            found.ids,
            np.repeat(found.groups, lengths),
            np.repeat(found.stretches, lengths),
        )

    def _named(self, instrument_id: str) -> list[Segment]:
        if instrument_id not in self._names:
            own = self._aliases[instrument_id]
            ranges = [(alias.first_day, alias.last_day, alias.symbol) for alias in own]
            self._names[instrument_id] = cut_segments(ranges)
        return self._names[instrument_id]


class _Arrays:
    """All segments of all symbols in order of (symbol, day), for lookups of whole columns."""

    def __init__(self, bearers: dict[str, list[Segment]], ids: list[str]) -> None:
        self._ids = ids
        self._bearers = bearers
        self._position = {symbol: at for at, symbol in enumerate(bearers)}
        code = {name: at for at, name in enumerate(ids)}
        rows = [(at, part) for at, parts in enumerate(bearers.values()) for part in parts]
        self._symbol = np.array([at for at, _ in rows], np.int64)
        self._first = np.array([part.first_day - FIRST_DAY for _, part in rows], np.int64) + self._symbol * _DAYS
        self._last = np.array([part.last_day for _, part in rows], np.int64)
        claims = [code[part.claims[0]] if len(part.claims) == 1 else _CONTESTED for _, part in rows]
        self._bearer = np.array(claims, np.int32)

    def resolve(self, codes: Codes, symbols: Sequence[str], days: Ints) -> Resolved:
        # The last place stands for rows without a symbol.
        known = np.array([*(self._position.get(symbol, -1) for symbol in symbols), -1], np.int64)
        own = np.arange(len(self._ids), len(self._ids) + len(symbols) + 1, dtype=np.int32)
        own[-1] = UNRESOLVED
        symbol = known[codes]
        found = np.where(symbol >= 0, UNRESOLVED, own[codes]).astype(np.int32)
        at = np.searchsorted(self._first, symbol * _DAYS + (days - FIRST_DAY), "right") - 1
        if len(self._symbol):
            inside = (symbol >= 0) & (at >= 0) & (self._symbol[at] == symbol) & (days <= self._last[at])
            found = np.where(inside, self._bearer[at], found)
        contested = found == _CONTESTED
        if contested.any():
            row = int(np.flatnonzero(contested)[0])
            name, day = symbols[codes[row]], day_date(int(days[row]))
            _between(self._bearers[name], day, day, name, "symbol of two instruments")
        ids = [*self._ids, *(SYMBOL_ID + name for name in symbols)]
        return Resolved(found, ids, self._groups(found, symbol, at, len(ids)), at * 2 + (found >= 0))

    def _groups(self, found: Codes, symbol: Ints, at: Ints, ids: int) -> Ints:
        """Unresolved rows are grouped by the segment before them; before a symbol's first by the symbol."""
        before = at + ids + len(self._bearers)
        if len(self._symbol):
            first = (at < 0) | (self._symbol[at] != symbol)
            before = np.where(first, symbol + ids, before)
        groups = np.where(found >= 0, found, before)
        return np.where((found < 0) & (symbol < 0), -1, groups)


_CONTESTED = -2


def _runs(codes: Codes, days: Ints) -> tuple[Ints, Ints]:
    """Where runs of rows with one symbol and day begin, and how long they are: sorted bars have few."""
    if not len(codes):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    heads = np.flatnonzero(np.append(True, (codes[1:] != codes[:-1]) | (days[1:] != days[:-1])))
    return heads, np.diff(np.append(heads, len(codes)))


def _between(segments: list[Segment], start: date | None, end: date | None, key: str, what: str) -> list[Range]:
    begins, until = first_day(start), last_day(end)
    found = []
    for part in segments:
        first, last = max(part.first_day, begins), min(part.last_day, until)
        if first > last:
            continue
        if len(part.claims) > 1:
            raise ReferenceConflict(
                f"{key} is the {what} from {day_date(part.first_day) or 'ever'} to "
                f"{day_date(part.last_day) or 'now'} ({', '.join(part.claims)}); "
                "end one of the aliases in the reference data, or ask for other dates"
            )
        found.append((part.claims[0], day_date(first), day_date(last)))
    return found
