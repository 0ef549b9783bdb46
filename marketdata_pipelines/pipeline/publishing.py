"""Brings what the lake has of a feed's bars into a serving store, partition by partition, and checks that both agree.

What is behind is told by comparing the lake's index with the store's ledger. How rows are replaced is in
`stores.timescale`, what goes to Redis in `hot_set`, the views of dashboards in `store_views`.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, is_partition_key, partition_key, partition_span, period_of
from marketdata_pipelines.domain.store_tables import TRADES, StoreSet, has_trades, rollup_tables, store_sets
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import MarketDataError, PartitionConflict, PartitionMissing, StoreUnavailable
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.quality_events import QualityEvents

if TYPE_CHECKING:
    from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
    from marketdata_pipelines.stores.timescale.records import Difference, Published

logger = logging.getLogger(__name__)
_READS = 5


@dataclass(frozen=True, slots=True)
class TablePublished:
    """One table of a partition as it stands in the store; `changed`: whether any row had to be written."""

    table: str
    rows: int
    symbols: int
    inputs: str
    changed: bool


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """One partition of one publishing asset, done or failed.

    `differences` are between the store's rows and the lake's, `rollup_differences` between what the store has
    combined and the lake's aggregates; None where that was not looked at. `failed` says why nothing was written.
    """

    feed: str
    asset: str
    partition: str
    tables: tuple[TablePublished, ...]
    seconds: float
    differences: "tuple[Difference, ...]" = ()
    rollup_differences: "tuple[Difference, ...] | None" = None
    failed: str | None = None

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.tables)

    @property
    def symbols(self) -> int:
        return max((each.symbols for each in self.tables), default=0)

    @property
    def changed(self) -> bool:
        return any(each.changed for each in self.tables)

    @property
    def agrees(self) -> bool:
        """Whether it was published and nothing differs."""
        return self.failed is None and not self.differences and not self.rollup_differences


def partitions_behind(lake: Lake, store: "TimescaleStore", feed: Feed) -> dict[str, dict[str, str]]:
    """By publishing asset its partitions the store does not have as the lake has them, with the digest of why.

    Those the lake has lost are among them: they are removed.
    """
    return {each.name: found for each in store_sets(feed) if (found := behind_of(lake, store, feed, each))}


def behind_of(lake: Lake, store: "TimescaleStore", feed: Feed, store_set: StoreSet) -> dict[str, str]:
    """The partitions of one publishing asset that are behind, in order, with what the lake has: its digests."""
    behind: dict[str, str] = {}
    oldest = oldest_kept(lake, feed, store_set)
    for table in store_set.tables:
        there = {each.partition: each.inputs for each in lake.catalog.stored(table, feed.name)}
        ledger = store.published(feed.name, table)
        for key in there.keys() | ledger.keys():
            # A feed may have been partitioned another way before.
            is_one = is_partition_key(key, store_set.period)
            if is_one and key >= oldest and _is_behind(there.get(key), ledger.get(key)):
                behind[key] = f"{behind.get(key, '')}{table}={there.get(key, 'gone')};"
    if VALIDATED_BARS in store_set.tables and has_trades(feed):
        from marketdata_pipelines.pipeline.published_trades import trades_behind

        for key, inputs in trades_behind(lake, store, feed).items():
            if key >= oldest:
                behind[key] = f"{behind.get(key, '')}{TRADES}={inputs};"
    return dict(sorted(behind.items()))


def oldest_kept(lake: Lake, feed: Feed, store_set: StoreSet) -> str:
    """The oldest partition key a store keeps, by the feed's `keep_days`; empty where it keeps everything.

    Days, weeks and months are kept: all of them are less than one session of minutes.
    """
    if feed.publish.keep_days is None or VALIDATED_BARS not in store_set.tables:
        return ""
    stored = lake.catalog.stored(VALIDATED_BARS, feed.name)
    if not stored:
        return ""
    period = period_of(feed.partition)
    newest = partition_span(stored[-1].partition, period)[1]
    return partition_key(newest - timedelta(days=feed.publish.keep_days), period)


class Publisher:
    """Publishes partitions of one feed; `ready` first."""

    def __init__(self, lake: Lake, store: "TimescaleStore", feed: Feed, *, run_id: str = "") -> None:
        self._lake, self._store, self._feed, self._run_id = lake, store, feed, run_id

    def ready(self) -> None:
        """Make the feed's schema, and finish rollups that a killed publisher has left."""
        self._store.ensure_feed(self._feed)
        self._store.finish_rollups(self._feed)

    def publish(self, store_set: StoreSet, keys: Iterable[str]) -> Iterator[PublishOutcome]:
        """Publish partitions one by one; one that fails fails alone, its reason in the outcome.

        A partition neither the lake nor the store has gives no outcome. What is older than the store keeps neither.
        One that a later one undid gives a second outcome: where prices turn out to need doubles, everything of the
        feed is taken down.

        Errors: StoreUnavailable once the server does not answer any more: the others would fail as well.
        """
        oldest = oldest_kept(self._lake, self._feed, store_set)
        done: list[str] = []
        for key in keys:
            outcome = self._attempt(store_set, key) if key >= oldest else None
            if outcome is not None:
                done += [key] if outcome.failed is None else []
                yield outcome
        if len(done) < 2 or VALIDATED_BARS not in store_set.tables:
            return
        behind = behind_of(self._lake, self._store, self._feed, store_set)
        again = (self._attempt(store_set, key) for key in done if key in behind)
        yield from (outcome for outcome in again if outcome is not None)

    def _attempt(self, store_set: StoreSet, key: str) -> PublishOutcome | None:
        began = time.monotonic()
        try:
            outcome = self._publish(store_set, key, began)
        except StoreUnavailable:
            raise
        except MarketDataError as error:
            seconds = time.monotonic() - began
            outcome = PublishOutcome(self._feed.name, store_set.name, key, (), seconds, failed=str(error))
        if outcome is not None:
            logger.info(
                "published %s %s of %s: %d rows, changed %s",
                outcome.asset, key, self._feed.name, outcome.rows, outcome.changed,
            )  # fmt: skip
        return outcome

    def settle(self) -> None:
        """After the last partition: add quality events, compress and drop what the feed's `publish` says."""
        self._add_quality_events()
        publish = self._feed.publish
        if publish.compress_after_days is not None:
            self._store.compress(self._feed, after_days=publish.compress_after_days)
        for store_set in store_sets(self._feed):
            oldest = oldest_kept(self._lake, self._feed, store_set)
            if oldest:
                self._store.drop_before(self._feed, date.fromisoformat(oldest))

    def _add_quality_events(self) -> None:
        log = QualityEvents(self._lake.layout.catalog)
        events = log.read(self._feed.name, after_seq=self._store.newest_quality_event(self._feed))
        if events.num_rows:
            added = self._store.append_quality_events(self._feed, events)
            logger.info("published %d quality events of %s", added, self._feed.name)

    def _publish(self, store_set: StoreSet, key: str, began: float) -> PublishOutcome | None:
        tables: list[TablePublished] = []
        differences: list[Difference] = []
        if VALIDATED_BARS in store_set.tables and has_trades(self._feed):
            from marketdata_pipelines.pipeline.published_trades import publish_trades

            done, differences = publish_trades(self._lake, self._store, self._feed, key, self._run_id)
            tables += [TablePublished(TRADES, done.rows, done.symbols, done.inputs, done.changed)] if done else []
        for table in store_set.tables:
            found = stored_rows(self._lake, self._feed.name, table, key)
            if found is None:
                tables += self._remove(table, key)
                continue
            stored, rows = found
            done = self._store.replace_partition(
                self._feed,
                table,
                key,
                rows,
                stored.inputs,
                horizon_of(self._lake, self._feed, store_set.period, key),
                self._run_id,
            )
            tables.append(TablePublished(table, done.rows, done.symbols, stored.inputs, done.changed))
            differences += self._store.compare(self._feed, table, key, rows)
        if not tables:
            return None
        rollups = self._rollup_differences(key) if VALIDATED_BARS in store_set.tables else None
        seconds = time.monotonic() - began
        return PublishOutcome(self._feed.name, store_set.name, key, tuple(tables), seconds, tuple(differences), rollups)

    def _remove(self, table: str, key: str) -> list[TablePublished]:
        if key not in self._store.published(self._feed.name, table):
            return []
        self._store.remove_partition(self._feed, table, key)
        return [TablePublished(table, 0, 0, "", True)]

    def _rollup_differences(self, key: str) -> "tuple[Difference, ...] | None":
        """None where the lake's own aggregates are not there or not of the bars that are: nothing to compare with."""
        aggregates = aggregates_of(self._lake, self._feed, key)
        if not aggregates:
            return None
        return tuple(self._store.compare_rollups(self._feed, key, aggregates))


