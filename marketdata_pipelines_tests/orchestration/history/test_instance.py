from pathlib import Path

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.history.instance import instance_for, make_home
from marketdata_pipelines.orchestration.history.storage import HomeEventLogStorage
from marketdata_pipelines.settings.environment import Settings


def test_home_is_made_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    with instance_for(Settings(home=tmp_path)) as instance:
        storage = instance.event_log_storage

    assert isinstance(storage, HomeEventLogStorage)
    assert storage.path_for_shard("index") == str(tmp_path / "dagster" / "history" / "runs" / "index.db")
    assert sorted(path.name for path in (tmp_path / "dagster").glob("*.yaml")) == ["dagster.yaml", "workspace.yaml"]
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled


def test_dagster_home_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))

    assert make_home(Settings(home=tmp_path / "data")) == tmp_path / "elsewhere"
    assert not (tmp_path / "data").exists()


def test_a_configuration_that_is_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: true}\n", "utf-8")

    with instance_for(Settings(home=tmp_path)) as instance:
        storage = instance.event_log_storage

    assert not isinstance(storage, HomeEventLogStorage)
    assert (home / "dagster.yaml").read_text("utf-8") == "telemetry: {enabled: true}\n"


def test_relative_dagster_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "data/dagster")

    with pytest.raises(SettingsInvalid, match="DAGSTER_HOME is 'data/dagster'; give an absolute path"):
        make_home(Settings(home=tmp_path))
