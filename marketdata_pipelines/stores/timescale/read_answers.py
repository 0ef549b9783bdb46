"""What users see of rows that were read: Arrow tables in the columns, order and types of the lake's answers.

Nothing is asked of the server here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.feeds import ClosingAuction, Feed
from marketdata_pipelines.domain.intervals import DAY_US, parse_interval
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines.stores.timescale.columns import flags, known, plain, same, texts
from marketdata_pipelines.stores.timescale.read_bounds import on_sessions
from marketdata_pipelines.stores.timescale.read_rows import (
    PG_EPOCH_DAYS,
    PG_EPOCH_US,
    UNKNOWN_COUNT,
    BarRows,
    Floats,
    Ints,
    by_open,
)

ANSWER_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("timeframe", pa.string()),
        ("ts", TS),
        ("ts_close", TS),
        ("session_date", pa.date32()),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "vwap")),
        ("trade_count", pa.int64()),
        ("bar_count", pa.int64()),
        ("is_final", pa.bool_()),
    ]
)
LATEST_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("ts", TS),
        ("ts_close", TS),
        ("session_date", pa.date32()),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume")),
        ("regular", pa.bool_()),
    ]
)
TOTALS_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("first_ts", TS),
        ("last_ts", TS),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "notional", "vwap")),
        ("trade_count", pa.int64()),
        ("bar_count", pa.int64()),
    ]
)
_COARSE = {
    "ts": ">i8", "ts_close": ">i8", "session_date": ">i4", "open": ">f8", "high": ">f8", "low": ">f8",
    "close": ">f8", "volume": ">f8", "vwap": ">f8", "trade_count": ">i8", "bar_count": ">i8", "is_final": "?",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClockRows:
    """The regular trading segments of some sessions by `clock_start`; all in microseconds, days since 1970."""

    days: Ints
    clock_start: Ints
    ts_start: Ints
    ts_end: Ints


def unpack_clock(
    days: bytes | None, clock_start: bytes | None, ts_start: bytes | None, ts_end: bytes | None
) -> ClockRows:
    """Segments as read_session_clock packs them; None where there are none."""
    instants = [
        np.frombuffer(data or b"", ">i8").astype(np.int64) + PG_EPOCH_US for data in (clock_start, ts_start, ts_end)
    ]
    return ClockRows(np.frombuffer(days or b"", ">i4").astype(np.int64) + PG_EPOCH_DAYS, *instants)


def base_answer(feed: Feed, rows: BarRows) -> pa.Table:
    """The feed's own bars; all of them are final."""
    rows = by_open(rows)
    ones = np.ones(len(rows), np.int64)
    return _answer(
        rows, feed.interval.name, rows.ts, base_closes(feed, rows), rows.money, ones, np.ones(len(rows), np.bool_)
    )


