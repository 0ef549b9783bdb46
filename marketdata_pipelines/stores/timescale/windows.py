"""Which days of the session clock a published partition covers, and the clock of those days."""

from datetime import timedelta

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.session_clock import SessionClock
from marketdata_pipelines.domain.tables import VALIDATED_BARS, feed_tables
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.feeds import coarse_tables
from marketdata_pipelines.stores.timescale.rollups import Window


def partition_window(feed: Feed, table: str, partition: str) -> Window:
    """The days of a partition of `validated_bars` or of a coarse table.

    Errors: StoreError for a table that is not published; ValueError for a key that is no partition of it.
    """
    periods = {name: table_set.period for table_set in feed_tables(feed) for name in table_set.tables}
    if table != VALIDATED_BARS and table not in coarse_tables(feed):
        known = ", ".join((VALIDATED_BARS, *coarse_tables(feed)))
        raise StoreError(f"{feed.name} has no published table {table}; there: {known}")
    period = period_of(feed.partition) if table == VALIDATED_BARS else periods[table]
    first, last = partition_span(partition, period)
    return Window(first, last + timedelta(days=1))


def window_clock(feed: Feed, window: Window) -> SessionClock:
    """The session clock of a window's sessions.

    Errors: StoreError naming the session whose hours do not fit into its day.
    """
    try:
        return SessionClock(feed, window.first, window.last - timedelta(days=1))
    except ValueError as error:
        raise StoreError(f"{feed.name} cannot be published: {error}") from error
