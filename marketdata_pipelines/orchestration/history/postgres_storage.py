"""Dagster's runs, events and schedules in PostgreSQL: dagster-postgres over kept connections, with fewer events.

Which server is decided in `postgres_address`, whether this storage or the files in `chosen_storage`.
"""

import os
import weakref
from collections.abc import Sequence
from typing import Any

import sqlalchemy as db
from dagster import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.migration import ASSET_KEY_INDEX_COLS
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageMetadata,
    SqlEventLogStorageTable,
)
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata
from dagster._core.storage.sql import create_engine
from dagster._serdes import serialize_value
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from marketdata_pipelines.orchestration.history.postgres_address import PostgresAddress, await_server

_KEPT, _MOST = 2, 10
# Any number that nobody else locks: the making of tables is for one process at a time.
_MAKING_TABLES = 0x6D646461
_VERDICT_OF = ("asset_key", "check_name", "run_id", "partition")
# An event and its id in the log.
Numbered = tuple[EventLogEntry, int]
_METADATA = (RunStorageSqlMetadata, SqlEventLogStorageMetadata, ScheduleStorageSqlMetadata)


class PostgresStorage(DagsterStorage[Any]):
    """Runs, events and schedules in one database; tables are made on first use, and completed where some are missing.

    Errors: SettingsInvalid when the server cannot be reached.
    """

    def __init__(self, address: PostgresAddress) -> None:
        await_server(address)
        self._engine = _open(address.url)
        with self._engine.connect().execution_options(isolation_level="READ COMMITTED") as lock, lock.begin():
            lock.execute(db.select(db.func.pg_advisory_xact_lock(_MAKING_TABLES)))
            self._runs = PostgresRunStorage(address.url)
            self._events = PostgresEvents(address.url)
            self._schedules = PostgresScheduleStorage(address.url)
            self._complete_tables()
        for storage in (self._runs, self._events, self._schedules):
            # Dagster's own engine connects anew for every statement.
            storage._engine = self._engine
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def run_storage(self) -> PostgresRunStorage:
        return self._runs

    @property
    def event_log_storage(self) -> "PostgresEvents":
        return self._events

    @property
    def schedule_storage(self) -> PostgresScheduleStorage:
        return self._schedules

    def _complete_tables(self) -> None:
        """Make the tables that are missing: a process killed while it made them leaves some out, for good otherwise."""
        found = set(db.inspect(self._engine).get_table_names())
        for metadata in _METADATA:
            if not found.issuperset(metadata.tables):
                metadata.create_all(self._engine)
        for finish in (
            self._runs.migrate, self._runs.optimize, self._events.reindex_events, self._events.reindex_assets,
            self._schedules.migrate, self._schedules.optimize,
        ):  # fmt: skip
            finish()


class PostgresEvents(PostgresEventLogStorage):
    """The event log: a run plans each asset once instead of every partition, and a partition is stored at once."""

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        return True

    def store_partition_events(self, events: Sequence[EventLogEntry]) -> list[int]:
        """Store materializations (without tags) and check evaluations of one run at once; returns their ids."""
        insert = self.prepare_insert_event_batch(events).returning(SqlEventLogStorageTable.c.id)
        # Committed by itself, at once: who follows the log by id would miss an id that appears after a greater one.
        with self.index_connection() as connection:
            ids = [int(row[0]) for row in connection.execute(insert)]
        numbered = list(zip(events, ids, strict=True))
        made = [item for item in numbered if item[0].dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION]
        verdicts = [
            item for item in numbered if item[0].dagster_event_type is not DagsterEventType.ASSET_MATERIALIZATION
        ]
        with self.index_transaction() as connection:
            if made:
                self._note_materializations(connection, made)
            if verdicts:
                self._note_evaluations(connection, verdicts)
        return ids

    def dispose(self) -> None:
        super().dispose()
        self._engine.dispose()

    def _note_materializations(self, connection: Connection, made: Sequence[Numbered]) -> None:
        """Make each the latest of its asset, all in one statement."""
        indexed = self.has_secondary_index(ASSET_KEY_INDEX_COLS)
        latest = {
            key.to_string(): {
                "asset_key": key.to_string(),
                **self._get_asset_entry_values(event, event_id, indexed),
            }
            for event, event_id in made
            if (key := event.get_dagster_event().asset_key) is not None
        }
        # In one order for all writers, so that none waits for another in a circle.
        insert = postgresql.insert(AssetKeyTable).values([latest[key] for key in sorted(latest)])
        columns = next(iter(latest.values())).keys() - {"asset_key"}
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=[AssetKeyTable.c.asset_key], set_={name: insert.excluded[name] for name in columns}
            )
        )

    def _note_evaluations(self, connection: Connection, verdicts: Sequence[Numbered]) -> None:
        """Put each in the place of the planned or earlier one of its run and partition, in two statements."""
        rows = {tuple(row[name] for name in _VERDICT_OF): row for row in map(self._verdict, verdicts)}
        table = AssetCheckExecutionsTable
        # `is not distinct from` would not use the index; `== None` is written as `is null`.
        same = [
            db.and_(*(table.c[name] == value for name, value in zip(_VERDICT_OF, key, strict=True))) for key in rows
        ]
        connection.execute(table.delete().where(db.or_(*same)))
        connection.execute(table.insert().values(list(rows.values())))

    def _verdict(self, verdict: Numbered) -> dict[str, Any]:
        event, event_id = verdict
        evaluation = event.get_dagster_event().asset_check_evaluation_data
        passed = (
            AssetCheckExecutionRecordStatus.SUCCEEDED if evaluation.passed else AssetCheckExecutionRecordStatus.FAILED
        )
        target = evaluation.target_materialization_data
        return {
            "asset_key": evaluation.asset_key.to_string(),
            "check_name": evaluation.check_name,
            "run_id": event.run_id,
            "partition": evaluation.partition,
            "execution_status": passed.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
            "evaluation_event_storage_id": event_id,
            "materialization_event_storage_id": target.storage_id if target else None,
        }

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        # A row per partition before the run starts; the evaluation inserts its own where none was planned.
        planned = event.get_dagster_event().event_specific_data
        if getattr(planned, "partitions_subset", None) is None:
            super()._store_asset_check_evaluation_planned(event, event_id)


def _open(url: str) -> Engine:
    engine: Engine = create_engine(
        url, isolation_level="AUTOCOMMIT", poolclass=QueuePool, pool_size=_KEPT, max_overflow=_MOST - _KEPT,
        pool_pre_ping=True,
    )  # fmt: skip
    _drop_after_fork(engine)
    return engine


def _drop_after_fork(engine: Engine) -> None:
    """A forked process and its parent would talk on one socket: the child forgets the parent's connections."""
    kept = weakref.ref(engine)

    def forget() -> None:
        found = kept()
        if found is not None:
            found.dispose(close=False)

    os.register_at_fork(after_in_child=forget)
