"""One variable moves runs, events and schedules to a real PostgreSQL, and back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import AssetCheckKey, AssetKey, AssetMaterialization, DagsterInstance
from dagster._core.instance import InstanceRef
from dagster._serdes import serialize_value

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.orchestration.history.postgres_storage import PostgresEvents
from marketdata_pipelines.orchestration.history.storage import HomeEventLogStorage
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines_tests.orchestration.conftest import FEEDS, Workshop
from marketdata_pipelines_tests.servers import ask

PROJECT = Path(__file__).resolve().parents[3]
DAYS = ["2024-05-06", "2024-05-07"]


def test_the_graph_runs_and_is_read_back(on_server: Workshop, postgres_url: str) -> None:
    days = on_server.run(DAYS)
    weeks = on_server.run(["2024-05-06"], Period.WEEK)

    assert days.succeeded
    assert weeks.succeeded
    assert isinstance(on_server.instance.event_log_storage, PostgresEvents)
    assert on_server.materialized("daily_bars") == DAYS
    assert on_server.materialized("weekly_bars") == ["2024-05-06"]
    check = AssetCheckKey(AssetKey(["demo", "daily_bars"]), "aggregates_conserve")
    history = on_server.instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
    assert sorted(str(record.partition) for record in history) == DAYS
    assert {record.status.value for record in history} == {"SUCCEEDED"}
    assert ask(postgres_url, "select count(*) from runs")[0][0] == 2


def test_no_database_file_is_made_in_the_home(on_server: Workshop) -> None:
    on_server.run(DAYS[:1])

    made = [path for path in (on_server.settings.folder / "dagster").rglob("*") if path.is_file()]
    assert [path.name for path in made if path.suffix in (".db", ".sqlite") or ".db-" in path.name] == []


def test_a_long_range_plans_each_asset_once(on_server: Workshop, postgres_url: str) -> None:
    keys = [key for key in on_server.graph()[0].partitions_def.get_partition_keys() if key < "2024-06-20"][:30]  # type: ignore[union-attr]

    report = on_server.run(keys)

    assert report.succeeded
    assert on_server.materialized("daily_bars") == keys
    planned = "select count(*) from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'"
    per_asset = "select count(distinct asset_key) from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
    assert ask(postgres_url, planned)[0][0] == ask(postgres_url, per_asset)[0][0]


def test_switching_back_and_forth_keeps_both_histories(
    home_on_server: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = AssetKey(["demo", "raw_bars"])

    def note(partition: str) -> tuple[type, set[str]]:
        with instance_for(Settings(home=home_on_server)) as instance:
            instance.report_runless_asset_event(AssetMaterialization(key, partition=partition))
            return type(instance.event_log_storage), set(instance.get_materialized_partitions(key))

    first = note("2024-05-01")
    monkeypatch.delenv("MARKETDATA_DAGSTER_STORAGE")
    second = note("2024-05-02")
    monkeypatch.setenv("MARKETDATA_DAGSTER_STORAGE", postgres_url)
    third = note("2024-05-03")

    assert first == (PostgresEvents, {"2024-05-01"})
    assert second == (HomeEventLogStorage, {"2024-05-02"})
    assert third == (PostgresEvents, {"2024-05-01", "2024-05-03"})


def test_plain_dagster_in_the_project_obeys_the_variable(home_on_server: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    with DagsterInstance.from_ref(InstanceRef.from_dir(str(temporary), config_dir=str(PROJECT))) as instance:
        assert isinstance(instance.event_log_storage, PostgresEvents)


def test_the_password_is_in_no_file_of_the_home_and_in_no_reference(on_server: Workshop, postgres_url: str) -> None:
    password = postgres_url.split(":")[2].split("@")[0]
    on_server.run(DAYS[:1])

    reference = on_server.instance.get_ref()
    folder = on_server.settings.folder / "dagster"
    assert password not in serialize_value(reference)
    assert password not in json.dumps(on_server.instance.info_dict())
    assert password not in repr(on_server.settings)
    assert [path for path in folder.rglob("*") if path.is_file() and password.encode() in path.read_bytes()] == []


def test_a_server_given_in_python_only_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    with pytest.raises(SettingsInvalid, match="set it in the environment"):
        instance_for(Settings(home=tmp_path, dagster_storage="postgresql://u:secret@127.0.0.1/d"))


def test_the_command_names_an_unreachable_server_without_its_password(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "MARKETDATA_HOME": str(tmp_path),
        "MARKETDATA_LOG_LEVEL": "DEBUG",
        "MARKETDATA_DAGSTER_STORAGE": "postgresql://someone:hunter2secret@127.0.0.1:1/history",
    }
    (tmp_path / "feeds.yaml").write_text(FEEDS, "utf-8")
    command = [sys.executable, "-m", "marketdata_pipelines.cli", "backfill", "demo"]

    told = subprocess.run(
        [*command, "--start", "2024-05-06", "--end", "2024-05-06"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert told.returncode == 2
    assert "MARKETDATA_DAGSTER_STORAGE names database history on 127.0.0.1:1" in told.stderr
    assert "start the server or mend the address" in told.stderr
    assert "hunter2secret" not in told.stdout + told.stderr
