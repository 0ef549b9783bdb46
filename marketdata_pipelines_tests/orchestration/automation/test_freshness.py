"""Freshness as Dagster shows it: the check told without runs, executed on demand, and the policy's own status."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import AssetCheckKey, AssetCheckSeverity, AssetKey, DefaultSensorStatus, SensorResult
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateRecord
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)
from dagster._core.test_utils import freeze_time
from dagster._daemon.freshness import FreshnessDaemon

from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.orchestration.assets.freshness_policy import freshness_policy
from marketdata_pipelines.orchestration.automation.freshness import CHECK, tell_freshness
from marketdata_pipelines.orchestration.automation.roll_up import ask_for_roll_ups
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.orchestration.scheduled import SIMULATED, Desk, desk_in, moment

VALIDATED = AssetKey(["demo", "validated_bars"])
LATE = "2024-05-01 22:00"


@pytest.fixture
def desk(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with desk_in(tmp_path, empty_home, SIMULATED) as made:
        yield made


def tell(desk: Desk, at: datetime) -> list[str]:
    return tell_freshness(desk.instance, desk.lake, [desk.feed], at)


def shown(desk: Desk, key: AssetKey = VALIDATED) -> AssetCheckExecutionRecord:
    """The latest verdict on an asset."""
    check = AssetCheckKey(key, CHECK)
    return desk.instance.event_log_storage.get_latest_asset_check_execution_by_key([check])[check]


def verdicts(desk: Desk) -> dict[str, bool]:
    found = {}
    for table_set in feed_tables(desk.feed):
        evaluation = shown(desk, asset_key("demo", table_set.name)).evaluation
        assert evaluation is not None
        found[table_set.name] = evaluation.passed
    return found


def roll_up(desk: Desk, at: str) -> None:
    """Run the weeks and months that follow what was run before."""
    found = ask_for_roll_ups(desk.instance, desk.feed, desk.lake, desk.existing, moment(at), None)
    assert isinstance(found, SensorResult)
    for request in found.run_requests or []:
        assert desk.run(request)


def test_late_tables_turn_red_with_what_is_missing_and_what_to_run(desk: Desk) -> None:
    told = tell(desk, moment(LATE))

    evaluation = shown(desk).evaluation
    assert evaluation is not None
    assert not evaluation.passed
    assert evaluation.severity is AssetCheckSeverity.WARN
    assert evaluation.description == (
        "late since 2024-05-01 22:00 UTC: not all has come in of session 2024-05-01; "
        "run: marketdata backfill demo --start 2024-05-01 --end 2024-05-01"
    )
    assert evaluation.metadata["missing_sessions"].value == 1
    assert len(told) == 1
    assert told[0].startswith("demo: late: raw_bars, validated_bars")


def test_a_second_missing_session_is_an_error(desk: Desk) -> None:
    tell(desk, moment("2024-05-02 22:00"))

    evaluation = shown(desk).evaluation
    assert evaluation is not None
    assert evaluation.severity is AssetCheckSeverity.ERROR


def test_what_is_shown_already_is_not_told_again_within_the_hour(desk: Desk) -> None:
    now = datetime.now(UTC)
    tell(desk, now)
    first = shown(desk).id

    assert tell(desk, now + timedelta(minutes=59)) == []
    assert shown(desk).id == first

    assert tell(desk, now + timedelta(minutes=61)) == []
    assert shown(desk).id > first


def test_recovered_tables_turn_green(desk: Desk) -> None:
    tell(desk, moment(LATE))
    assert desk.run(desk.ask("2024-05-01 20:15"))
    roll_up(desk, "2024-05-01 20:20")

    told = tell(desk, moment(LATE))

    assert told == ["demo: everything is on time"]
    assert set(verdicts(desk).values()) == {True}
    assert asyncio.run(shown(desk).targets_latest_materialization(LoadingContextForTest(desk.instance)))


def test_a_verdict_follows_newer_data(desk: Desk) -> None:
    assert desk.run(desk.ask("2024-05-01 20:15"))
    tell(desk, moment(LATE))
    assert desk.run(desk.ask("2024-05-02 20:15"))
    context = LoadingContextForTest(desk.instance)
    assert not asyncio.run(shown(desk).targets_latest_materialization(context))

    tell(desk, moment("2024-05-02 20:20"))

    assert asyncio.run(shown(desk).targets_latest_materialization(LoadingContextForTest(desk.instance)))


def test_a_run_that_plans_the_check_hides_no_verdict(desk: Desk) -> None:
    tell(desk, moment(LATE))
    job = desk.repository.get_implicit_global_asset_job_def()
    only = job.get_subset(asset_selection=frozenset(), asset_check_selection={AssetCheckKey(VALIDATED, CHECK)})
    desk.instance.create_run_for_job(job_def=only)
    assert shown(desk).status is AssetCheckExecutionRecordStatus.PLANNED

    tell(desk, moment(LATE))

    assert shown(desk).status is AssetCheckExecutionRecordStatus.FAILED


def test_executed_from_the_page_the_check_answers_at_once(desk: Desk) -> None:
    job = desk.repository.get_implicit_global_asset_job_def()
    only = job.get_subset(asset_selection=frozenset(), asset_check_selection={AssetCheckKey(VALIDATED, CHECK)})

    result = only.execute_in_process(instance=desk.instance)

    assert result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert str(evaluation.description).startswith("late since ")


def test_no_job_runs_the_check(desk: Desk) -> None:
    assert desk.run(desk.ask("2024-05-01 20:15"))

    check = AssetCheckKey(VALIDATED, CHECK)
    assert desk.instance.event_log_storage.get_latest_asset_check_execution_by_key([check]) == {}
    assert list(desk.repository.get_job("demo__day").graph.node_dict) == ["walk_demo__day"]


def test_one_running_sensor_watches_the_feeds_with_a_schedule(desk: Desk) -> None:
    sensor = desk.repository.get_sensor_def("table_freshness")

    assert sensor.default_status is DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 60


def test_dagsters_own_status_passes_over_the_longest_closure_and_fails_after_it(desk: Desk) -> None:
    assert desk.run(desk.ask("2024-05-01 20:15"))
    node = desk.repository.asset_graph.get(VALIDATED)
    written = datetime.now(UTC)

    def status(after: timedelta) -> FreshnessState:
        """What the freshness daemon finds and GraphQL then reads."""
        with freeze_time(written + after):
            asyncio.run(FreshnessDaemon()._evaluate_asset(LoadingContextForTest(desk.instance), node))
            record = asyncio.run(FreshnessStateRecord.gen(LoadingContextForTest(desk.instance), VALIDATED))
        assert record is not None
        return record.freshness_state

    assert status(timedelta(minutes=1)) is FreshnessState.PASS
    assert status(timedelta(days=4, hours=4)) is FreshnessState.PASS
    assert status(timedelta(days=6)) is FreshnessState.FAIL


def test_a_feed_without_a_schedule_has_no_policy() -> None:
    assert freshness_policy(make_feed()) is None
