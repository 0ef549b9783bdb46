"""What is noted of a partition's bars while they are walked: profiles of its symbol-sessions, and bars that stand out.

A function of the partition's raw parts, and of the tick sizes that are known then. What is made of it, beside other
sessions, is in `judging`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import SYMBOL
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values, symbol_codes
from marketdata_pipelines.domain.quality.missing_runs import without_rejected_runs
from marketdata_pipelines.domain.quality.off_ticks import off_tick_bars
from marketdata_pipelines.domain.quality.profiles import profile_bars, with_rows
from marketdata_pipelines.domain.quality.records import SUSPECT_SCHEMA
from marketdata_pipelines.domain.quality.shifts import shifted_sessions
from marketdata_pipelines.domain.quality.suspects import suspicious_bars
from marketdata_pipelines.domain.session_grid import Ints, SessionGrid
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.domain.tables import RAW_TRADES
from marketdata_pipelines.pipeline.quality.tick_sizes import TickSizes
from marketdata_pipelines.pipeline.validate import REPLACED, DecidedRows, LoadedPart, Validated, bar_table

_ORDER = [(name, "ascending") for name in ("symbol", "session_date", "kind", "ts", "file", "row", "ts_last")]


@dataclass(frozen=True, slots=True)
class Noted:
    """`profiles` has PROFILE_SCHEMA, `suspects` SUSPECT_SCHEMA, also of rows another file replaced."""

    profiles: pa.Table
    suspects: pa.Table


def note_bars(
    feed: Feed,
    grid: SessionGrid,
    sessions: Sequence[Session],
    parts: Sequence[LoadedPart],
    validated: Validated,
    ticks: TickSizes | None = None,
) -> Noted:
    """Profile a partition's validated bars, or those of some symbols, and list what stands out among them.

    `ticks` are those of the feed's instruments; without them no price is held against a tick.
    """
    horizon_us = max((part.standing.ingest.known_at_us for part in parts), default=0)
    of_trades = any(part.standing.part.tbl == RAW_TRADES for part in parts)
    profiles = profile_bars(feed, validated.bars, sessions, horizon_us, of_trades=of_trades)
    suspects = [suspicious_bars(feed, validated.bars, profiles)]
    if ticks is not None and ticks.known:
        symbols = pc.unique(validated.bars["symbol"]).to_pylist()
        known = {session.date: ticks.on(session.date, symbols) for session in sessions}
        suspects.append(off_tick_bars(validated.bars, known))
    decided = validated.decided
    if decided is not None:
        suspects = [_placed(found, validated.bars, decided, decided.order, parts) for found in suspects]
        suspects += _of_replaced_rows(feed, grid, sessions, parts, decided, horizon_us)
        suspects += _shifted(feed, grid, sessions, parts, decided)
    profiles = with_rows(feed, profiles, validated.rejected, grid, sessions, horizon_us)
    # Rows that were kept out are told as such, not once more as missing.
    return Noted(profiles, without_rejected_runs(_ordered(suspects), validated.rejected))


def _ordered(suspects: Sequence[pa.Table]) -> pa.Table:
    whole = pa.concat_tables([table.set_column(0, "symbol", table["symbol"].cast(pa.string())) for table in suspects])
    ordered = whole.sort_by(_ORDER).combine_chunks()
    symbols = pa.chunked_array([chunk.cast(SYMBOL) for chunk in ordered["symbol"].dictionary_encode().chunks], SYMBOL)
    return ordered.set_column(0, "symbol", symbols).cast(SUSPECT_SCHEMA)


def _of_replaced_rows(
    feed: Feed,
    grid: SessionGrid,
    sessions: Sequence[Session],
    parts: Sequence[LoadedPart],
    decided: DecidedRows,
    horizon_us: int,
) -> Iterator[pa.Table]:
    """What stands out in files whose rows others have taken the place of: the file is bad all the same."""
    replaced = (decided.mask & REPLACED) != 0
    if not replaced.any():
        return
    codes, _ = symbol_codes(decided.raw["symbol"])
    ts = int_values(decided.raw["ts"])
    for position in np.unique(decided.source[replaced]):
        own = np.flatnonzero((decided.source == position) & ((decided.mask & ~REPLACED) == 0))
        own = own[np.lexsort((ts[own], codes[own]))]
        bars = bar_table(feed, decided.raw, own, decided.placement, grid)
        found = suspicious_bars(feed, bars, profile_bars(feed, bars, sessions, horizon_us))
        found = _placed(found, bars, decided, own, parts)
        if found.num_rows:
            yield found.filter(pc.invert(found["standing"]))


def _shifted(
    feed: Feed, grid: SessionGrid, sessions: Sequence[Session], parts: Sequence[LoadedPart], decided: DecidedRows
) -> Iterator[pa.Table]:
    for position, part in enumerate(parts):
        own = np.flatnonzero(decided.source == position)
        if part.standing.part.tbl == RAW_TRADES or not len(own):
            continue
        rows, mask = decided.raw, decided.mask
        if len(own) < rows.num_rows:
            rows, mask = rows.take(pa.array(own)), mask[own]
        # Who won against whom is no matter of the clock.
        found = shifted_sessions(feed, grid, sessions, rows, mask & ~REPLACED)
        if found.num_rows:
            yield _of_file(found, part, standing=bool((mask == 0).any()))


def _of_file(found: pa.Table, part: LoadedPart, *, standing: bool) -> pa.Table:
    named = {
        "file": pa.repeat(pa.scalar(part.standing.ingest.file), found.num_rows),
        "part": pa.repeat(pa.scalar(part.standing.part.part_id), found.num_rows),
        "standing": pa.repeat(pa.scalar(standing), found.num_rows),
    }
    return _with(found, named)


def _placed(
    found: pa.Table, bars: pa.Table, decided: DecidedRows, order: Ints, parts: Sequence[LoadedPart]
) -> pa.Table:
    """With the place of each suspect's first bar; `order` are the raw rows the bars were taken from."""
    if not found.num_rows:
        return found
    rows = order[_positions(found, bars)]
    sources = decided.source[rows]
    from_bars = np.array([part.standing.part.tbl != RAW_TRADES for part in parts])[sources]
    hidden = pa.array(~from_bars)
    raw = decided.raw.select(["line", "row"]).take(pa.array(rows))
    files = pa.array([parts[source].standing.ingest.file for source in sources], pa.string())
    ids = pa.array([parts[source].standing.part.part_id for source in sources], pa.string())
    named = {
        "file": files,
        # A bar made of trades has no row of its own.
        "line": pc.if_else(hidden, pa.scalar(None, pa.int64()), raw["line"].combine_chunks()),
        "row": pc.if_else(hidden, pa.scalar(None, pa.int64()), raw["row"].combine_chunks()),
        "part": ids,
        "standing": pa.array((decided.mask[rows] & REPLACED) == 0),
    }
    return _with(found, named)


def _positions(found: pa.Table, bars: pa.Table) -> NDArray[np.int64]:
    """Where the first bar of each suspect is among the bars, which are sorted by (symbol, ts)."""
    codes, symbols = symbol_codes(bars["symbol"])
    ts = int_values(bars["ts"])
    code_of = {symbol: code for code, symbol in enumerate(symbols)}
    wanted = np.array([code_of[symbol] for symbol in found["symbol"].cast(pa.string()).to_pylist()], codes.dtype)
    begins, ends = np.searchsorted(codes, wanted, "left"), np.searchsorted(codes, wanted, "right")
    at = int_values(found["ts"])
    within = [int(np.searchsorted(ts[b:e], moment)) for b, e, moment in zip(begins, ends, at, strict=True)]
    return (begins + np.array(within, np.int64)).astype(np.int64)


def _with(found: pa.Table, named: dict[str, pa.Array]) -> pa.Table:
    columns = [named.get(name, found[name]) for name in SUSPECT_SCHEMA.names]
    return pa.table(columns, schema=SUSPECT_SCHEMA)
