"""The Dagster instance of a data folder: its home, made on first use."""

import os
from pathlib import Path

import yaml
from dagster import DagsterInstance
from dagster._core.instance import InstanceRef

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.keys import LOCATION
from marketdata_pipelines.settings.environment import Settings

CONFIG_FILE, WORKSPACE_FILE = "dagster.yaml", "workspace.yaml"
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
WORKSPACE = f"""\
load_from:
  - python_module:
      module_name: {LOCATION}.definitions
      location_name: {LOCATION}
"""


def dagster_home(settings: Settings) -> Path:
    """DAGSTER_HOME where set, else the `dagster` folder of MARKETDATA_HOME.

    Errors: SettingsInvalid when DAGSTER_HOME is no absolute path (Dagster refuses it).
    """
    given = os.environ.get("DAGSTER_HOME")
    if not given:
        return settings.dagster_home
    if not os.path.isabs(os.path.expanduser(given)):
        raise SettingsInvalid(f"DAGSTER_HOME is {given!r}; give an absolute path, or unset it")
    return Path(given).expanduser()


def make_home(settings: Settings) -> Path:
    """The home folder, with a configuration and a workspace if it has none yet."""
    home = dagster_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    for name, text in ((CONFIG_FILE, CONFIG), (WORKSPACE_FILE, WORKSPACE)):
        if not (home / name).exists():
            (home / name).write_text(text, "utf-8")
    return home


def instance_for(settings: Settings) -> DagsterInstance:
    """The instance of the home, for runs in this process; to be used as a context manager.

    Errors: SettingsInvalid when DAGSTER_HOME is no absolute path.
    """
    home = make_home(settings)
    overrides = {**_storage_here(home), **_NO_CAPTURE}
    return DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))


# Capturing a step's output redirects this process's own, and the progress shown on it, through a file and `tail`.
_NO_CAPTURE: dict[str, object] = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


def _storage_here(home: Path) -> dict[str, object]:
    """Names the home to a storage whose configuration leaves it to DAGSTER_HOME, which this process may not have."""
    storage = (yaml.safe_load((home / CONFIG_FILE).read_text("utf-8")) or {}).get("storage", {})
    custom = storage.get("custom", {})
    if custom.get("class") != "HomeStorage" or (custom.get("config") or {}).get("base_dir"):
        return {}
    return {"storage": {"custom": {**custom, "config": {"base_dir": str(home)}}}}
