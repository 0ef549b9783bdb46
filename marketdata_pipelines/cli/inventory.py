"""What feeds.yaml and the lake hold, as tables."""

from collections.abc import Mapping

import pyarrow as pa

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.lake import Lake

_FEED_SCHEMA = pa.schema(
    [
        ("feed", pa.string()),
        ("interval", pa.string()),
        ("calendar", pa.string()),
        ("source", pa.string()),
        ("partitions", pa.int64()),
        ("bars", pa.int64()),
        ("first_ts", TS),
        ("last_ts", TS),
        ("bytes", pa.int64()),
        ("raw_partitions", pa.int64()),
        ("files_taken_in", pa.int64()),
        ("files_refused", pa.int64()),
        ("description", pa.string()),
    ]
)
_TABLE_SCHEMA = pa.schema(
    [
        ("feed", pa.string()),
        ("table", pa.string()),
        ("partitions", pa.int64()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
    ]
)


def feed_inventory(feeds: Mapping[str, Feed], lake: Lake) -> pa.Table:
    """A row a feed: configured ones in file order, then those that only the lake still knows.

    `partitions`, `bars` and the span are of the validated bars, `bytes` of all derived tables.
    """
    stored = {feed: tables for feed, tables in _bytes_by_feed(lake).items() if feed not in feeds}
    rows = [_feed_row(feed.name, feed, lake) for feed in feeds.values()]
    rows += [_feed_row(name, None, lake) for name in sorted(stored)]
    return pa.Table.from_pylist(rows, schema=_FEED_SCHEMA)


def table_inventory(lake: Lake) -> pa.Table:
    """A row a stored table of a feed."""
    rows = [
        {"feed": feed, "table": table, "partitions": partitions, "rows": count, "bytes": size}
        for table, feed, partitions, count, size in lake.catalog.tables()
    ]
    return pa.Table.from_pylist(rows, schema=_TABLE_SCHEMA)


def _feed_row(name: str, feed: Feed | None, lake: Lake) -> dict[str, object]:
    validated = lake.catalog.stored(VALIDATED_BARS, name)
    statuses = {ingest.sha256: ingest.status for ingest in lake.catalog.ingests(name)}
    return {
        "feed": name,
        "interval": None if feed is None else feed.interval.name,
        "calendar": None if feed is None else feed.calendar.name,
        "source": "not in feeds.yaml" if feed is None else feed.source.kind.value,
        "partitions": len(validated),
        "bars": sum(item.rows for item in validated),
        **_span(validated),
        "bytes": _bytes_by_feed(lake).get(name, 0),
        "raw_partitions": len(lake.catalog.raw_partitions(name)),
        "files_taken_in": sum(status == "accepted" for status in statuses.values()),
        "files_refused": sum(status == "refused" for status in statuses.values()),
        "description": None if feed is None else feed.description,
    }


def _span(stored: list[Stored]) -> dict[str, int | None]:
    firsts = [item.first_ts_us for item in stored if item.first_ts_us is not None]
    lasts = [item.last_ts_us for item in stored if item.last_ts_us is not None]
    return {"first_ts": min(firsts, default=None), "last_ts": max(lasts, default=None)}


def _bytes_by_feed(lake: Lake) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for _, feed, _, _, size in lake.catalog.tables():
        sizes[feed] = sizes.get(feed, 0) + size
    return sizes
