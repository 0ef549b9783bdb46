"""Chooses where Dagster keeps runs and events: in PostgreSQL if MARKETDATA_DAGSTER_STORAGE names a server, else files.

Both dagster.yaml (the home's and the project's) name these classes, so the variable alone switches every process that
loads one, and no password is ever written down.
"""

import os
from typing import Any

from dagster._config import Field, StringSource, UserConfigSchema
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from marketdata_pipelines.orchestration.history.postgres_address import postgres_address
from marketdata_pipelines.orchestration.history.postgres_storage import PostgresStorage
from marketdata_pipelines.orchestration.history.storage import HomeStorage
from marketdata_pipelines.settings.environment import Settings

_CONFIG: UserConfigSchema = {"base_dir": Field(StringSource, is_required=False)}


class ChosenStorage(DagsterStorage[Any], ConfigurableClass):
    """Becomes the chosen storage when it is loaded; never itself one. `base_dir` is where files would lie."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return _CONFIG

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> HomeStorage | PostgresStorage:
        address = postgres_address(Settings())
        if address is not None:
            return PostgresStorage(address)
        return HomeStorage.from_config_value(inst_data, config_value)


class HomeComputeLogs(LocalComputeLogManager):
    """What steps print, below the folder of the home whatever the storage: files of this machine."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return _CONFIG

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "HomeComputeLogs":
        folder = config_value.get("base_dir") or os.environ.get("DAGSTER_HOME") or str(Settings().dagster_home)
        return cls(os.path.join(os.path.abspath(folder), "storage"), inst_data=inst_data)
