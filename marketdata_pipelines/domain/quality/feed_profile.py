"""A feed's figures by column, by session and by symbol, gathered partition after partition.

The memory grows with symbols, not with bars.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.corrections import VALUES
from marketdata_pipelines.domain.frames import int_values, number_values, symbol_codes
from marketdata_pipelines.domain.quality.bar_measures import longest_standstill, measure_bars
from marketdata_pipelines.domain.quality.statistics import ColumnStatistics, Floats
from marketdata_pipelines.domain.session_grid import Ints

QUANTILES = (0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999)
_QUANTILE_NAMES = ("p0_1", "p1", "p25", "p50", "p75", "p99", "p99_9")
# What is measured of bars, then of symbol-sessions.
MEASURES = ("returns", "ranges", "leaps", "wicks", "return_scales", "leap_scales", "wick_scales")
SESSION_MEASURES = ("bars_per_session", "gaps", "longest_gap")
# Those a person reads; the others serve the suggestions.
SHOWN = (*VALUES, "returns", "ranges", "wicks", *SESSION_MEASURES)

COLUMN_SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        *((name, pa.int64()) for name in ("count", "nulls", "zeros", "distinct")),
        ("zero_share", pa.float64()),
        *((name, pa.float64()) for name in ("min", *_QUANTILE_NAMES, "max", "mean", "std")),
        ("histogram", pa.string()),
    ]
)
# One row a symbol. `coverage`: bars in the regular session as a share of those the calendar has room for.
SYMBOL_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("sessions", pa.int64()),
        ("bars", pa.int64()),
        ("coverage", pa.float64()),
        ("gaps", pa.int64()),
        ("longest_gap", pa.int64()),
        ("zero_volume_share", pa.float64()),
        ("unchanged_share", pa.float64()),
        ("largest_return", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)


@dataclass(slots=True)
class SymbolFigures:
    """Sums and extremes of one symbol."""

    sessions: int = 0
    bars: int = 0
    regular: int = 0
    expected: int = 0
    gaps: int = 0
    longest_gap: int = 0
    zero_volume: int = 0
    unchanged: int = 0
    largest_return: float = 0.0
    low: float = np.inf
    high: float = -np.inf


@dataclass(slots=True)
class FeedFigures:
    """Everything measured of a feed so far."""

    columns: dict[str, ColumnStatistics] = field(default_factory=dict)
    symbols: dict[str, SymbolFigures] = field(default_factory=dict)
    standstill: int = 0
    bars: int = 0
    sessions: set[int] = field(default_factory=set)

    def add(self, bars: pa.Table, profiles: pa.Table, *, within_sessions: bool) -> None:
        """Take in a partition: its bars (BAR_SCHEMA sorted by (symbol, ts)) and their profiles (PROFILE_SCHEMA)."""
        if not bars.num_rows:
            return
        measures = measure_bars(bars, profiles, within_sessions=within_sessions)
        for name in VALUES:
            self._column(name).add(number_values(bars[name]))
        for name in MEASURES:
            self._column(name).add(getattr(measures, name))
        for name, source in zip(SESSION_MEASURES, ("bars", "gaps", "longest_gap"), strict=True):
            self._column(name).add(int_values(profiles[source]).astype(np.float64))
        self.bars += bars.num_rows
        self.sessions |= set(np.unique(int_values(profiles["session_date"])).tolist())
        self.standstill = max(self.standstill, longest_standstill(bars))
        self._add_symbols(bars, profiles, np.abs(np.nan_to_num(measures.returns)))

    def column_table(self) -> pa.Table:
        """One row a column or measure (COLUMN_SCHEMA), those without any value left out but for the bars' own."""
        rows = [_column_row(name, self.columns[name]) for name in SHOWN if name in self.columns]
        return pa.Table.from_pylist([row for row in rows if row["count"] or row["column"] in VALUES], COLUMN_SCHEMA)

    def symbol_table(self) -> pa.Table:
        """One row a symbol (SYMBOL_SCHEMA), the least complete first."""
        rows = [_symbol_row(name, figures) for name, figures in self.symbols.items()]
        rows.sort(key=lambda row: (row["coverage"] if row["coverage"] is not None else 0.0, row["symbol"]))
        return pa.Table.from_pylist(rows, SYMBOL_SCHEMA)

    def _column(self, name: str) -> ColumnStatistics:
        return self.columns.setdefault(name, ColumnStatistics())

    def _add_symbols(self, bars: pa.Table, profiles: pa.Table, moves: Floats) -> None:
        codes, names = symbol_codes(bars["symbol"])
        starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
        counts = np.diff(np.r_[starts, len(codes)])
        largest = np.maximum.reduceat(moves, starts)
        lows = np.minimum.reduceat(number_values(bars["low"]), starts)
        highs = np.maximum.reduceat(number_values(bars["high"]), starts)
        found = zip(
            codes[starts].tolist(), counts.tolist(), largest.tolist(), lows.tolist(), highs.tolist(), strict=True
        )
        for code, count, move, low, high in found:
            own = self.symbols.setdefault(names[code], SymbolFigures())
            own.bars += count
            own.largest_return = max(own.largest_return, move)
            own.low, own.high = min(own.low, low), max(own.high, high)
        self._add_sessions(profiles)

    def _add_sessions(self, profiles: pa.Table) -> None:
        codes, names = symbol_codes(profiles["symbol"])
        if not len(codes):
            return
        starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
        sums = {
            name: np.add.reduceat(int_values(profiles[name], 0), starts).tolist()
            for name in ("bars", "expected", "gaps", "zero_volume_bars", "unchanged_bars")
        }
        longest = np.maximum.reduceat(int_values(profiles["longest_gap"], 0), starts).tolist()
        sessions: Ints = np.diff(np.r_[starts, len(codes)])
        for at, code in enumerate(codes[starts].tolist()):
            own = self.symbols.setdefault(names[code], SymbolFigures())
            own.sessions += int(sessions[at])
            own.regular += sums["bars"][at]
            own.expected += sums["expected"][at]
            own.gaps += sums["gaps"][at]
            own.zero_volume += sums["zero_volume_bars"][at]
            own.unchanged += sums["unchanged_bars"][at]
            own.longest_gap = max(own.longest_gap, longest[at])


def _column_row(name: str, statistics: ColumnStatistics) -> dict[str, object]:
    found = statistics.summary(QUANTILES)
    return {
        "column": name,
        "count": found.count,
        "nulls": found.nulls,
        "zeros": found.zeros,
        "distinct": found.distinct,
        "zero_share": found.zeros / found.count if found.count else None,
        "min": found.least,
        **dict(zip(_QUANTILE_NAMES, found.quantiles, strict=True)),
        "max": found.greatest,
        "mean": found.mean,
        "std": found.deviation,
        "histogram": found.histogram,
    }


def _symbol_row(name: str, own: SymbolFigures) -> dict[str, object]:
    return {
        "symbol": name,
        "sessions": own.sessions,
        "bars": own.bars,
        "coverage": own.regular / own.expected if own.expected else None,
        "gaps": own.gaps,
        "longest_gap": own.longest_gap,
        "zero_volume_share": own.zero_volume / own.regular if own.regular else None,
        "unchanged_share": own.unchanged / own.regular if own.regular else None,
        "largest_return": own.largest_return,
        "low": own.low if np.isfinite(own.low) else None,
        "high": own.high if np.isfinite(own.high) else None,
    }
