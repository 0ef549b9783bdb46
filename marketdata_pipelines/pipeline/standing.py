"""Whether one stored table still follows from what it is made of; asked for single partitions, so it stays cheap.

The whole feed's counterpart is `changes.stale_partitions`.
"""

import os
from collections.abc import Iterable, Sequence

from marketdata_pipelines.domain.feeds import Feed, SourceKind
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS, feed_tables
from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.pipeline.coarse import SEVERAL_DAYS, CoarseBars
from marketdata_pipelines.sources.files.listing import list_files
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.lake import Lake, digest


def is_walked(lake: Lake, feed: Feed, key: str) -> bool:
    """Whether a base partition was walked since its raw parts last changed, with whatever outcome."""
    walked = lake.catalog.stored_partition(REJECTED_BARS, feed.name, key)
    ids = [standing.part.part_id for standing in lake.catalog.standing_parts(feed.name, [key])]
    if walked is None or not ids:
        return walked is None and not ids
    versions = _versions(lake, walked)
    # Their order counts only where one replaces rows of another (see `versions.Versions.part_inputs`).
    return walked.inputs in (digest([*sorted(ids), *versions]), digest(["in order", *ids, *versions]))


def is_validated(lake: Lake, feed: Feed, key: str) -> bool:
    """Whether a base partition's validated bars are what its last walk made: no check has withheld them."""
    walked = lake.catalog.stored_partition(REJECTED_BARS, feed.name, key)
    validated = lake.catalog.stored_partition(VALIDATED_BARS, feed.name, key)
    return walked is not None and validated is not None and validated.inputs == walked.inputs


def is_blocked(lake: Lake, feed: Feed, key: str) -> bool:
    """Whether a check withheld what the newest raw parts of a base partition give."""
    walked = lake.catalog.stored_partition(REJECTED_BARS, feed.name, key)
    return walked is not None and is_walked(lake, feed, key) and not is_validated(lake, feed, key)


def is_derived(lake: Lake, feed: Feed, table: str, key: str) -> bool:
    """Whether a table made of its own partition's validated bars was made of those that are stored."""
    validated = lake.catalog.stored_partition(VALIDATED_BARS, feed.name, key)
    stored = lake.catalog.stored_partition(table, feed.name, key)
    return validated is not None and stored is not None and _is_made_of(lake, stored, [validated.inputs])


def is_combined(lake: Lake, feed: Feed, table: str, key: str) -> bool:
    """Whether a table of several days (2d, 1w, 1M) was made of the 1d bars that are stored."""
    stored = lake.catalog.stored_partition(table, feed.name, key)
    return stored is not None and _is_made_of(lake, stored, _combined_sources(lake, feed, table, key))


def follows(lake: Lake, feed: Feed, table: str, key: str, bases: Sequence[str]) -> bool:
    """Whether a stored table is what today's raw parts give; `bases`: the base partitions it is made of."""
    if not all(is_walked(lake, feed, base) for base in bases):
        return False
    if table == REJECTED_BARS:
        return True
    if not all(is_validated(lake, feed, base) for base in bases):
        return False
    if table == VALIDATED_BARS:
        return True
    if table not in SEVERAL_DAYS:
        return is_derived(lake, feed, table, key)
    source = CoarseBars(lake, feed).source_table
    days = source == VALIDATED_BARS or all(is_derived(lake, feed, source, base) for base in bases)
    return days and is_combined(lake, feed, table, key)


def has_new_files(lake: Lake, feed: Feed, source_path: str | None) -> bool:
    """Whether asking the source may bring anything: a file changed since the newest ingest.

    True for every feed but one of local files: whether another source has something new only asking it tells.
    """
    if feed.source.kind is not SourceKind.FILES or (source_path is not None and "://" in source_path):
        return True
    if source_path is None:
        return False
    try:
        paths = list_files(source_path)
    except SourceUnavailable:
        return False
    newest_us = max(lake.catalog.horizons(feed.name).values(), default=0)
    return any(_changed_us(path) > newest_us for path in paths)


def _changed_us(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns // 1000
    except OSError:
        return 0


def _combined_sources(lake: Lake, feed: Feed, table: str, key: str) -> list[str]:
    """What the 1d bars of a partition's buckets are derived from, in order."""
    coarse = CoarseBars(lake, feed)
    period = next(table_set.period for table_set in feed_tables(feed) if table in table_set.tables)
    start, end = partition_span(key, period)
    first, last = start.isoformat(), end.isoformat()
    if period is period_of(feed.partition):
        # A bucket of the same partitioning may reach into the partition after it.
        first, last = coarse.source_keys(start, end, table)
    sources = coarse.source_inputs(first, last)
    return [sources[name] for name in sorted(sources)]


def _is_made_of(lake: Lake, stored: Stored, upstream: Iterable[str]) -> bool:
    return stored.inputs == digest([*upstream, *_versions(lake, stored)])


def _versions(lake: Lake, stored: Stored) -> list[str]:
    """The versions a file was made under: a new definition alone makes no table late."""
    try:
        manifest = lake.manifest(stored)
    except OSError:
        return []
    return [str(manifest.get(name, "")) for name in ("feed_version", "calendar_version", "code_version")]
