"""2d, 1w and 1M bars from 1d bars, wherever those lie.

A bucket lives in the partition of its label and reads the 1d bars it spans, also those of neighbouring partitions.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.intervals import table_name
from marketdata_pipelines.domain.labels import bucket_days
from marketdata_pipelines.domain.partitions import Period, partition_key, partition_span, period_of
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_calendar
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.pipeline.aggregate import aggregate_days, aggregate_partition, labelled_between
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.stores.lake.lake import Lake

DAILY_TABLE = table_name("1d")
_TIMEFRAMES = {table_name(name): name for name in ("2d", "1w", "1M")}
SEVERAL_DAYS = tuple(_TIMEFRAMES)


class CoarseBars:
    """Derives the tables of several days of one feed."""

    def __init__(self, lake: Lake, feed: Feed) -> None:
        self._lake, self._feed = lake, feed
        self._period = period_of(feed.partition)
        stores_days = any(DAILY_TABLE in table_set.tables for table_set in t.feed_tables(feed))
        # A feed of daily bars has no table of 1d bars beside its validated ones.
        self.source_table = DAILY_TABLE if stores_days else t.VALIDATED_BARS

    def tables(
        self, names: Sequence[str], start: date, end: date, fresh: Mapping[str, pa.Table] | None = None
    ) -> dict[str, pa.Table]:
        """The buckets labelled in start..end (both included) of some tables.

        `fresh`: 1d bars of base partitions that are not stored yet, by key.
        """
        made = {}
        for name in names:
            timeframe = _TIMEFRAMES[name]
            # Days before `start` are in buckets labelled before it.
            daily, horizon_us = self._daily_between(start, self.reach(end, timeframe), fresh or {})
            made[name] = labelled_between(aggregate_days(self._feed, daily, timeframe, horizon_us), start, end)
        return made

    def label_partitions(self, key: str, name: str, sessions: Sequence[Session]) -> list[str]:
        """The base partitions whose buckets a base partition's bars are in: itself, perhaps the one before."""
        first = sessions[0].date if sessions else None
        if self._feed.anchor is Anchor.UTC:
            # Every UTC day may have bars, whatever the calendar says.
            first = partition_span(key, self._period)[0]
        found = {key}
        if first is not None:
            found.add(partition_key(bucket_days(self._feed, first, _TIMEFRAMES[name])[0], self._period))
        return sorted(found)

    def source_keys(self, start: date, end: date, name: str) -> tuple[str, str]:
        """The first and last base partition whose 1d bars the buckets labelled in start..end are made of."""
        last = self.reach(end, _TIMEFRAMES[name])
        return partition_key(start, self._period), partition_key(last, self._period)

    def source_inputs(self, first: str = "", last: str = "9999-99-99") -> dict[str, str]:
        """What the stored 1d bars of base partitions first..last are derived from, by partition."""
        stored = self._lake.catalog.stored(self.source_table, self._feed.name, first, last)
        return {item.partition: item.inputs for item in stored}

    def reach(self, end: date, timeframe: str) -> date:
        """The last day that can have bars of the buckets labelled until `end`."""
        if self._feed.anchor is Anchor.UTC:
            return max(end, bucket_days(self._feed, end, timeframe)[1])
        # `end` may be no session: the bucket that reaches beyond it is that of the last session before it.
        calendar = feed_calendar(self._feed)
        near = calendar.sessions(end - timedelta(days=10), end)
        last = bucket_days(self._feed, near[-1].date if near else end, timeframe)[1]
        beyond = calendar.sessions(end + timedelta(days=1), last)
        return beyond[-1].date if beyond else end

    def _daily_between(self, first: date, last: date, fresh: Mapping[str, pa.Table]) -> tuple[pa.Table, int]:
        """1d bars dated first..last, and when the newest of their sources became known."""
        start, end = partition_key(first, self._period), partition_key(last, self._period)
        stored = {item.partition for item in self._lake.catalog.stored(self.source_table, self._feed.name, start, end)}
        keys = sorted(stored | {key for key in fresh if start <= key <= end})
        horizons = self._lake.catalog.horizons(self._feed.name, start, end)
        tables = [fresh[key] if key in fresh else self._stored_daily(key, horizons.get(key, 0)) for key in keys]
        if not tables:
            return AGGREGATE_SCHEMA.empty_table(), 0
        return joined_days(tables, first, last), max(horizons.values(), default=0)

    def _stored_daily(self, key: str, horizon_us: int) -> pa.Table:
        table = self._lake.read(self.source_table, self._feed.name, key)
        if self.source_table == DAILY_TABLE:
            return table
        return aggregate_partition(self._feed, self.grid(key), table, horizon_us).daily

    def grid(self, key: str) -> SessionGrid:
        """The sessions around a base partition."""
        start, end = partition_span(key, self._period)
        return SessionGrid(self._feed, start - timedelta(days=4), end + timedelta(days=4))


def joined_days(tables: Sequence[pa.Table], first: date, last: date) -> pa.Table:
    """The 1d bars dated first..last of one or more partitions, in order of (symbol, ts)."""
    if len(tables) == 1:
        return labelled_between(tables[0], first, last)
    whole = labelled_between(pa.concat_tables(tables), first, last)
    text = whole.set_column(0, "symbol", whole["symbol"].cast(pa.string()))
    return text.sort_by([("symbol", "ascending"), ("ts", "ascending")])


def bucket_inputs(versions: Versions, sources: Mapping[str, str]) -> str:
    """The digest of buckets made of 1d bars; `sources`: what these are derived from, by base partition."""
    return versions.inputs(sources[key] for key in sorted(sources))


def is_shared(feed: Feed, asset: str) -> bool:
    """Whether an asset of several days shares the base partitioning (weeks and months of day feeds do not)."""
    periods: dict[str, Period] = {table_set.name: table_set.period for table_set in t.feed_tables(feed)}
    return periods.get(asset) is period_of(feed.partition)
