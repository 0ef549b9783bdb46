"""Which raw rows decided a symbol's bars over a span: those that stand, and those that lost against them.

The verdicts are `validate`'s, on the same parts narrowed to the symbol and the span.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values
from marketdata_pipelines.domain.rules import mask_to_rules
from marketdata_pipelines.domain.session_grid import Ints, SessionGrid
from marketdata_pipelines.domain.tables import RAW_TRADES
from marketdata_pipelines.domain.trades import counting_trades, trade_buckets
from marketdata_pipelines.domain.validation import MISSING_TS, trade_mask
from marketdata_pipelines.pipeline.placement import row_times
from marketdata_pipelines.pipeline.validate import DecidedRows, LoadedPart, bars_of_trades, decide_rows
from marketdata_pipelines.stores.lake.catalog import StandingPart


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """A raw row that competed for a bar: its part, its place there, and the rules it lost by (None: it stands)."""

    part: StandingPart
    row: dict[str, object]
    rules: str | None


@dataclass(frozen=True, slots=True)
class BarTrades:
    """The trades of one base bar, in the order they count.

    `table` has RAW_TRADE_SCHEMA; `counted` are the positions of those that count for OHLC, `volume_only` of those that
    count for volume alone; `rejected` is how many more were kept out by a rule.
    """

    table: pa.Table
    counted: Ints
    volume_only: Ints
    rejected: int

    @property
    def first(self) -> int:
        return int(self.counted[0])

    @property
    def last(self) -> int:
        return int(self.counted[-1])

    @property
    def high(self) -> int:
        """The first trade at the highest price."""
        return int(self.counted[np.argmax(float_values(self.table["price"])[self.counted])])

    @property
    def low(self) -> int:
        return int(self.counted[np.argmin(float_values(self.table["price"])[self.counted])])


class SymbolRows:
    """The raw rows of one symbol in one base partition whose bars open in first_us..last_us, both included."""

    def __init__(
        self, feed: Feed, grid: SessionGrid, parts: Sequence[LoadedPart], symbol: str, first_us: int, last_us: int
    ) -> None:
        self._feed, self._grid = feed, grid
        reach = feed.interval.us - 1
        self.parts = [_narrowed(part, symbol, first_us, last_us + (reach if has_trades(part) else 0)) for part in parts]
        as_bars = [bars_of_trades(feed, grid, part)[0] if has_trades(part) else part for part in self.parts]
        self._decided = decide_rows(feed, grid, as_bars) if any(part.table.num_rows for part in as_bars) else None
        # Positions by time, in their order where times are equal.
        ts = int_values(self._decided.raw["ts"], MISSING_TS) if self._decided is not None else np.zeros(0, np.int64)
        self._order = np.argsort(ts, kind="stable")
        self._ordered_ts = ts[self._order]
        self._judged: dict[str, tuple[Ints, Ints, Ints]] = {}

    def brought(self) -> list[StandingPart]:
        """The parts that have any of the rows, in ledger order."""
        return [part.standing for part in self.parts if part.table.num_rows]

    def verdicts(self, ts_us: int) -> list[RowVerdict]:
        """The rows of one bar: the one that stands first, then the others in ledger order."""
        if self._decided is None:
            return []
        first, last = (int(np.searchsorted(self._ordered_ts, ts_us, side)) for side in ("left", "right"))
        found = [self._verdict(self._decided, position) for position in self._order[first:last].tolist()]
        return sorted(found, key=lambda verdict: verdict.rules is not None)

    def trades(self, ts_us: int, part: StandingPart) -> BarTrades | None:
        """The trades of the bar one part made; None where the part brought bars."""
        narrowed = next(each for each in self.parts if each.standing is part)
        if not has_trades(narrowed):
            return None
        mask, ns, opens = self._judged_trades(narrowed)
        inside = opens == ts_us
        good = np.flatnonzero(inside & (mask == 0))
        good = good[np.argsort(ns[good], kind="stable")]
        table = narrowed.table.take(pa.array(good))
        price, volume = counting_trades(table, self._feed.trade_filter)
        return BarTrades(
            table, np.flatnonzero(price), np.flatnonzero(volume & ~price), int((inside & (mask != 0)).sum())
        )

    def _judged_trades(self, part: LoadedPart) -> tuple[Ints, Ints, Ints]:
        """Each trade's rules, time (nanoseconds) and the open of its bar."""
        key = part.standing.part.path
        if key not in self._judged:
            mask, placement = trade_mask(part.table, self._feed, self._grid, part.standing.ingest.known_at_us)
            ns = int_values(part.table["ts"], MISSING_TS)
            self._judged[key] = mask, ns, trade_buckets(self._feed, ns, placement.anchor)
        return self._judged[key]

    def _verdict(self, decided: DecidedRows, position: int) -> RowVerdict:
        row = decided.raw.slice(position, 1).to_pylist()[0]
        mask = int(decided.mask[position])
        return RowVerdict(self.parts[int(decided.source[position])].standing, row, mask_to_rules(mask) or None)


def has_trades(part: LoadedPart) -> bool:
    """Whether a part brought trades rather than bars."""
    return part.standing.part.tbl == RAW_TRADES


def _narrowed(part: LoadedPart, symbol: str, first_us: int, last_us: int) -> LoadedPart:
    ts = row_times(part.table)
    same = pc.fill_null(pc.equal(part.table["symbol"], symbol), False).to_numpy()
    return LoadedPart(part.standing, part.table.filter(pa.array(same & (ts >= first_us) & (ts <= last_us))))