def horizon_of(lake: Lake, feed: Feed, period: Period, key: str) -> int:
    """When the newest raw part behind a partition became known, UTC microseconds; 0 where there is none."""
    base = period_of(feed.partition)
    first, last = (partition_key(day, base) for day in partition_span(key, period))
    return max(lake.catalog.horizons(feed.name, first, last).values(), default=0)


def stored_rows(lake: Lake, feed: str, table: str, key: str) -> tuple[Stored, pa.Table] | None:
    """A partition with the index entry its rows are of; None where the lake does not have it.

    Errors: PartitionConflict where others replace it again and again.
    """
    for _ in range(_READS):
        stored = lake.catalog.stored_partition(table, feed, key)
        if stored is None:
            return None
        try:
            rows = lake.read(table, feed, key)
        except PartitionMissing:
            continue
        after = lake.catalog.stored_partition(table, feed, key)
        if after is not None and after.inputs == stored.inputs:
            return stored, rows
    raise PartitionConflict(f"{table} of {feed} for {key} is being written over and over; publish it again later")


def aggregates_of(lake: Lake, feed: Feed, key: str) -> Mapping[str, pa.Table]:
    """The lake's tables of a base partition that a store combines by itself; only where they are of its bars."""
    from marketdata_pipelines.pipeline.standing import is_derived

    return {
        table: lake.read(table, feed.name, key) for table in rollup_tables(feed) if is_derived(lake, feed, table, key)
    }


def _is_behind(inputs: str | None, ledger: "Published | None") -> bool:
    if inputs is None:
        return ledger is not None
    return ledger is None or ledger.inputs != inputs or not ledger.rolled


def sql_example(feed: Feed, store_set: StoreSet, key: str) -> str:
    """A query that shows what was published, for people who have never seen the schema."""
    first, last = partition_span(key, store_set.period)
    view = f"bars_{feed.interval.name}" if VALIDATED_BARS in store_set.tables else store_set.tables[0]
    return (
        f'select *\nfrom "{feed.name}".{view}\n'
        f"where session_date between '{first}' and '{last}'\norder by symbol, ts\nlimit 100"
    )
