"""Bars of real sessions for tests of the SQL store, and the lake's own aggregates of them; nothing here asserts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_grid
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines.pipeline.aggregate import aggregate_partition
from marketdata_pipelines_tests.builders import LATER


@dataclass(frozen=True, slots=True)
class Shape:
    """What a symbol's bars are like: decimals of prices and volumes, shares of gaps and of unknown volumes."""

    price_decimals: int = 2
    volume_decimals: int = 0
    gaps: float = 0.1
    unknown_volumes: float = 0.0
    with_vwap: bool = False
    with_trades: bool = False
    price: float = 100.0


def partition_bars(
    feed: Feed, partition: str, shapes: Mapping[str, Shape], seed: int = 0, days: Sequence[date] = ()
) -> pa.Table:
    """The bars of a base partition (BAR_SCHEMA), extended hours included, of some of its days where given."""
    first, last = partition_span(partition, period_of(feed.partition))
    grid = feed_grid(feed, first, last)
    wanted = set(days) or {first + timedelta(days=offset) for offset in range((last - first).days + 1)}
    opens, sessions = _opens(feed, grid, {(day - EPOCH).days for day in wanted})
    generator = np.random.default_rng(seed)
    regular = grid.place(opens).regular
    parts = [_bars(feed, symbol, shapes[symbol], generator, opens, sessions, regular) for symbol in sorted(shapes)]
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks() if parts else BAR_SCHEMA.empty_table()


def lake_tables(feed: Feed, partition: str, bars: pa.Table) -> dict[str, pa.Table]:
    """The lake's aggregates of a base partition by table name."""
    first, last = partition_span(partition, period_of(feed.partition))
    made = aggregate_partition(feed, feed_grid(feed, first, last), bars, LATER)
    return {**made.intraday, "bars_1d": made.daily}


def _opens(feed: Feed, grid: SessionGrid, days: set[int]) -> tuple[np.ndarray, np.ndarray]:
    """Every open of a bar in the sessions of some days, and its session's day."""
    width = feed.interval.us
    found, sessions = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    for start, end, day in zip(*grid.spans(), grid.dates, strict=True):
        if int(day) in days:
            opens = np.arange(-(-int(start) // width) * width, int(end), width)
            opens = opens[grid.dates[grid.place(opens).session] == day]
            found.append(opens[grid.place(opens).session >= 0])
            sessions.append(np.full(len(found[-1]), day, np.int32))
    return np.concatenate(found), np.concatenate(sessions)


def _bars(
    feed: Feed,
    symbol: str,
    shape: Shape,
    generator: np.random.Generator,
    opens: np.ndarray,
    sessions: np.ndarray,
    regular: np.ndarray,
) -> pa.Table:
    kept = generator.random(len(opens)) >= shape.gaps
    ts, count = opens[kept], int(kept.sum())
    close = np.round(shape.price + generator.normal(0, 0.5, count).cumsum() % 20, shape.price_decimals)
    spread = np.round(generator.random(count) / 2, shape.price_decimals)
    volume = np.round(generator.random(count) * 10_000, shape.volume_decimals)
    columns = {
        "symbol": pa.array([symbol] * count, pa.string()),
        "ts": pa.array(ts).cast(BAR_SCHEMA.field("ts").type),
        "ts_close": pa.array(ts + feed.interval.us).cast(BAR_SCHEMA.field("ts").type),
        "session_date": pa.array(sessions[kept]).view(pa.date32()),
        "open": pa.array(close[::-1].copy()),
        "high": pa.array(np.round(np.maximum(close, close[::-1]) + spread, shape.price_decimals)),
        "low": pa.array(np.round(np.minimum(close, close[::-1]) - spread, shape.price_decimals)),
        "close": pa.array(close),
        "volume": pa.array(volume, mask=generator.random(count) < shape.unknown_volumes),
        "vwap": pa.array(close + spread / 3, mask=np.full(count, not shape.with_vwap)),
        "trade_count": pa.array(generator.integers(1, 50, count), mask=np.full(count, not shape.with_trades)),
        "regular": pa.array(regular[kept]),
    }
    return pa.table(columns).cast(BAR_SCHEMA)
