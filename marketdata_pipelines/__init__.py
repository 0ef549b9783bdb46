"""Market data from files to trusted, aggregated bars: `import marketdata_pipelines as md; lake = md.open()`."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marketdata_pipelines.serving.answers import LakeReader

__all__ = ["open"]


def open(home: Path | str | None = None) -> "LakeReader":  # noqa: A001
    """The lake of a data folder (default: MARKETDATA_HOME, else `data`), for reading.

    Errors: SettingsInvalid when its feeds.yaml is missing or wrong.
    """
    from marketdata_pipelines.serving.answers import LakeReader

    return LakeReader(home)
