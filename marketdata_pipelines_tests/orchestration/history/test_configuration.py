from pathlib import Path

import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.instance import InstanceRef
from dagster._core.instance.config import PoolGranularity
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from marketdata_pipelines.orchestration.history.configuration import (
    configuration_body,
    is_edited,
    refresh_configuration,
    render_configuration,
)
from marketdata_pipelines.orchestration.history.instance import make_home
from marketdata_pipelines.orchestration.running.launcher import WarmRunLauncher
from marketdata_pipelines.settings.environment import Settings

PROJECT = Path(__file__).resolve().parents[3]
FIRST_VERSION = """\
# Dagster's configuration for this home; made once, yours to change.
storage:
  custom:
    module: marketdata_pipelines.orchestration.storage
    class: HomeStorage
    config: {}
telemetry: {enabled: false}
nux: {enabled: false}
"""


def test_dagster_takes_every_key_of_the_rendered_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home = make_home(Settings(home=tmp_path, max_runs=6))

    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with DagsterInstance.from_ref(InstanceRef.from_dir(str(home))) as instance:
        queue = instance.get_concurrency_config().run_queue_config
        pools = instance.get_concurrency_config().pool_config
        assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
        assert isinstance(instance.run_launcher, WarmRunLauncher)
        assert isinstance(instance.compute_log_manager, LocalComputeLogManager)
        seconds = instance.run_coordinator.dequeue_interval_seconds
        logs = instance.compute_log_manager.get_captured_local_path("run", "out")
        retries = (instance.run_retries_enabled, instance.run_retries_max_retries)
        after_failure = instance.run_retries_retry_on_asset_or_op_failure
        monitored = (instance.run_monitoring_enabled, instance.run_monitoring_poll_interval_seconds)
        threads = (
            instance.get_backfill_settings(),
            instance.get_settings("sensors"),
            instance.get_settings("schedules"),
        )
        freshness, telemetry, nux = instance.freshness_enabled, instance.telemetry_enabled, instance.nux_enabled

    assert queue is not None
    assert queue.max_concurrent_runs == 6
    assert queue.tag_concurrency_limits == [{"key": "dagster/backfill", "limit": 5}]
    assert pools.pool_granularity is PoolGranularity.RUN
    assert seconds == 1
    assert retries == (True, 2)
    assert not after_failure
    assert monitored == (True, 10)
    assert [each["use_threads"] for each in threads] == [True, True, True]
    assert (freshness, telemetry, nux) == (True, False, False)
    assert logs.startswith(str(home / "storage"))


def test_backfills_never_take_every_slot_but_get_the_only_one() -> None:
    limits = {
        runs: yaml.safe_load(configuration_body(Settings(max_runs=runs)))["concurrency"]["runs"] for runs in (1, 2, 4)
    }

    assert {runs: found["tag_concurrency_limits"][0]["limit"] for runs, found in limits.items()} == {1: 1, 2: 1, 4: 3}
    assert [found["max_concurrent_runs"] for found in limits.values()] == [1, 2, 4]


def test_the_projects_own_file_says_the_same_as_the_default_one() -> None:
    text = (PROJECT / "dagster.yaml").read_text("utf-8")

    assert text.endswith(configuration_body(Settings(max_runs=4)))


def test_a_rendered_file_follows_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "dagster.yaml"
    refresh_configuration(path, Settings(max_runs=2))

    refresh_configuration(path, Settings(max_runs=9))

    assert path.read_text("utf-8") == render_configuration(Settings(max_runs=9))
    assert not is_edited(path)
    assert [found.name for found in tmp_path.iterdir()] == ["dagster.yaml"]


def test_a_file_that_is_as_the_settings_ask_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "dagster.yaml"
    refresh_configuration(path, Settings())
    before = path.stat()

    refresh_configuration(path, Settings())

    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("change", [lambda text: text + "# mine\n", lambda _: "", lambda _: "telemetry: {}\n"])
def test_an_edited_file_stays(tmp_path: Path, change: object) -> None:
    path = tmp_path / "dagster.yaml"
    assert callable(change)
    path.write_text(change(render_configuration(Settings())), "utf-8")
    before = path.read_text("utf-8")

    refresh_configuration(path, Settings(max_runs=9))

    assert is_edited(path)
    assert path.read_text("utf-8") == before


def test_the_file_earlier_versions_wrote_is_replaced_unless_it_was_edited(tmp_path: Path) -> None:
    old, edited = tmp_path / "old.yaml", tmp_path / "edited.yaml"
    old.write_text(FIRST_VERSION, "utf-8")
    edited.write_text(FIRST_VERSION.replace("false", "true"), "utf-8")

    refresh_configuration(old, Settings())
    refresh_configuration(edited, Settings())

    assert old.read_text("utf-8") == render_configuration(Settings())
    assert edited.read_text("utf-8") == FIRST_VERSION.replace("false", "true")
