"""MARKETDATA_* variables as one frozen object, read once at the composition roots (CLI, definitions, API)."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.redis_keep import RedisTtl, read_ttl


class Settings(BaseSettings):
    """Where everything lies. MARKETDATA_HOME moves the whole data folder, feeds.yaml included."""

    # A variable that is set to nothing is not set: that is how many tools leave one out.
    model_config = SettingsConfigDict(env_prefix="MARKETDATA_", frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Path("data")
    log_level: str = "WARNING"
    # Where people reach Dagster's web page; links in notices begin with it.
    ui_url: str | None = None
    # Where Dagster keeps runs and events: postgresql://user:password@host/database; unset: files below the home.
    dagster_storage: SecretStr | None = None
    # How many runs Dagster's daemon works on at once.
    max_runs: int = Field(default=4, ge=1)
    # Processes that walk partitions in one run; the run's own process records what they did.
    walkers: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1)

    def __init__(self, **values: Any) -> None:
        """Errors: SettingsInvalid naming the variable whose value cannot be read."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            # Never the value itself: it may be a secret.
            wrong = [
                (str(each["loc"][0]).upper(), each["msg"].removeprefix("Value error, ")) for each in error.errors()
            ]
            told = "; ".join(f"MARKETDATA_{name}: {why}" for name, why in wrong)
            raise SettingsInvalid(f"{told}; mend or unset it") from None

    # A serving store in PostgreSQL, with or without TimescaleDB: postgresql://user:password@host/database; unset: none.
    timescale_dsn: SecretStr | None = None
    # The hot set in memory: redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://; unset: none.
    redis_url: SecretStr | None = None
    # What every key in Redis begins with: several installations may share a server.
    redis_namespace: str = Field(default="marketdata", pattern=r"^[A-Za-z0-9_.-]+$")
    # How long values are kept there: one time for all tables, and others by table.
    redis_ttl: str = "7d"
    # How much the namespace may take there, by what its values hold; unset: as much as the server gives.
    redis_mb: int | None = Field(default=None, ge=1)
    # From which size on values are compressed; unset: none is.
    redis_zstd_kb: int | None = Field(default=None, ge=1)
    # How much each process keeps of what it was asked for, and how long before it looks again.
    cache_mb: int = Field(default=64, ge=0)
    cache_seconds: float = Field(default=2.0, ge=0)

    @field_validator("redis_ttl")
    @classmethod
    def _check_redis_ttl(cls, text: str) -> str:
        read_ttl(text)
        return text

    @property
    def redis_times(self) -> RedisTtl:
        """For how long values are kept in Redis."""
        return read_ttl(self.redis_ttl)

    @cached_property
    def folder(self) -> Path:
        return self.home.expanduser().resolve()

    @property
    def feeds_file(self) -> Path:
        return self.folder / "feeds.yaml"

    @property
    def notifications_file(self) -> Path:
        return self.folder / "notifications.yaml"

    @property
    def outbox(self) -> Path:
        return self.folder / "notifications.sqlite"

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def dagster_home(self) -> Path:
        return self.folder / "dagster"

    def source_path(self, path: str) -> str:
        """A feed's source path: URLs and absolute paths as they are, else below the home folder."""
        return path if "://" in path or Path(path).is_absolute() else str(self.folder / path)
