"""Suspects: bars that stand out beside their own session's. Candidates only: the rules decide what is a finding.

A function of a partition's bars and their profiles, the same whatever else is walked. Emission floors lie well below
the rules' limits, so that a feed may set limits of its own.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import SYMBOL
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values, nullable, symbol_codes, timestamps
from marketdata_pipelines.domain.quality.grouped_bars import (
    Floats,
    GroupedBars,
    Ints,
    Suspects,
    group_bars,
    log_ratio,
    profile_rows,
    relative,
)
from marketdata_pipelines.domain.quality.leaps import EDGE_LEAST, find_leaps
from marketdata_pipelines.domain.quality.missing_runs import find_missing_runs
from marketdata_pipelines.domain.quality.records import SUSPECT_SCHEMA, Suspicion
from marketdata_pipelines.domain.quality.stale_runs import find_stale_runs
from marketdata_pipelines.domain.quality.suspect_kernel import BULKY, WICKED, WORTHLESS, find_instants, mark_bars

MOST_OF_A_KIND = 50
# Emission floors: so many scales of the session, within absolute bounds.
_MOVE_SCALES, _LEAST_MOVE, _MOST_MOVE = 6.0, 0.01, 0.3
_WICK_SCALES, _LEAST_WICK, _MOST_WICK = 8.0, 0.01, 0.2
_VOLUME_SCALES = 50.0
_OPENING_LEAST = 0.15


def suspicious_bars(feed: Feed, bars: pa.Table, profiles: pa.Table) -> pa.Table:
    """The suspects of a partition.

    Shape:   `bars` has BAR_SCHEMA sorted by (symbol, ts), perhaps of some symbols only; `profiles` those of their
             symbol-sessions. Returns SUSPECT_SCHEMA sorted by (symbol, ts, kind), at most fifty of a kind for each
             symbol-session, the greatest; places are null, `standing` is true.
    Kinds:   value / scale are
             spike         smaller of the leaps |ln| to and from it / robust scale of |ln return| there
             jump          |ln return| / the same scale
             wick          (high or low beyond open and close) / the greater of them / median (high - low) / close there
             flat          bars of the run / probability that a bar of the symbol repeats the one before
             volume        volume / median volume of the session
             zero_volume_move  greatest (high - low) / close of the run / share of bars without volume
             opening_jump  first open of the session / close before it in this partition, else null
             gap           minutes without a bar before `ts` / share of the rest of the session that is there
             "There" is the greater of the session and the ten bars to each side, without the bar itself.
    """
    if not bars.num_rows:
        return SUSPECT_SCHEMA.empty_table()
    grouped = group_bars(feed, bars, profiles)
    marks = np.zeros(bars.num_rows, np.uint8)
    mark_bars(
        grouped.starts, grouped.open, grouped.high, grouped.low, grouped.close, grouped.volume,
        _limits(grouped.return_scale * _MOVE_SCALES, _LEAST_MOVE, _MOST_MOVE),
        _limits(grouped.range_scale * _WICK_SCALES, _LEAST_WICK, _MOST_WICK),
        _limits(grouped.volume_median * _VOLUME_SCALES, 0.0, np.inf),
        EDGE_LEAST, marks,
    )  # fmt: skip
    found = [
        *find_leaps(grouped, marks),
        _wicks(grouped, marks),
        find_stale_runs(grouped, marks),
        _volumes(grouped, marks),
        _moves_without_volume(grouped, marks, profiles),
        _openings(grouped, profiles),
        find_missing_runs(feed, grouped, profiles),
    ]
    return suspect_table(grouped, [_greatest(grouped, kind) for kind in found])


def suspect_table(bars: GroupedBars, found: Sequence[Suspects]) -> pa.Table:
    """Suspects of all kinds as SUSPECT_SCHEMA."""
    first = np.concatenate([kind.first for kind in found])
    last = np.concatenate([kind.last for kind in found])
    kinds = np.repeat([str(kind.kind) for kind in found], [len(kind.first) for kind in found])
    count = len(first)
    columns = {
        "symbol": pa.array([bars.symbols[code] for code in bars.codes[first]], pa.string()),
        "session_date": pa.array(bars.days[first].astype(np.int32)).view(pa.date32()),
        "kind": pa.array(kinds.tolist(), pa.string()),
        "ts": timestamps(bars.ts[first]),
        "ts_last": timestamps(bars.ts[last]),
        "bars": pa.array(np.concatenate([kind.bars for kind in found]).astype(np.int32)),
        "value": nullable(np.concatenate([kind.value for kind in found])),
        "scale": nullable(np.concatenate([kind.scale for kind in found])),
    }
    return finished_suspects(columns, count)


def finished_suspects(columns: dict[str, pa.Array], count: int) -> pa.Table:
    """Columns in any order of rows as SUSPECT_SCHEMA in order, without places, standing."""
    places = {name: pa.nulls(count, SUSPECT_SCHEMA.field(name).type) for name in ("file", "line", "row", "part")}
    whole = pa.table({**columns, **places, "standing": pa.array(np.ones(count, bool))})
    whole = whole.select(SUSPECT_SCHEMA.names)
    ordered = whole.sort_by([("symbol", "ascending"), ("ts", "ascending"), ("kind", "ascending")]).combine_chunks()
    symbol = ordered["symbol"].combine_chunks().dictionary_encode().cast(SYMBOL)
    return ordered.set_column(0, "symbol", symbol).cast(SUSPECT_SCHEMA)


def _limits(usual: Floats, least: float, most: float) -> Floats:
    return np.clip(np.where(np.isnan(usual), least, usual), least, most)


def _wicks(bars: GroupedBars, marks: np.ndarray) -> Suspects:
    rows = np.flatnonzero(marks & WICKED)
    top, bottom = np.maximum(bars.open[rows], bars.close[rows]), np.minimum(bars.open[rows], bars.close[rows])
    price = np.maximum(np.abs(top), np.abs(bottom))
    value = relative(np.maximum(bars.high[rows] - top, bottom - bars.low[rows]), price)
    rows, value = _cut(bars, rows, value)
    scale = np.fmax(bars.range_scale[bars.groups_of(rows)], bars.near_ranges(rows)) if len(rows) else np.zeros(0)
    return _singles(Suspicion.WICK, rows, value, scale)


def _volumes(bars: GroupedBars, marks: np.ndarray) -> Suspects:
    rows = np.flatnonzero(marks & BULKY)
    median = bars.volume_median[bars.groups_of(rows)]
    known = median > 0
    return _singles(Suspicion.VOLUME, rows[known], bars.volume[rows[known]], median[known])


def _moves_without_volume(bars: GroupedBars, marks: np.ndarray, profiles: pa.Table) -> Suspects:
    rows = np.flatnonzero(marks & WORTHLESS)
    if not len(rows):
        return _singles(Suspicion.ZERO_VOLUME_MOVE, rows, np.zeros(0), np.zeros(0))
    same = (np.diff(rows) == 1) & (bars.codes[rows[1:]] == bars.codes[rows[:-1]])
    same &= bars.days[rows[1:]] == bars.days[rows[:-1]]
    starts = np.concatenate(([0], np.flatnonzero(~same) + 1))
    first, last = rows[starts], rows[np.append(starts[1:], len(rows)) - 1]
    value = np.maximum.reduceat(relative(bars.high[rows] - bars.low[rows], bars.close[rows]), starts)
    at = profile_rows(bars.codes[first], bars.symbols, bars.days[first], profiles)
    zeros, count = (np.append(int_values(profiles[name]), 0)[at] for name in ("zero_volume_bars", "bars"))
    share = zeros / np.maximum(count, 1)
    return Suspects(Suspicion.ZERO_VOLUME_MOVE, first, last, last - first + 1, value, share)


def _openings(bars: GroupedBars, profiles: pa.Table) -> Suspects:
    """First opens that a jump may be behind: where the session before is not in this partition, or is far away."""
    codes, names = symbol_codes(profiles["symbol"])
    rank = {symbol: code for code, symbol in enumerate(bars.symbols)}
    # The last place stands for rows without a symbol.
    ours = np.array([*(rank.get(name, -1) for name in names), rank.get("", -1)], np.int64)[codes]
    there = (ours >= 0) & (int_values(profiles["bars"]) > 0)
    at = np.flatnonzero(there)
    opens, closes = float_values(profiles["open"])[at], float_values(profiles["close"])[at]
    follows = np.concatenate(([False], codes[at][1:] == codes[at][:-1])) if len(at) else np.zeros(0, bool)
    before = np.where(follows, np.concatenate(([np.nan], closes[:-1])), np.nan) if len(at) else closes
    move = np.abs(log_ratio(opens, before))
    told = ~follows | (move >= _OPENING_LEAST)
    rows = _rows_of(bars, ours[at[told]], int_values(profiles["first_ts"])[at[told]])
    return _singles(Suspicion.OPENING_JUMP, rows, opens[told], before[told])


def _rows_of(bars: GroupedBars, codes: Ints, ts: Ints) -> Ints:
    """The rows of bars that are there, by (code, ts)."""
    begins = np.searchsorted(bars.codes, codes, "left")
    ends = np.searchsorted(bars.codes, codes, "right")
    rows = np.empty(len(codes), np.int64)
    find_instants(bars.ts, begins, ends, ts, rows)
    return rows


def _singles(kind: str, rows: Ints, value: Floats, scale: Floats) -> Suspects:
    return Suspects(kind, rows, rows, np.ones(len(rows), np.int64), value, scale)


def _cut(bars: GroupedBars, rows: Ints, value: Floats) -> tuple[Ints, Floats]:
    kept = _greatest_of(bars, rows, value)
    return rows[kept], value[kept]


def _greatest(bars: GroupedBars, kind: Suspects) -> Suspects:
    kept = _greatest_of(bars, kind.first, kind.value)
    columns = (kind.first[kept], kind.last[kept], kind.bars[kept], kind.value[kept], kind.scale[kept])
    return Suspects(kind.kind, *columns)


def _greatest_of(bars: GroupedBars, rows: Ints, value: Floats) -> Ints:
    """Positions of the greatest of each symbol-session, in order."""
    if len(rows) <= MOST_OF_A_KIND:
        return np.arange(len(rows))
    codes, days = bars.codes[rows], bars.days[rows]
    order = np.lexsort((rows, -value, days, codes))
    changed = (np.diff(codes[order]) != 0) | (np.diff(days[order]) != 0)
    begins = np.concatenate(([0], np.flatnonzero(changed) + 1))
    rank = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(order))))
    return np.sort(order[rank < MOST_OF_A_KIND])
