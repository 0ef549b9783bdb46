"""The raw rows of a partition that repairs are about: which stand, which were rejected, and the good bars by symbol.

Verdicts are those of `validate.decide_rows`; what is to be done about them is `proposing`'s.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.corrections import VALUES
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.domain.repairs.fit import SymbolBars
from marketdata_pipelines.domain.repairs.records import BarRow
from marketdata_pipelines.domain.rules import mask_to_rules, rule_bit
from marketdata_pipelines.domain.session_grid import Ints, SessionGrid
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines.domain.tables import RAW_TRADES
from marketdata_pipelines.domain.validation import MISSING_TS
from marketdata_pipelines.pipeline.coarse import CoarseBars
from marketdata_pipelines.pipeline.validate import DecidedRows, LoadedPart, decide_rows
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.symbol_rows import only_rows

_REPLACED = rule_bit("superseded") | rule_bit("deleted")


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The standing rows of every symbol, by time."""

    codes: Ints
    ts: Ints
    prices: np.ndarray
    volumes: np.ndarray
    rows: Ints


class PartitionRows:
    """The decided rows of some symbols of one base partition."""

    def __init__(self, feed: Feed, grid: SessionGrid, parts: Sequence[LoadedPart], decided: DecidedRows) -> None:
        self.feed, self.grid, self.parts, self.decided = feed, grid, parts, decided
        self.raw, self.mask = decided.raw, decided.mask
        self.ts = int_values(decided.raw["ts"], MISSING_TS)
        codes, self.symbols = symbol_codes(decided.raw["symbol"])
        self.codes = codes.astype(np.int64)
        order = decided.order
        prices = np.column_stack([float_values(self.raw[name]) for name in PRICES])
        volumes = float_values(self.raw["volume"])
        self._sorted = _Sorted(self.codes[order], self.ts[order], prices[order], volumes[order], order)
        self._values = {name: self.raw[name] for name in VALUES}

    def rejected(self) -> Ints:
        """Positions of rows that broke a rule or lost to a row of the same file; those replaced later are left out."""
        return np.flatnonzero((self.mask != 0) & (self.mask & _REPLACED == 0) & (self.codes >= 0))

    def candidates_of(self, code: int, first_us: int, last_us: int, part: str | None) -> Ints:
        """Positions of a symbol's rows labelled in a span that stand or were merely out of session."""
        allowed = np.isin(self.mask, (0, rule_bit("out_of_session")))
        found = allowed & (self.codes == code) & (self.ts >= first_us) & (self.ts <= last_us)
        return np.flatnonzero(found & self._of_part(part))

    def movable(self, part: str | None) -> Ints:
        """Positions of all rows of a part (None: of all parts) that stand or were merely out of session."""
        allowed = np.isin(self.mask, (0, rule_bit("out_of_session"))) & (self.codes >= 0) & (self.ts != MISSING_TS)
        return np.flatnonzero(allowed & self._of_part(part))

    def standing_between(self, code: int, first_us: int, last_us: int) -> Ints:
        """Positions of a symbol's standing rows in a span, by time."""
        begin, end = self._span(code)
        inside = self._sorted.ts[begin:end]
        left, right = np.searchsorted(inside, first_us), np.searchsorted(inside, last_us, "right")
        return self._sorted.rows[begin + left : begin + right]

    def standing_at(self, code: int, ts_us: int) -> int | None:
        """The position of the row that stands for a bar."""
        found = self.standing_between(code, ts_us, ts_us)
        return int(found[0]) if len(found) else None

    def bars(self, code: int, leave_out: Collection[int] = ()) -> SymbolBars:
        """A symbol's standing bars, less those at some instants."""
        begin, end = self._span(code)
        kept = ~np.isin(self._sorted.ts[begin:end], np.fromiter(leave_out, np.int64, len(leave_out)))
        return SymbolBars(
            self._sorted.ts[begin:end][kept],
            self._sorted.prices[begin:end][kept],
            self._sorted.volumes[begin:end][kept],
            self.feed.interval.us,
            any_sign=self.feed.allow_nonpositive_prices,
        )

    def code_of(self, symbol: str) -> int | None:
        """The code of a symbol, None where it has no rows here."""
        return self.symbols.index(symbol) if symbol in self.symbols else None

    def row(self, at: int) -> BarRow:
        """One raw row."""
        part = self.parts[int(self.decided.source[at])]
        return BarRow(
            symbol=self.symbols[int(self.codes[at])],
            ts_us=int(self.ts[at]),
            values={name: _known(column[at].as_py()) for name, column in self._values.items()},
            file=part.standing.ingest.file,
            line=self.raw["line"][at].as_py(),
            row=self.raw["row"][at].as_py(),
            part=part.standing.part.part_id,
            rules=frozenset(filter(None, mask_to_rules(int(self.mask[at])).split(";"))),
        )

    def session_of(self, at: int) -> date | None:
        """The session date a row belongs to."""
        session = int(self.decided.placement.session[at])
        return None if session < 0 else EPOCH + timedelta(days=int(self.grid.dates[session]))

    def _span(self, code: int) -> tuple[int, int]:
        codes = self._sorted.codes
        return int(np.searchsorted(codes, code)), int(np.searchsorted(codes, code, "right"))

    def _of_part(self, part: str | None) -> np.ndarray:
        if part is None:
            return np.ones(len(self.mask), bool)
        wanted = [at for at, loaded in enumerate(self.parts) if loaded.standing.part.part_id == part]
        found: np.ndarray = np.isin(self.decided.source, wanted)
        return found


def partition_rows(lake: Lake, feed: Feed, key: str, symbols: Iterable[str] | None) -> PartitionRows | None:
    """The rows of some symbols (None: of all) of a partition; None where there are none, or they are trades.

    Errors: PartitionMissing when the file of a raw part is gone.
    """
    standing = lake.catalog.standing_parts(feed.name, [key])
    if not standing or any(part.part.tbl == RAW_TRADES for part in standing):
        return None
    wanted = None if symbols is None else frozenset(symbols)
    parts = []
    for part in standing:
        named = part.part.symbols
        nothing = wanted is not None and named is not None and not wanted & set(named)
        table = lake.read_part(feed.name, part.part)
        parts.append(LoadedPart(part, table.slice(0, 0) if nothing else only_rows(table, wanted, ())))
    if not any(part.table.num_rows for part in parts):
        return None
    grid = CoarseBars(lake, feed).grid(key)
    return PartitionRows(feed, grid, parts, decide_rows(feed, grid, parts))


def _known(value: float | None) -> float | None:
    return None if value is None or value != value else value
