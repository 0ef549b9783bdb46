"""What is missing: regular-session minutes, or whole sessions, in which a symbol has no bar.

A gap is measured against the calendar; breaks and closed days are never gaps. Filling is `filling`'s.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.frames import int_values, symbol_codes
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US
from marketdata_pipelines.domain.session_grid import Ints
from marketdata_pipelines.domain.sessions import EPOCH, Session

GAP_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("session_date", pa.date32()),
        ("first_missing", TS),
        ("last_missing", TS),
        ("minutes", pa.int64()),
        ("kind", pa.string()),
    ]
)


class GapKind(StrEnum):
    MISSING_MINUTES = "missing_minutes"
    MISSING_SESSION = "missing_session"
    MISSING_DAY = "missing_day"


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of minutes without a bar; both ends included, UTC microseconds of the minutes' starts."""

    symbol: str
    session_date: date
    first_missing: int
    last_missing: int
    minutes: int
    kind: GapKind


@dataclass(frozen=True, slots=True)
class Span:
    """A symbol's first and last bar over everything the feed holds (opens, UTC microseconds)."""

    first: int
    last: int


def find_gaps(
    feed: Feed, bars: pa.Table, sessions: Iterable[Session], spans: dict[str, Span], horizon_us: int
) -> list[Gap]:
    """The gaps of every symbol of `spans` in some sessions.

    Shape:   `bars`: symbol, ts of the regular bars dated in `sessions`, any order.
    Bounds:  sessions outside a symbol's span are no gaps; `anchor: utc` also clips to the span inside a day.
             Minutes that end after `horizon_us` cannot be known and are not missing.
    """
    codes, names = symbol_codes(bars["symbol"])
    ts = int_values(bars["ts"])
    gaps: list[Gap] = []
    for session in sessions:
        inside = _dated(feed, session, ts)
        by_symbol = _split(codes[inside], ts[inside], names)
        for symbol in sorted(spans):
            gaps += _session_gaps(feed, session, symbol, by_symbol.get(symbol), spans[symbol], horizon_us)
    return sorted(gaps, key=lambda gap: (gap.symbol, gap.first_missing))


def gap_table(gaps: list[Gap]) -> pa.Table:
    """Gaps as a table of GAP_SCHEMA."""
    columns = {
        "symbol": [gap.symbol for gap in gaps],
        "session_date": [gap.session_date for gap in gaps],
        "first_missing": pa.array([gap.first_missing for gap in gaps], pa.int64()).cast(TS),
        "last_missing": pa.array([gap.last_missing for gap in gaps], pa.int64()).cast(TS),
        "minutes": [gap.minutes for gap in gaps],
        "kind": [gap.kind.value for gap in gaps],
    }
    return pa.table(columns, schema=GAP_SCHEMA)


def _session_gaps(feed: Feed, session: Session, symbol: str, ts: Ints | None, span: Span, horizon_us: int) -> list[Gap]:
    clips = feed.anchor is Anchor.UTC
    expected = _expected_minutes(feed, session, span, horizon_us, clips)
    if not len(expected):
        return []
    if ts is None:
        kind = GapKind.MISSING_DAY if clips else GapKind.MISSING_SESSION
        whole = (int(expected[0]), int(expected[-1]))
        return [Gap(symbol, session.date, *whole, len(expected), kind)]
    if not feed.interval.is_intraday:
        return []
    missing = expected[~_covered(expected, ts, _width(feed))]
    return [
        Gap(symbol, session.date, int(run[0]), int(run[-1]), len(run), GapKind.MISSING_MINUTES)
        for run in np.split(missing, np.flatnonzero(np.diff(missing) != MINUTE_US) + 1)
        if len(run)
    ]


def _dated(feed: Feed, session: Session, ts: Ints) -> np.ndarray:
    if not feed.interval.is_intraday:
        return ts // DAY_US == day_number(session.date)
    return (ts + _width(feed) > session.open) & (ts < _end(feed, session))


def _expected_minutes(feed: Feed, session: Session, span: Span, horizon_us: int, clips: bool) -> Ints:
    if not _reached(feed, session, span):
        return np.zeros(0, np.int64)
    minutes = np.concatenate([np.arange(a, b, MINUTE_US, dtype=np.int64) for a, b in session.segments])
    keep = minutes + MINUTE_US <= horizon_us
    if clips and feed.interval.is_intraday:
        # The last bar covers its whole width.
        keep &= (minutes + MINUTE_US > span.first) & (minutes < span.last + _width(feed))
    return minutes[keep]


def _reached(feed: Feed, session: Session, span: Span) -> bool:
    if not feed.interval.is_intraday:
        return span.first // DAY_US <= day_number(session.date) <= span.last // DAY_US
    return _end(feed, session) > span.first and session.open < span.last + _width(feed)


def _end(feed: Feed, session: Session) -> int:
    # The closing auction's own bar opens at the close; else what opens there may be the next session's.
    return session.close + (feed.closing_auction is ClosingAuction.OWN_BAR)


def _covered(expected: Ints, ts: Ints, width: int) -> np.ndarray:
    covered = np.zeros(len(expected), bool)
    for minute in range(0, width, MINUTE_US):
        covered |= np.isin(expected, ts // MINUTE_US * MINUTE_US + minute)
    return covered


def _width(feed: Feed) -> int:
    return max(feed.interval.us, MINUTE_US)


def _split(codes: np.ndarray, ts: Ints, names: list[str]) -> dict[str, Ints]:
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    pieces = ((name, ts[order[a:b]]) for name, a, b in zip(names, bounds[:-1], bounds[1:], strict=True))
    return {name: piece for name, piece in pieces if len(piece)}


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days
