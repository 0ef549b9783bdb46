"""A view over a range: its partitions' states, finished by one query (docs/decisions/0004)."""

import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.bars import rows_in_range
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.serving.rows import RowSource
from marketdata_pipelines.stores.lake.duck import connect, query_text
from marketdata_pipelines.stores.lake.lake import Lake

# Views that are finished from another table's rows than their own.
_SOURCES = {t.HOURLY_VOLUME: t.VALIDATED_BARS, t.SYMBOL_PERFORMANCE: t.DAILY_SUMMARY}


def answer_view(lake: Lake, source: RowSource, view: str, wanted: TimeRange) -> pa.Table:
    """The rows of a view over session dates, both ends included.

    Errors: SettingsInvalid for a name that is no view of the feed; PartitionMissing when nothing is there.
    """
    feed = source.feed
    names = [table_set.name for table_set in t.feed_tables(feed) if table_set.name in t.VIEWS]
    if view not in names:
        raise SettingsInvalid(f"{view!r} is no view of {feed.name}; there: {', '.join(names)}")
    table = _SOURCES.get(view, view)
    # Its returns need the close before the range.
    history = wanted if view != t.DAILY_SUMMARY else TimeRange(end_date=wanted.end_date)
    rows = rows_in_range(source, table, history, period_of(feed.partition))
    parameters: dict[str, object] = {"start_date": wanted.start_date, "end_date": wanted.end_date}
    if view == t.HOURLY_VOLUME:
        parameters["zone"] = _zone(feed)
    with connect() as connection:
        connection.execute(f'create temp view "{table}" as {rows.relation(connection, lake, "rows")}')
        return connection.sql(query_text(f"select_{view}"), params=parameters).to_arrow_table()


def _zone(feed: Feed) -> str:
    from marketdata_pipelines.domain.session_grid import feed_calendar

    return feed_calendar(feed).zone
