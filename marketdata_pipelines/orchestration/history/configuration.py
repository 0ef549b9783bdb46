"""Where Dagster's home is, and its dagster.yaml: rendered from the settings, left as it is once edited by hand.

The first line carries a hash of the rest: while it fits, the file is ours and follows the settings.
"""

import hashlib
import logging
import os
import tempfile
from pathlib import Path

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.environment import Settings

CONFIG_FILE = "dagster.yaml"
logger = logging.getLogger(__name__)
_MARK = "# Made by marketdata from the MARKETDATA_* variables"
_HINT = "edit it and it stays as it is, delete it and it is made anew"
_DIGITS = 16
# What earlier versions wrote, once, without a mark.
_UNMARKED = {"1e7c9cf3e811da11"}
_BODY = """\
# Where runs and events are kept: files below this home, or the server that MARKETDATA_DAGSTER_STORAGE names.
storage:
  custom:
    module: marketdata_pipelines.orchestration.history.chosen_storage
    class: ChosenStorage
    config: {{}}
compute_logs:
  module: marketdata_pipelines.orchestration.history.chosen_storage
  class: HomeComputeLogs
  config: {{}}
run_launcher:
  module: marketdata_pipelines.orchestration.running.launcher
  class: WarmRunLauncher
  config: {{}}
run_queue:
  dequeue_interval_seconds: 1
concurrency:
  runs:
    # MARKETDATA_MAX_RUNS
    max_concurrent_runs: {max_runs}
    # Backfills leave a slot free, so that a scheduled run need not wait for them.
    tag_concurrency_limits:
      - {{key: dagster/backfill, limit: {backfill_runs}}}
  pools:
    granularity: run
# A run whose process died is started again; one whose step failed is not: a blocked partition stays blocked.
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
run_monitoring:
  enabled: true
  start_timeout_seconds: 90
  cancel_timeout_seconds: 60
  poll_interval_seconds: 10
  free_slots_after_run_end_seconds: 60
schedules: {{use_threads: true, num_workers: 4}}
sensors: {{use_threads: true, num_workers: 4}}
backfills: {{use_threads: true, num_workers: 2}}
# How long ticks are listed.
retention:
  schedule: {{purge_after_days: 90}}
  sensor: {{purge_after_days: {{skipped: 2, success: 30, failure: 30}}}}
freshness: {{enabled: true}}
telemetry: {{enabled: false}}
nux: {{enabled: false}}
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


def render_configuration(settings: Settings) -> str:
    """The dagster.yaml of these settings; same settings, same text."""
    return _marked(configuration_body(settings))


def configuration_body(settings: Settings) -> str:
    """What the file says, without its mark."""
    # With a single slot backfills must have it.
    return _BODY.format(max_runs=settings.max_runs, backfill_runs=max(settings.max_runs - 1, 1))


def is_edited(path: Path) -> bool:
    """Whether somebody changed the file since it was rendered, or wrote it."""
    text = path.read_text("utf-8")
    mark, _, body = text.partition("\n")
    return mark != _marked(body).partition("\n")[0] and _digest(text) not in _UNMARKED


def refresh_configuration(path: Path, settings: Settings) -> None:
    """Write the file where it is missing or behind the settings; an edited one stays, with a line in the log."""
    text = render_configuration(settings)
    if path.exists():
        if is_edited(path):
            logger.info("%s was edited by hand and is left as it is", path)
            return
        if path.read_text("utf-8") == text:
            return
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _marked(body: str) -> str:
    return f"{_MARK} ({_digest(body)}): {_HINT}.\n{body}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
