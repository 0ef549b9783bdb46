"""Bars by symbol and by instrument: what to read for a question, and whose each row is.

A question by symbol gets the rows that bore it on their session dates, each with the instrument it named then. One by
instrument follows its renames. Buckets of several days are in `instrument_buckets`.
"""

from collections.abc import Sequence
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
)
from marketdata_pipelines.domain.instruments import SYMBOL_ID
from marketdata_pipelines.domain.symbology import Codes, Range, Resolved, Resolver
from marketdata_pipelines.errors import SettingsInvalid

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

    @property
    def related_symbols(self) -> list[str] | None:
        """The source symbols to read where days are combined by instrument: also its other names; None for all."""
        if self.spans is None:
            return None
        bearers = {
            name for symbol in self.symbols or () for claims, *_ in self.resolver.bearers(symbol) for name in claims
        }
        names = {name for each in bearers | self.by_instrument for name, *_ in self.resolver.aliases(each)}
        return sorted(names.union(self.symbols or ()))

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
    return bars.append_column(
        INSTRUMENT_ID, symbol_like(resolved.codes, resolved.ids, bars.schema.field("symbol").type)
    )


def resolve_rows(bars: pa.Table, resolver: Resolver) -> Resolved:
    """The instrument of every row of a table with symbol and session_date."""
    codes, symbols = codes_of(bars["symbol"])
    return resolver.resolve(codes, symbols, day_values(bars["session_date"]))


def split_reused(bars: pa.Table, resolver: Resolver) -> list[pa.Table]:
    """The same rows in tables in each of which a symbol is one instrument's; one table where no symbol was reused.

    Whatever combines neighbouring rows by symbol (fill forward) works on each of them: also days on which an instrument
    had another symbol, or nobody bore this one, lie between two tables.
    """
    codes, _ = codes_of(bars["symbol"])
    stretches = resolve_rows(bars, resolver).stretches
    width = int(stretches.max(initial=0)) + 3
    keys = codes * width + stretches + 2
    pairs, first, where = np.unique(keys, return_index=True, return_inverse=True)
    # Of each symbol's stretches, how many have their first row before it.
    order = np.lexsort((first, pairs // width))
    symbol = (pairs // width)[order]
    place = np.arange(len(order))
    begins = np.append(True, symbol[1:] != symbol[:-1])[: len(order)]
    rank = np.empty(len(order), np.int64)
    rank[order] = place - np.maximum.accumulate(np.where(begins, place, 0))
    if not rank.any():
        return [bars]
    return [bars.filter(booleans(rank[where] == piece)) for piece in range(int(rank.max()) + 1)]


def owners(bars: pa.Table, resolver: Resolver) -> pa.Array:
    """A text for every row that rows of one instrument share and no others: what returns and ranks go by.

    It is the instrument's id; for unresolved rows a text that is no id and no symbol, another one for each gap.
    """
    codes, symbols = codes_of(bars["symbol"])
    resolved = resolver.resolve(codes, symbols, day_values(bars["session_date"]))
    nobodys = resolved.codes < 0
    gaps, where = np.unique(resolved.groups[nobodys], return_inverse=True)
    ids = [*resolved.ids, *(f"{SYMBOL_ID}\0{gap}" for gap in gaps.tolist())]
    keys = resolved.codes.copy()
    keys[nobodys] = len(resolved.ids) + where
    return chosen_texts(keys, ids).cast(pa.string())


def sorted_rows(bars: pa.Table, *columns: str) -> pa.Table:
    """Rows in order of some columns; texts in dictionaries by the text."""
    plain = bars
    for name in columns:
        if pa.types.is_dictionary(bars.schema.field(name).type):
            plain = plain.set_column(plain.schema.get_field_index(name), name, bars[name].cast(pa.string()))
    return bars.take(pc.sort_indices(plain, sort_keys=[(name, "ascending") for name in columns]))


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


def symbol_like(codes: Codes, names: Sequence[str], kind: pa.DataType) -> pa.Array:
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


def _edges(first: date | None, last: date | None) -> list[date]:
    begins = [] if first is None else [first]
    return begins if last is None else [*begins, last + _DAY]


def _inside(edges: list[date], start: date | None, end: date | None) -> list[date]:
    return sorted({day for day in edges if (start is None or day > start) and (end is None or day <= end)})
