"""A feed's tables as they would have been answered at an earlier instant, derived in memory.

Everything below the raw parts is a pure function of those known by then; nothing is stored here, and nothing that is
stored is read but raw parts. What is answered from these tables is the affair of `serving`.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import table_name
from marketdata_pipelines.domain.partitions import (
    Period,
    is_partition_key,
    partition_keys,
    partition_span,
    period_of,
)
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_calendar
from marketdata_pipelines.domain.sessions import open_calendar
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.pipeline.aggregate import (
    PartitionAggregates,
    aggregate_days,
    aggregate_partition,
    labelled_between,
)
from marketdata_pipelines.pipeline.coarse import DAILY_TABLE, SEVERAL_DAYS, CoarseBars, joined_days
from marketdata_pipelines.pipeline.validate import LoadedPart, Validated, validate_parts
from marketdata_pipelines.pipeline.views import build_view
from marketdata_pipelines.stores.lake.catalog import StandingPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.symbol_rows import only_rows

# Partitions whose derivation is kept: neighbours are asked for again by buckets of several days.
_KEPT = 32
_TIMEFRAMES = {table_name(name): name for name in ("2d", "1w", "1M")}


class PastTables:
    """The tables of one feed as of one instant: what had become known by then, `as_of_us` included.

    `feed` is the definition to derive by: the one in force then. Keys and tables are those of the lake.
    """

    def __init__(self, lake: Lake, feed: Feed, as_of_us: int | None = None) -> None:
        self._lake, self._feed, self.as_of_us = lake, feed, as_of_us
        self._base = period_of(feed.partition)
        self._coarse = CoarseBars(lake, feed)
        self._calendar = feed_calendar(feed)
        self._periods = {name: each.period for each in t.feed_tables(feed) for name in each.tables}
        self._parts: dict[str, list[StandingPart]] | None = None
        self.validated: Callable[[str], Validated] = lru_cache(maxsize=_KEPT)(self._validate)
        self._aggregates: Callable[[str], PartitionAggregates] = lru_cache(maxsize=_KEPT)(self._aggregate)

    def partitions(self, table: str, start: str = "", end: str = "9999-99-99") -> list[str]:
        """The partitions in start..end that can have rows of a table, in order.

        Errors: PartitionMissing for a table the feed does not have.
        """
        period = self._period(table)
        known = [key for key in self._known() if is_partition_key(key, self._base)]
        if period is not self._base:
            spans = [partition_span(key, self._base) for key in known]
            known = sorted({key for first, last in spans for key in partition_keys(first, last, period)})
        elif table in SEVERAL_DAYS and known:
            labelled = {label for key in known for label in self._labels(key, table)}
            known = sorted(labelled)
        return [key for key in known if start <= key <= end]

    def read(self, table: str, key: str) -> pa.Table:
        """One partition of a table, as the lake would hold it; without rows where there are none.

        Errors: PartitionMissing for a table the feed does not have.
        """
        if self._period(table) is not self._base or table in SEVERAL_DAYS:
            return self._several_days(table, key)
        if table == t.VALIDATED_BARS:
            return self.validated(key).bars
        if table == t.REJECTED_BARS:
            return self.validated(key).rejected
        made = self._aggregates(key)
        if table == DAILY_TABLE:
            return made.daily
        if table in made.intraday:
            return made.intraday[table]
        sessions = self._calendar.sessions(*partition_span(key, self._base))
        return build_view(table, self.validated(key).bars, made.daily, sessions, self._zone())

    def sources(self, table: str, key: str) -> list[str]:
        """The base partitions a partition of a table is made of, as far as something of them was known."""
        if self._period(table) is self._base and table not in SEVERAL_DAYS:
            return [key]
        first, last = self._coarse.source_keys(*partition_span(key, self._period(table)), table)
        return [found for found in self._known() if first <= found <= last and is_partition_key(found, self._base)]

    def horizon_us(self, key: str) -> int:
        """When the newest raw part of a base partition became known; 0 where there is none."""
        return max((part.ingest.known_at_us for part in self.parts(key)), default=0)

    def parts(self, key: str) -> list[StandingPart]:
        """The raw parts of a base partition that counted then, in ledger order."""
        return self._known().get(key, [])

    def rows(self, table: str, key: str, symbol: str) -> pa.Table:
        """The rows of one symbol in a partition of a table. Errors as `read`."""
        return only_rows(self.read(table, key), [symbol], ())

    def loaded(self, key: str) -> list[LoadedPart]:
        """The same with their rows.

        Errors: PartitionMissing where a part's file was removed by a policy of retention.
        """
        return [LoadedPart(part, self._lake.read_part(self._feed.name, part.part)) for part in self.parts(key)]

    def _known(self) -> dict[str, list[StandingPart]]:
        if self._parts is None:
            known: dict[str, list[StandingPart]] = {}
            for part in self._lake.catalog.standing_parts(self._feed.name, as_of_us=self.as_of_us):
                known.setdefault(part.part.partition, []).append(part)
            # Set when it is whole: several threads may read.
            self._parts = dict(sorted(known.items()))
        return self._parts

    def _validate(self, key: str) -> Validated:
        return validate_parts(self._feed, self._coarse.grid(key), self.loaded(key))

    def _aggregate(self, key: str) -> PartitionAggregates:
        grid: SessionGrid = self._coarse.grid(key)
        return aggregate_partition(self._feed, grid, self.validated(key).bars, self.horizon_us(key))

    def _several_days(self, table: str, key: str) -> pa.Table:
        start, end = partition_span(key, self._period(table))
        keys = self.sources(table, key)
        if not keys:
            return AGGREGATE_SCHEMA.empty_table()
        # As `CoarseBars` does for stored ones: only days that the buckets labelled in start..end are made of.
        last = self._coarse.reach(end, _TIMEFRAMES[table])
        daily = joined_days([self._aggregates(source).daily for source in keys], start, last)
        horizon_us = max(self.horizon_us(source) for source in keys)
        return labelled_between(aggregate_days(self._feed, daily, _TIMEFRAMES[table], horizon_us), start, end)

    def _labels(self, key: str, table: str) -> Sequence[str]:
        sessions = self._calendar.sessions(*partition_span(key, self._base))
        return self._coarse.label_partitions(key, table, sessions)

    def _period(self, table: str) -> Period:
        if table not in self._periods:
            raise PartitionMissing(f"{self._feed.name} has no table {table}; there: {', '.join(self._periods)}")
        return self._periods[table]

    def _zone(self) -> str:
        return "UTC" if self._calendar.zone == "UTC" else open_calendar(self._feed.calendar).zone
