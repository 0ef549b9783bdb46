"""The third tier: what is answered where nothing is kept, read from the lake. Who asks for it when is in `tiers`."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.pipeline.latest import Latest, LatestBars
from marketdata_pipelines.serving.bars import BarQuestion, answer_bars
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.serving.rows import StoredRows
from marketdata_pipelines.stores.lake.duck import asked_again
from marketdata_pipelines.stores.lake.lake import Lake


class Loader(Protocol):
    """Reads what the tiers above do not have."""

    # Whether `partition` gives all that is stored of a symbol: only that is handed to other processes.
    gives_stored_rows: bool

    def latest(self, feed: Feed) -> Latest:
        """The last bar of each symbol, and what it was made of."""
        ...

    def partition(self, feed: Feed, table: str, partition: str, symbols: Sequence[str]) -> pa.Table:
        """The rows of some symbols in one partition of a table of bars, by (symbol, ts); none where it is not there."""
        ...

    def partitions(self, feed: Feed, table: str) -> Sequence[str]:
        """The partitions of a table, in order."""
        ...

    def bars(self, feed: Feed, symbols: Sequence[str], timeframe: str, wanted: TimeRange) -> pa.Table:
        """Bars of a long range at once, in the columns of `LakeReader.bars`."""
        ...

    def view(self, feed: Feed, view: str, wanted: TimeRange) -> pa.Table:
        """A view over session dates, unadjusted."""
        ...


class LakeLoader:
    """From the lake. What was read is of the revision the index has afterwards, or of one before: never of a later.

    `views` answers a view over two session dates: `LakeReader.table`, or its like.
    """

    gives_stored_rows = True

    def __init__(self, lake: Lake, views: Callable[..., pa.Table]) -> None:
        self._lake, self._views = lake, views
        self._latest = LatestBars(lake)

    def latest(self, feed: Feed) -> Latest:
        found = self._latest.of(feed)
        self._settle(feed)
        return found

    def partition(self, feed: Feed, table: str, partition: str, symbols: Sequence[str]) -> pa.Table:
        try:
            found = self._lake.read(table, feed.name, partition, symbols=symbols)
        except PartitionMissing:
            if self._lake.catalog.stored_partition(table, feed.name, partition) is not None:
                raise
            # Removed since its revision was looked up: whoever asked looks again.
            found = pa.table({"symbol": pa.array([], pa.string())})
        self._settle(feed)
        return found

    def partitions(self, feed: Feed, table: str) -> Sequence[str]:
        return [item.partition for item in self._lake.catalog.stored(table, feed.name)]

    def bars(self, feed: Feed, symbols: Sequence[str], timeframe: str, wanted: TimeRange) -> pa.Table:
        question = BarQuestion(timeframe, tuple(symbols), wanted)
        found = asked_again(lambda: answer_bars(self._lake, StoredRows(self._lake, feed), question))
        self._settle(feed)
        return found

    def view(self, feed: Feed, view: str, wanted: TimeRange) -> pa.Table:
        found = self._views(feed.name, view, wanted.start_date, wanted.end_date)
        self._settle(feed)
        return found

    def _settle(self, feed: Feed) -> None:
        """Wait for a publication on its way: its files are in place before the index says so, for milliseconds."""
        # A lake that may not be written to has no publications either.
        with suppress(OSError), self._lake.publishing(feed.name):
            pass
