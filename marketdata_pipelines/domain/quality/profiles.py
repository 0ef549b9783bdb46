"""Profiles: what one symbol's bars of one session look like in figures. Nothing is judged here.

A profile is a function of the partition's own bars, its sessions and what could be known; the passes over the bars are
in `profile_kernel`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.frames import float_values, int_values, nullable, symbol_codes, symbol_column
from marketdata_pipelines.domain.quality import profile_kernel as kernel
from marketdata_pipelines.domain.quality.records import PROFILE_SCHEMA, Dimension
from marketdata_pipelines.domain.quality.rule_dimensions import ROW_DIMENSION
from marketdata_pipelines.domain.session_grid import SessionGrid
from marketdata_pipelines.domain.sessions import EPOCH, Session

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_MISSING = -(2**63)
_REJECTED = (Dimension.VALIDITY, Dimension.CONSISTENCY, Dimension.UNIQUENESS, Dimension.TIMELINESS)


@dataclass(frozen=True, slots=True)
class SessionArrays:
    """Sessions as the kernel wants them: days since 1970, and segment edges by session (UTC microseconds)."""

    days: Ints
    offsets: Ints
    begins: Ints
    ends: Ints
    opens: Ints
    closes: Ints


def session_arrays(feed: Feed, sessions: Sequence[Session]) -> SessionArrays:
    """Sessions in order of date. The closing auction's own bar has room after the last segment."""
    segments = [segment for session in sessions for segment in session.segments]
    offsets = np.cumsum([0, *(len(session.segments) for session in sessions)]).astype(np.int64)
    ends = np.array([end for _, end in segments], np.int64)
    if feed.closing_auction is ClosingAuction.OWN_BAR and len(sessions):
        ends[offsets[1:] - 1] += feed.interval.us
    return SessionArrays(
        np.array([(session.date - EPOCH).days for session in sessions], np.int64),
        offsets,
        np.array([begin for begin, _ in segments], np.int64),
        ends,
        np.array([session.open for session in sessions], np.int64),
        np.array([session.close for session in sessions], np.int64),
    )


def group_starts(codes: NDArray[np.int32], days: Ints) -> Ints:
    """Where runs of equal (symbol, session) begin, and the number of bars."""
    changed = np.flatnonzero((codes[1:] != codes[:-1]) | (days[1:] != days[:-1])) + 1
    return np.concatenate(([0], changed, [len(codes)])) if len(codes) else np.zeros(1, np.int64)


def profile_bars(
    feed: Feed, bars: pa.Table, sessions: Sequence[Session], horizon_us: int, *, of_trades: bool = False
) -> pa.Table:
    """Profile each symbol-session of a partition.

    Shape:   `bars` has BAR_SCHEMA sorted by (symbol, ts), perhaps of some symbols only; returns PROFILE_SCHEMA sorted
             by (symbol, session_date). `raw_rows` counts the bars (`of_trades`: their trades); see `with_rows`.
    Bounds:  a bar counts where it overlaps a trading segment of its session, others are `extended_bars`. Bars coarser
             than a minute are in step with the first one of their segment. Daily and coarser bars always count.
    Clock:   bars that are complete after `horizon_us` are not expected.
    """
    codes, symbols = symbol_codes(bars["symbol"])
    days = int_values(bars["session_date"])
    ts = int_values(bars["ts"])
    starts = group_starts(codes, days)
    if len(starts) == 1:
        return PROFILE_SCHEMA.empty_table()
    ints, floats, session = _measured(feed, bars, ts, starts, days, session_arrays(feed, sessions), horizon_us)
    rows = np.diff(starts)
    if of_trades:
        rows = np.add.reduceat(np.maximum(int_values(bars["trade_count"], 1), 1), starts[:-1])
    first = starts[:-1]
    return _table(symbol_column(codes[first], symbols), days[first], session, ints, floats, rows)


def empty_profiles(feed: Feed, symbols: Sequence[str], sessions: Sequence[Session], horizon_us: int) -> pa.Table:
    """Profiles of symbol-sessions without any bar: symbols[n] in sessions[n], in order of (symbol, date)."""
    count = len(symbols)
    arrays = session_arrays(feed, sessions)
    ints, floats = _results(count)
    starts = np.zeros(count + 1, np.int64)
    nothing = np.zeros(0, np.int64)
    if feed.interval.is_intraday:
        inside = np.zeros(0, np.bool_)
        _count(feed, starts, nothing, np.arange(count), arrays, horizon_us, inside, ints)
    else:
        ints[:, kernel.EXPECTED] = ints[:, kernel.GAPS] = ints[:, kernel.LONGEST] = 1
    ints[:, kernel.FIRST] = ints[:, kernel.LAST] = kernel.NONE
    floats[:] = np.nan
    column = pa.array(symbols, pa.string()).dictionary_encode()
    session = (arrays.opens, arrays.closes)
    return _table(column, arrays.days, session, ints, floats, np.zeros(count, np.int64))


