"""The sessions before: what each symbol's were like, as windows of figures and robust summaries of them.

A session's own figures are never among those it is compared with. What is judged by these is in `judging` and the
modules beside it, what they mean for a score in `scoring`.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.frames import int_values, number_values, symbol_codes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# How many sessions before a session it is compared with.
WINDOW = 10
# 1.4826 x the median deviation estimates the standard deviation of normal values.
NORMAL = 1.4826
_BLOCK = 50_000
_USED = ("bars", "expected", "return_scale", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class UsualBars:
    """How many of the bars a calendar has room for a symbol usually has: `share` and its spread, NaN where unknown.

    `sessions`: how many of the sessions before had any bar of it.
    """

    share: Floats
    spread: Floats
    sessions: Ints


class PastSessions:
    """Profiles and those before them by symbol and session.

    Shape:   `profiles` and `history` have PROFILE_SCHEMA, in any order. `days` are all session dates that occur (days
             since 1970, increasing), `names` all symbols in order, rows of symbol "" (nobody knows whose) left out.
             `codes` and `dates` say which symbol and session each remaining row of `profiles` is, `rows` which rows.
             `others` are symbols to be among `names` without a profile.
    Bounds:  history from the first session of `profiles` on is left out; a session is compared with the WINDOW
             sessions of the feed before it, where the symbol has bars.
    """

    def __init__(self, profiles: pa.Table, history: pa.Table, others: Collection[str] = ()) -> None:
        columns = ["symbol", "session_date", *_USED]
        both = pa.concat_tables([history.select(columns), profiles.select(columns)])
        found, names = symbol_codes(both["symbol"]) if both.num_rows else (np.zeros(0, np.int32), [])
        codes, self.names = _with_others(found, names, others)
        days = int_values(both["session_date"]) if both.num_rows else np.zeros(0, np.int64)
        own = np.arange(both.num_rows) >= history.num_rows
        named = codes >= (1 if self.names[:1] == [""] else 0)
        first = int(days[own].min()) if own.any() else 2**62
        kept = named & (own | (days < first))
        self.rows: Ints = np.flatnonzero(named[history.num_rows :])
        self.codes: Ints = codes[own & named]
        self.dates: Ints = days[own & named]
        self.days: Ints = np.unique(days[kept])
        self._place = (codes[kept], np.searchsorted(self.days, days[kept]))
        self._table, self._kept = both, kept
        self._matrices: dict[str, Floats] = {}
        self._padded: dict[str, Floats] = {}

    def positions(self, symbols: pa.ChunkedArray | pa.Array) -> Ints:
        """The code of each symbol, -1 for those that never occur."""
        at = {name: code for code, name in enumerate(self.names)}
        return np.array([at.get(name, -1) for name in symbols.to_pylist()], np.int64)

    def matrix(self, name: str) -> Floats:
        """A figure by (symbol, session), NaN where the symbol has none there.

        Besides the profile's own columns: `share` = bars / expected, `range` = ln(high / low).
        """
        if name not in self._matrices:
            self._matrices[name] = self._made(name)
        return self._matrices[name]

    def before(self, name: str, codes: Ints, days: Ints) -> Floats:
        """A figure in the WINDOW sessions before each (symbol code, day): one row each, the last session last."""
        found = np.full((len(codes), WINDOW), np.nan)
        known = np.flatnonzero(codes >= 0)
        if not len(known) or not len(self.days):
            return found
        if name not in self._padded:
            matrix = self.matrix(name)
            self._padded[name] = np.concatenate([np.full((len(matrix), WINDOW), np.nan), matrix], axis=1)
        # The window that starts at column c of the padded matrix ends right before column c of the matrix.
        columns = self.columns(days[known])[:, None] + np.arange(WINDOW)
        found[known] = self._padded[name][codes[known, None], columns]
        return found

    def moves_before(self, codes: Ints, days: Ints) -> Floats:
        """ln(close / close before) in the WINDOW sessions before, both of them among these sessions."""
        return _moves(self.before("close", codes, days))

    def columns(self, days: Ints) -> Ints:
        """Where each day is among `days`; for one that does not occur, where it would be."""
        found: Ints = np.searchsorted(self.days, days)
        return found

    def last_closes(self, codes: Ints, days: Ints) -> tuple[Floats, Ints, Floats]:
        """The last close of each symbol before a day, the day it is of, and the close before it.

        NaN, and -1 for the day, where there is none.
        """
        closes = self.before("close", codes, days)
        rows = np.arange(len(closes))
        at = _last_known(closes)
        known = at >= 0
        last = np.where(known, closes[rows, at], np.nan)
        column = np.where(known, self.columns(days) - WINDOW + at, 0)
        day = np.where(known, self.days[column], -1) if len(self.days) else np.full(len(days), -1)
        closes[rows, at] = np.nan
        earlier = _last_known(closes)
        return last, day, np.where(earlier >= 0, closes[rows, earlier], np.nan)

    def _values(self, name: str) -> Floats:
        column = self._table[name]
        return number_values(column)[self._kept]

    def _made(self, name: str) -> Floats:
        matrix = np.full((len(self.names), len(self.days)), np.nan)
        if not matrix.size:
            return matrix
        bars = self._values("bars")
        if name == "share":
            values = _ratio(bars, self._values("expected"))
        elif name == "range":
            values = np.log(_ratio(self._values("high"), self._values("low")))
        else:
            values = self._values(name)
        # A row may be there for its rejected rows alone: that is no session of the symbol.
        matrix[self._place] = np.where((bars > 0) & np.isfinite(values), values, np.nan)
        return matrix


def usual_bars(past: PastSessions, codes: Ints, days: Ints) -> UsualBars:
    """Each symbol's usual share of the bars there is room for, from the sessions before.

    Values:  the median; its spread is the greater of 1.4826 x the median deviation and what chance alone would give
             (sqrt(share x (1 - share) / bars there is room for)), so that a symbol that trades now and then is not
             taken to task for the minutes nobody traded in.
    """
    shares, rooms = past.before("share", codes, days), past.before("expected", codes, days)
    sessions = np.count_nonzero(np.isfinite(shares), axis=1)
    share, room = medians(shares), medians(rooms)
    within = np.clip(share, 0, 1 - 1 / np.maximum(room, 2))
    chance = np.sqrt(within * (1 - within) / np.maximum(room, 1))
    spread = np.maximum(NORMAL * medians(np.abs(shares - share[:, None])), chance)
    return UsualBars(share, spread, sessions)


def medians(windows: Floats) -> Floats:
    """The median of the known values of each row, NaN where there is none."""
    found = np.full(len(windows), np.nan)
    for start in range(0, len(windows), _BLOCK):
        block = np.sort(windows[start : start + _BLOCK], axis=1)
        count = np.count_nonzero(np.isfinite(block), axis=1)
        rows = np.flatnonzero(count)
        middle = count[rows]
        found[start + rows] = (block[rows, (middle - 1) // 2] + block[rows, middle // 2]) / 2
    return found


def second_greatest(windows: Floats) -> Floats:
    """The second greatest known value of each row, NaN with fewer than two: one bad session must not hide the next."""
    known = np.isfinite(windows)
    ordered = np.sort(np.where(known, windows, -np.inf), axis=1)
    return np.where(np.count_nonzero(known, axis=1) > 1, ordered[:, -2], np.nan)


def counts(windows: Floats) -> Ints:
    """How many values of each row are known."""
    return np.count_nonzero(np.isfinite(windows), axis=1)


def _with_others(codes: NDArray[np.int32], names: list[str], others: Collection[str]) -> tuple[Ints, list[str]]:
    """The same codes under names that hold others as well."""
    together = sorted({*names, *others}) if others else names
    if len(together) == len(names):
        return codes.astype(np.int64), names
    at = {name: position for position, name in enumerate(together)}
    renumbered = np.array([*(at[name] for name in names), -1], np.int64)
    return renumbered[codes], together


def _ratio(values: Floats, by: Floats) -> Floats:
    """One by the other, NaN where one of them is not above zero."""
    good = (values > 0) & (by > 0)
    return np.where(good, values, np.nan) / np.where(good, by, 1.0)


def _last_known(windows: Floats) -> Ints:
    """The column of each row's last known value, -1 where there is none."""
    known = np.isfinite(windows)
    at = windows.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return np.where(known.any(axis=1), at, -1)


def _moves(closes: Floats) -> Floats:
    """ln(close / close before), the close before being the symbol's last known one."""
    moves = np.full(closes.shape, np.nan)
    if closes.shape[1] < 2:
        return moves
    known = np.isfinite(closes) & (closes > 0)
    column = np.where(known, np.arange(closes.shape[1]), -1)
    last = np.maximum.accumulate(column, axis=1)[:, :-1]
    rows, at = np.nonzero(known[:, 1:] & (last >= 0))
    moves[rows, at + 1] = np.log(closes[rows, at + 1] / closes[rows, last[rows, at]])
    return moves
