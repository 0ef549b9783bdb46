"""Bars of many kinds of feeds, at the edges of their sessions and between, for tests of the session clock."""

from dataclasses import dataclass
from datetime import date, time, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.frames import int_values, symbol_column, timestamps
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US, SECOND_US
from marketdata_pipelines.domain.session_grid import Ints, Mask, Placement, SessionGrid, feed_grid
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines_tests.builders import CME_BREAK, make_feed

EXTENDED = (time(4), time(20))
Days = NDArray[np.int32]
OWN = ClosingAuction.OWN_BAR
FEEDS: dict[str, Feed] = {
    "equities": make_feed(),
    "equities with extended hours": make_feed(extended_hours=EXTENDED),
    "equities with an auction of its own": make_feed(closing_auction=OWN),
    "equities with both": make_feed(extended_hours=EXTENDED, closing_auction=OWN),
    "equity seconds with both": make_feed(interval="1s", extended_hours=EXTENDED, closing_auction=OWN),
    "equity hours": make_feed(interval="1h"),
    "equity hours with both": make_feed(interval="1h", extended_hours=EXTENDED, closing_auction=OWN),
    "equities of 5 minutes": make_feed(interval="5m", extended_hours=EXTENDED),
    "equities of 12 hours": make_feed(interval="12h"),
    "equity days": make_feed(interval="1d"),
    "equity weeks": make_feed(interval="1w"),
    "lunch break": make_feed("XHKG"),
    "lunch break with extended hours": make_feed("XHKG", extended_hours=(time(8), time(17))),
    "lunch break, hours": make_feed("XHKG", "1h"),
    "lunch break, half hours with both": make_feed(
        "XHKG", "30m", extended_hours=(time(8), time(17)), closing_auction=OWN
    ),
    "half past the hour of UTC": make_feed("XBOM", "1h"),
    "futures": make_feed("CMES", breaks=CME_BREAK),
    "futures without a break": make_feed("CMES"),
    "futures, hours": make_feed("CMES", "1h", breaks=CME_BREAK),
    "futures with two breaks": make_feed("CMES", breaks=(*CME_BREAK, (time(15, 15), time(15, 30)))),
    "ahead of UTC": make_feed("XASX"),
    "currencies": make_feed("fx"),
    "currencies by session": make_feed("fx", anchor=Anchor.SESSION),
    "currencies by session, hours": make_feed("fx", "4h", anchor=Anchor.SESSION),
    "round the clock": make_feed("24/7"),
    "round the clock by session": make_feed("24/7", anchor=Anchor.SESSION, closing_auction=OWN),
    "round the clock, days": make_feed("24/7", "1d"),
    "equities on UTC": make_feed(anchor=Anchor.UTC),
    "equities on UTC with an auction of its own": make_feed(anchor=Anchor.UTC, closing_auction=OWN),
    "equity pairs of days": make_feed(interval="2d"),
}


@dataclass(frozen=True, slots=True)
class PlacedBars:
    """Bars (BAR_SCHEMA) of a feed's sessions first..last, and the grid they were placed on."""

    feed: Feed
    first: date
    last: date
    grid: SessionGrid
    bars: pa.Table

    @property
    def ts(self) -> Ints:
        return int_values(self.bars["ts"])

    @property
    def session_days(self) -> Days:
        return int_values(self.bars["session_date"]).astype(np.int32)

    @property
    def regular(self) -> Mask:
        regular: Mask = self.bars["regular"].to_numpy()
        return regular


def placed_bars(feed: Feed, first: date, days: int, seed: int, most: int = 400) -> PlacedBars:
    """Random bars that the feed's rules let through: opens on UTC's grid, the exchange's or the session's."""
    random = np.random.default_rng(seed)
    last = first + timedelta(days=days - 1)
    grid = feed_grid(feed, first, last)
    opens = _opens(feed, grid, first, last)
    placement = grid.place(opens)
    dates = grid.dates[np.maximum(placement.session, 0)] if len(grid.dates) else np.zeros(len(opens), np.int32)
    inside = (
        (placement.session >= 0)
        & _on_interval(feed, grid, opens, placement)
        & (dates >= (first - EPOCH).days)
        & (dates <= (last - EPOCH).days)
    )
    found = np.flatnonzero(inside)
    edges = found[np.isin(opens[found], _edges(grid))]
    picked = random.choice(found, min(most, len(found)), replace=False) if len(found) else found
    chosen = np.unique(np.concatenate((picked, edges)))
    codes = np.repeat(np.arange(2, dtype=np.int32), len(chosen))
    rows = np.tile(chosen, 2)
    kept = random.random(len(rows)) < 0.8
    return PlacedBars(feed, first, last, grid, _table(opens, dates, placement.regular, rows[kept], codes[kept], random))


def _opens(feed: Feed, grid: SessionGrid, first: date, last: date) -> Ints:
    width = feed.interval.us
    start, end = (((day - EPOCH).days + extra) * DAY_US for day, extra in ((first, -1), (last, 2)))
    if not feed.interval.is_intraday:
        return np.arange(start, end, DAY_US)
    # At one second there are more opens than a test wants: some of them, and all at the edges.
    step = max(width, 7_000_000)
    utc = np.arange(start, end, step) // width * width
    own = [np.arange(int(opens) - width, int(closes) + width + 1, step) for opens, closes in _sessions(grid)]
    return np.unique(np.concatenate((utc, utc + 30 * MINUTE_US % width, *own, _edges(grid))))


def _on_interval(feed: Feed, grid: SessionGrid, opens: Ints, placement: Placement) -> Mask:
    if not feed.interval.is_intraday:
        return np.ones(len(opens), bool)
    width = feed.interval.us
    own = placement.regular & ((opens - placement.anchor) % width == 0)
    found: Mask = (opens % width == 0) | own | (grid.local_clock(opens) % width == 0)
    return found


def _sessions(grid: SessionGrid) -> list[tuple[int, int]]:
    return list(zip(grid.opens.tolist(), grid.closes.tolist(), strict=True))


def _edges(grid: SessionGrid) -> Ints:
    edges = np.unique(np.concatenate((grid.opens, grid.closes, *grid.spans())))
    return edges[edges % SECOND_US == 0]


def _table(opens: Ints, dates: Days, regular: Mask, rows: Ints, codes: Days, random: np.random.Generator) -> pa.Table:
    count = len(rows)
    prices = np.sort(random.integers(1, 10_000, (count, 4)) / 100, axis=1)
    columns = {
        "symbol": symbol_column(codes.astype(np.int32), ["A", "B"]),
        "ts": timestamps(opens[rows]),
        "ts_close": timestamps(opens[rows] + 1),
        "session_date": pa.array(dates[rows].astype(np.int32)).view(pa.date32()),
        "open": pa.array(prices[:, 1]),
        "high": pa.array(prices[:, 3]),
        "low": pa.array(prices[:, 0]),
        "close": pa.array(prices[:, 2]),
        # Whole numbers: their sums are exact in any order.
        "volume": pa.array(random.integers(0, 1_000, count).astype(np.float64)),
        "vwap": pa.nulls(count, pa.float64()),
        "trade_count": pa.array(random.integers(0, 50, count)),
        "regular": pa.array(regular[rows]),
    }
    return pa.table(columns, schema=BAR_SCHEMA)
