"""MARKETDATA_* variables as one frozen object, read once at the composition roots (CLI, definitions, API)."""

from functools import cached_property
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where everything lies. MARKETDATA_HOME moves the whole data folder, feeds.yaml included."""

    model_config = SettingsConfigDict(env_prefix="MARKETDATA_", frozen=True, extra="ignore")

    home: Path = Path("data")
    log_level: str = "WARNING"

    @cached_property
    def folder(self) -> Path:
        return self.home.expanduser().resolve()

    @property
    def feeds_file(self) -> Path:
        return self.folder / "feeds.yaml"

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def dagster_home(self) -> Path:
        return self.folder / "dagster"

    def source_path(self, path: str) -> str:
        """A feed's source path: URLs and absolute paths as they are, else below the home folder."""
        return path if "://" in path or Path(path).is_absolute() else str(self.folder / path)
