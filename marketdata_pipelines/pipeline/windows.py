"""Which windows a vendor is to be asked for, so that partitions are whole: what is over or running and not yet settled.

Nothing is asked beyond now. Who asks, and what becomes of the answers, is in `pull`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.session_grid import Ints, SessionGrid, feed_calendar
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines.domain.validation import label_closes
from marketdata_pipelines.stores.lake.catalog import StandingPart
from marketdata_pipelines.stores.lake.lake import Lake

_LONGEST_CLOSURE = timedelta(days=15)


@dataclass(frozen=True, slots=True)
class Unit:
    """A session (or the day of a label) of a partition: its bars open in [start_us, end_us), the last is over at
    `over_us`."""

    partition: str
    date: date
    start_us: int
    end_us: int
    over_us: int


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive units of one partition, as far as they are to be asked for; `settled`: all of them are over."""

    partition: str
    start_us: int
    end_us: int
    first: date
    last: date
    settled: bool


def partition_units(feed: Feed, key: str) -> list[Unit]:
    """The sessions of a partition with the instants at which their bars open; closed days have none."""
    first, last = partition_span(key, period_of(feed.partition))
    grid = SessionGrid(feed, first - _LONGEST_CLOSURE, last)
    starts, ends = grid.spans()
    units = [
        Unit(key, EPOCH + timedelta(days=int(day)), int(start), int(end), int(over))
        for day, start, end, over in zip(grid.dates, starts, ends, _over_us(feed, grid, ends), strict=True)
        if day >= (first - EPOCH).days
    ]
    if feed.anchor is Anchor.SESSION or not feed.interval.is_intraday:
        return units
    traded = {session.date for session in feed_calendar(feed).sessions(first, last)}
    return [unit for unit in units if unit.date in traded]


def _over_us(feed: Feed, grid: SessionGrid, ends: Ints) -> Ints:
    if feed.interval.is_intraday:
        return np.maximum(grid.completes, ends)
    midnights = grid.dates.astype(np.int64) * DAY_US
    return label_closes(feed, grid, np.arange(len(midnights)), midnights)


def wanted_windows(lake: Lake, feed: Feed, keys: Iterable[str], now_us: int, *, refetch: bool = False) -> list[Window]:
    """The windows to ask for, in order of time.

    A session that was pulled after it was over, in an answer with bars, is not asked for again unless `refetch`; then
    what was asked for together is asked for together again, so that the same answer is known to be the same.
    """
    keys = sorted(set(keys))
    pulls = _settled_pulls(feed, lake.catalog.standing_parts(feed.name, keys))
    windows = []
    for key in keys:
        last = {unit: _last_pull(unit, pulls.get(key, ())) for unit in partition_units(feed, key)}
        # A last answer without bars for a session that was held is asked for again: the vendor may have been late.
        wanted = [unit for unit, pull in last.items() if refetch or pull is None or not pull.part.rows]
        windows += _joined(last, [unit for unit in wanted if unit.over_us <= now_us])
        windows += [window for unit in wanted if (window := _running(feed, unit, now_us)) is not None]
    return windows


def joined_requests(feed: Feed, windows: Sequence[Window], longest_us: int) -> list[list[Window]]:
    """Windows grouped into what is asked for at once: neighbours, up to `longest_us` together."""
    requests: list[list[Window]] = []
    for window in windows:
        if requests and _fits(feed, requests[-1], window, longest_us):
            requests[-1].append(window)
        else:
            requests.append([window])
    return requests


def finished(feed: Feed, ts: Ints, received_us: int) -> np.ndarray:
    """Which bars with these opens were over at that instant."""
    if feed.interval.is_intraday or not len(ts):
        return ts + feed.interval.us <= received_us
    first, last = (EPOCH + timedelta(days=int(day)) for day in (ts.min() // DAY_US, ts.max() // DAY_US))
    grid = SessionGrid(feed, first, last)
    if not len(grid.dates):
        return ts + DAY_US <= received_us
    near = np.minimum(np.searchsorted(grid.dates, ts // DAY_US), len(grid.dates) - 1)
    closes = label_closes(feed, grid, near, ts)
    # A bar on a closed day belongs to no session; its day's end is when it can be over.
    closes = np.where(grid.dates[near] == ts // DAY_US, closes, ts + DAY_US)
    return closes <= received_us


def _settled_pulls(feed: Feed, standing: Iterable[StandingPart]) -> dict[str, list[StandingPart]]:
    """By partition, what was asked for all of today's symbols after it was over, oldest first."""
    pulls: dict[str, list[StandingPart]] = {}
    for part in standing:
        pulled = part.ingest.pulled
        if pulled is None or not pulled.settled or part.ingest.parse_version != feed.parse_version:
            continue
        if set(feed.source.symbols) <= set(pulled.symbols):
            pulls.setdefault(part.part.partition, []).append(part)
    return pulls


def _last_pull(unit: Unit, pulls: Iterable[StandingPart]) -> StandingPart | None:
    """The newest of these pulls that asked for all of a unit."""
    found = None
    for part in pulls:
        pulled = part.ingest.pulled
        if pulled is not None and pulled.start_us <= unit.start_us and unit.end_us <= pulled.end_us:
            found = part
    return found


def _joined(last: Mapping[Unit, StandingPart | None], wanted: Sequence[Unit]) -> list[Window]:
    position = {unit: at for at, unit in enumerate(last)}
    runs: list[list[Unit]] = []
    for unit in wanted:
        before = runs[-1][-1] if runs else None
        if before is not None and position[unit] == position[before] + 1 and last[unit] == last[before]:
            runs[-1].append(unit)
        else:
            runs.append([unit])
    return [Window(run[0].partition, run[0].start_us, run[-1].end_us, run[0].date, run[-1].date, True) for run in runs]


def _running(feed: Feed, unit: Unit, now_us: int) -> Window | None:
    """The finished part of a session that goes on; None where no bar of it can be finished."""
    if unit.over_us <= now_us or not feed.interval.is_intraday:
        return None
    width = feed.interval.us
    until = min(unit.start_us + (now_us - unit.start_us) // width * width, unit.end_us)
    if until <= unit.start_us:
        return None
    return Window(unit.partition, unit.start_us, until, unit.date, unit.date, False)


def _fits(feed: Feed, request: Sequence[Window], window: Window, longest_us: int) -> bool:
    if window.end_us - request[0].start_us > longest_us:
        return False
    gap = (request[-1].last + timedelta(days=1), window.first - timedelta(days=1))
    return gap[0] > gap[1] or not feed_calendar(feed).sessions(*gap)
