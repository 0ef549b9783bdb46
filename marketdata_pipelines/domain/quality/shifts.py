"""Sessions that lie in the wrong place: displaced by a wrong zone or a clock change. See `label_shifts` for labels.

Judged over all rows of one raw part, also those that are rejected because the exchange was closed then. Markets that
are open round the clock show no such shift: nothing is told of them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import timestamps
from marketdata_pipelines.domain.intervals import DAY_US, HOUR_US, MINUTE_US
from marketdata_pipelines.domain.quality.label_shifts import (
    LabelShift,
    ReadableRows,
    find_label_shifts,
    readable_rows,
    session_slots,
)
from marketdata_pipelines.domain.quality.records import SUSPECT_SCHEMA, Suspicion
from marketdata_pipelines.domain.quality.suspects import finished_suspects
from marketdata_pipelines.domain.session_grid import SessionGrid
from marketdata_pipelines.domain.sessions import EPOCH, Session

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# Zones differ by quarters of an hour, and no two by more than this.
_QUARTER_US, _FARTHEST_US = 15 * MINUTE_US, 14 * HOUR_US
_ROUND_THE_CLOCK_US = 20 * HOUR_US
# A block of rows ends where nothing came for so long.
_PAUSE_US = 100 * MINUTE_US
_LEAST_ROWS = 4
# How much of a session a block must fill, and how much of its own place may be filled besides.
_LEAST_FILLED, _MOST_BESIDE = 0.9, 0.1
# How many times volume rises at a true open and falls at a true close, and how much of the day's lies between.
_CLEAR_EDGE, _NO_EDGE, _MOST_VOLUME = 4.0, 1.5, 0.75


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows first..last of one symbol that make up a session `shift_us` away from where it was."""

    first: int
    last: int
    session: int
    shift_us: int
    filled: float


def shifted_sessions(
    feed: Feed, grid: SessionGrid, sessions: Sequence[Session], rows: pa.Table, mask: NDArray[np.int64]
) -> pa.Table:
    """Time and label shifts in one raw part.

    Shape:   `rows` has RAW_BAR_SCHEMA, `mask` the rules each broke (see `validation.bar_mask`): rows whose symbol or
             time is no good are passed over, those rejected because the exchange was closed are not. Returns
             SUSPECT_SCHEMA.
    Kinds:   time_shift   ts..ts_last are the symbol's displaced rows, `value` how far they lie from the session (hours,
                          later is positive), `scale` the share of the session they fill
             label_shift  ts..ts_last are the symbol's rows of the session, `value` intervals (1: labelled by the end
                          though the feed says start; -1 the reverse), `scale` the share of the part's symbol-sessions
    """
    trading = [session for session in sessions if session.close - session.open < _ROUND_THE_CLOCK_US]
    if not trading or not feed.interval.is_intraday or not rows.num_rows:
        return SUSPECT_SCHEMA.empty_table()
    found = readable_rows(rows, mask)
    if not len(found.ts):
        return SUSPECT_SCHEMA.empty_table()
    labels = find_label_shifts(feed, trading, found)
    labelled = {label.session for label in labels}
    blocks = [block for block in _time_shifts(feed, grid, trading, found) if block.session not in labelled]
    return _suspect_table(found, trading, blocks, labels)


def _time_shifts(feed: Feed, grid: SessionGrid, sessions: Sequence[Session], rows: ReadableRows) -> list[_Block]:
    broken = (np.diff(rows.codes) != 0) | (np.diff(rows.ts) > max(_PAUSE_US, 2 * feed.interval.us))
    begins = np.concatenate(([0], np.flatnonzero(broken) + 1))
    ends = np.append(begins[1:], len(rows.ts))
    unusual = (ends - begins >= _LEAST_ROWS) & ~_in_place(feed, sessions, rows.ts[begins], rows.ts[ends - 1])
    found = []
    for first, until in zip(begins[unusual].tolist(), ends[unusual].tolist(), strict=True):
        block = (
            _matched(feed, sessions, rows, first, until)
            or _cut_at_midnight(feed, grid, sessions, rows, first, until)
            or _within_extended(feed, sessions, rows, first, until)
        )
        if block is not None and _own_place_is_empty(feed, sessions[block.session], rows, block):
            found.append(block)
    return found + _followers(feed, sessions, rows, found)


