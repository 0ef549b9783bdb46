"""One partition's raw parts into validated bars and rejected rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import BAR_SCHEMA, REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import (
    float_values,
    int_values,
    nullable,
    symbol_codes,
    symbol_column,
    timestamps,
)
from marketdata_pipelines.domain.rules import mask_to_rules, rule_bit
from marketdata_pipelines.domain.session_grid import Ints, Placement, SessionGrid
from marketdata_pipelines.domain.tables import RAW_TRADES
from marketdata_pipelines.domain.trades import trades_to_bars
from marketdata_pipelines.domain.validation import MISSING_TS, bar_mask, label_closes, resolve_duplicates, trade_mask
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.stores.lake.catalog import Ingest, StandingPart

REPLACED = rule_bit("superseded") | rule_bit("deleted")


@dataclass(frozen=True, slots=True)
class LoadedPart:
    """A raw part with its rows."""

    standing: StandingPart
    table: pa.Table


@dataclass(frozen=True, slots=True)
class Validated:
    """What validation makes of a partition.

    `accepted_rows` counts raw rows that stand (trades, for trades); `replaced` tells whether one part's rows took the
    place of another's, so that the parts' order matters; `decided` are the rows the bars were taken from, None where
    there were none.
    """

    bars: pa.Table
    rejected: pa.Table
    raw_rows: int
    accepted_rows: int
    replaced: bool
    decided: "DecidedRows | None" = None


def validate_parts(feed: Feed, grid: SessionGrid, parts: list[LoadedPart]) -> Validated:
    """Apply every row rule to a partition's raw parts, in ledger order, and decide which rows stand.

    Shape:   `bars` has BAR_SCHEMA, sorted by (symbol, ts), unique; `rejected` REJECTED_SCHEMA in (file, row) order.
    Clock:   each part's rows are judged by when that part became known.
    """
    rejected = [REJECTED_SCHEMA.empty_table()]
    accepted = 0
    tables: list[LoadedPart] = []
    for part in parts:
        if _has_trades(part):
            part, refused, kept = bars_of_trades(feed, grid, part)
            rejected.append(refused)
            accepted += kept
        tables.append(part)
    judged = _judge_bars(feed, grid, tables)
    rejected += judged.rejected
    # A bar made of trades counts through its trades, above.
    accepted += sum(kept for part, kept in zip(tables, judged.kept, strict=True) if not _has_trades(part))
    whole = pa.concat_tables(rejected)
    order = [("file", "ascending"), ("row", "ascending"), ("part", "ascending")]
    raw_rows = sum(part.table.num_rows for part in parts)
    return Validated(judged.bars, whole.sort_by(order), raw_rows, accepted, judged.replaced, judged.decided)


@dataclass(frozen=True, slots=True)
class DecidedRows:
    """The rows of several parts side by side, and which of them stand.

    `source` is each row's part, by position; `mask` the rules it broke or lost by, 0 where it stands; `order` the
    standing rows by (symbol, ts); `placement` where each row belongs.
    """

    raw: pa.Table
    source: Ints
    mask: Ints
    order: Ints
    placement: Placement


def decide_rows(feed: Feed, grid: SessionGrid, parts: Sequence[LoadedPart]) -> DecidedRows:
    """Judge the rows of bar parts in ledger order and decide which stand.

    A row is judged beside those of its symbol only: parts narrowed to some symbols and times give the same verdicts.
    """
    masks, placements = [], []
    for part in parts:
        mask, placement = bar_mask(part.table, feed, grid, part.standing.ingest.known_at_us)
        masks.append(mask)
        placements.append(placement)
    raw = pa.concat_tables([part.table for part in parts]).combine_chunks()
    mask = np.concatenate(masks)
    source = np.repeat(np.arange(len(parts)), [part.table.num_rows for part in parts]).astype(np.int64)
    _delete_left_out(raw, mask, source, parts)
    standing = resolve_duplicates(raw, mask, source)
    return DecidedRows(raw, source, standing.mask, standing.order, _joined(placements))


@dataclass(frozen=True, slots=True)
class _Judged:
    """`kept`: how many rows of each part stand."""

    bars: pa.Table
    rejected: list[pa.Table]
    kept: list[int]
    replaced: bool
    decided: DecidedRows | None


def _judge_bars(feed: Feed, grid: SessionGrid, parts: list[LoadedPart]) -> _Judged:
    if not any(part.table.num_rows for part in parts):
        return _Judged(BAR_SCHEMA.empty_table(), [], [0] * len(parts), False, None)
    decided = decide_rows(feed, grid, parts)
    bars = bar_table(feed, decided.raw, decided.order, decided.placement, grid)
    # Bars made of trades never reject trades: a later revision of theirs is recorded trade by trade at ingest.
    rejected = [
        _rejected_rows(part, part.table, decided.mask[decided.source == position])
        for position, part in enumerate(parts)
        if not _has_trades(part)
    ]
    kept = np.bincount(decided.source[decided.order], minlength=len(parts))
    replaced = bool((decided.mask & REPLACED).any())
    return _Judged(bars, rejected, [int(count) for count in kept], replaced, decided)


def _has_trades(part: LoadedPart) -> bool:
    return part.standing.part.tbl == RAW_TRADES


def _replaces(part: LoadedPart) -> bool:
    return part.standing.ingest.mode == IngestMode.REPLACE_WINDOW


def _delete_left_out(raw: pa.Table, mask: Ints, source: Ints, parts: Sequence[LoadedPart]) -> None:
    """Mark rows of earlier parts that a later `replace_window` ingest covers and does not bring again.

    A file covers the time of its good rows; a vendor's answer the window and the symbols it was asked for.
    """
    if not any(_replaces(part) for part in parts):
        return
    ts = int_values(raw["ts"], MISSING_TS)
    codes, symbols = symbol_codes(raw["symbol"])
    _, instant = np.unique(ts, return_inverse=True)
    key = codes.astype(np.int64) << 32 | instant
    for position, part in enumerate(parts):
        first, last, asked = _replaced_window(part.standing.ingest)
        if not _replaces(part) or first is None or last is None:
            continue
        covered = (source < position) & (mask == 0) & (ts >= first) & (ts <= last)
        if asked is not None:
            covered &= np.isin(codes, [code for code, symbol in enumerate(symbols) if symbol in asked])
        mask[covered & ~np.isin(key, key[source == position])] |= rule_bit("deleted")


def _replaced_window(ingest: Ingest) -> tuple[int | None, int | None, frozenset[str] | None]:
    """First and last instant, and the symbols (None: all)."""
    if ingest.pulled is None:
        return ingest.first_ts_us, ingest.last_ts_us, None
    return ingest.pulled.start_us, ingest.pulled.end_us - 1, frozenset(ingest.pulled.symbols)


def bars_of_trades(feed: Feed, grid: SessionGrid, part: LoadedPart) -> tuple[LoadedPart, pa.Table, int]:
    """The part with bars in place of its trades, its rejected trades, and how many trades stand."""
    mask, placement = trade_mask(part.table, feed, grid, part.standing.ingest.known_at_us)
    good = np.flatnonzero(mask == 0)
    anchor = placement.anchor[good]
    bars = trades_to_bars(feed, part.table.take(pa.array(good)), anchor)
    return LoadedPart(part.standing, bars), _rejected_rows(part, part.table, mask), len(good)


def bar_table(feed: Feed, raw: pa.Table, order: Ints, placement: Placement, grid: SessionGrid) -> pa.Table:
    """The bars of some raw rows: those at `order`, which sorts them by (symbol, ts)."""
    rows = raw.take(pa.array(order))
    codes, symbols = symbol_codes(rows["symbol"])
    ts = int_values(rows["ts"])
    session = placement.session[order]
    has_dates = len(grid.dates) > 0
    days = grid.dates[np.maximum(session, 0)] if has_dates else np.zeros(len(ts), np.int32)
    if feed.interval.is_intraday:
        closes = ts + feed.interval.us
    else:
        closes = label_closes(feed, grid, session, ts)
    columns = {
        "symbol": symbol_column(codes, symbols),
        "ts": timestamps(ts),
        "ts_close": timestamps(closes.astype(np.int64)),
        "session_date": pa.array(days.astype(np.int32)).view(pa.date32()),
        **{name: pa.array(float_values(rows[name])) for name in ("open", "high", "low", "close")},
        "volume": nullable(float_values(rows["volume"])),
        "vwap": nullable(float_values(rows["vwap"])),
        "trade_count": rows["trade_count"],
        "regular": pa.array(placement.regular[order]),
    }
    return pa.table(columns, schema=BAR_SCHEMA)


def _rejected_rows(part: LoadedPart, table: pa.Table, mask: Ints) -> pa.Table:
    bad = np.flatnonzero(mask)
    rows = table.take(pa.array(bad))
    found, kind = np.unique(mask[bad], return_inverse=True)
    rules = pa.array([mask_to_rules(int(value)) for value in found], pa.string())
    columns = {
        "file": pa.repeat(pa.scalar(part.standing.ingest.file), len(bad)),
        "line": rows["line"],
        "row": rows["row"],
        "symbol": rows["symbol"],
        "ts": timestamps(int_values(rows["ts"], MISSING_TS)) if rows.num_rows == 0 else _micros(rows["ts"]),
        "rules": rules.take(pa.array(kind.reshape(-1).astype(np.int64))),
        "original": _originals(rows),
        "part": pa.repeat(pa.scalar(part.standing.part.part_id), len(bad)),
    }
    return pa.table(columns, schema=REJECTED_SCHEMA)


def _micros(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.timestamp("us", tz="UTC"), safe=False)


def _originals(rows: pa.Table) -> pa.Array:
    """The source text of rows; those found bad only beside other files kept none, and their fields say the same."""
    known = rows["original"].combine_chunks()
    if not known.null_count:
        return known
    missing = pc.is_null(known)
    fields = rows.filter(missing).drop_columns(["row", "line", "rules", "original"])
    texts = [pc.fill_null(column.cast(pa.string()), "").combine_chunks() for column in fields.columns]
    return pc.replace_with_mask(known, missing, pc.binary_join_element_wise(*texts, ","))


def _joined(placements: list[Placement]) -> Placement:
    names = Placement.__slots__
    return Placement(*(np.concatenate([getattr(p, name) for p in placements]) for name in names))
