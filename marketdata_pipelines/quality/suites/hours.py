"""Session hours as a small relation that bars are joined to by session date.

Calendars and where a bar belongs are the domain's (`sessions`, `session_grid`); here they become columns for SQL.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_calendar, feed_grid
from marketdata_pipelines.domain.sessions import EPOCH, Session

# Years in which every calendar has sessions with its usual pauses.
_PROBED = (date(2015, 1, 1), date(2024, 12, 31))


@lru_cache(maxsize=64)
def usual_pauses(feed: Feed) -> int:
    """How many pauses a session of the feed's calendar has at most; none where bars are not placed by hours."""
    if not _is_placed(feed):
        return 0
    return max((len(session.segments) for session in feed_calendar(feed).sessions(*_PROBED)), default=1) - 1


def session_hours(feed: Feed, first: date, last: date) -> pa.Table:
    """The bounds of each session with first <= date <= last, as conditions compare them with a bar's open.

    Shape:  one row a session: session_date, span_from, span_until (extended hours included), regular_from,
            regular_until, session_open, and for each usual pause pause_N_from, pause_N_until, pause_N_end.
    Bounds: from inclusive, until exclusive. `regular_from` is earlier than the open by what a coarse bar may begin
            before it; a pause ends that much earlier too; the bar at the close of `own_bar` feeds is inside.
    """
    grid = feed_grid(feed, first, last)
    starts, ends = grid.spans()
    dates = [(day - EPOCH).days for day in (first, last)]
    inside = np.flatnonzero((grid.dates >= dates[0]) & (grid.dates <= dates[1]))
    columns: dict[str, pa.Array] = {
        "session_date": pa.array(grid.dates[inside].astype(np.int32)).view(pa.date32()),
        "span_from": _instants(starts[inside]),
        "span_until": _instants(ends[inside]),
    }
    return pa.table(columns | _regular(feed, grid, inside))


def _regular(feed: Feed, grid: SessionGrid, inside: np.ndarray) -> dict[str, pa.Array]:
    if not _is_placed(feed):
        # Whatever lies in the span is regular: UTC days, and bars that carry a date.
        starts, ends = (edge[inside] for edge in grid.spans())
        return {name: _instants(starts) for name in ("regular_from", "session_open")} | {
            "regular_until": _instants(ends)
        }
    days = [EPOCH.fromordinal(EPOCH.toordinal() + int(day)) for day in grid.dates[inside]]
    sessions = feed_calendar(feed).sessions(days[0], days[-1]) if days else []
    reach = feed.interval.us - 1 if feed.interval.us > MINUTE_US else 0
    joins_close = 1 if feed.closing_auction is ClosingAuction.OWN_BAR else 0
    columns = {
        "regular_from": _instants(np.array([each.open - reach for each in sessions], np.int64)),
        "regular_until": _instants(np.array([each.close + joins_close for each in sessions], np.int64)),
        "session_open": _instants(np.array([each.open for each in sessions], np.int64)),
    }
    for pause in range(1, usual_pauses(feed) + 1):
        columns |= _pause(sessions, pause, reach)
    return columns


def _pause(sessions: Sequence[Session], number: int, reach: int) -> dict[str, pa.Array]:
    """The bounds of each session's pause of that number, null where it has fewer."""
    has = [len(each.segments) > number for each in sessions]
    begins = [each.segments[number - 1][1] if ok else None for each, ok in zip(sessions, has, strict=True)]
    ends = [each.segments[number][0] if ok else None for each, ok in zip(sessions, has, strict=True)]
    until = [None if end is None else end - reach for end in ends]
    named = (("from", begins), ("until", until), ("end", ends))
    return {f"pause_{number}_{name}": pa.array(values, pa.int64()).cast(TS) for name, values in named}


def _is_placed(feed: Feed) -> bool:
    """Whether bars are placed by the hours of sessions, and not by UTC days or the dates they carry."""
    return feed.anchor is not Anchor.UTC and feed.interval.is_intraday and feed.interval.us < DAY_US


def _instants(us: np.ndarray) -> pa.Array:
    return pa.array(us.astype(np.int64)).view(TS)
