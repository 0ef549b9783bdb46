"""Bars by symbol and by instrument: what to read for a question, and whose each row is.

A question by symbol gets the rows that bore it on their session dates, each with the instrument it named then. One by
instrument follows its renames. Buckets of several days are in `instrument_buckets`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.aliases import day_date, first_day, last_day
from marketdata_pipelines.domain.buffers import (
    booleans,
    chosen_texts,
    codes_of,
    day_values,
    instant_values,
    integers,
)
from marketdata_pipelines.domain.symbology import Codes, Ints, Range, Resolved, Resolver
from marketdata_pipelines.errors import ReferenceConflict, SettingsInvalid

INSTRUMENT_ID = "instrument_id"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of one source symbol on some session dates, both included; None is open, and no id is unresolved."""

    symbol: str
    instrument_id: str | None
    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What a question asks for. `spans` is None when it asks for everything."""

    resolver: Resolver
    by_symbol: frozenset[str]
    by_instrument: frozenset[str]
    spans: tuple[Span, ...] | None

    @property
    def symbols(self) -> list[str] | None:
        """The source symbols to read, each once; None for all of them."""
        return None if self.spans is None else sorted({span.symbol for span in self.spans})

    def keep(self, bars: pa.Table) -> pa.Table:
        """The rows asked for, with their instrument (see `with_instrument_ids`).

        Shape:   rows stay in their order; those of a question by instruments alone are sorted by (instrument_id, ts),
                 so that a rename does not break a series.
        """
        whole = with_instrument_ids(bars, self.resolver)
        if self.spans is None:
            return whole
        kept = _is_one_of(whole["symbol"], self.by_symbol) | _is_one_of(whole[INSTRUMENT_ID], self.by_instrument)
        found = whole if kept.all() else whole.filter(booleans(kept))
        return found if self.by_symbol else sorted_rows(found, INSTRUMENT_ID, "ts")


def select(
    resolver: Resolver,
    symbols: Sequence[str] | None = None,
    instruments: Sequence[str] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> Selection:
    """What to read for symbols, for instruments, or for both; for everything where neither is given.

    Bounds:  session dates, both included.
    Errors:  SettingsInvalid for an instrument the reference data do not have; ReferenceConflict (see `symbology`).
    """
    if symbols is None and instruments is None:
        return Selection(resolver, frozenset(), frozenset(), None)
    spans: dict[Span, None] = {}
    for symbol in symbols or ():
        spans.update(dict.fromkeys(_borne(resolver, symbol, start, end)))
    for name in instruments or ():
        check_instrument(resolver, name)
        found = resolver.names(name, start, end)
        spans.update({Span(symbol, name, first, last): None for symbol, first, last in found})
    return Selection(resolver, frozenset(symbols or ()), frozenset(instruments or ()), tuple(spans))


def check_instrument(resolver: Resolver, name: str) -> None:
    """Refuse an instrument that is not there.

    Errors: SettingsInvalid saying what was perhaps meant.
    """
    if resolver.has(name):
        return
    bearers = dict.fromkeys(found for claims, _, _ in resolver.bearers(name) for found in claims)
    hint = f"{len(resolver.ids)} are known"
    if bearers:
        hint = f"{name} is a symbol of {', '.join(bearers)}"
    elif resolver.has(name.upper()):
        hint = f"did you mean {name.upper()!r}?"
    raise SettingsInvalid(f"there is no instrument {name!r}: {hint}; list them with: marketdata instruments FEED")


def with_instrument_ids(bars: pa.Table, resolver: Resolver) -> pa.Table:
    """The same rows with a column `instrument_id`, null where unresolved; a table that has one stays as it is.

    Shape:   `bars` has symbol and session_date.
    Bounds:  a bucket of several days is resolved by its label's date, which may lie before its first session: ask
             `instrument_buckets.crossing_buckets` first.
    Errors:  ReferenceConflict where a row lies in contradicting aliases.
    """
    if INSTRUMENT_ID in bars.column_names:
        return bars
    resolved = resolve_rows(bars, resolver)
    return bars.append_column(INSTRUMENT_ID, _names(resolved.codes, resolved.ids, bars.schema.field("symbol").type))


def resolve_rows(bars: pa.Table, resolver: Resolver) -> Resolved:
    """The instrument of every row of a table with symbol and session_date."""
    codes, symbols = codes_of(bars["symbol"])
    return resolver.resolve(codes, symbols, day_values(bars["session_date"]))


def split_reused(bars: pa.Table, resolver: Resolver) -> list[pa.Table]:
    """The same rows in tables in each of which a symbol is one instrument; one table where no symbol was reused.

    Whatever combines rows by symbol (fill forward, returns) works on each of them. Unresolved rows of a symbol before,
    between and after its bearers are apart as well.
    """
    codes, _ = codes_of(bars["symbol"])
    groups = resolve_rows(bars, resolver).groups
    width = int(groups.max(initial=0)) + 2
    pairs, first, where = np.unique(codes * width + groups + 1, return_index=True, return_inverse=True)
    # Of each symbol's bearers, how many have their first row before it.
    order = np.lexsort((first, pairs // width))
    symbol = (pairs // width)[order]
    place = np.arange(len(order))
    begins = np.append(True, symbol[1:] != symbol[:-1])[: len(order)]
    rank = np.empty(len(order), np.int64)
    rank[order] = place - np.maximum.accumulate(np.where(begins, place, 0))
    if not rank.any():
        return [bars]
    return [bars.filter(booleans(rank[where] == piece)) for piece in range(int(rank.max()) + 1)]


def combined_by_instrument(bars: pa.Table, resolver: Resolver, combine: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """Apply to rows of whole instruments what combines rows by symbol, following renames.

    Shape:   `combine` gets the same columns sorted by (symbol, ts), with a key of the instrument as symbol, and returns
             rows with symbol, ts and session_date. The result has the symbol of the instrument's last row until then,
             and instrument_id, null where unresolved; it is sorted by (symbol, ts, instrument_id).
    Errors:  ReferenceConflict where an instrument has two rows of one ts, under two symbols.
    """
    keyed = KeyedRows.of(bars, resolver)
    made = combine(keyed.table)
    return keyed.named(made, keyed.day, day_values(made["session_date"]))


def sorted_rows(bars: pa.Table, *columns: str) -> pa.Table:
    """Rows in order of some columns; texts in dictionaries by the text."""
    plain = bars
    for name in columns:
        if pa.types.is_dictionary(bars.schema.field(name).type):
            plain = plain.set_column(plain.schema.get_field_index(name), name, bars[name].cast(pa.string()))
    return bars.take(pc.sort_indices(plain, sort_keys=[(name, "ascending") for name in columns]))


@dataclass(frozen=True, slots=True)
class KeyedRows:
    """Rows sorted by (instrument, ts) whose symbol is the number of their instrument, as text in its order."""

    table: pa.Table
    key: Ints
    day: Ints
    symbol: Codes
    symbols: list[str]
    instrument: Codes
    ids: list[str]
    kind: pa.DataType

    @classmethod
    def of(cls, bars: pa.Table, resolver: Resolver) -> "KeyedRows":
        """Bars with symbol, ts and session_date, in any order."""
        codes, symbols = codes_of(bars["symbol"])
        days = day_values(bars["session_date"])
        resolved = resolver.resolve(codes, symbols, days)
        _, key = np.unique(resolved.groups, return_inverse=True)
        ts = instant_values(bars["ts"])
        order = np.lexsort((ts, key))
        key, ts, days, codes = key[order].astype(np.int64), ts[order], days[order], codes[order]
        _check_single(key, ts, days, codes, symbols)
        position = bars.schema.get_field_index("symbol")
        names = [f"{number:09d}" for number in range(int(key[-1]) + 1 if len(key) else 0)]
        in_order = bars if (np.diff(order) == 1).all() else bars.take(integers(order))
        table = in_order.set_column(position, "symbol", chosen_texts(key.astype(np.int32), names))
        kind = bars.schema.field("symbol").type
        return cls(table, key, days, codes, symbols, resolved.codes[order], resolved.ids, kind)

    def named(self, made: pa.Table, own: Ints, until: Ints) -> pa.Table:
        """Rows made of these, named after the instrument's last row whose `own` value is not beyond `until`.

        Shape:   `own` has a value for each of these rows and increases with ts; `until` one for each row made.
        """
        distinct = np.unique(own)
        steps = len(distinct) + 1
        codes, names = codes_of(made["symbol"])
        keys = np.array([int(name) for name in names], np.int64)[codes] if names else np.zeros(0, np.int64)
        placed = self.key * steps + np.searchsorted(distinct, own)
        at = np.searchsorted(placed, keys * steps + np.searchsorted(distinct, until, "right") - 1, "right") - 1
        # A row made for a time before the instrument's first is named after that one.
        at = np.maximum(at, np.searchsorted(self.key, keys, "left"))
        position = made.schema.get_field_index("symbol")
        whole = made.set_column(position, "symbol", _names(self.symbol[at], self.symbols, self.kind))
        whole = whole.append_column(INSTRUMENT_ID, _names(self.instrument[at], self.ids, self.kind))
        return sorted_rows(whole, "symbol", "ts", INSTRUMENT_ID)


def reused_between(resolver: Resolver, symbol: str, start: date | None = None, end: date | None = None) -> list[date]:
    """The days after `start` until `end` on which a symbol's bearer is not that of the day before.

    A day on which somebody begins or ceases to bear it counts, also when nobody did before.
    """
    edges = [day for _, first, last in resolver.bearers(symbol) for day in _edges(first, last)]
    return _inside(edges, start, end)


def renamed_between(
    resolver: Resolver, instrument_id: str, start: date | None = None, end: date | None = None
) -> list[date]:
    """The days after `start` until `end` on which an instrument's symbol is not that of the day before."""
    edges = [day for _, first, last in resolver.aliases(instrument_id) for day in _edges(first, last)]
    return _inside(edges, start, end)


