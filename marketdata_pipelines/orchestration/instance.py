"""The Dagster instance of a data folder: its home, made on first use."""

import os
from pathlib import Path

from dagster import DagsterInstance

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.environment import Settings

CONFIG_FILE = "dagster.yaml"
CONFIG = """\
# Dagster's configuration for this home; made once, yours to change.
storage:
  custom:
    module: marketdata_pipelines.orchestration.storage
    class: HomeStorage
    config: {}
telemetry: {enabled: false}
nux: {enabled: false}
"""


def dagster_home(settings: Settings) -> Path:
    """DAGSTER_HOME where set, else the `dagster` folder of MARKETDATA_HOME.

    Errors: SettingsInvalid when DAGSTER_HOME is no absolute path (Dagster refuses it).
    """
    given = os.environ.get("DAGSTER_HOME")
    if not given:
        return settings.dagster_home
    if not os.path.isabs(os.path.expanduser(given)):
        raise SettingsInvalid(f"DAGSTER_HOME is {given!r}; give an absolute path, or unset it to use {settings.dagster_home}")
    return Path(given).expanduser()


def make_home(settings: Settings) -> Path:
    """The home folder, with a configuration if it has none yet."""
    home = dagster_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / CONFIG_FILE).exists():
        (home / CONFIG_FILE).write_text(CONFIG, "utf-8")
    return home


def instance_for(settings: Settings) -> DagsterInstance:
    """The instance of the home; to be used as a context manager.

    Errors: SettingsInvalid when DAGSTER_HOME is no absolute path.
    """
    home = make_home(settings)
    # The storage finds its folder by this name where its configuration names none.
    os.environ["DAGSTER_HOME"] = str(home)
    return DagsterInstance.from_config(str(home), CONFIG_FILE)
