"""The IO manager of PostgreSQL and TimescaleDB: an asset's rows as a table, replaced partition by partition."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from dagster import EnvVar, InitResourceContext
from pydantic import PrivateAttr

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.io_managers.partitioned import (
    PartitionedIOManager,
    Place,
    Written,
    symbols_in,
)
from marketdata_pipelines.settings.environment import Settings

if TYPE_CHECKING:
    from marketdata_pipelines.stores.timescale.database import Database
    from marketdata_pipelines.stores.timescale.user_tables import UserTable, UserTables

_USUAL_KEY = ("symbol", "ts")
# The control tables of the store.
_RESERVED = ("marketdata", "public", "information_schema")


class TimescaleIOManager(PartitionedIOManager):
    """Keeps an asset in the store: `[feed, my_table]` as table `my_table` of schema `feed`, with a column `partition`.

    A partition's rows are told apart by the asset's metadata `primary_key`, else by (symbol, ts) where it has these.
    A partition is replaced in one transaction: readers see the old rows or the new ones. The same rows again are not
    written. A column that the table has not is added to it. Give `dsn` as an `EnvVar`: Dagster shows what resources are
    configured with.
    """

    dsn: str
    _database: Any = PrivateAttr(default=None)

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """Nothing is connected before it is needed."""
        from marketdata_pipelines.stores.timescale.database import Database

        self._database = Database(self.dsn)

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _write(self, place: Place, key: str, table: pa.Table, revision: str, run_id: str) -> Written:
        held = _user_table(place, table.column_names)
        with self._tables() as (database, tables):
            database.migrate()
            done = tables.replace(held, key, table, revision)
            label = database.engine.label
        facts: dict[str, Any] = {"store": label, "dagster/table_name": held.text, "unchanged": not done.written}
        if done.added:
            facts["columns_added"] = list(done.added)
        return Written(done.rows, symbols_in(table), revision, facts)

    def _get(self, place: Place, key: str, columns: Sequence[str] | None) -> pa.Table | None:
        with self._tables() as (_, tables):
            return tables.read(_user_table(place, ()), key, columns)

    def _has(self, place: Place, key: str) -> bool:
        with self._tables() as (_, tables):
            return key in tables.revisions(_user_table(place, ()))

    @contextmanager
    def _tables(self) -> "Iterator[tuple[Database, UserTables]]":
        from marketdata_pipelines.stores.timescale.database import Database
        from marketdata_pipelines.stores.timescale.user_tables import UserTables

        if self._database is not None:
            yield self._database, UserTables(self._database)
            return
        # Used outside a run.
        with Database(self.dsn) as database:
            yield database, UserTables(database)


def timescale_io_manager(settings: Settings) -> TimescaleIOManager:
    """The IO manager over the configured store; its address stays in the environment.

    Errors: SettingsInvalid where none is configured.
    """
    if settings.timescale_dsn is None:
        raise SettingsInvalid("no PostgreSQL is configured; set MARKETDATA_TIMESCALE_DSN")
    return TimescaleIOManager(dsn=EnvVar("MARKETDATA_TIMESCALE_DSN"))


def _user_table(place: Place, columns: Sequence[str]) -> "UserTable":
    from marketdata_pipelines.stores.timescale.user_tables import UserTable

    if place.group in _RESERVED or place.group.startswith("pg_"):
        raise SettingsInvalid(f"{place.group!r} is no schema for assets; give {place.text} another first part")
    usual = _USUAL_KEY if set(_USUAL_KEY) <= set(columns) else ()
    return UserTable(place.group, place.name, place.key or usual)
