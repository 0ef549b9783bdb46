"""What of a walked partition is in the instance, told through Dagster's own questions."""

import logging
from pathlib import Path

from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetRecordsFilter,
    DagsterEventType,
    DagsterInstance,
)
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.orchestration.running.runs import RunReport, run_partitions
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import minutes, source_of, take_in
from marketdata_pipelines_tests.orchestration.conftest import Workshop

DAYS = ["2024-05-06", "2024-05-07"]
VALIDATED, DAILY = AssetKey(["demo", "validated_bars"]), AssetKey(["demo", "daily_bars"])
NOT_EMPTY = AssetCheckKey(VALIDATED, "not_empty_when_open")
TOLD = {DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_CHECK_EVALUATION}


def told(workshop: Workshop, report: RunReport) -> list[EventLogEntry]:
    return list(workshop.instance.all_logs(report.run_id, of_type=TOLD))


def partition_of(entry: EventLogEntry) -> str:
    event = entry.get_dagster_event()
    if event.event_type is DagsterEventType.ASSET_MATERIALIZATION:
        return str(event.partition)
    return str(event.asset_check_evaluation_data.partition)


def verdict(instance: DagsterInstance, partition: str) -> tuple[AssetCheckExecutionRecordStatus, int | None]:
    """The latest status of a check for a partition, and the event it judges."""
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [NOT_EMPTY], PartitionKeyFilter(key=partition)
    )
    record = found[NOT_EMPTY]
    assert record.event is not None
    target = record.event.get_dagster_event().asset_check_evaluation_data.target_materialization_data
    return record.status, None if target is None else target.storage_id


def latest(instance: DagsterInstance, key: AssetKey, partition: str) -> int:
    query = AssetRecordsFilter(key, asset_partitions=[partition])
    return instance.fetch_materializations(query, limit=1).records[0].storage_id


def test_partitions_come_one_after_another_assets_before_their_checks(workshop: Workshop) -> None:
    report = workshop.run(DAYS)

    entries = told(workshop, report)
    kinds = {key: [entry.dagster_event_type for entry in entries if partition_of(entry) == key] for key in DAYS}
    assert [partition_of(entry) for entry in entries] == sorted(map(partition_of, entries))
    for found in kinds.values():
        first_check = found.index(DagsterEventType.ASSET_CHECK_EVALUATION)
        assert set(found[:first_check]) == {DagsterEventType.ASSET_MATERIALIZATION}
        assert set(found[first_check:]) == {DagsterEventType.ASSET_CHECK_EVALUATION}
        assert first_check == len([each for each in feed_tables(workshop.feed) if each.period is Period.DAY])


def test_an_event_reads_like_one_of_dagsters(workshop: Workshop) -> None:
    report = workshop.run([DAYS[0]])

    made, *_, judged = told(workshop, report)

    step = made.get_dagster_event()
    assert (made.run_id, made.step_key, made.job_name) == (report.run_id, "walk_demo__day", "demo__day")
    assert (made.level, step.step_kind_value, str(step.node_handle)) == (logging.DEBUG, "COMPUTE", "walk_demo__day")
    assert made.user_message == "demo/raw_bars 2024-05-06 is written."
    assert judged.user_message.startswith("one_row_a_key of demo/latest_bars 2024-05-06 passed: ")
    assert step.pid is not None


def test_each_verdict_names_the_materialization_it_judges(workshop: Workshop) -> None:
    workshop.run(DAYS)

    found = {key: verdict(workshop.instance, key) for key in DAYS}

    assert found == {
        key: (AssetCheckExecutionRecordStatus.SUCCEEDED, latest(workshop.instance, VALIDATED, key)) for key in DAYS
    }


def test_a_blocked_partitions_verdict_judges_what_stands_from_earlier(workshop: Workshop) -> None:
    workshop.run([DAYS[0]])
    standing = latest(workshop.instance, VALIDATED, DAYS[0])
    withdraw_days(workshop)

    report = workshop.run(DAYS, acquire=False)

    assert not report.succeeded
    assert verdict(workshop.instance, DAYS[0]) == (AssetCheckExecutionRecordStatus.FAILED, standing)
    assert verdict(workshop.instance, DAYS[1]) == (AssetCheckExecutionRecordStatus.FAILED, None)


def test_what_was_withheld_is_failed_and_what_was_written_is_not(workshop: Workshop) -> None:
    workshop.run([DAYS[0]])

    workshop.run(DAYS, acquire=False)

    assert workshop.failed("daily_bars") == [DAYS[1]]
    assert workshop.failed("raw_bars") == [DAYS[1]]
    assert workshop.materialized("daily_bars") == [DAYS[0]]


def test_checks_that_were_not_selected_are_not_told(workshop: Workshop) -> None:
    report = workshop.run([DAYS[0]], assets=["raw_bars", "validated_bars", "rejected_bars"])

    assets = {
        entry.get_dagster_event().asset_check_evaluation_data.asset_key.path[-1]
        for entry in told(workshop, report)
        if entry.dagster_event_type is DagsterEventType.ASSET_CHECK_EVALUATION
    }
    assert assets == {"raw_bars", "validated_bars", "rejected_bars"}


def test_another_storage_is_told_the_same(workshop: Workshop, tmp_path: Path) -> None:
    workshop.run(DAYS)
    ours = gist(workshop.instance)

    folder = tmp_path / "plain"
    folder.mkdir()
    with DagsterInstance.local_temp(str(folder)) as plain:
        names = [each.name for each in feed_tables(workshop.feed) if each.period is Period.DAY]
        report = run_partitions(
            workshop.settings, workshop.feed, Period.DAY, DAYS, names, acquire=False, instance=plain
        )
        theirs = gist(plain)
        judged = verdict(plain, DAYS[1])
        standing = latest(plain, VALIDATED, DAYS[1])

    assert report.succeeded
    assert theirs == ours
    assert judged == (AssetCheckExecutionRecordStatus.SUCCEEDED, standing)


def gist(instance: DagsterInstance) -> list[tuple[str, str, str, str]]:
    """Kind, asset, check and partition of everything told by the latest run."""
    (run,) = instance.get_runs(limit=1)
    found = []
    for entry in instance.all_logs(run.run_id, of_type=TOLD):
        event = entry.get_dagster_event()
        if event.event_type is DagsterEventType.ASSET_MATERIALIZATION:
            found.append(
                ("made", event.asset_key.to_user_string() if event.asset_key else "", "", str(event.partition))
            )
        else:
            data = event.asset_check_evaluation_data
            found.append(("judged", data.asset_key.to_user_string(), data.check_name, str(data.partition)))
    return found


def withdraw_days(workshop: Workshop) -> None:
    """Delete the bars of DAYS: a file that replaces a window has bars before and after them only."""
    opens = ("2024-05-03 13:30", "2024-05-08 13:30")
    rows = [row for symbol in ("AAA", "BBB") for each in opens for row in minutes(symbol, each, 2, step=30 * MINUTE_US)]
    lake, source = Lake(workshop.settings.lake), source_of("edges.csv", rows)
    take_in(lake, workshop.feed, source, mode=IngestMode.REPLACE_WINDOW, known_at="2999-01-01 00:00")
