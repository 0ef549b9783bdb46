"""Runs of intervals in which not one of several liquid symbols has a bar: the feed was out, not the symbol."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.frames import float_values, int_values, timestamps
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.quality.missing_runs import GAP
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA
from marketdata_pipelines.domain.quality.rules import QualityRule

# A symbol is liquid when, its longest gap aside, it has so much of its session.
_LIQUID = 0.9
# Bars cannot tell one from the other: at the market's own circuit breaker every symbol is silent too.
_REASON = "outage, or a halt of the whole market"


@dataclass(frozen=True, slots=True)
class MarketGap:
    """`missing` bars of every liquid symbol before `until_us`, on one session date (days since 1970)."""

    day: int
    until_us: int
    missing: int
    symbols: int


def find_market_gaps(rule: QualityRule, profiles: pa.Table, suspects: pa.Table) -> list[MarketGap]:
    """The gaps that all liquid symbols of a session share; the rule names how long and how many symbols."""
    if not suspects.num_rows:
        return []
    gaps = suspects.filter(pc.and_(pc.equal(suspects["kind"], GAP), suspects["standing"]))
    if not gaps.num_rows:
        return []
    liquid = liquid_symbols(profiles)
    runs: dict[int, dict[str, list[tuple[int, int, int]]]] = {}
    days, until, bars = (int_values(gaps[name]).tolist() for name in ("session_date", "ts", "bars"))
    lengths = np.rint(float_values(gaps["value"]) * MINUTE_US).astype(np.int64).tolist()
    for day, end, symbol, count, length in zip(days, until, gaps["symbol"].to_pylist(), bars, lengths, strict=True):
        if symbol in liquid.get(day, set()):
            runs.setdefault(day, {}).setdefault(symbol, []).append((end - length, end, length // count))
    found = []
    for day, by_symbol in sorted(runs.items()):
        asked = len(liquid[day])
        if asked >= rule.limits["symbols"] and len(by_symbol) == asked:
            shared = _shared(list(by_symbol.values()))
            found += [
                MarketGap(day, end, (end - begin) // width, asked)
                for begin, end, width in shared
                if (end - begin) // width >= rule.limits["most"]
            ]
    return found


def gap_findings(rule: QualityRule, gaps: Sequence[MarketGap]) -> pa.Table:
    """Market gaps as FINDING_SCHEMA, told at the instant they end, of no symbol."""
    count = len(gaps)
    ends = timestamps(np.array([gap.until_us for gap in gaps], np.int64))
    days = pa.array(np.array([gap.day for gap in gaps], np.int32)).view(pa.date32())
    missing = [gap.missing for gap in gaps]
    told = [f"all {gap.symbols} liquid symbols miss the {gap.missing} bars before this one; {_REASON}" for gap in gaps]
    columns = {
        "rule": pa.repeat(rule.id, count),
        "dimension": pa.repeat(str(rule.dimension), count),
        "severity": pa.repeat(str(rule.severity), count),
        "symbol": pa.nulls(count, FINDING_SCHEMA.field("symbol").type),
        "session_date": days,
        "ts": ends,
        "ts_last": ends,
        "bars": pa.array(missing, pa.int32()),
        "value": pa.array([float(bars) for bars in missing], pa.float64()),
        "limit": pa.array([float(rule.limits["most"])] * count, pa.float64()),
        "message": pa.array(told, pa.string()),
        **{name: pa.nulls(count, FINDING_SCHEMA.field(name).type) for name in ("file", "line", "row", "part")},
        "standing": pa.array([True] * count, pa.bool_()),
    }
    return pa.table(columns, schema=FINDING_SCHEMA)


def liquid_symbols(profiles: pa.Table) -> dict[int, set[str]]:
    """By session date (days since 1970) the symbols that, their longest gap aside, have nearly all of their session."""
    bars, longest, room = (int_values(profiles[name]) for name in ("bars", "longest_gap", "expected"))
    dense = (bars > 0) & (bars >= _LIQUID * np.maximum(room - longest, 1))
    found: dict[int, set[str]] = {}
    days, symbols = int_values(profiles["session_date"]), profiles["symbol"].to_pylist()
    for at in np.flatnonzero(dense).tolist():
        found.setdefault(int(days[at]), set()).add(symbols[at])
    return found


def _shared(runs: Sequence[Sequence[tuple[int, int, int]]]) -> list[tuple[int, int, int]]:
    """The intersections of every symbol's runs (begin, end, width)."""
    shared = list(runs[0])
    for others in runs[1:]:
        shared = [
            (max(begin, low), min(end, high), width)
            for begin, end, width in shared
            for low, high, _ in others
            if max(begin, low) < min(end, high)
        ]
    return shared
