"""Derives every stored table of a feed once more from its raw parts, in memory, and compares.

A table that is behind its raw parts or its feed's definition, or that a check withheld, is not compared: that it is
to be walked is known (see `changes`).
"""

from collections.abc import Iterator

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import feed_tables, raw_asset
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.pipeline.standing import follows
from marketdata_pipelines.pipeline.verifying import Fault, Finding
from marketdata_pipelines.pipeline.versions import code_version
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.lake import Lake

_SHOWN = 3


def verify_derived(lake: Lake, feed: Feed) -> Iterator[Finding]:
    """Where stored tables differ from what today's code makes of their raw parts."""
    past, raw = PastTables(lake, feed), raw_asset(feed)
    tables = [name for table_set in feed_tables(feed) if table_set.name != raw for name in table_set.tables]
    for table in tables:
        for stored in lake.catalog.stored(table, feed.name):
            finding = _compared(lake, feed, past, stored)
            if finding is not None:
                yield finding


def _compared(lake: Lake, feed: Feed, past: PastTables, stored: Stored) -> Finding | None:
    table, key = stored.tbl, stored.partition
    try:
        manifest = lake.manifest(stored)
        of_today = manifest.get("feed_version") == feed.version
        if not of_today or not follows(lake, feed, table, key, past.sources(table, key)):
            return None
        found = lake.read(table, feed.name, key)
    except (OSError, StoreError):
        # Files that are missing or damaged are found by `verify_files`.
        return None
    try:
        difference = _difference(past.read(table, key), found)
    except StoreError as error:
        difference = str(error)
    if difference is None:
        return None
    made_by = manifest.get("code_version")
    by = "" if made_by == code_version() else f" (stored by release {made_by}, this is {code_version()})"
    advice = f"run: marketdata backfill {feed.name} --start {key} --end {key}"
    return Finding(feed.name, table, key, Fault.NOT_DERIVED, f"{difference}{by}; {advice}")


def _difference(expected: pa.Table, stored: pa.Table) -> str | None:
    if expected.column_names != stored.column_names:
        return f"columns are {', '.join(stored.column_names)}, derived {', '.join(expected.column_names)}"
    same = expected.num_rows == stored.num_rows
    if same and all(_plain(expected[name]).equals(_plain(stored[name])) for name in expected.column_names):
        return None
    found, wanted = _rows(stored), _rows(expected)
    extra, lacking = [row for row in found if row not in wanted], [row for row in wanted if row not in found]
    told = [f"stored only: {_text(row)}" for row in extra[:_SHOWN]]
    told += [f"derived only: {_text(row)}" for row in lacking[:_SHOWN]]
    counts = f"{len(extra)} rows stored that are not derived, {len(lacking)} derived that are not stored"
    return f"{counts}: {'; '.join(told)}" if told else f"{counts}: the same rows in another order"


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    plain = column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
    return pa.chunked_array([plain.combine_chunks()]) if plain.num_chunks != 1 else plain


def _rows(table: pa.Table) -> dict[tuple[object, ...], None]:
    """The distinct rows, in order."""
    return dict.fromkeys(tuple(row.values()) for row in table.to_pylist())


def _text(values: tuple[object, ...]) -> str:
    return ", ".join("" if value is None else str(value) for value in values)
