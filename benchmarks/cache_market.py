"""The lake that benchmarks/cache.py asks: minute bars of many symbols, whose newest session grows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.feeds import (
    CalendarSpec,
    Feed,
    PartitionBy,
    SourceKind,
    SourceSpec,
    default_anchor,
    default_asset_class,
)
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.tables import LATEST_BARS, VALIDATED_BARS
from marketdata_pipelines.domain.views import latest_bars
from marketdata_pipelines.serving.cache.loader import LakeLoader
from marketdata_pipelines.serving.cache.revisions import LakeRevisions
from marketdata_pipelines.serving.cache.second import SecondTier
from marketdata_pipelines.serving.cache.statistics import Statistics
from marketdata_pipelines.serving.cache.tiers import CacheTiers
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite, digest
from marketdata_pipelines.stores.redis.client import connect
from marketdata_pipelines.stores.redis.store import RedisStore

FEED, MINUTES, FIRST_DAY = "bench", 390, 19_783
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
OPEN_US = 52_200_000_000


def session_bars(names: Sequence[str], day: int, minutes: int, random: np.random.Generator) -> pa.Table:
    """The first minutes of a session, prices in cents along a random walk."""
    count = len(names) * minutes
    close = np.round(100 + np.cumsum(random.normal(0, 0.02, (len(names), minutes)), axis=1).ravel(), 2)
    ts = np.tile(np.arange(minutes) * MINUTE_US + day * DAY_US + OPEN_US, len(names))
    codes = np.repeat(np.arange(len(names), dtype=np.int32), minutes)
    columns = {
        "symbol": pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names)),
        "ts": pa.array(ts).view(pa.timestamp("us", tz="UTC")),
        "ts_close": pa.array(ts + MINUTE_US).view(pa.timestamp("us", tz="UTC")),
        "session_date": pa.array(np.full(count, day, np.int32)).view(pa.date32()),
        "open": pa.array(close),
        "high": pa.array(np.round(close + 0.03, 2)),
        "low": pa.array(np.round(close - 0.03, 2)),
        "close": pa.array(close),
        "volume": pa.array(random.integers(1, 5_000, count).astype(np.float64)),
        "vwap": pa.nulls(count, pa.float64()),
        "trade_count": pa.nulls(count, pa.int64()),
        "regular": pa.array(np.ones(count, np.bool_)),
    }
    return pa.table(columns, schema=BAR_SCHEMA)


def the_feed() -> Feed:
    """A feed of minute bars of American shares."""
    return Feed(
        name=FEED,
        source=SourceSpec(SourceKind.FILES),
        interval=parse_interval("1m"),
        calendar=CalendarSpec("XNYS", (), ()),
        asset_class=default_asset_class("XNYS"),
        data=None,
        anchor=default_anchor("XNYS"),
        partition=PartitionBy.DAY,
    )


class Market:
    """A lake whose newest session grows."""

    def __init__(self, root: Path, symbols: int, sessions: int) -> None:
        self.lake, self.feed, self._random = Lake(root), the_feed(), np.random.default_rng(7)
        self.names = [f"S{number:04d}" for number in range(symbols)]
        self.newest = FIRST_DAY + sessions - 1
        for day in range(FIRST_DAY, self.newest + 1):
            self.publish(day, MINUTES)

    def publish(self, day: int, minutes: int) -> tuple[str, str, pa.Table]:
        """Store a session's first minutes; returns its partition, revision and bars."""
        key = np.datetime64(day, "D").item().isoformat()
        bars = session_bars(self.names, day, minutes, self._random)
        inputs = digest([key, str(minutes), str(self._random.integers(1 << 60))])
        writes = [
            TableWrite(VALIDATED_BARS, key, bars, inputs),
            TableWrite(LATEST_BARS, key, latest_bars(bars), inputs),
        ]
        self.lake.store(FEED, writes, {})
        return key, inputs, bars

    def tiers(self, url: str, *, max_bytes: int = 256_000_000, listens: bool = False) -> CacheTiers:
        """Tiers as a process of their own would have them."""
        statistics = Statistics()
        second = SecondTier(RedisStore.at(url, "bench"), statistics, listen=(lambda: connect(url)) if listens else None)
        loader = LakeLoader(self.lake, no_views)
        revisions = LakeRevisions(self.lake.layout.catalog)
        return CacheTiers(loader, revisions, second, max_bytes=max_bytes, statistics=statistics)


def no_views(*_: object) -> pa.Table:
    """Views are not asked for here."""
    raise LookupError("no views in this benchmark")
