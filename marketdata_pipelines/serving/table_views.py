"""Every table of the lake as a DuckDB view, for questions in SQL."""

import re
from collections.abc import Iterable

import duckdb
import pyarrow as pa

from marketdata_pipelines.domain.quality.records import QUALITY_EVENTS
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.lake.duck import connect, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake


def query_views(lake: Lake, query: str, feeds: Iterable[str]) -> pa.Table:
    """Run a DuckDB query with every table as a view (see `create_views`).

    Errors: StoreError with DuckDB's reason, the tables there are, and these names of feeds.
    """
    with connect() as connection:
        create_views(connection, lake, query)
        try:
            return connection.sql(query).to_arrow_table()
        except duckdb.Error as error:
            known = ", ".join(sorted({table for table, *_ in lake.catalog.tables()}))
            raise StoreError(f"the query failed: {error}; tables: {known}; feeds: {', '.join(feeds)}") from error


def create_views(connection: duckdb.DuckDBPyConnection, lake: Lake, query: str) -> None:
    """Create the views a query may name: `bars_5m` of all feeds with a column `feed`, `us.bars_5m` of one."""
    words = {word.lower() for word in re.findall(r"\w+", query)}
    by_table: dict[str, list[str]] = {}
    for table, feed, _, _, _ in lake.catalog.tables():
        if table not in words:
            continue
        stored = lake.catalog.stored(table, feed)
        relation = relation_sql(lake.layout.root, stored)
        if feed in words:
            connection.execute(f'create schema if not exists "{feed}"')
            connection.execute(f'create view "{feed}"."{table}" as {relation}')
        named = relation_sql(lake.layout.root, stored, {"feed": feed})
        by_table.setdefault(table, []).append(named)
    if QUALITY_EVENTS in words:
        _create_event_views(connection, lake, words)
    for table, relations in by_table.items():
        connection.execute(f'create view "{table}" as ' + "\nunion all by name\n".join(relations))


def _create_event_views(connection: duckdb.DuckDBPyConnection, lake: Lake, words: set[str]) -> None:
    """The log of quality events, which is no file of the lake, with the same names."""
    from marketdata_pipelines.stores.lake.quality_events import QualityEvents

    events = QualityEvents(lake.layout.catalog)
    connection.register(QUALITY_EVENTS, events.read())
    for feed in lake.catalog.feeds():
        if feed in words:
            connection.register(f"{QUALITY_EVENTS} {feed}", events.read(feed))
            connection.execute(f'create schema if not exists "{feed}"')
            connection.execute(f'create view "{feed}"."{QUALITY_EVENTS}" as select * from "{QUALITY_EVENTS} {feed}"')
