"""Finding the bar a question means: by its label, by an instant inside it, or saying which bars are nearest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Protocol

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.intervals import DAY_US, parse_interval
from marketdata_pipelines.domain.labels import bucket_days
from marketdata_pipelines.domain.partitions import Period, partition_key
from marketdata_pipelines.domain.session_grid import SessionGrid
from marketdata_pipelines.domain.sessions import date_of_us, midnight_us
from marketdata_pipelines.domain.tables import bar_table
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.stores.lake.lake import Lake

# Sessions may open days before the date they are labelled with (a Sunday evening before a holiday Monday).
_AROUND = timedelta(days=4)
_NEIGHBOURS = 12
_KEPT_TABLES = 32
# Of one symbol each.
_KEPT_ROWS = 256


class BarTables(Protocol):
    """Tables of one feed by partition: those stored (`as_of_us` None), or those derived as of an instant.

    `rows` are those of one symbol, in the table's order.
    """

    as_of_us: int | None

    def partitions(self, table: str, start: str = "", end: str = "9999-99-99") -> list[str]: ...

    def read(self, table: str, key: str) -> pa.Table: ...

    def rows(self, table: str, key: str, symbol: str) -> pa.Table: ...


class StoredTables:
    """What the lake holds of one feed now; the last few tables are kept."""

    def __init__(self, lake: Lake, feed: Feed) -> None:
        self._lake, self._feed = lake, feed
        self.as_of_us: int | None = None
        self.read: Callable[[str, str], pa.Table] = lru_cache(maxsize=_KEPT_TABLES)(self._read)
        self.rows: Callable[[str, str, str], pa.Table] = lru_cache(maxsize=_KEPT_ROWS)(self._rows)

    def partitions(self, table: str, start: str = "", end: str = "9999-99-99") -> list[str]:
        """The stored partitions of a table in start..end, in order."""
        return [stored.partition for stored in self._lake.catalog.stored(table, self._feed.name, start, end)]

    def _read(self, table: str, key: str) -> pa.Table:
        return self._lake.read(table, self._feed.name, key)

    def _rows(self, table: str, key: str, symbol: str) -> pa.Table:
        return self._lake.read(table, self._feed.name, key, symbols=[symbol])


@dataclass(frozen=True, slots=True)
class FoundBar:
    """One row of a table of bars: `row` is a table of that row alone."""

    timeframe: str
    table: str
    partition: str
    row: pa.Table


def find_bar(feed: Feed, tables: BarTables, symbol: str, ts_us: int, timeframe: str) -> FoundBar:
    """The bar of a symbol that is labelled `ts_us`, or in which that instant lies.

    For 1d and coarser an instant means its session (midnight UTC: the session date), which its bucket holds.
    Errors: SettingsInvalid for a timeframe the feed does not have; PartitionMissing naming the nearest bars.
    """
    table, period = bar_table(feed, timeframe)
    whole_days = not parse_interval(timeframe).is_intraday
    day = date_of_us(ts_us) if whole_days and ts_us % DAY_US == 0 else _session_day(feed, ts_us)
    if whole_days:
        for label in dict.fromkeys((ts_us, midnight_us(_label_day(feed, day, timeframe)))):
            key = partition_key(date_of_us(label), period)
            row = _labelled(tables, table, key, symbol, label) if key in tables.partitions(table, key, key) else None
            if row is not None:
                return FoundBar(timeframe, table, key, row)
    for key in _near(tables, table, period, day):
        row = _containing(tables.rows(table, key, symbol), ts_us)
        if row is not None:
            return FoundBar(timeframe, table, key, row)
    raise PartitionMissing(_nothing_there(feed, tables, table, symbol, ts_us, timeframe, day, period))


def rows_between(bars: pa.Table, first_us: int, last_us: int) -> pa.Table:
    """The rows of a symbol's bars labelled first_us..last_us, both included."""
    ts = int_values(bars["ts"])
    return bars.filter(pa.array((ts >= first_us) & (ts <= last_us)))


