"""What our PostgreSQL storage adds to Dagster's, on a real server."""

import os
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetCheckEvaluation, AssetCheckSeverity, AssetKey, AssetMaterialization, DagsterEventType
from dagster._core.event_api import EventLogCursor
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry

from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.orchestration.history.postgres_address import postgres_address
from marketdata_pipelines.orchestration.history.postgres_storage import PostgresEvents, PostgresStorage
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines_tests.orchestration.conftest import Workshop
from marketdata_pipelines_tests.orchestration.storage_work import NOTE, run_processes
from marketdata_pipelines_tests.servers import ask

WEEK = ["2024-05-06", "2024-05-07", "2024-05-08", "2024-05-09", "2024-05-10"]
KEY = AssetKey(["demo", "raw_bars"])


@pytest.fixture
def storage(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> PostgresStorage:
    monkeypatch.setenv("MARKETDATA_DAGSTER_STORAGE", postgres_url)
    address = postgres_address(Settings())
    assert address is not None
    return PostgresStorage(address)


def test_exactly_the_blocked_partitions_of_a_scattered_run_are_failed(on_server: Workshop) -> None:
    assert on_server.run([WEEK[0]]).succeeded

    report = on_server.run([WEEK[0], WEEK[2], WEEK[4]], acquire=False)

    assert not report.succeeded
    assert on_server.materialized("daily_bars") == [WEEK[0]]
    assert on_server.failed("daily_bars") == [WEEK[2], WEEK[4]]


def test_a_blocked_partition_that_is_mended_is_failed_no_longer(on_server: Workshop) -> None:
    on_server.run([WEEK[0]])
    on_server.run(WEEK[:2], acquire=False)

    on_server.run([WEEK[1]])

    assert on_server.materialized("daily_bars") == WEEK[:2]
    assert on_server.failed("daily_bars") == []


def test_a_partition_stored_at_once_gives_the_rows_of_one_event_at_a_time(
    storage: PostgresStorage, postgres_url: str
) -> None:
    run_one, run_all = str(uuid.uuid4()), str(uuid.uuid4())

    for event in _partition_events(run_one):
        storage.event_log_storage.store_event(event)
    one = _stored(postgres_url, run_one)
    ids = storage.event_log_storage.store_partition_events(_partition_events(run_all))

    assert _stored(postgres_url, run_all) == one
    assert len(ids) == 3
    assert ids == sorted(ids)


def test_a_second_evaluation_replaces_the_first_of_its_run_and_partition(
    storage: PostgresStorage, postgres_url: str
) -> None:
    run_id = str(uuid.uuid4())
    events = _partition_events(run_id)

    storage.event_log_storage.store_partition_events(events)
    storage.event_log_storage.store_partition_events(events)

    assert len(_stored(postgres_url, run_id)[1]) == 2


def test_a_subscription_sees_events_of_another_process(on_server: Workshop) -> None:
    instance, seen, arrived = on_server.instance, [], threading.Event()
    run_id = str(uuid.uuid4())

    def hear(entry: EventLogEntry, _cursor: str) -> None:
        seen.append(entry.user_message)
        if len(seen) == 3:
            arrived.set()

    instance.watch_event_logs(run_id, str(EventLogCursor.from_storage_id(0)), hear)
    told = run_processes(on_server.settings.folder, NOTE, [[run_id, "3"]])
    arrived.wait(60)
    instance.end_watch_event_logs(run_id, hear)

    assert told == [0]
    assert seen == ["event 0", "event 1", "event 2"]


def test_processes_that_open_an_empty_database_at_once_all_succeed(home_on_server: Path, postgres_url: str) -> None:
    runs = [str(uuid.uuid4()) for _ in range(4)]

    told = run_processes(home_on_server, NOTE, [[run_id, "5"] for run_id in runs])

    assert told == [0, 0, 0, 0]
    with instance_for(Settings(home=home_on_server)) as instance:
        assert [len(instance.all_logs(run_id)) for run_id in runs] == [5, 5, 5, 5]
    assert ask(postgres_url, "select count(*) from alembic_version") == [(1,)]


def test_tables_that_are_missing_are_made_at_the_next_start(storage: PostgresStorage, postgres_url: str) -> None:
    storage.event_log_storage.dispose()
    ask(postgres_url, "drop table asset_check_executions, daemon_heartbeats, job_ticks")
    address = postgres_address(Settings())
    assert address is not None

    again = PostgresStorage(address)

    event_id = again.event_log_storage.store_partition_events(_partition_events(str(uuid.uuid4())))
    assert len(event_id) == 3
    assert again.run_storage.get_daemon_heartbeats() == {}


def test_a_forked_process_writes_over_connections_of_its_own(storage: PostgresStorage) -> None:
    events: PostgresEvents = storage.event_log_storage
    parent_run, child_run = str(uuid.uuid4()), str(uuid.uuid4())
    events.store_partition_events(_partition_events(parent_run))

    child = os.fork()
    if child == 0:
        code = 1
        try:
            events.store_partition_events(_partition_events(child_run))
            code = 0
        finally:
            os._exit(code)
    events.store_partition_events(_partition_events(parent_run))
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert len(events.get_logs_for_run(child_run)) == 3
    assert len(events.get_logs_for_run(parent_run)) == 6


def test_a_lost_connection_is_opened_again(storage: PostgresStorage, postgres_url: str) -> None:
    events: PostgresEvents = storage.event_log_storage
    events.store_partition_events(_partition_events(str(uuid.uuid4())))

    ask(postgres_url, "select pg_terminate_backend(pid) from pg_stat_activity where usename = current_user "
         "and pid <> pg_backend_pid()")  # fmt: skip

    assert len(events.store_partition_events(_partition_events(str(uuid.uuid4())))) == 3


def _partition_events(run_id: str) -> list[EventLogEntry]:
    """A materialization and two verdicts on it."""
    made = StepMaterializationData(AssetMaterialization(KEY, partition="2024-05-06", metadata={"rows": 3}))
    verdicts = [
        AssetCheckEvaluation(KEY, name, passed, {}, severity=AssetCheckSeverity.ERROR, partition="2024-05-06")
        for name, passed in (("ordered", True), ("whole", False))
    ]
    kinds: list[tuple[DagsterEventType, Any]] = [(DagsterEventType.ASSET_MATERIALIZATION, made)]
    kinds += [(DagsterEventType.ASSET_CHECK_EVALUATION, verdict) for verdict in verdicts]
    return [
        EventLogEntry(  # type: ignore[no-untyped-call]
            error_info=None, level=10, user_message=kind.value, run_id=run_id, timestamp=1_715_000_000.5,
            dagster_event=DagsterEvent(kind.value, "job", event_specific_data=data),
        )
        for kind, data in kinds
    ]  # fmt: skip


def _stored(url: str, run_id: str) -> list[list[tuple[Any, ...]]]:
    """The rows of a run, without ids; the run's own name is blotted out."""
    queries = (
        "select replace(event, %s, ''), dagster_event_type, timestamp, step_key, asset_key, partition from event_logs"
        " where run_id = %s order by id",
        "select replace(evaluation_event, %s, ''), asset_key, check_name, partition, execution_status,"
        " evaluation_event_timestamp, materialization_event_storage_id from asset_check_executions"
        " where run_id = %s order by id",
        "select asset_key, regexp_replace(replace(last_materialization, %s, ''), '\"storage_id\": [0-9]+', ''),"
        " last_materialization_timestamp from asset_keys where last_run_id = %s",
    )
    return [ask(url, query, run_id, run_id) for query in queries]