def _names(codes: Codes, names: Sequence[str], kind: pa.DataType) -> pa.Array:
    """Texts as the table's symbols are: in a dictionary or plain."""
    found = chosen_texts(codes, names)
    return found if pa.types.is_dictionary(kind) else found.cast(kind)


def _borne(resolver: Resolver, symbol: str, start: date | None, end: date | None) -> list[Span]:
    """A symbol's days by bearer, those without one too."""
    found: list[Range] = resolver.ids_of(symbol, start, end)
    spans = [Span(symbol, name, first, last) for name, first, last in found]
    edges = [(0, first_day(start) - 1), *((first_day(first), last_day(last)) for _, first, last in found)]
    for (_, before), (after, _) in pairwise([*edges, (last_day(end) + 1, 0)]):
        if after - before > 1:
            spans.append(Span(symbol, None, day_date(before + 1), day_date(after - 1)))
    return sorted(spans, key=lambda span: first_day(span.first))


def _is_one_of(column: pa.ChunkedArray, wanted: frozenset[str]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    codes, names = codes_of(column)
    chosen = np.array([*(name in wanted for name in names), False], bool)
    return chosen[codes]


def _check_single(key: Ints, ts: Ints, days: Ints, codes: Codes, symbols: list[str]) -> None:
    twice = np.flatnonzero((key[1:] == key[:-1]) & (ts[1:] == ts[:-1]))
    if len(twice):
        at = int(twice[0])
        names = " and ".join(sorted({symbols[codes[at]], symbols[codes[at + 1]]}))
        raise ReferenceConflict(
            f"one instrument has bars under {names} on {day_date(int(days[at]))}; "
            "end one of the aliases in the reference data, or ask for other dates"
        )


def _edges(first: date | None, last: date | None) -> list[date]:
    begins = [] if first is None else [first]
    return begins if last is None else [*begins, last + _DAY]


def _inside(edges: list[date], start: date | None, end: date | None) -> list[date]:
    return sorted({day for day in edges if (start is None or day > start) and (end is None or day <= end)})
