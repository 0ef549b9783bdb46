"""What the simulated exchange has to serve: a window's bars in pages, the running session up to now, corrections.

The market is that of `bars`; HTTP is in `exchange`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import (
    AssetClass,
    CalendarSpec,
    Feed,
    SourceKind,
    SourceSpec,
    default_anchor,
    default_asset_class,
    default_partition,
)
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.intervals import DAY_US, Interval, parse_interval
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_calendar
from marketdata_pipelines.domain.sessions import date_of_us
from marketdata_pipelines.sources.simulated.bars import simulate_bars
from marketdata_pipelines.sources.simulated.market import simulated_symbols

Row = dict[str, Any]
# Where a page ends: the last row's time and symbol.
Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is traded on the simulated exchange: the same listing is the same market."""

    calendar: str = "XNYS"
    symbols: tuple[str, ...] = ()
    symbol_count: int = 0
    seed: int = 0
    asset_class: AssetClass | None = None

    def feed(self, interval: Interval) -> Feed:
        """The listing's bars of an interval as a simulated feed."""
        return Feed(
            name="exchange",
            source=SourceSpec(
                SourceKind.SIMULATED, symbols=self.symbols, symbol_count=self.symbol_count, seed=self.seed
            ),
            interval=interval,
            calendar=CalendarSpec(self.calendar),
            asset_class=self.asset_class or default_asset_class(self.calendar),
            data=None,
            anchor=default_anchor(self.calendar),
            partition=default_partition(interval),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Every symbol, ascending."""
        return simulated_symbols(self.feed(parse_interval("1m")))


@dataclass(slots=True)
class Corrections:
    """What the exchange says now of bars it gave otherwise before; None: the bar is gone."""

    rows: dict[tuple[str, int], Mapping[str, float | None] | None] = field(default_factory=dict)

    def apply(self, rows: Sequence[Row]) -> list[Row]:
        """The rows as they are told now."""
        told = []
        for row in rows:
            change = self.rows.get((row["symbol"], row["ts"]), {})
            if change is not None:
                told.append({**row, **change})
        return told


def window_rows(
    listing: Listing, interval: Interval, symbols: Sequence[str], start_us: int, end_us: int, now_us: int
) -> list[Row]:
    """Rows with start_us <= ts < end_us of bars that are over by now, in order of (ts, symbol); `ts` in UTC
    microseconds."""
    feed = listing.feed(interval)
    rows: list[Row] = []
    for day in _days(feed, start_us, min(end_us, now_us)):
        rows += _rows(_over_bars(listing, interval, day, now_us), symbols, start_us, end_us)
    return sorted(rows, key=_place)


def unfinished_rows(listing: Listing, interval: Interval, symbols: Sequence[str], now_us: int) -> list[Row]:
    """Each symbol's candle of this moment: begun, not over, and so not what it is going to be."""
    feed = listing.feed(interval)
    rows = []
    for day in _days(feed, now_us - DAY_US, now_us + DAY_US):
        table, over = _day_bars(listing, interval, day)
        ts = int_values(table["ts"])
        opened = _opens(feed, day) if not interval.is_intraday else ts
        rows += _rows(table.filter(pa.array((opened <= now_us) & (over > now_us))), symbols, 0, 2**62)
    # What has been traded so far: the first price, and less of it.
    return [
        {**row, "high": row["open"], "low": row["open"], "close": row["open"], "vwap": None, "trade_count": 1}
        for row in sorted(rows, key=_place)
    ]


def page_of(rows: Sequence[Row], after: Place | None, limit: int) -> tuple[list[Row], Place | None]:
    """Up to `limit` rows after a place, and the place the next page begins after; None at the end."""
    rest = list(rows) if after is None else [row for row in rows if _place(row) > after]
    page = rest[:limit]
    return page, _place(page[-1]) if len(rest) > limit else None


def _place(row: Row) -> Place:
    return row["ts"], row["symbol"]


def _days(feed: Feed, start_us: int, end_us: int) -> list[date]:
    near = timedelta(days=2)
    first, last = date_of_us(start_us) - near, date_of_us(max(end_us, start_us)) + near
    return [session.date for session in feed_calendar(feed).sessions(first, last)]


def _opens(feed: Feed, day: date) -> int:
    return feed_calendar(feed).sessions(day, day)[0].open


def _over_bars(listing: Listing, interval: Interval, day: date, now_us: int) -> pa.Table:
    table, over = _day_bars(listing, interval, day)
    return table if len(over) == 0 or over.max() <= now_us else table.filter(pa.array(over <= now_us))


def _day_bars(listing: Listing, interval: Interval, day: date) -> tuple[pa.Table, np.ndarray]:
    """A session's bars, and when each is over."""
    return (_few_days if interval.is_intraday else _many_days)(listing, interval, day)


def _make_day(listing: Listing, interval: Interval, day: date) -> tuple[pa.Table, np.ndarray]:
    feed = listing.feed(interval)
    table = simulate_bars(feed, day)
    ts = int_values(table["ts"])
    if interval.is_intraday:
        return table, ts + interval.us
    closes = SessionGrid(feed, day, day).completes
    return table, np.full(len(ts), closes[0] if len(closes) else 0)


# A day of minutes is large; a year of days is asked for at once and made from its minutes.
_few_days = lru_cache(maxsize=64)(_make_day)
_many_days = lru_cache(maxsize=4096)(_make_day)


def _rows(table: pa.Table, symbols: Sequence[str], start_us: int, end_us: int) -> list[Row]:
    ts = int_values(table["ts"])
    wanted = set(symbols)
    inside = table.filter(pa.array((ts >= start_us) & (ts < end_us)))
    inside = inside.set_column(inside.schema.get_field_index("ts"), "ts", inside["ts"].cast(pa.int64()))
    return [row for row in inside.to_pylist() if row["symbol"] in wanted]
