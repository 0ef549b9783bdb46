"""Where Dagster keeps runs and events: its own SQLite files, written faster.

A backfill's time goes into events (docs/decisions/0010): connections are kept, commits do not wait for the disk
(the lake's catalog is the record of truth and does), an asset check is planned without a row per partition, and a
run plans each asset once instead of every partition by itself.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as db
import yaml
from dagster._config import Field, StringSource, UserConfigSchema
from dagster._core.event_api import EventHandlerFn
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from filelock import FileLock
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from marketdata_pipelines.orchestration.history.event_batches import write_events
from marketdata_pipelines.orchestration.history.interrupts import held_interrupts
from marketdata_pipelines.orchestration.history.run_watch import RunWatcher
from marketdata_pipelines.settings.environment import Settings

_OPEN_FILES = 16


class HomeStorage(DagsterSqliteStorage):
    """Storage in one folder: `base_dir`, else DAGSTER_HOME, else the `dagster` folder of MARKETDATA_HOME.

    The default makes a plain `dagster dev` in the project root show what the CLI ran.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # Several processes may open a new folder at once; Dagster's own making of tables is not meant for that.
        os.makedirs(base_dir, exist_ok=True)
        with FileLock(os.path.join(base_dir, ".storage.lock")):
            super().__init__(base_dir, inst_data)
            self._event_log_storage = HomeEventLogStorage(os.path.join(base_dir, "history", "runs", ""))

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "HomeStorage":
        folder = config_value.get("base_dir") or os.environ.get("DAGSTER_HOME") or str(Settings().dagster_home)
        return cls.from_local(os.path.abspath(folder), inst_data=inst_data)

    @property
    def event_storage_data(self) -> ConfigurableClassData | None:
        config = yaml.dump({"base_dir": os.path.join(self.base_dir, "history", "runs")})
        return ConfigurableClassData(__name__, HomeEventLogStorage.__name__, config)


class HomeEventLogStorage(SqliteEventLogStorage):
    """Dagster's event log in SQLite files, one a run and one index, over connections that stay open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._known_tables: set[str] = set()
        super().__init__(base_dir, inst_data)
        self._watcher = RunWatcher(self.get_records_for_run, self.path_for_shard)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "HomeEventLogStorage":
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        return True

    def store_partition_events(self, events: Sequence[EventLogEntry]) -> list[int]:
        """Store materializations (without tags) and check evaluations of one run at once; returns their ids."""
        return write_events(events, self.run_connection(events[0].run_id), self.index_transaction())

    def has_table(self, table_name: str) -> bool:
        # Asked for every event; a table that is there stays there.
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def watch(self, run_id: str, cursor: str | None, callback: EventHandlerFn) -> None:
        self._watcher.watch(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: EventHandlerFn) -> None:
        self._watcher.unwatch(run_id, handler)

    def wipe(self) -> None:
        self._close()
        super().wipe()

    def dispose(self) -> None:
        self._watcher.close()
        self._close()
        super().dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # Interrupted inside, a kept connection would stay in its transaction, and nobody could write any more.
        with held_interrupts(), self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        engine = self._engines.pop(shard, None)
        if engine is None or not os.path.exists(self.path_for_shard(shard)):
            # Another process may have deleted the run's file; writing into the deleted one would lose events.
            if engine is not None:
                engine.dispose()
                self._initialized_dbs.discard(shard)
            engine = _open(self.conn_string_for_shard(shard))
        self._engines[shard] = engine
        while len(self._engines) > _OPEN_FILES:
            self._engines.popitem(last=False)[1].dispose()
        return engine

    def _close(self) -> None:
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        # A row per partition in one statement is slow, and beyond SQLite's default limit of variables from 4,000
        # partitions on. The evaluation inserts its own row where none was planned.
        planned = event.get_dagster_event().event_specific_data
        if getattr(planned, "partitions_subset", None) is None:
            super()._store_asset_check_evaluation_planned(event, event_id)


def _open(url: str) -> Engine:
    arguments = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    engine: Engine = create_engine(url, poolclass=QueuePool, pool_size=1, max_overflow=4, connect_args=arguments)

    @db.event.listens_for(engine, "connect")
    def _relax(connection: Any, _record: object) -> None:
        # With a write-ahead log NORMAL loses at most the last commits at a power cut, never the file.
        connection.execute("pragma synchronous = normal")
        # A table and its indexes change the same pages again and again: written to their place once in many commits.
        connection.execute("pragma wal_autocheckpoint = 8000")

    return engine
