"""The bars of two feeds side by side: one row for each symbol and time that either has, as arrays.

What differs between the sides is found in `comparing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
VALUES = (*PRICES, "volume")
# Prices that are whole multiples of one of these are not told apart below it; coarser ticks would hide differences.
_DECIMALS = range(2, 7)


@dataclass(frozen=True, slots=True)
class Side:
    """One feed's values for the rows of a pair; NaN where it has no bar, or an unknown volume."""

    has: Mask
    values: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class BarPairs:
    """N rows sorted by (symbol, ts): the bars of symbols that both sides have.

    Shape:  `code` is a position in `symbols`, `ts` the open (UTC microseconds), `day` the session date (days since
            1970). `span` numbers the stretches in which a side is expected to have what the other has: symbol-sessions,
            or for bars of a day and longer symbols. `group` numbers symbol-sessions.
    """

    symbols: list[str]
    code: Ints
    ts: Ints
    day: Ints
    span: Ints
    group: Ints
    own: Side
    other: Side

    @property
    def both(self) -> Mask:
        """Rows that both sides have."""
        return self.own.has & self.other.has

    def lacking(self, side: Side) -> Mask:
        """Rows this side does not have although it has bars before and after them in their span.

        A bar in which nothing was traded is not missed: some sources leave such bars out.
        """
        there = self.other if side is self.own else self.own
        untraded = there.values["volume"] == 0
        return ~side.has & ~untraded & _between_first_and_last(side.has, self.span)

    def place_of(self, table: pa.Table) -> tuple[Ints, pa.Table]:
        """The row each bar of a third feed belongs to (-1: none), in its order."""
        bars = _comparable(table)
        codes = _codes(bars, self.symbols)
        keys, wanted = _keys([self.code, codes], [self.ts, int_values(bars["ts"])])
        if not len(keys):
            return np.full(len(codes), -1, np.int64), bars
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where((codes >= 0) & (keys[at] == wanted), at, -1).astype(np.int64), bars


def pair_bars(own: pa.Table, other: pa.Table, *, by_session: bool) -> BarPairs:
    """Put the bars of two feeds side by side.

    Shape:    tables of BAR_SCHEMA or AGGREGATE_SCHEMA with unique (symbol, ts), both under the same names of symbols.
    Leaves:   bars outside the regular session, bars that are not final, and symbols that only one side has.
    Session:  a bar's session date is the own side's where it has the bar.
    """
    own, other = _comparable(own), _comparable(other)
    symbols = sorted(set(_names(own)) & set(_names(other)))
    sides = [_Rows.of(table, symbols) for table in (own, other)]
    keys = _keys([side.code for side in sides], [side.ts for side in sides])
    union = _union(keys[0], keys[1])
    places = [np.searchsorted(union, key) for key in keys]
    code, ts, day = (np.zeros(len(union), np.int64) for _ in range(3))
    # The own side last: where the two differ about a session date, it is right about its own.
    for side, place in reversed(list(zip(sides, places, strict=True))):
        code[place], ts[place], day[place] = side.code, side.ts, side.day
    group = _runs(code, day)
    span = group if by_session else _runs(code)
    own_side, other_side = (
        _side(side, place, len(union)) for side, place in zip(sides, places, strict=True)
    )  # fmt: skip
    return BarPairs(symbols, code, ts, day, span, group, own_side, other_side)


def tick_sizes(pairs: BarPairs) -> Floats:
    """By symbol the greatest of 0.01 … 1e-6 that all of its prices are multiples of, on both sides; 0 where none is."""
    ticks = np.zeros(len(pairs.symbols))
    for decimals in reversed(_DECIMALS):
        odd = np.zeros(len(pairs.symbols), bool)
        for side in (pairs.own, pairs.other):
            for name in PRICES:
                prices = side.values[name]
                off = np.abs(np.round(prices, decimals) - prices) > 1e-9 * np.maximum(1, np.abs(prices))
                odd[pairs.code[off]] = True
        ticks[~odd] = 10.0**-decimals
    return ticks


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one table that have one of the symbols compared."""

    code: Ints
    ts: Ints
    day: Ints
    values: Mapping[str, Floats]

    @classmethod
    def of(cls, table: pa.Table, symbols: Sequence[str]) -> "_Rows":
        codes = _codes(table, symbols)
        kept = codes >= 0
        values = {name: float_values(table[name])[kept] for name in VALUES}
        return cls(codes[kept], int_values(table["ts"])[kept], int_values(table["session_date"])[kept], values)


def _comparable(table: pa.Table) -> pa.Table:
    """Without bars of the extended hours, whose trading differs by source, and without unfinished ones."""
    for name in ("regular", "is_final"):
        if name in table.column_names:
            table = table.filter(table[name])
    return table


def _names(table: pa.Table) -> list[str]:
    codes, names = symbol_codes(table["symbol"])
    # A dictionary may name symbols that no row has any more.
    return [names[code] for code in np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(names)))]


def _codes(table: pa.Table, symbols: Sequence[str]) -> Ints:
    codes, names = symbol_codes(table["symbol"])
    position = {symbol: at for at, symbol in enumerate(symbols)}
    # The last place stands for rows without a symbol.
    known = np.array([*(position.get(name, -1) for name in names), -1], np.int64)
    return known[codes]


def _keys(codes: Sequence[Ints], times: Sequence[Ints]) -> list[Ints]:
    """One number for each (symbol, time), in their order; the same in every array."""
    seen = [each for each in times if len(each)]
    first = min((int(each.min()) for each in seen), default=0)
    width = max((int(each.max()) for each in seen), default=0) - first + 1
    return [code * width + (ts - first) for code, ts in zip(codes, times, strict=True)]


def _union(one: Ints, other: Ints) -> Ints:
    """Every number of both, sorted, each once."""
    if np.array_equal(one, other):
        return np.sort(one, kind="stable")
    # Two sorted runs are merged by this sort in one pass.
    both = np.sort(np.concatenate((one, other)), kind="stable")
    return both[np.concatenate(([True], both[1:] != both[:-1]))] if len(both) else both


def _side(rows: _Rows, place: Ints, count: int) -> Side:
    has = np.zeros(count, bool)
    has[place] = True
    values = {}
    for name in VALUES:
        values[name] = np.full(count, np.nan)
        values[name][place] = rows.values[name]
    return Side(has, values)


def _runs(*columns: Ints) -> Ints:
    """Numbers the runs of rows in which no column changes."""
    if not len(columns[0]):
        return np.zeros(0, np.int64)
    changes = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.concatenate(([0], np.cumsum(changes))).astype(np.int64)


def _between_first_and_last(has: Mask, span: Ints) -> Mask:
    """Rows that lie between a span's first and last row with `has`."""
    if not len(span):
        return np.zeros(0, bool)
    starts = np.flatnonzero(np.concatenate(([True], span[1:] != span[:-1])))
    rows = np.arange(len(span))
    first = np.minimum.reduceat(np.where(has, rows, len(span)), starts)
    last = np.maximum.reduceat(np.where(has, rows, -1), starts)
    within: Mask = (rows > first[span]) & (rows < last[span])
    return within
