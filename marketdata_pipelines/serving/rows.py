"""Where the rows of one table are for one question: in the lake's files, or derived as of an earlier instant.

What a question makes of them is not decided here (see `answers`, `bars`).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Protocol

import duckdb
import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.duck import relation_sql
from marketdata_pipelines.stores.lake.lake import Lake


@dataclass(frozen=True, slots=True)
class TableRows:
    """The partitions of one table that a question is about: their keys, indexed files, and derived tables."""

    keys: tuple[str, ...]
    stored: tuple[Stored, ...] = ()
    derived: tuple[tuple[str, pa.Table], ...] = ()

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        lake: Lake,
        name: str,
        symbols: Collection[str] | None = None,
    ) -> str:
        """A SELECT over all of them; `name` is what derived tables are registered under.

        Files are read for some `symbols` only, where given; derived tables have them all.
        Errors: ValueError where there are none.
        """
        relations = [relation_sql(lake.layout.root, self.stored, symbols=symbols)] if self.stored else []
        for number, (_, table) in enumerate(self.derived):
            connection.register(f"{name}_{number}", _plain(table))
            relations.append(f'select * from "{name}_{number}"')
        if not relations:
            raise ValueError("a relation needs at least one table")
        return "\nunion all by name\n".join(relations)

    def tables(self, lake: Lake, feed: str, name: str) -> Iterator[tuple[str, pa.Table]]:
        """(key, rows) of each partition, in order, one in memory at a time."""
        derived = dict(self.derived)
        for key in self.keys:
            yield key, derived[key] if key in derived else lake.read(name, feed, key)


class RowSource(Protocol):
    """Answers which rows a feed's table has in a range of partitions."""

    @property
    def feed(self) -> Feed:
        """The definition the rows were made by."""
        ...

    def rows(self, table: str, first: str, last: str) -> TableRows:
        """The partitions with a key in first..last."""
        ...

    def horizons(self) -> dict[str, int]:
        """When the newest raw part of each base partition became known, UTC microseconds."""
        ...


class StoredRows:
    """What the lake holds now."""

    def __init__(self, lake: Lake, feed: Feed) -> None:
        self._lake, self.feed = lake, feed

    def rows(self, table: str, first: str, last: str) -> TableRows:
        stored = tuple(self._lake.catalog.stored(table, self.feed.name, first, last))
        return TableRows(tuple(item.partition for item in stored), stored)

    def horizons(self) -> dict[str, int]:
        return self._lake.catalog.horizons(self.feed.name)


class PastRows:
    """What would have been held at an instant: files where nothing has changed since, else derived anew."""

    def __init__(self, lake: Lake, feed: Feed, as_of_us: int) -> None:
        # Only questions about the past need the kernels and calendars.
        from marketdata_pipelines.pipeline.definitions import definition_at
        from marketdata_pipelines.pipeline.past import PastTables

        self._lake, self._now, self.as_of_us = lake, feed, as_of_us
        self.feed = definition_at(lake, feed, as_of_us)
        self._past = PastTables(lake, self.feed, as_of_us)

    def rows(self, table: str, first: str, last: str) -> TableRows:
        stored, derived, keys = [], [], []
        for key in self._past.partitions(table, first, last):
            found = self._lake.catalog.stored_partition(table, self.feed.name, key)
            if found is not None and self._still_holds(table, key):
                stored.append(found)
            else:
                rows = self._past.read(table, key)
                if not rows.num_rows and table != REJECTED_BARS:
                    continue
                derived.append((key, rows))
            keys.append(key)
        return TableRows(tuple(keys), tuple(stored), tuple(derived))

    def horizons(self) -> dict[str, int]:
        return {key: self._past.horizon_us(key) for key in self._past.partitions(VALIDATED_BARS)}

    @property
    def first_known(self) -> datetime | None:
        """When anything of the feed became known first."""
        ingests = self._lake.catalog.ingests(self.feed.name)
        return None if not ingests else datetime.fromtimestamp(min(i.known_at_us for i in ingests) / 1e6, UTC)

    @property
    def code_versions(self) -> set[str]:
        """The releases that took in what was known then."""
        return {
            part.ingest.code_version for key in self._past.partitions(VALIDATED_BARS) for part in self._past.parts(key)
        }

    def _still_holds(self, table: str, key: str) -> bool:
        """Whether the stored table follows from exactly what was known then, by the definition in force then."""
        from marketdata_pipelines.pipeline.standing import follows

        if self._now.version != self.feed.version:
            return False
        bases = self._past.sources(table, key)
        same = all([p.part.part_id for p in self._past.parts(base)] == self._parts_now.get(base, []) for base in bases)
        return same and follows(self._lake, self.feed, table, key, bases)

    @cached_property
    def _parts_now(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for part in self._lake.catalog.standing_parts(self.feed.name):
            found.setdefault(part.part.partition, []).append(part.part.part_id)
        return found


def past_notes(source: RowSource) -> list[str]:
    """What is to be said of an answer about the past: that another release had taken in what it is made of."""
    if not isinstance(source, PastRows):
        return []
    others = sorted(source.code_versions - {_code_version()})
    told = f"derived by release {_code_version()}; what was known then was taken in by {', '.join(others)}"
    return [told] if others else []


def _code_version() -> str:
    from marketdata_pipelines.pipeline.versions import code_version

    return code_version()


def _plain(table: pa.Table) -> pa.Table:
    """With symbols as text: a dictionary would be an enumeration of its own in each table."""
    if "symbol" not in table.column_names:
        return table
    position = table.schema.get_field_index("symbol")
    return table.set_column(position, "symbol", table["symbol"].cast(pa.string()))