def _near(sessions: Sequence[Session], opens: int) -> Iterator[tuple[int, Session]]:
    """The sessions, with their numbers, that rows from `opens` on could be displaced from."""
    first = bisect_left(sessions, opens - DAY_US, key=lambda session: session.open)
    last = bisect_right(sessions, opens + DAY_US, key=lambda session: session.open)
    return ((number, sessions[number]) for number in range(first, last))


def _in_place(feed: Feed, sessions: Sequence[Session], opens: Ints, last: Ints) -> NDArray[np.bool_]:
    """Which blocks lie inside a session, as those of ordinary days do."""
    width = feed.interval.us
    starts = np.array([session.open for session in sessions], np.int64)
    closes = np.array([session.close for session in sessions], np.int64)
    near = np.maximum(np.searchsorted(starts, opens + width, "right") - 1, 0)
    inside: NDArray[np.bool_] = (opens + width > starts[near]) & (last < closes[near])
    return inside


def _matched(feed: Feed, sessions: Sequence[Session], rows: ReadableRows, first: int, until: int) -> _Block | None:
    """The session a block is as long as, where it lies quarters of an hour away from it."""
    width = feed.interval.us
    opens, ends = int(rows.ts[first]), int(rows.ts[until - 1]) + width
    best: _Block | None = None
    for number, session in _near(sessions, opens):
        base, close = session_slots(session, opens, width)
        slack = max(2 * width, (close - base) // 100) if width <= MINUTE_US else 0
        shift = _quarters(opens - base)
        if shift == 0 or abs(shift) > _FARTHEST_US:
            continue
        if abs(opens - base - shift) > slack or abs(ends - close - shift) > slack:
            continue
        filled = (until - first) * width / _trading_us(session)
        # Bars of seconds are there for seconds with trades only.
        if (filled >= _LEAST_FILLED or width < MINUTE_US) and (best is None or abs(shift) < abs(best.shift_us)):
            best = _Block(first, until - 1, number, shift, min(filled, 1.0))
    return best


def _cut_at_midnight(
    feed: Feed, grid: SessionGrid, sessions: Sequence[Session], rows: ReadableRows, first: int, until: int
) -> _Block | None:
    """A piece of a displaced session that midnight cut off: it lies outside every session and fits by its other end."""
    if not rows.outside[first:until].all():
        return None
    width = feed.interval.us
    clock = grid.local_clock(rows.ts[[first, until - 1]]) % DAY_US
    after, before = int(clock[0]) <= 2 * width, int(clock[1]) >= DAY_US - 3 * width
    if after == before:
        return None
    opens, ends = int(rows.ts[first]), int(rows.ts[until - 1]) + width
    for number, session in _near(sessions, opens):
        base, close = session_slots(session, opens, width)
        shift = _quarters(opens - base if before else ends - close)
        missed = abs(opens - base - shift) if before else abs(ends - close - shift)
        length, whole = ends - opens, close - base
        if shift and abs(shift) <= _FARTHEST_US and missed <= 2 * width and length < whole:
            filled = (until - first) * width / length
            if filled >= _LEAST_FILLED or width < MINUTE_US:
                return _Block(first, until - 1, number, shift, (until - first) * width / _trading_us(session))
    return None


def _within_extended(
    feed: Feed, sessions: Sequence[Session], rows: ReadableRows, first: int, until: int
) -> _Block | None:
    """A displaced session with hours before and after it: where its volume sets in and where it ends.

    Volume at the open is several times what it was before, at the close several times what follows; a session in its
    place shows both there.
    """
    ts, volume = rows.ts[first:until], np.concatenate(([0.0], np.cumsum(np.nan_to_num(rows.volume[first:until]))))
    total = float(volume[-1])
    for number, session in _near(sessions, int(ts[0])):
        length = session.close - session.open
        if total <= 0 or ts[-1] - ts[0] <= length + _QUARTER_US:
            continue
        earliest = max(-_FARTHEST_US, _quarters(int(ts[0]) - session.open))
        latest = min(_FARTHEST_US, _quarters(int(ts[-1]) - session.close))
        shifts = np.array([0, *range(earliest, latest + 1, _QUARTER_US)], np.int64)
        edges = _edges(ts, volume, session, shifts)
        best = int(np.argmax(edges))
        inside = float(_between(ts, volume, session.open + shifts[best : best + 1], length)[0]) / total
        if shifts[best] and edges[0] < _NO_EDGE and edges[best] >= _CLEAR_EDGE and inside >= _MOST_VOLUME:
            return _Block(first, until - 1, number, int(shifts[best]), inside)
    return None


def _edges(ts: Ints, volume: Floats, session: Session, shifts: Ints) -> Floats:
    """The lesser of how many times volume rises at the open and falls at the close, were the session shifted so."""
    opens, closes = session.open + shifts, session.close + shifts
    rise = _between(ts, volume, opens, _QUARTER_US) / (_between(ts, volume, opens - _QUARTER_US, _QUARTER_US) + 1)
    # What traded at the close may be reported later, and funds trade on for a quarter of an hour.
    after = _between(ts, volume, closes + 20 * MINUTE_US, _QUARTER_US)
    fall = _between(ts, volume, closes - _QUARTER_US, _QUARTER_US) / (after + 1)
    edges: Floats = np.minimum(rise, fall)
    return edges


def _between(ts: Ints, volume: Floats, since: Ints, length: int) -> Floats:
    found: Floats = volume[np.searchsorted(ts, since + length)] - volume[np.searchsorted(ts, since)]
    return found


def _quarters(distance: int) -> int:
    """The nearest whole number of quarter hours."""
    return (distance + _QUARTER_US // 2) // _QUARTER_US * _QUARTER_US


def _trading_us(session: Session) -> int:
    return max(sum(ends - begins for begins, ends in session.segments), 1)


def _own_place_is_empty(feed: Feed, session: Session, rows: ReadableRows, block: _Block) -> bool:
    """Whether hardly any other row of the symbol lies in the session where the block belongs."""
    place = rows.between(int(rows.codes[block.first]), session.open, session.close)
    own = max(min(place.stop, block.last + 1) - max(place.start, block.first), 0)
    return (place.stop - place.start - own) * feed.interval.us <= _MOST_BESIDE * (session.close - session.open)


def _followers(feed: Feed, sessions: Sequence[Session], rows: ReadableRows, found: Sequence[_Block]) -> list[_Block]:
    """Thin symbols of a session that is displaced for others: all of their rows lie in it there, some not here."""
    followers = []
    for number in sorted({block.session for block in found}):
        session, shifts = sessions[number], [block.shift_us for block in found if block.session == number]
        shift = max(set(shifts), key=shifts.count)
        done = [int(rows.codes[block.first]) for block in found]
        low, high = min(session.open, session.open + shift), max(session.close, session.close + shift)
        near = (rows.ts >= low) & (rows.ts < high) & ~np.isin(rows.codes, done)
        for code in np.unique(rows.codes[near]).tolist():
            at = rows.between(code, low, high)
            ts = rows.ts[at]
            fits = ((ts >= session.open + shift) & (ts < session.close + shift)).all()
            if fits and not ((ts >= session.open) & (ts < session.close)).all():
                filled = len(ts) * feed.interval.us / _trading_us(session)
                followers.append(_Block(at.start, at.stop - 1, number, shift, filled))
    return followers


def _suspect_table(
    rows: ReadableRows, sessions: Sequence[Session], blocks: Sequence[_Block], labels: Sequence[LabelShift]
) -> pa.Table:
    told = [
        *((Suspicion.TIME_SHIFT, b.first, b.last, b.session, b.shift_us / HOUR_US, b.filled) for b in blocks),
        *((Suspicion.LABEL_SHIFT, b.first, b.last, b.session, float(b.intervals), b.share) for b in labels),
    ]
    if not told:
        return SUSPECT_SCHEMA.empty_table()
    first = np.array([one[1] for one in told], np.int64)
    last = np.array([one[2] for one in told], np.int64)
    days = np.array([(sessions[one[3]].date - EPOCH).days for one in told], np.int32)
    columns = {
        "symbol": pa.array([rows.symbols[code] for code in rows.codes[first]], pa.string()),
        "session_date": pa.array(days).view(pa.date32()),
        "kind": pa.array([str(one[0]) for one in told], pa.string()),
        "ts": timestamps(rows.ts[first]),
        "ts_last": timestamps(rows.ts[last]),
        "bars": pa.array((last - first + 1).astype(np.int32)),
        "value": pa.array([one[4] for one in told], pa.float64()),
        "scale": pa.array([one[5] for one in told], pa.float64()),
    }
    return finished_suspects(columns, len(told))
