"""What a lake holds, file by file, and merging the deltas of its tables. Rows never change here.

Comparing files with the catalog is in `verifying`, removing files in `vacuuming` and `retention`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.strays import ORIGINS, Stray, find_strays, folder_size


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table of a feed, its raw parts, or its origins (vendors' answers).

    `files` and `bytes` are those the catalog leads to, `deltas` the delta files among them. Of raw parts: `superseded`
    do not count any more, `removed` have lost their file by the feed's policy, `last_known_us` is when the newest
    became known. `unindexed` files nothing leads to.
    """

    feed: str
    table: str
    partitions: int
    rows: int
    bytes: int
    files: int
    deltas: int = 0
    superseded: int = 0
    removed: int = 0
    unindexed: int = 0
    last_known_us: int | None = None


@dataclass(frozen=True, slots=True)
class Compacted:
    """A partition whose deltas were merged."""

    table: str
    partition: str
    rows: int
    files_before: int
    bytes_before: int
    bytes_after: int


def lake_status(lake: Lake, feed: str) -> list[TableStatus]:
    """A feed's raw parts, then its tables in order of name, then its origins."""
    strays: dict[str, list[Stray]] = defaultdict(list)
    for stray in find_strays(lake, feed):
        strays[stray.table].append(stray)
    found = [*_raw_status(lake, feed, strays), *_table_status(lake, feed, strays)]
    known = {status.table for status in found}
    found += [
        TableStatus(feed, table, 0, 0, 0, 0, unindexed=len(items))
        for table, items in strays.items()
        if table not in known
    ]
    count, size = folder_size(lake.layout.root / ORIGINS / feed)
    return [*found, TableStatus(feed, ORIGINS, 0, 0, size, count)] if count else found


def with_deltas(lake: Lake, feed: str, table: str | None = None) -> list[Stored]:
    """The stored partitions of a feed, or of one of its tables, that have deltas."""
    tables = [name for name, owner, *_ in lake.catalog.tables() if owner == feed and table in (None, name)]
    return [item for name in tables for item in lake.catalog.stored(name, feed) if item.deltas]


def compact(
    lake: Lake, feed: Feed, table: str | None = None, start: date | None = None, end: date | None = None
) -> Iterator[Compacted]:
    """Merge the deltas of the partitions that hold dates of start..end (all when left out), each told once it is done.

    Errors: PartitionMissing for a table the feed does not have.
    """
    periods = {name: each.period for each in feed_tables(feed) for name in each.tables}
    if table is not None and table not in periods:
        raise PartitionMissing(f"{feed.name} has no table {table}; there: {', '.join(periods)}")
    for before in with_deltas(lake, feed.name, table):
        first, last = partition_span(before.partition, periods.get(before.tbl, period_of(feed.partition)))
        if (end is not None and first > end) or (start is not None and last < start):
            continue
        after = lake.compact(before.tbl, feed.name, before.partition)
        # Another writer may have merged it meanwhile.
        if after is not None:
            yield Compacted(before.tbl, before.partition, after.rows, len(before.files), before.bytes, after.bytes)


def _raw_status(lake: Lake, feed: str, strays: dict[str, list[Stray]]) -> list[TableStatus]:
    # The same content read again the same way is the same file.
    parts = list({part.path: part for part in lake.catalog.raw_parts(feed)}.values())
    standing = {each.part.path: each for each in lake.catalog.standing_parts(feed)}
    removed = {path for path in lake.catalog.removals.of(feed) if not (lake.layout.root / path).exists()}
    found = []
    for table in sorted({part.tbl for part in parts}):
        own = [part for part in parts if part.tbl == table]
        here = [part for part in own if part.path not in removed]
        counting = [standing[part.path] for part in own if part.path in standing]
        found.append(
            TableStatus(
                feed, table, len({each.part.partition for each in counting}), sum(each.part.rows for each in counting),
                sum(_size(lake, part.path) for part in here), len(here),
                superseded=len(own) - len(counting), removed=len(own) - len(here), unindexed=len(strays[table]),
                last_known_us=max((each.ingest.known_at_us for each in counting), default=None),
            )
        )  # fmt: skip
    return found


def _table_status(lake: Lake, feed: str, strays: dict[str, list[Stray]]) -> list[TableStatus]:
    deltas: Counter[str] = Counter()
    for item in with_deltas(lake, feed):
        deltas[item.tbl] += len(item.deltas)
    return [
        TableStatus(
            feed, table, partitions, rows, size, partitions + deltas[table],
            deltas=deltas[table], unindexed=len(strays[table]),
        )
        for table, owner, partitions, rows, size in lake.catalog.tables()
        if owner == feed
    ]  # fmt: skip


def _size(lake: Lake, path: str) -> int:
    try:
        return (lake.layout.root / path).stat().st_size
    except FileNotFoundError:
        return 0
