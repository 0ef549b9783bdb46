"""Writes a partition's materializations and check evaluations into Dagster's SQLite event files in two transactions.

Row for row what Dagster's own storage writes one event at a time, over seven transactions each
(`test_event_batches.py` compares them). What is an event is not decided here (see `reporting`).
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from dagster import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._serdes import serialize_value
from sqlalchemy.engine import Connection

_INSERT_EVENT = """
insert into event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
values (?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE_ASSET = """
update asset_keys set last_materialization = ?, last_run_id = ?, last_materialization_timestamp = ? where asset_key = ?
"""
_INSERT_ASSET = """
insert into asset_keys (last_materialization, last_run_id, last_materialization_timestamp, asset_key)
values (?, ?, ?, ?)
"""
_UPDATE_CHECK = """
update asset_check_executions
set execution_status = ?, evaluation_event = ?, evaluation_event_timestamp = ?, evaluation_event_storage_id = ?,
    materialization_event_storage_id = ?
where asset_key = ? and check_name = ? and run_id = ? and partition is ?
"""
_INSERT_CHECK = """
insert into asset_check_executions (
    execution_status, evaluation_event, evaluation_event_timestamp, evaluation_event_storage_id,
    materialization_event_storage_id, asset_key, check_name, run_id, partition
) values (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def write_events(
    events: Sequence[EventLogEntry], run: AbstractContextManager[Connection], index: AbstractContextManager[Connection]
) -> list[int]:
    """Store events of one run in its own file and in the index; returns their ids in the index.

    Only materializations without tags and check evaluations.
    """
    texts = [serialize_value(event) for event in events]
    rows = [_row(event, text) for event, text in zip(events, texts, strict=True)]
    with run as connection:
        connection.exec_driver_sql(_INSERT_EVENT, rows)
    with index as connection:
        ids = [_inserted(connection, row) for row in rows]
        for event, text, row, event_id in zip(events, texts, rows, ids, strict=True):
            if event.dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION:
                _note_materialization(connection, event, text, row, event_id)
            else:
                _note_evaluation(connection, event, text, row, event_id)
    return ids


def _row(event: EventLogEntry, text: str) -> tuple[Any, ...]:
    found = event.get_dagster_event()
    at = datetime.fromtimestamp(event.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    asset = found.asset_key.to_string() if found.asset_key else None
    return event.run_id, text, found.event_type_value, at, found.step_key, asset, found.partition


def _inserted(connection: Connection, row: tuple[Any, ...]) -> int:
    return int(connection.exec_driver_sql(_INSERT_EVENT, row).lastrowid)


def _note_materialization(
    connection: Connection, event: EventLogEntry, text: str, row: tuple[Any, ...], event_id: int
) -> None:
    # What `serialize_value(EventLogRecord(event_id, event))` gives, without serializing the event once more.
    record = f'{{"__class__": "EventLogRecord", "event_log_entry": {text}, "storage_id": {event_id}}}'
    values = (record, event.run_id, row[3], row[5])
    if connection.exec_driver_sql(_UPDATE_ASSET, values).rowcount == 0:
        connection.exec_driver_sql(_INSERT_ASSET, values)


def _note_evaluation(
    connection: Connection, event: EventLogEntry, text: str, row: tuple[Any, ...], event_id: int
) -> None:
    evaluation = event.get_dagster_event().asset_check_evaluation_data
    status = AssetCheckExecutionRecordStatus.SUCCEEDED if evaluation.passed else AssetCheckExecutionRecordStatus.FAILED
    target = evaluation.target_materialization_data
    values = (
        status.value, text, row[3], event_id, target.storage_id if target else None,
        evaluation.asset_key.to_string(), evaluation.check_name, event.run_id, evaluation.partition,
    )  # fmt: skip
    if connection.exec_driver_sql(_UPDATE_CHECK, values).rowcount == 0:
        connection.exec_driver_sql(_INSERT_CHECK, values)