def with_rows(
    feed: Feed,
    profiles: pa.Table,
    rejected: pa.Table,
    grid: SessionGrid,
    sessions: Sequence[Session],
    horizon_us: int,
) -> pa.Table:
    """Count rejected rows (REJECTED_SCHEMA) into profiles, by the dimension of their first rule.

    A row outside every session counts where its local date is one. Rows whose symbol or session is unknown count in one
    row with symbol "" and the first session's date; rows that others took the place of count nowhere. Symbol-sessions
    of which no row stands get a profile of their own.
    """
    rules, symbols, days, dimension = _faults(rejected, grid)
    if not len(rules) or not sessions:
        return profiles
    known = {(session.date - EPOCH).days: session for session in sessions}
    first = next(iter(known))
    lost = ~np.isin(days, np.array(list(known), np.int64)) | (symbols == "")
    symbols, days = np.where(lost, "", symbols), np.where(lost, first, days)
    keys = list(zip(profiles["symbol"].to_pylist(), int_values(profiles["session_date"]).tolist(), strict=True))
    counts: dict[tuple[str, int], list[int]] = {}
    for symbol, day, at in zip(symbols.tolist(), days.tolist(), dimension.tolist(), strict=True):
        counts.setdefault((symbol, day), [0] * len(_REJECTED))[at] += 1
    added = sorted(set(counts) - set(keys))
    whole = profiles
    if added:
        more = empty_profiles(feed, [symbol for symbol, _ in added], [known[day] for _, day in added], horizon_us)
        # Rows of nobody are no symbol of which bars are missing.
        nobody = np.array([symbol == "" for symbol, _ in added])
        more = _without_room(more, nobody) if nobody.any() else more
        whole = _sorted(pa.concat_tables([_plain(profiles), _plain(more)]))
        keys = list(zip(whole["symbol"].to_pylist(), int_values(whole["session_date"]).tolist(), strict=True))
    found = np.array([counts.get(key, [0] * len(_REJECTED)) for key in keys], np.int64)
    return _counted(whole, found)


def _measured(
    feed: Feed, bars: pa.Table, ts: Ints, starts: Ints, days: Ints, arrays: SessionArrays, horizon_us: int
) -> tuple[Ints, Floats, tuple[Ints, Ints]]:
    ints, floats = _results(len(starts) - 1)
    group_days = days[starts[:-1]]
    at = np.searchsorted(arrays.days, group_days)
    near = np.minimum(at, max(len(arrays.days) - 1, 0))
    known = (at < len(arrays.days)) & (arrays.days[near] == group_days) if len(arrays.days) else at < 0
    session = np.where(known, near, -1).astype(np.int64)
    if feed.interval.is_intraday:
        inside = np.zeros(len(ts), np.bool_)
        _count(feed, starts, ts, session, arrays, horizon_us, inside, ints)
    else:
        inside = np.ones(len(ts), np.bool_)
        ints[:, kernel.EXPECTED] = ints[:, kernel.BARS] = np.diff(starts)
    opened, high, low, close = (float_values(bars[name]) for name in PRICES)
    kernel.measure_groups(starts, ts, opened, high, low, close, float_values(bars["volume"]), inside, ints, floats)
    opens, closes = np.full(len(at), _MISSING, np.int64), np.full(len(at), _MISSING, np.int64)
    opens[known], closes[known] = arrays.opens[near[known]], arrays.closes[near[known]]
    return ints, floats, (opens, closes)


def _count(
    feed: Feed, starts: Ints, ts: Ints, session: Ints, arrays: SessionArrays, horizon_us: int,
    inside: NDArray[np.bool_], ints: Ints,
) -> None:  # fmt: skip
    kernel.count_places(
        starts, ts, session, arrays.offsets, arrays.begins, arrays.ends, arrays.closes, feed.interval.us, horizon_us,
        feed.anchor is Anchor.UTC, inside, ints,
    )  # fmt: skip


def _results(count: int) -> tuple[Ints, Floats]:
    return np.zeros((count, kernel.INT_COLUMNS), np.int64), np.zeros((count, kernel.FLOAT_COLUMNS))


