"""What the embedded storage keeps through kills, forks, deletions and many writers."""

import os
import random
import signal
import sqlite3
import threading
import uuid
from datetime import date, timedelta
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines_tests.orchestration.conftest import Workshop
from marketdata_pipelines_tests.orchestration.storage_work import NOTE, PARTITIONS, run_processes, start_process

KEY = AssetKey(["demo", "raw_bars"])


@pytest.fixture
def bare_home(workshop: Workshop) -> Path:
    """The workshop's home, whose instance is open in this process as a web server's would be."""
    return workshop.settings.folder


@pytest.mark.parametrize("seed", range(3))
def test_what_a_killed_process_reported_as_stored_is_there(bare_home: Path, workshop: Workshop, seed: int) -> None:
    run_id, kill_after = str(uuid.uuid4()), random.Random(seed).randrange(1, 60)
    process = start_process(bare_home, PARTITIONS, [run_id, "2024-01-01", "100000"])
    assert process.stdout is not None

    reported = [process.stdout.readline().strip() for _ in range(kill_after)]
    process.send_signal(signal.SIGKILL)
    reported += process.communicate(timeout=60)[0].split()

    with instance_for(workshop.settings) as instance:
        found = instance.get_materialized_partitions(KEY)
        events = instance.event_log_storage.get_logs_for_run(run_id)
    assert reported[0] == "2024-01-01"
    assert found >= set(reported)
    # How many more are stored says nothing: the process went on until the signal reached it.
    assert len(events) >= 2 * len(reported)
    assert _damage(bare_home) == []
    assert run_processes(bare_home, PARTITIONS, [[run_id, "2030-01-01", "2"]]) == [0]


def test_eight_processes_write_forty_partitions_each(bare_home: Path, workshop: Workshop) -> None:
    first = date(2024, 1, 1)
    work = [[str(uuid.uuid4()), (first + timedelta(days=40 * number)).isoformat(), "40"] for number in range(8)]

    codes = run_processes(bare_home, PARTITIONS, work)

    assert codes == [0] * 8
    assert workshop.materialized("raw_bars") == [(first + timedelta(days=n)).isoformat() for n in range(320)]
    storage = workshop.instance.event_log_storage
    assert [len(storage.get_logs_for_run(run_id)) for run_id, _, _ in work] == [80] * 8


def test_a_run_is_deleted_while_another_process_writes(bare_home: Path, workshop: Workshop) -> None:
    done = workshop.run(["2024-05-06"])
    other = str(uuid.uuid4())
    process = start_process(bare_home, PARTITIONS, [other, "2025-01-01", "150"])
    assert process.stdout is not None
    process.stdout.readline()

    workshop.instance.delete_run(done.run_id)
    read_while = workshop.instance.event_log_storage.get_logs_for_run(done.run_id)
    process.communicate(timeout=120)

    assert process.returncode == 0
    assert list(read_while) == []
    assert workshop.instance.get_run_by_id(done.run_id) is None
    assert len(workshop.instance.event_log_storage.get_logs_for_run(other)) == 300
    assert workshop.materialized("daily_bars") == []


def test_a_run_that_writes_goes_on_when_another_process_deletes_it(bare_home: Path, workshop: Workshop) -> None:
    run_id = str(uuid.uuid4())
    process = start_process(bare_home, PARTITIONS, [run_id, "2025-01-01", "100000"])
    assert process.stdout is not None
    process.stdout.readline()

    workshop.instance.event_log_storage.delete_events(run_id)

    # What it reported before is gone; a day that is there was written after. The lines of a writer that fails end.
    days = iter(process.stdout.readline, "")
    there = next((day.strip() for day in days if day.strip() in workshop.materialized("raw_bars")), None)
    process.kill()
    process.communicate(timeout=60)
    assert there is not None
    assert _damage(bare_home) == []


def test_a_subscription_sees_events_of_another_process(bare_home: Path, workshop: Workshop) -> None:
    seen: list[str] = []
    arrived = threading.Event()
    run_id = str(uuid.uuid4())

    def hear(entry: EventLogEntry, _cursor: str) -> None:
        seen.append(entry.user_message)
        if len(seen) == 5:
            arrived.set()

    workshop.instance.watch_event_logs(run_id, None, hear)
    codes = run_processes(bare_home, NOTE, [[run_id, "5"]])
    arrived.wait(60)
    workshop.instance.end_watch_event_logs(run_id, hear)

    assert codes == [0]
    assert seen == [f"event {number}" for number in range(5)]


def test_a_forked_process_writes_and_its_parent_goes_on(bare_home: Path, workshop: Workshop) -> None:
    assert workshop.run(["2024-05-06"]).succeeded

    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if workshop.run(["2024-05-07"]).succeeded else 2
        finally:
            os._exit(code)
    report = workshop.run(["2024-05-08"])
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert report.succeeded
    assert workshop.materialized("daily_bars") == ["2024-05-06", "2024-05-07", "2024-05-08"]
    assert _damage(bare_home) == []


@pytest.mark.parametrize("kept", ["nothing", "some tables", "tables without their revision"])
def test_a_database_whose_making_was_interrupted_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with instance_for(Settings(home=tmp_path)):
        pass
    index = tmp_path / "dagster" / "history" / "runs" / "index.db"
    _interrupt_making(index, kept)

    assert run_processes(tmp_path, PARTITIONS, [[str(uuid.uuid4()), "2024-01-01", "3"]]) == [0]
    with instance_for(Settings(home=tmp_path)) as instance:
        assert len(instance.get_materialized_partitions(KEY)) == 3


def test_dagsters_own_class_reads_and_writes_the_same_files(workshop: Workshop) -> None:
    assert workshop.run(["2024-05-06"]).succeeded
    folder = workshop.settings.folder / "dagster"
    stock = SqliteEventLogStorage(str(folder / "history" / "runs"))

    read = stock.get_materialized_partitions(AssetKey(["demo", "daily_bars"]))
    for event in workshop.instance.event_log_storage.get_logs_for_run(workshop.instance.get_runs()[0].run_id):
        if event.dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION:
            stock.store_event(event)
            break
    stock.dispose()

    assert read == {"2024-05-06"}
    assert DagsterSqliteStorage.from_local(str(folder)).run_storage.get_runs_count() == 1
    assert workshop.run(["2024-05-07"]).succeeded
    assert workshop.materialized("daily_bars") == ["2024-05-06", "2024-05-07"]


def _damage(home: Path) -> list[str]:
    """What SQLite's own check says about each file."""
    found = []
    for path in (home / "dagster").rglob("*.db"):
        connection = sqlite3.connect(path, timeout=60)
        try:
            told = connection.execute("pragma integrity_check").fetchone()[0]
        finally:
            connection.close()
        if told != "ok":
            found.append(f"{path.name}: {told}")
    return found


def _interrupt_making(index: Path, kept: str) -> None:
    if kept == "nothing":
        for path in index.parent.glob("index.db*"):
            path.unlink()
        index.touch()
        return
    connection = sqlite3.connect(index)
    try:
        connection.execute("delete from alembic_version")
        if kept == "some tables":
            for table in ("asset_check_executions", "asset_keys", "dynamic_partitions", "secondary_indexes"):
                connection.execute(f"drop table {table}")
        connection.commit()
    finally:
        connection.close()
