"""The per-partition states of the views: a pass or two over sorted bars.

One row a symbol, a symbol and session, a session and rank, or a symbol, session and hour, of one base partition.
What a state becomes over a range of partitions is decided on reading (docs/decisions/0004).
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.frames import float_values, int_values, nullable, symbol_codes
from marketdata_pipelines.domain.sessions import Session

TOP_RANKS = 100
_LATEST = ("ts", "ts_close", "session_date", "open", "high", "low", "close", "volume", "regular")


def latest_bars(bars: pa.Table) -> pa.Table:
    """The last bar of each symbol.

    Shape:   BAR_SCHEMA sorted by (symbol, ts); returns a row a symbol, in order of symbol.
    """
    last = _runs(_codes(bars))[1]
    taken = bars.take(pa.array(last))
    columns = [_names(taken), *(_flat(taken[name]) for name in _LATEST)]
    return pa.Table.from_arrays(columns, ["symbol", *_LATEST])


def daily_summary(daily: pa.Table, sessions: Sequence[Session]) -> pa.Table:
    """Range, return from open to close and coverage of each session; `sessions` say how many minutes were expected.

    Shape:   1d bars of AGGREGATE_SCHEMA sorted by (symbol, ts); returns a row for each.
    """
    minutes = {session.date: session.minutes for session in sessions}
    columns = {
        "symbol": _names(daily),
        "bucket": daily["ts"],
        **{name: daily[name] for name in ("open", "high", "low", "close", "volume")},
        "vwap_typ": daily["vwap"],
        "n": daily["bar_count"],
        "first_ts": daily["first_ts"],
        "last_ts": daily["last_ts"],
        "range": pc.subtract(daily["high"], daily["low"]),
        "ret_oc": pc.subtract(pc.divide(daily["close"], daily["open"]), 1.0),
        "expected_minutes": pa.array([minutes.get(day) for day in daily["session_date"].to_pylist()], pa.int64()),
        **{name: daily[name] for name in ("notional", "trade_count", "session_date", "ts_close", "is_final")},
    }
    return pa.Table.from_arrays([_flat(column) for column in columns.values()], list(columns))


def symbol_performance(daily: pa.Table) -> pa.Table:
    """Return, range and volume of each symbol over the partition.

    Shape:   as `daily_summary`; returns a row a symbol. Volume and notional are null where one of their parts is.
    """
    first, last = _runs(_codes(daily))
    opens, closes = float_values(daily["open"]), float_values(daily["close"])
    dates = daily["session_date"]
    columns = {
        "symbol": _names(daily.take(pa.array(first))),
        "first_session": dates.take(pa.array(first)),
        "last_session": dates.take(pa.array(last)),
        "sessions": pa.array(last - first + 1),
        "first_open": pa.array(opens[first]),
        "last_close": pa.array(closes[last]),
        "high": pa.array(_over(np.maximum, float_values(daily["high"]), first)),
        "low": pa.array(_over(np.minimum, float_values(daily["low"]), first)),
        "ret": pa.array(closes[last] / opens[first] - 1),
        "volume": nullable(_over(np.add, float_values(daily["volume"]), first)),
        "notional": nullable(_over(np.add, float_values(daily["notional"]), first)),
        "bars": pa.array(_over(np.add, int_values(daily["bar_count"]), first)),
        "sessions_up": pa.array(_over(np.add, (closes > opens).astype(np.int64), first)),
    }
    return pa.Table.from_arrays([_flat(column) for column in columns.values()], list(columns))


def top_volume(daily: pa.Table) -> pa.Table:
    """The TOP_RANKS symbols of the greatest traded value of each session, and their share of it.

    Shape:   as `daily_summary`; returns rows by session date and rank (from 1). Unknown values come last; the share
             is null where any symbol's value is unknown.
    """
    date = int_values(daily["session_date"])
    notional, volume = float_values(daily["notional"]), float_values(daily["volume"])
    # NaN sorts last, whichever the sign.
    order = np.lexsort((_codes(daily), -volume, -notional, date))
    first, last = _runs(date[order])
    size = last - first + 1
    rank = np.arange(len(order)) - np.repeat(first, size) + 1
    total = np.repeat(_over(np.add, notional[order], first), size)
    shown = rank <= TOP_RANKS
    chosen = daily.take(pa.array(order[shown]))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total[shown] == 0, np.nan, notional[order][shown] / total[shown])
    columns = {
        "session_date": chosen["session_date"],
        "rank": pa.array(rank[shown]),
        "symbol": _names(chosen),
        **{name: chosen[name] for name in ("volume", "notional", "trade_count")},
        "share": nullable(share),
    }
    return pa.Table.from_arrays([_flat(column) for column in columns.values()], list(columns))


def hourly_volume(bars: pa.Table, zone: str) -> pa.Table:
    """Volume statistics of the bars that open in each hour of the day, `zone`'s, of each session.

    Shape:   BAR_SCHEMA sorted by (symbol, ts); returns rows by symbol, session date and hour. Statistics are of the
             known volumes; the sum is null where one is unknown, `std_ddof1` (of the sample) where fewer than two are.
    """
    codes, day = _codes(bars), int_values(bars["session_date"])
    hour = int_values(pc.hour(bars["ts"].cast(pa.timestamp("us", tz=zone))))
    volume = float_values(bars["volume"])
    known = ~np.isnan(volume)
    # Unknown volumes sort last within their hour, so each hour begins with its known ones in order of size.
    order = np.lexsort((volume, hour, day, codes))
    codes, day, hour, volume = codes[order], day[order], hour[order], volume[order]
    first, last = _runs_of(codes, day, hour)
    size = last - first + 1
    count = _over(np.add, known[order].astype(np.int64), first)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = _over(np.add, np.nan_to_num(volume), first)
        mean = total / count
        squares = _over(np.add, np.nan_to_num((volume - np.repeat(mean, size)) ** 2), first)
        deviation = np.where(count > 1, np.sqrt(squares / (count - 1)), np.nan)
    low, high = (volume[first + np.maximum(middle, 0)] for middle in ((count - 1) // 2, count // 2))
    columns = {
        "symbol": _names(bars.take(pa.array(order[first]))),
        "session_date": pa.array(day[first].astype(np.int32)).view(pa.date32()),
        "hour": pa.array(hour[first]),
        "bars": pa.array(size),
        "sum": nullable(np.where(count == size, total, np.nan)),
        "mean": nullable(mean),
        "median": nullable(np.where(count > 0, low + (high - low) / 2, np.nan)),
        "max": nullable(volume[first + np.maximum(count - 1, 0)]),
        "std_ddof1": nullable(deviation),
    }
    return pa.Table.from_arrays([_flat(column) for column in columns.values()], list(columns))


def _codes(table: pa.Table) -> NDArray[np.int32]:
    return symbol_codes(table["symbol"])[0]


def _runs(values: NDArray[np.int32] | NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last position of each run of equal values."""
    if not len(values):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    ends = np.flatnonzero(values[1:] != values[:-1])
    return np.append(0, ends + 1), np.append(ends, len(values) - 1)


def _runs_of(*keys: NDArray[np.int32] | NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last position of each run of rows that are equal in every key."""
    changed = np.zeros(max(len(keys[0]) - 1, 0), bool)
    for values in keys:
        changed |= values[1:] != values[:-1]
    return _runs(np.append(np.zeros(min(len(keys[0]), 1), np.int64), np.cumsum(changed)))


def _over(combine: np.ufunc, values: np.ndarray, first: NDArray[np.int64]) -> np.ndarray:
    """The values of each run combined; `reduceat` wants at least one run."""
    return combine.reduceat(values, first) if len(first) else values[:0]


def _names(table: pa.Table) -> pa.Array:
    return _flat(table["symbol"].cast(pa.string()))


def _flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
