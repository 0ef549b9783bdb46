"""What `marketdata publish` has to publish of a feed, round by round, until nothing of it is left to do.

A publication may leave more behind than it found: where prices turn out to need doubles everything of the feed is
taken down, and the lake may be written to meanwhile. How a partition is published is in `publishing`.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import is_partition_key, partition_span
from marketdata_pipelines.domain.store_tables import StoreSet, store_sets
from marketdata_pipelines.pipeline.publishing import PublishOutcome, behind_of
from marketdata_pipelines.stores.lake.lake import Lake

if TYPE_CHECKING:
    from marketdata_pipelines.stores.timescale.publishing import TimescaleStore

# What is behind after so many rounds, somebody keeps writing.
_ROUNDS = 3
_Place = tuple[str, str]


class PublishRounds:
    """The rounds of one feed: first what is asked for, then what that has left behind.

    Asked for is what is behind, or with a date given all that holds dates of the range. What was behind outside of that
    range stays behind, and a partition that failed is not tried again.
    """

    def __init__(
        self, lake: Lake, store: "TimescaleStore", feed: Feed, start: date | None = None, end: date | None = None
    ) -> None:
        self._lake, self._store, self._feed = lake, store, feed
        self._start, self._end = start, end
        self._rounds = 0
        self._left: set[_Place] = set()

    def next(self) -> Mapping[StoreSet, list[str]]:
        """What to publish now, by publishing asset; empty once there is nothing more."""
        self._rounds += 1
        if self._rounds > _ROUNDS:
            return {}
        behind = {each: list(behind_of(self._lake, self._store, self._feed, each)) for each in store_sets(self._feed)}
        if self._rounds > 1:
            wanted = {
                each: [key for key in keys if (each.name, key) not in self._left] for each, keys in behind.items()
            }
        elif self._start is None and self._end is None:
            wanted = behind
        else:
            wanted = {each: self._of_range(each) for each in behind}
            self._left = {(each.name, key) for each, keys in behind.items() for key in keys if key not in wanted[each]}
        return {each: keys for each, keys in wanted.items() if keys}

    def note(self, outcome: PublishOutcome) -> None:
        """What became of a partition of this round."""
        if outcome.failed is not None:
            self._left.add((outcome.asset, outcome.partition))

    def _of_range(self, store_set: StoreSet) -> list[str]:
        known: set[str] = set()
        for table in store_set.tables:
            known |= {each.partition for each in self._lake.catalog.stored(table, self._feed.name)}
            known |= self._store.published(self._feed.name, table).keys()
        low, high = self._start or date.min, self._end or date.max
        spans = {key: partition_span(key, store_set.period) for key in known if is_partition_key(key, store_set.period)}
        return sorted(key for key, (first, last) in spans.items() if first <= high and last >= low)
