"""Buckets of several days that share the base partitioning: those a partition's bars are in, also a neighbour's.

2d bars always do, 1w and 1M bars where the base partition is a month or a year. A bucket lives in the partition of
its label, so a partition's first sessions may belong to a bucket of the partition before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.pipeline.coarse import DAILY_TABLE, CoarseBars, bucket_inputs, is_shared
from marketdata_pipelines.pipeline.versions import Versions

_SEVERAL_DAYS = (t.DAILY_BARS, t.WEEKLY_BARS, t.MONTHLY_BARS)


@dataclass(frozen=True, slots=True)
class BucketTable:
    """One table of one partition; `table` is None where nothing is left of it."""

    name: str
    partition: str
    table: pa.Table | None
    inputs: str


class SharedBuckets:
    """Derives these tables for one partition after another."""

    def __init__(self, feed: Feed, coarse: CoarseBars, versions: Versions) -> None:
        self._feed, self._coarse, self._versions = feed, coarse, versions
        self._period = period_of(feed.partition)
        self.names = {
            table_set.name: tuple(name for name in table_set.tables if name != DAILY_TABLE)
            for table_set in t.feed_tables(feed)
            if table_set.name in _SEVERAL_DAYS and is_shared(feed, table_set.name)
        }

    def source_spans(self, key: str, sessions: Sequence[Session]) -> list[tuple[str, str]]:
        """The first and last base partition whose bars go into each bucket table that a partition's bars are in."""
        spans = []
        for name in dict.fromkeys(name for names in self.names.values() for name in names):
            for label_key in self._coarse.label_partitions(key, name, sessions):
                spans.append(self._coarse.source_keys(*partition_span(label_key, self._period), name))
        return spans

    def derive(
        self, asset: str, key: str, sessions: Sequence[Session], daily: pa.Table, source: str
    ) -> list[BucketTable]:
        """The asset's tables that a partition's bars are in, its own first.

        `daily`: the partition's 1d bars; `source`: the digest of what they are derived from.
        """
        return self._tables(asset, key, sessions, daily, source)

    def withdraw(self, key: str, sessions: Sequence[Session]) -> list[BucketTable]:
        """The same tables of every asset, once nothing of the partition stands any more."""
        nothing = AGGREGATE_SCHEMA.empty_table()
        return [made for asset in self.names for made in self._tables(asset, key, sessions, nothing, None)]

    def _tables(
        self, asset: str, key: str, sessions: Sequence[Session], daily: pa.Table, source: str | None
    ) -> list[BucketTable]:
        made = []
        for name in self.names[asset]:
            for label_key in sorted(self._coarse.label_partitions(key, name, sessions), reverse=True):
                start, end = partition_span(label_key, self._period)
                table = self._coarse.tables((name,), start, end, {key: daily})[name]
                first, last = self._coarse.source_keys(start, end, name)
                sources = self._coarse.source_inputs(first, last)
                sources.pop(key, None)
                if source is not None:
                    sources[key] = source
                # A partition without bars of its own has a table only for the sake of others' bars.
                kept = table if table.num_rows or label_key in sources else None
                made.append(BucketTable(name, label_key, kept, bucket_inputs(self._versions, sources)))
        return made