def _table(
    symbol: pa.Array, days: Ints, session: tuple[Ints, Ints], ints: Ints, floats: Floats, rows: Ints
) -> pa.Table:
    def count(at: int) -> pa.Array:
        return pa.array(ints[:, at].astype(np.int32))

    def price(at: int) -> pa.Array:
        return nullable(np.ascontiguousarray(floats[:, at]))

    none = pa.array(np.zeros(len(days), np.int32))
    columns = {
        "symbol": symbol,
        "session_date": pa.array(days.astype(np.int32)).view(pa.date32()),
        "session_open": _instants(session[0]),
        "session_close": _instants(session[1]),
        "expected": count(kernel.EXPECTED),
        "bars": count(kernel.BARS),
        "extended_bars": count(kernel.EXTENDED),
        "gaps": count(kernel.GAPS),
        "longest_gap": count(kernel.LONGEST),
        "first_ts": _instants(ints[:, kernel.FIRST]),
        "last_ts": _instants(ints[:, kernel.LAST]),
        "open": price(kernel.OPEN),
        "high": price(kernel.HIGH),
        "low": price(kernel.LOW),
        "close": price(kernel.CLOSE),
        "volume": price(kernel.VOLUME),
        "zero_volume_bars": count(kernel.ZERO_VOLUME),
        "unchanged_bars": count(kernel.UNCHANGED),
        "return_scale": price(kernel.RETURN_SCALE),
        "range_scale": price(kernel.RANGE_SCALE),
        "volume_median": price(kernel.VOLUME_MEDIAN),
        "bar_at_close": pa.array(ints[:, kernel.AT_CLOSE] > 0),
        "raw_rows": pa.array(rows.astype(np.int32)),
        **{f"rejected_{dimension}": none for dimension in _REJECTED},
    }
    return pa.table(columns, schema=PROFILE_SCHEMA)


def _instants(us: Ints) -> pa.Array:
    missing = us == _MISSING
    values = np.ascontiguousarray(np.where(missing, 0, us))
    return pa.array(values, mask=missing if missing.any() else None).cast(pa.timestamp("us", tz="UTC"))


def _faults(rejected: pa.Table, grid: SessionGrid) -> tuple[list[str], NDArray[np.object_], Ints, Ints]:
    """First rules, symbols ("" unknown), session days (unknown: the least integer), positions in `_REJECTED`."""
    first = [(text or "").split(";")[0] for text in rejected["rules"].to_pylist()]
    fault = np.array([rule in ROW_DIMENSION for rule in first], bool)
    kept = rejected.filter(pa.array(fault)) if len(first) else rejected
    rules = [rule for rule in first if rule in ROW_DIMENSION]
    ts = int_values(kept["ts"], _MISSING)
    readable = ts != _MISSING
    days = np.full(len(ts), _MISSING, np.int64)
    if readable.any():
        placed = grid.place(ts[readable]).session
        local = grid.local_dates(ts[readable]).astype(np.int64)
        dates = grid.dates.astype(np.int64)
        days[readable] = np.where(placed >= 0, dates[np.maximum(placed, 0)], local) if len(dates) else local
    # Who such a row is of cannot be said when its symbol is what is wrong.
    names = [
        "" if rule.startswith("symbol_") else symbol or ""
        for rule, symbol in zip(rules, kept["symbol"].to_pylist(), strict=True)
    ]
    symbols = np.array(names, object)
    at = [_REJECTED.index(ROW_DIMENSION[rule]) for rule in rules]
    return rules, symbols, days, np.array(at, np.int64)


def _without_room(profiles: pa.Table, nobody: NDArray[np.bool_]) -> pa.Table:
    for name in ("expected", "gaps", "longest_gap"):
        values = np.where(nobody, 0, int_values(profiles[name])).astype(np.int32)
        profiles = profiles.set_column(profiles.column_names.index(name), name, pa.array(values))
    return profiles


def _plain(profiles: pa.Table) -> pa.Table:
    return profiles.set_column(0, "symbol", profiles["symbol"].cast(pa.string()))


def _sorted(profiles: pa.Table) -> pa.Table:
    ordered = profiles.sort_by([("symbol", "ascending"), ("session_date", "ascending")])
    return ordered.set_column(0, "symbol", ordered["symbol"].combine_chunks().dictionary_encode()).combine_chunks()


def _counted(profiles: pa.Table, found: Ints) -> pa.Table:
    names = profiles.column_names
    for at, dimension in enumerate(_REJECTED):
        name = f"rejected_{dimension}"
        values = int_values(profiles[name]) + found[:, at]
        profiles = profiles.set_column(names.index(name), name, pa.array(values.astype(np.int32)))
    rows = int_values(profiles["raw_rows"]) + found.sum(axis=1)
    whole = profiles.set_column(names.index("raw_rows"), "raw_rows", pa.array(rows.astype(np.int32)))
    return whole.cast(PROFILE_SCHEMA)
