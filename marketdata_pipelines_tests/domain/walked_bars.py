"""Bars that wander like a market's, for tests of what stands out among them; nothing here asserts."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA, PRICES, RAW_BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import timestamps
from marketdata_pipelines.domain.quality.profiles import profile_bars
from marketdata_pipelines.domain.quality.suspects import suspicious_bars
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import EPOCH, Session

FOREVER_US = 2**62
FRIDAY = date(2024, 3, 8)


def session_of(feed: Feed, day: date = FRIDAY) -> Session:
    """The feed's session of a date."""
    return feed_calendar(feed).sessions(day, day)[0]


def session_times(feed: Feed, session: Session) -> np.ndarray:
    """The opens of a session's bars, UTC microseconds."""
    return np.concatenate([np.arange(a, b, feed.interval.us) for a, b in session.segments]).astype(np.int64)


def walked_bars(
    feed: Feed,
    symbols: Mapping[str, float],
    day: date = FRIDAY,
    *,
    seed: int = 1,
    step: float = 0.0004,
    tick: float = 0.01,
    ts: np.ndarray | None = None,
) -> pa.Table:
    """One session of each symbol from its first price on: a walk in ticks, volumes that differ, BAR_SCHEMA."""
    session = session_of(feed, day)
    times = session_times(feed, session) if ts is None else ts
    tables = []
    for number, (symbol, price) in enumerate(sorted(symbols.items())):
        drawn = np.random.default_rng([seed, number])
        close = np.maximum(np.round(price * np.exp(np.cumsum(drawn.normal(0, step, len(times)))) / tick), 5) * tick
        opens = np.concatenate(([close[0]], close[:-1]))
        reach = np.round(np.abs(drawn.normal(0, step, (2, len(times)))) * close / tick) * tick
        tables.append(
            bar_columns(
                feed,
                symbol,
                day,
                times,
                open=opens,
                high=np.maximum(opens, close) + reach[0],
                low=np.maximum(np.minimum(opens, close) - reach[1], tick),
                close=close,
                volume=np.round(np.exp(drawn.normal(6, 0.5, len(times)))) + np.arange(len(times)),
            )
        )
    whole = pa.concat_tables(tables)
    return whole.set_column(0, "symbol", whole["symbol"].cast(pa.string())).cast(BAR_SCHEMA).combine_chunks()


def bar_columns(feed: Feed, symbol: str, day: date, ts: np.ndarray, **values: np.ndarray) -> pa.Table:
    """Columns of one symbol as BAR_SCHEMA."""
    count = len(ts)
    columns = {
        "symbol": pa.array([symbol] * count),
        "ts": timestamps(ts),
        "ts_close": timestamps(ts + feed.interval.us),
        "session_date": pa.array(np.full(count, (day - EPOCH).days, np.int32)).view(pa.date32()),
        **{name: pa.array(values[name]) for name in (*PRICES, "volume")},
        "vwap": pa.nulls(count, pa.float64()),
        "trade_count": pa.nulls(count, pa.int64()),
        "regular": pa.array(np.ones(count, bool)),
    }
    return pa.table(columns).cast(BAR_SCHEMA)


def changed(bars: pa.Table, rows: slice | int, **values: float | np.ndarray) -> pa.Table:
    """Bars with some columns of some rows set; NaN is null."""
    for name, value in values.items():
        column = bars[name].fill_null(float("nan")).to_numpy().copy()
        column[rows] = value
        at = bars.column_names.index(name)
        bars = bars.set_column(at, name, pa.array(column, mask=np.isnan(column)))
    return bars


def scaled(bars: pa.Table, rows: slice | int, factor: float) -> pa.Table:
    """Bars with all four prices of some rows multiplied."""
    values = {name: bars[name].to_numpy()[rows] * factor for name in PRICES}
    return changed(bars, rows, **values)


def suspects_of(feed: Feed, bars: pa.Table, day: date = FRIDAY) -> list[dict[str, Any]]:
    """The suspects of one day's bars but for its openings."""
    profiles = profile_bars(feed, bars, [session_of(feed, day)], FOREVER_US)
    return [row for row in suspicious_bars(feed, bars, profiles).to_pylist() if row["kind"] != "opening_jump"]


def raw_rows(bars: pa.Table, shift_us: int = 0) -> pa.Table:
    """Bars as the parsed rows of a file, their times displaced."""
    count = bars.num_rows
    numbers = pa.array(np.arange(1, count + 1))
    nothing = pa.nulls(count, pa.string())
    named = {name: bars[name] for name in (*PRICES, "volume", "vwap", "trade_count")}
    ts = timestamps(bars["ts"].combine_chunks().view(pa.int64()).to_numpy() + shift_us)
    columns = {"row": numbers, "line": numbers, "symbol": bars["symbol"].cast(pa.string()), "ts": ts, **named}
    return pa.table({**columns, "rules": nothing, "original": nothing}).select(RAW_BAR_SCHEMA.names)