def bucket_answer(feed: Feed, timeframe: str, rows: BarRows, clock: ClockRows, horizons: dict[str, int]) -> pa.Table:
    """Intraday buckets; `horizons`: until when each base partition is known."""
    width = parse_interval(timeframe).us
    ts, closes = rows.st, rows.st + width
    if on_sessions(feed) and len(rows):
        at = np.searchsorted(clock.clock_start, rows.st, "right") - 1
        ts = clock.ts_start[at] + (rows.st - clock.clock_start[at])
        # With own_bar the last bucket of a session is complete one bar after the close.
        ends_session = np.append(clock.days[1:] != clock.days[:-1], True)
        joins = feed.closing_auction is ClosingAuction.OWN_BAR
        complete = clock.ts_end + np.where(ends_session & joins, feed.interval.us, 0)
        closes = np.where(ts + width < clock.ts_end[at], ts + width, complete[at])
    with np.errstate(divide="ignore", invalid="ignore"):
        vwap = np.where(rows.volume > 0, rows.money / rows.volume, np.nan)
    final = closes <= _horizons(feed, rows.st // DAY_US, horizons)
    return _answer(rows, timeframe, ts, closes, vwap, rows.mark, final)


def coarse_answer(timeframe: str, found: Sequence[Sequence[Any]]) -> pa.Table:
    """Bars of a stored coarse table, from one row a symbol (see read_coarse_bars)."""
    counts = [len(row[-1]) for row in found]
    columns = {
        name: np.frombuffer(b"".join(row[at] for row in found), kind)
        for at, (name, kind) in enumerate(_COARSE.items(), 1)
    }
    codes = np.repeat(np.arange(len(found), dtype=np.int32), counts)
    order = np.lexsort((columns["ts"], codes))
    values = {name: _native(column)[order] for name, column in columns.items()}
    arrays = [
        texts(codes[order], [row[0] for row in found]),
        same(timeframe, len(order)),
        *(plain(values[name] + PG_EPOCH_US, TS) for name in ("ts", "ts_close")),
        _days(values["session_date"] + PG_EPOCH_DAYS),
        *(_floats(values[name]) for name in ("open", "high", "low", "close", "volume", "vwap")),
        _counts(values["trade_count"]),
        plain(values["bar_count"], pa.int64()),
        flags(values["is_final"]),
    ]
    return pa.Table.from_arrays(arrays, schema=ANSWER_SCHEMA)


def latest_answer(feed: Feed, rows: BarRows) -> pa.Table:
    """The last bar of each symbol, in the columns of the view `latest_bars`."""
    arrays = [
        texts(rows.code, rows.symbols),
        plain(rows.ts, TS),
        plain(base_closes(feed, rows), TS),
        _days(rows.st // DAY_US),
        *(plain(values, pa.float64()) for values in (rows.open, rows.high, rows.low, rows.close)),
        _floats(rows.volume),
        flags(rows.mark > 0),
    ]
    return pa.Table.from_arrays(arrays, schema=LATEST_SCHEMA)


def totals_answer(rows: BarRows) -> pa.Table:
    """One bar a symbol over a window (see read_total_bars)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        vwap = np.where(rows.volume > 0, rows.money / rows.volume, np.nan)
    arrays = [
        texts(rows.code, rows.symbols),
        plain(rows.ts, TS),
        plain(rows.st, TS),
        *(_floats(each) for each in (rows.open, rows.high, rows.low, rows.close, rows.volume, rows.money, vwap)),
        _counts(rows.trades),
        plain(rows.mark, pa.int64()),
    ]
    return pa.Table.from_arrays(arrays, schema=TOTALS_SCHEMA)


def base_closes(feed: Feed, rows: BarRows) -> Ints:
    """When the feed's own bars are complete: after their interval, or at the close of their session or label."""
    if feed.interval.is_intraday or not len(rows):
        return rows.ts + feed.interval.us
    # Only feeds of daily bars wait for the calendars.
    from marketdata_pipelines.domain.session_grid import feed_grid
    from marketdata_pipelines.domain.validation import label_closes

    days = rows.st // DAY_US
    grid = feed_grid(feed, *(EPOCH + timedelta(days=int(day)) for day in (days.min(), days.max())))
    return label_closes(feed, grid, np.searchsorted(grid.dates, days), rows.ts).astype(np.int64)


def _horizons(feed: Feed, days: Ints, horizons: dict[str, int]) -> Ints:
    distinct, where = np.unique(days, return_inverse=True)
    period = period_of(feed.partition)
    keys = [partition_key(EPOCH + timedelta(days=int(day)), period) for day in distinct]
    return np.array([horizons.get(key, 0) for key in keys], np.int64)[where]


def _answer(
    rows: BarRows, timeframe: str, ts: Ints, closes: Ints, vwap: Floats, bars: Ints, final: NDArray[np.bool_]
) -> pa.Table:
    arrays = [
        texts(rows.code, rows.symbols),
        same(timeframe, len(rows)),
        plain(ts, TS),
        plain(closes, TS),
        _days(rows.st // DAY_US),
        *(plain(values, pa.float64()) for values in (rows.open, rows.high, rows.low, rows.close)),
        *(_floats(values) for values in (rows.volume, vwap)),
        _counts(rows.trades),
        plain(bars, pa.int64()),
        flags(final),
    ]
    return pa.Table.from_arrays(arrays, schema=ANSWER_SCHEMA)


def _days(days: Ints) -> pa.Array:
    return plain(days.astype(np.int32), pa.date32())


def _floats(values: Floats) -> pa.Array:
    return known(values, pa.float64(), np.isnan(values))


def _counts(values: Ints) -> pa.Array:
    return known(values, pa.int64(), values == UNKNOWN_COUNT)


def _native(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("="))
