from dagster import AssetCheckKey, AssetKey, AssetRecordsFilter, DagsterEventType, DagsterRunStatus
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines_tests.orchestration.conftest import Workshop

WEEK = ["2024-05-06", "2024-05-07", "2024-05-08", "2024-05-09", "2024-05-10"]
VALIDATED, DAILY = AssetKey(["demo", "validated_bars"]), AssetKey(["demo", "daily_bars"])
NOT_EMPTY = AssetCheckKey(VALIDATED, "not_empty_when_open")


def test_each_partition_is_recorded_before_the_next_begins(workshop: Workshop) -> None:
    seen: list[tuple[list[str], int, DagsterRunStatus]] = []

    def look(outcome: PartitionOutcome) -> None:
        with instance_for(workshop.settings) as other:
            (run,) = other.get_runs()
            evaluated = [
                record.partition for record in other.event_log_storage.get_asset_check_execution_history(NOT_EMPTY, 10)
            ]
            seen.append((sorted(other.get_materialized_partitions(DAILY)), len(evaluated), run.status))

    report = workshop.run(WEEK[:3], on_outcome=look)

    assert report.succeeded
    assert seen == [
        (WEEK[:1], 1, DagsterRunStatus.STARTED),
        (WEEK[:2], 2, DagsterRunStatus.STARTED),
        (WEEK[:3], 3, DagsterRunStatus.STARTED),
    ]


def test_a_blocked_partition_blocks_itself_only(workshop: Workshop) -> None:
    assert workshop.run([WEEK[0], WEEK[2]]).succeeded

    report = workshop.run(WEEK[:3], acquire=False)

    assert not report.succeeded
    assert "1 of 3 partitions of demo are blocked: 2024-05-07; the others are written" in report.message
    assert "marketdata backfill demo --start 2024-05-07 --end 2024-05-07" in report.message
    assert workshop.materialized("daily_bars") == [WEEK[0], WEEK[2]]
    assert workshop.failed("daily_bars") == [WEEK[1]]


def test_a_blocked_partition_that_is_mended_is_failed_no_longer(workshop: Workshop) -> None:
    workshop.run([WEEK[0]])
    workshop.run(WEEK[:2], acquire=False)

    workshop.run([WEEK[1]])

    assert workshop.materialized("daily_bars") == WEEK[:2]
    assert workshop.failed("daily_bars") == []


def test_checks_are_stored_by_partition_and_name_what_they_judge(workshop: Workshop) -> None:
    workshop.run([WEEK[0], WEEK[2]])
    workshop.run(WEEK[:3], acquire=False)

    infos = workshop.instance.event_log_storage.get_asset_check_partition_info([NOT_EMPTY])

    found = {info.partition_key: (info.latest_execution_status, info.is_current) for info in infos}
    assert found == {
        WEEK[0]: (AssetCheckExecutionRecordStatus.SUCCEEDED, True),
        WEEK[1]: (AssetCheckExecutionRecordStatus.FAILED, True),
        WEEK[2]: (AssetCheckExecutionRecordStatus.SUCCEEDED, True),
    }


def test_downstream_assets_alone_read_what_is_stored(workshop: Workshop) -> None:
    workshop.run(WEEK[:2])

    report = workshop.run(WEEK[:2], assets=["daily_bars", "top_volume"])

    events = workshop.instance.fetch_materializations(AssetRecordsFilter(VALIDATED), limit=10).records
    assert report.succeeded
    assert {event.run_id for event in events} == {event.run_id for event in events} - {report.run_id}
    assert len(workshop.instance.fetch_materializations(AssetRecordsFilter(DAILY), limit=10).records) == 4


def test_downstream_without_its_upstream_is_blocked_and_says_what_to_run(workshop: Workshop) -> None:
    report = workshop.run(["2024-05-06"], period=Period.WEEK)

    assert not report.succeeded
    assert "demo has no daily bars between 2024-05-06 and 2024-05-12" in report.message


def test_progress_is_in_the_log(workshop: Workshop) -> None:
    report = workshop.run(WEEK[:1])

    messages = [entry.user_message for entry in workshop.instance.all_logs(report.run_id)]
    assert any("demo by day: 1 of 1 partitions (100 %)" in message for message in messages)


def test_blocked_partitions_are_told_in_the_failure(workshop: Workshop) -> None:
    report = workshop.run(WEEK[:2], acquire=False)

    (failure,) = workshop.instance.all_logs(report.run_id, of_type=DagsterEventType.STEP_FAILURE)
    data = failure.get_dagster_event().step_failure_data.user_failure_data
    assert data is not None
    assert data.metadata["blocked"].value == 2
    assert "| 2024-05-07 |" in str(data.metadata["partitions"].value)
