"""The Dagster instance of a data folder: its home, made on first use.

Where the home is and what its dagster.yaml says is in `configuration`.
"""

from pathlib import Path
from typing import Any

import yaml
from dagster import DagsterInstance
from dagster._core.instance import InstanceRef

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.history.configuration import CONFIG_FILE, refresh_configuration
from marketdata_pipelines.orchestration.history.configuration import dagster_home as dagster_home
from marketdata_pipelines.orchestration.history.postgres_address import VARIABLE
from marketdata_pipelines.orchestration.keys import LOCATION
from marketdata_pipelines.settings.environment import Settings

WORKSPACE_FILE = "workspace.yaml"
WORKSPACE = f"""\
load_from:
  - python_module:
      module_name: {LOCATION}.definitions
      location_name: {LOCATION}
"""


def make_home(settings: Settings) -> Path:
    """The home folder, its configuration as the settings ask for, and a workspace if it has none yet.

    A configuration that was edited by hand stays as it is.
    """
    home = dagster_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    refresh_configuration(home / CONFIG_FILE, settings)
    if not (home / WORKSPACE_FILE).exists():
        (home / WORKSPACE_FILE).write_text(WORKSPACE, "utf-8")
    return home


def instance_for(settings: Settings) -> DagsterInstance:
    """The instance of the home, for runs in this process; to be used as a context manager.

    Errors: SettingsInvalid when DAGSTER_HOME is no absolute path, or the server named by MARKETDATA_DAGSTER_STORAGE
            cannot be reached.
    """
    if settings.dagster_storage != Settings().dagster_storage:
        raise SettingsInvalid(
            f"{VARIABLE} is given in Python only; set it in the environment, where every process of Dagster reads it"
        )
    home = make_home(settings)
    overrides = {**_sections_here(home), **_NO_CAPTURE}
    return DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))


# Capturing a step's output redirects this process's own, and the progress shown on it, through a file and `tail`.
_NO_CAPTURE: dict[str, object] = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


def _sections_here(home: Path) -> dict[str, object]:
    """Names the home to the parts whose configuration leaves it to DAGSTER_HOME, which this process may not have."""
    sections = yaml.safe_load((home / CONFIG_FILE).read_text("utf-8")) or {}
    found: dict[str, object] = {}
    storage = sections.get("storage") or {}
    if _leaves_home_open(storage.get("custom")):
        found["storage"] = {"custom": _at(home, storage["custom"])}
    if _leaves_home_open(sections.get("run_launcher")):
        found["run_launcher"] = _at(home, sections["run_launcher"])
    return found


def _leaves_home_open(part: Any) -> bool:
    if not isinstance(part, dict) or not str(part.get("module")).startswith(f"{LOCATION}.orchestration."):
        return False
    return not (part.get("config") or {}).get("base_dir")


def _at(home: Path, part: dict[str, Any]) -> dict[str, Any]:
    return {**part, "config": {**(part.get("config") or {}), "base_dir": str(home)}}
