"""The simulated sessions the benchmarks share: which feed, which dates, and their bars as the lake would hold them."""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA, TS
from marketdata_pipelines.domain.feeds import (
    Anchor,
    AssetClass,
    CalendarSpec,
    Feed,
    PartitionBy,
    SourceKind,
    SourceSpec,
)
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.sessions import open_calendar
from marketdata_pipelines.sources.simulated.bars import simulate_bars

DAY = date(2024, 7, 2)


def benchmark_feed(symbols: int, anchor: Anchor) -> Feed:
    """A feed of simulated New York minute bars, cut on sessions or on UTC."""
    return Feed(
        name="bench",
        source=SourceSpec(kind=SourceKind.SIMULATED, symbol_count=symbols, seed=1),
        interval=parse_interval("1m"),
        calendar=CalendarSpec("XNYS"),
        asset_class=AssetClass.EQUITY,
        data=None,
        anchor=anchor,
        partition=PartitionBy.DAY,
    )


def simulated_sessions(feed: Feed, count: int, first: date = DAY) -> Iterator[tuple[str, pa.Table]]:
    """(partition, validated bars) of `count` sessions from a day on; the bars have BAR_SCHEMA."""
    sessions = open_calendar(feed.calendar).sessions(first, first + timedelta(days=2 * count + 10))
    for session in sessions[:count]:
        made = simulate_bars(feed, session.date)
        ts = made["ts"].cast(pa.int64()).to_numpy()
        columns = {name: made[name] for name in made.column_names} | {
            "ts_close": pa.array(ts + feed.interval.us).view(TS),
            "session_date": pa.array([session.date]).take(pa.array(np.zeros(len(ts), np.int64))),
            "regular": pa.array(np.ones(len(ts), bool)),
        }
        yield session.date.isoformat(), pa.table({name: columns[name] for name in BAR_SCHEMA.names}).cast(BAR_SCHEMA)
