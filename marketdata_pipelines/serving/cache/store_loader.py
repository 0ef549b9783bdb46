"""The third tier of a process without a lake: bars from the SQL store, and their revisions from its ledger.

Views are not in there: those of dashboards are tables that people query themselves.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAILY, MONTHLY, WEEKLY, table_name
from marketdata_pipelines.domain.partitions import partition_span
from marketdata_pipelines.domain.tables import VALIDATED_BARS, bar_table
from marketdata_pipelines.errors import PartitionMissing, StoreError, StoreUnavailable
from marketdata_pipelines.pipeline.latest import LATEST_SCHEMA, Latest
from marketdata_pipelines.serving.cache.pieces import empty_answer
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.read_bounds import ReadRange
from marketdata_pipelines.stores.timescale.read_snapshot import Snapshot
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries
from marketdata_pipelines.stores.timescale.revisions import read_revisions, revision_of

# These are published under their own names; what is finer comes with the feed's own bars.
_COARSE = frozenset(table_name(timeframe) for timeframe in (*DAILY, *WEEKLY, *MONTHLY))


class StoreLoader:
    """From PostgreSQL, with or without TimescaleDB. Each answer is of one state of the store, and says of which.

    Errors of every method: StoreUnavailable; StoreError when the server refuses or takes longer than its limit.
    """

    # Of a partition only the regular session is read: other processes are not given that in place of the lake's rows.
    gives_stored_rows = False

    def __init__(self, database: Database) -> None:
        self._queries = TimescaleQueries(database)

    def latest(self, feed: Feed) -> Latest:
        def ask(snapshot: Snapshot) -> Latest:
            parts = snapshot.published(VALIDATED_BARS)
            rows = snapshot.newest_bars(None).cast(LATEST_SCHEMA) if parts else LATEST_SCHEMA.empty_table()
            return Latest(rows, {part.partition: revision_of(part.inputs, part.published_at) for part in parts})

        try:
            return self._queries.answered(feed, ask)
        except PartitionMissing:
            return Latest(LATEST_SCHEMA.empty_table(), {})

    def partition(self, feed: Feed, table: str, partition: str, symbols: Sequence[str]) -> pa.Table:
        timeframe = _timeframe(feed, table)
        first, last = partition_span(partition, bar_table(feed, timeframe)[1])
        try:
            return self._queries.bars(feed, symbols, timeframe, ReadRange(start_date=first, end_date=last))
        except PartitionMissing:
            # Removed since its revision was looked up: whoever asked looks again.
            return empty_answer()

    def partitions(self, feed: Feed, table: str) -> Sequence[str]:
        return sorted(read_revisions(self._queries.database, feed.name, ledger_name(table)))

    def bars(self, feed: Feed, symbols: Sequence[str], timeframe: str, wanted: TimeRange) -> pa.Table:
        asked = ReadRange(wanted.start_date, wanted.end_date, wanted.start_ts, wanted.end_ts)
        return self._queries.bars(feed, symbols, timeframe, asked)

    def view(self, feed: Feed, view: str, wanted: TimeRange) -> pa.Table:
        raise StoreError(
            f"{view} of {feed.name} is answered from the lake, which is not here; the SQL store has the latest days of "
            f'some views as tables of their own, such as "{feed.name}".daily_summary'
        )


class LedgerReading:
    """Reads revisions for `PublishedRevisions`: those the SQL store holds, whichever table of the lake is asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self, feed: str, table: str) -> Mapping[str, str] | None:
        """{partition: revision}; None while the server does not answer."""
        try:
            return read_revisions(self._database, feed, ledger_name(table))
        except StoreUnavailable:
            return None


def ledger_name(table: str) -> str:
    """The name under which the ledger has a table of the lake: buckets within a day come with the bars."""
    return table if table in _COARSE else VALIDATED_BARS


def _timeframe(feed: Feed, table: str) -> str:
    if table == VALIDATED_BARS:
        return feed.interval.name
    return next(timeframe for timeframe in feed.timeframes if table_name(timeframe) == table)
