import os
import signal
import sqlite3
from pathlib import Path

import pytest
from dagster import AssetKey, AssetMaterialization, DagsterInstance
from dagster._core.instance import InstanceRef

from marketdata_pipelines.orchestration.history.storage import HomeEventLogStorage
from marketdata_pipelines_tests.orchestration.conftest import Workshop

PROJECT = Path(__file__).resolve().parents[3]


def test_plain_dagster_in_the_project_keeps_its_runs_where_the_cli_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("MARKETDATA_HOME", str(tmp_path / "data"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    with DagsterInstance.from_ref(InstanceRef.from_dir(str(temporary), config_dir=str(PROJECT))) as instance:
        instance.report_runless_asset_event(
            AssetMaterialization(AssetKey(["demo", "raw_bars"]), partition="2024-05-01")
        )

    assert (tmp_path / "data" / "dagster" / "history" / "runs" / "index.db").exists()


def test_events_survive_a_run_file_deleted_by_another_process(workshop: Workshop) -> None:
    report = workshop.run(["2024-05-06"])
    storage = workshop.instance.event_log_storage
    assert isinstance(storage, HomeEventLogStorage)
    os.unlink(storage.path_for_shard(report.run_id))

    assert list(storage.get_records_for_run(report.run_id).records) == []
    assert workshop.run(["2024-05-07"]).succeeded


def test_a_wiped_instance_starts_again(workshop: Workshop) -> None:
    workshop.run(["2024-05-06"])

    workshop.instance.wipe()

    assert workshop.run(["2024-05-07"]).succeeded
    assert sorted(workshop.instance.get_materialized_partitions(AssetKey(["demo", "daily_bars"]))) == ["2024-05-07"]


def test_an_interrupt_within_a_transaction_waits_for_its_commit(workshop: Workshop) -> None:
    report = workshop.run(["2024-05-06"])
    storage = workshop.instance.event_log_storage
    assert isinstance(storage, HomeEventLogStorage)

    def interrupted() -> None:
        with storage.run_connection(report.run_id) as connection:
            signal.raise_signal(signal.SIGINT)
            connection.exec_driver_sql("update event_logs set step_key = 'kept'")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with sqlite3.connect(storage.path_for_shard(report.run_id), timeout=0) as other:
        kept = other.execute("select count(*) from event_logs where step_key = 'kept'").fetchone()[0]
        changed = other.execute("update event_logs set step_key = 'free'").rowcount
    other.close()
    assert kept == changed > 0