def _session_day(feed: Feed, ts_us: int) -> date:
    day = date_of_us(ts_us)
    grid = SessionGrid(feed, day - _AROUND, day + _AROUND)
    session = int(grid.place(np.array([ts_us], np.int64)).session[0])
    if session < 0 or not len(grid.dates):
        return day
    return date(1970, 1, 1) + timedelta(days=int(grid.dates[session]))


def _label_day(feed: Feed, day: date, timeframe: str) -> date:
    return bucket_days(feed, day, timeframe)[0] if timeframe in ("2d", "1w", "1M") else day


def _near(tables: BarTables, table: str, period: Period, day: date) -> list[str]:
    """Partitions that can hold a bar around a day, the day's own first."""
    own = partition_key(day, period)
    keys = tables.partitions(table, partition_key(day - _AROUND, period), partition_key(day + _AROUND, period))
    return sorted(keys, key=lambda key: (key != own, abs((date.fromisoformat(key) - day).days)))


def _labelled(tables: BarTables, table: str, key: str, symbol: str, label_us: int) -> pa.Table | None:
    found = rows_between(tables.rows(table, key, symbol), label_us, label_us)
    return found if found.num_rows else None


def _containing(bars: pa.Table, ts_us: int) -> pa.Table | None:
    ts, closes = int_values(bars["ts"]), int_values(bars["ts_close"])
    inside = np.flatnonzero((ts == ts_us) | ((ts <= ts_us) & (ts_us < closes)))
    # A bar with just this label comes before one that reaches over it.
    return bars.slice(int(inside[-1]), 1) if len(inside) else None


def _nothing_there(
    feed: Feed, tables: BarTables, table: str, symbol: str, ts_us: int, timeframe: str, day: date, period: Period
) -> str:
    keys = tables.partitions(table)
    if not keys and tables.as_of_us is not None:
        return (
            f"of {feed.name} no {timeframe} bars were known by {_written(tables.as_of_us, '1m')}; ask for a later time"
        )
    if not keys:
        return f"{feed.name} has no {timeframe} bars at all; run: marketdata backfill {feed.name} --start {day}"
    own = partition_key(day, period)
    before = _closest(tables, table, [key for key in reversed(keys) if key <= own], symbol, ts_us, later=False)
    after = _closest(tables, table, [key for key in keys if key >= own], symbol, ts_us, later=True)
    said = [_written(ts, timeframe) for ts in (before, after) if ts is not None]
    where = f"{feed.name} has no {timeframe} bar of {symbol} at {_written(ts_us, timeframe)}"
    if said:
        return f"{where}; the nearest are at {' and '.join(said)}"
    near = min(keys, key=lambda key: abs((date.fromisoformat(key) - day).days))
    there = sorted(set(tables.read(table, near)["symbol"].cast(pa.string()).to_pylist()))
    return f"{where}, nor near it; stored: {keys[0]} to {keys[-1]}, on {near} of {', '.join(there[:10]) or 'nothing'}"


def _closest(tables: BarTables, table: str, keys: list[str], symbol: str, ts_us: int, *, later: bool) -> int | None:
    for ts in _labels(tables, table, keys[:_NEIGHBOURS], symbol):
        candidates = ts[ts > ts_us] if later else ts[ts <= ts_us]
        if len(candidates):
            return int(candidates[0] if later else candidates[-1])
    return None


def _labels(tables: BarTables, table: str, keys: list[str], symbol: str) -> Iterator[np.ndarray]:
    for key in keys:
        yield int_values(tables.rows(table, key, symbol)["ts"])


def _written(ts_us: int, timeframe: str) -> str:
    text = np.datetime_as_string(np.datetime64(ts_us, "us"), unit="auto" if ts_us % 1_000_000 else "s")
    if not parse_interval(timeframe).is_intraday and ts_us % DAY_US == 0:
        return str(date_of_us(ts_us))
    return f"{text}Z"
