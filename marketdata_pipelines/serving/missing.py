"""Gaps of a feed over a range: stored bars against the calendar."""

from collections.abc import Sequence

import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.gaps import Gap, Span, find_gaps, gap_table
from marketdata_pipelines.domain.partitions import partition_keys, partition_span, period_of
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.stores.lake.duck import connect, create_view, query_text
from marketdata_pipelines.stores.lake.lake import Lake

_COLUMNS = ["symbol", "ts", "regular"]


def missing_bars(lake: Lake, feed: Feed, wanted: TimeRange, symbols: Sequence[str] | None) -> pa.Table:
    """Minutes, and whole sessions, without a bar between each symbol's first and last (GAP_SCHEMA)."""
    spans = _spans(lake, feed, symbols)
    if not spans:
        return gap_table([])
    # Nothing can have been brought of what came after the newest ingest.
    horizon_us = max(lake.catalog.horizons(feed.name).values(), default=0)
    stored = {item.partition for item in lake.catalog.stored(VALIDATED_BARS, feed.name)}
    found: list[Gap] = []
    for key in _keys(feed, min(stored), max(stored), wanted):
        sessions = [
            session
            for session in feed_calendar(feed).sessions(*partition_span(key, period_of(feed.partition)))
            if (wanted.start_date is None or session.date >= wanted.start_date)
            and (wanted.end_date is None or session.date <= wanted.end_date)
        ]
        if sessions:
            bars = _regular_times(lake, feed, key) if key in stored else BAR_SCHEMA.empty_table().select(_COLUMNS)
            found += find_gaps(feed, bars, sessions, spans, horizon_us)
    return gap_table(sorted(found, key=lambda gap: (gap.symbol, gap.first_missing)))


def _keys(feed: Feed, first: str, last: str, wanted: TimeRange) -> list[str]:
    period = period_of(feed.partition)
    low, high = wanted.partitions(period)
    first, last = max(first, low), min(last, high)
    if first > last:
        return []
    return partition_keys(partition_span(first, period)[0], partition_span(last, period)[1], period)


def _spans(lake: Lake, feed: Feed, symbols: Sequence[str] | None) -> dict[str, Span]:
    stored = lake.catalog.stored(VALIDATED_BARS, feed.name)
    if not stored:
        return {}
    with connect() as connection:
        create_view(connection, VALIDATED_BARS, lake.layout.root, stored)
        rows = connection.execute(query_text("select_symbol_spans")).fetchall()
    return {name: Span(first, last) for name, first, last in rows if symbols is None or name in symbols}


def _regular_times(lake: Lake, feed: Feed, key: str) -> pa.Table:
    bars = lake.read(VALIDATED_BARS, feed.name, key, _COLUMNS)
    return bars.filter(bars["regular"])
