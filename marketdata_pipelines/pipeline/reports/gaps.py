"""When bars are missing: how many of those the calendar has room for are not there, by time of the UTC day.

Only symbols that usually trade count: one that trades now and then misses most intervals, and nothing is wrong.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values, number_values
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.domain.quality.records import SYMBOL_PROFILES
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.pipeline.reports.bars import BarSample
from marketdata_pipelines.quality.report.records import GapBin
from marketdata_pipelines.stores.lake.lake import Lake

# A symbol counts on a session where it has at least this share of its bars.
USUAL_SHARE = 0.5
# Coarser bars need not start where the session does: which there should be is told by the other symbols then.
_FINEST_OWN_US = 30 * MINUTE_US
_MOST_BINS = 100
_WIDTHS_MINUTES = (1, 2, 5, 10, 15, 30, 60)
# Of larger partitions the sample's symbols are read only.
_MOST_ROWS = 2_000_000

Ints = NDArray[np.int64]


def gap_bins(lake: Lake, feed: Feed, sample: BarSample) -> tuple[GapBin, ...]:
    """Missing and expected bars of the sample's sessions by time of the day; nothing for daily bars and coarser."""
    if not feed.interval.is_intraday:
        return ()
    missing, expected = np.zeros(DAY_US // MINUTE_US, np.int64), np.zeros(DAY_US // MINUTE_US, np.int64)
    for slots, counts, symbols in _sessions(lake, feed, sample):
        minutes = slots % DAY_US // MINUTE_US
        np.add.at(expected, minutes, symbols)
        np.add.at(missing, minutes, np.maximum(symbols - counts, 0))
    return _binned(missing, expected, max(feed.interval.us // MINUTE_US, 1))


def _sessions(lake: Lake, feed: Feed, sample: BarSample) -> Iterator[tuple[Ints, Ints, int]]:
    """Of each session with bars: the opens of its intervals, how many symbols have a bar there, and of how many."""
    period = period_of(feed.partition)
    for key in dict.fromkeys(partition_key(day, period) for day in sample.inside):
        stored = lake.catalog.stored_partition(VALIDATED_BARS, feed.name, key)
        if stored is None:
            continue
        symbols = sample.symbols if stored.rows > _MOST_ROWS else None
        columns = ["symbol", "ts", "session_date", "regular"]
        bars = lake.read(VALIDATED_BARS, feed.name, key, columns, symbols=symbols)
        bars = bars.filter(bars["regular"])
        horizon_us = lake.catalog.horizons(feed.name, key, key).get(key, 2**62)
        for day in sample.inside:
            if partition_key(day, period) == key:
                own = bars.filter(pc.equal(bars["session_date"], pa.scalar(day, pa.date32())))
                found = _session(lake, feed, key, day, own, horizon_us)
                if found is not None:
                    yield found


def _session(
    lake: Lake, feed: Feed, key: str, day: date, bars: pa.Table, horizon_us: int
) -> tuple[Ints, Ints, int] | None:
    present = set(pc.unique(bars["symbol"]).to_pylist())
    usual = sorted(present & _usual_symbols(lake, feed, key, day, present))
    if not usual:
        return None
    bars = bars.filter(pc.is_in(bars["symbol"].cast(pa.string()), pa.array(usual, pa.string())))
    ts = int_values(bars["ts"])
    slots = _intervals(feed, day, horizon_us) if feed.interval.us <= _FINEST_OWN_US else np.unique(ts)
    if not len(slots):
        return None
    at = np.searchsorted(slots, ts)
    known = (at < len(slots)) & (slots[np.minimum(at, len(slots) - 1)] == ts)
    return slots, np.bincount(at[known], minlength=len(slots)), len(usual)


def _usual_symbols(lake: Lake, feed: Feed, key: str, day: date, present: set[str]) -> set[str]:
    if lake.catalog.stored_partition(SYMBOL_PROFILES, feed.name, key) is None:
        return present
    profiles = lake.read(SYMBOL_PROFILES, feed.name, key, ["symbol", "session_date", "bars", "expected"])
    profiles = profiles.filter(pc.equal(profiles["session_date"], pa.scalar(day, pa.date32())))
    bars, expected = (number_values(profiles[name]) for name in ("bars", "expected"))
    often = pa.array(bars >= USUAL_SHARE * np.nan_to_num(expected))
    return set(profiles.filter(often)["symbol"].to_pylist())


def _intervals(feed: Feed, day: date, horizon_us: int) -> Ints:
    """The opens of a session's intervals that could be known."""
    width = feed.interval.us
    segments: Sequence[tuple[int, int]] = [
        segment for session in feed_calendar(feed).sessions(day, day) for segment in session.segments
    ]
    opens = [np.arange(start, end, width, dtype=np.int64) for start, end in segments]
    slots = np.concatenate([np.empty(0, np.int64), *opens])
    return slots[slots + width <= horizon_us]


def _binned(missing: Ints, expected: Ints, least_minutes: int) -> tuple[GapBin, ...]:
    minutes = np.flatnonzero(expected)
    if not len(minutes):
        return ()
    first, last = int(minutes[0]), int(minutes[-1])
    fitting = [width for width in _WIDTHS_MINUTES if width >= least_minutes and (last - first) / width < _MOST_BINS]
    width = fitting[0] if fitting else 60
    starts = range(first - first % width, last + 1, width)
    bins = [
        GapBin(at, width, int(missing[at : at + width].sum()), int(expected[at : at + width].sum())) for at in starts
    ]
    return tuple(bins)
