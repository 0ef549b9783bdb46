import socket
import subprocess
import sys

import pytest
from dagster import DagsterRun, DagsterRunStatus

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.errors import WorkFailed
from marketdata_pipelines.orchestration.running.run_worker import PROCESS_TAG
from marketdata_pipelines.orchestration.running.runs import close_abandoned_runs
from marketdata_pipelines_tests.orchestration.conftest import Workshop


def test_a_range_is_one_run(workshop: Workshop) -> None:
    report = workshop.run(["2024-05-08", "2024-05-06", "2024-05-07"])

    (run,) = workshop.instance.get_runs()
    assert (run.run_id, run.job_name, report.succeeded) == (report.run_id, "demo__day", True)
    assert run.tags["dagster/asset_partition_range_start"] == "2024-05-06"
    assert run.tags["dagster/asset_partition_range_end"] == "2024-05-08"
    assert workshop.materialized("daily_bars") == ["2024-05-06", "2024-05-07", "2024-05-08"]


def test_scattered_keys_are_one_run_that_leaves_the_others_alone(workshop: Workshop) -> None:
    report = workshop.run(["2024-05-06", "2024-05-09", "2024-05-10"])

    assert report.succeeded
    assert workshop.materialized("daily_bars") == ["2024-05-06", "2024-05-09", "2024-05-10"]


def test_a_failed_run_over_scattered_keys_fails_none_it_did_not_name(workshop: Workshop) -> None:
    workshop.run(["2024-05-06"])

    report = workshop.run(["2024-05-06", "2024-05-09"], acquire=False)

    assert not report.succeeded
    assert workshop.failed("daily_bars") == ["2024-05-09"]


def test_weeks_and_months_follow_their_days(workshop: Workshop) -> None:
    workshop.run(["2024-05-31", "2024-06-03"])

    weeks = workshop.run(["2024-05-27", "2024-06-03"], Period.WEEK)
    months = workshop.run(["2024-05-01", "2024-06-01"], Period.MONTH)

    assert weeks.succeeded
    assert months.succeeded
    assert workshop.materialized("weekly_bars") == ["2024-05-27", "2024-06-03"]


def test_keys_that_are_no_partitions_are_left_out_and_named(workshop: Workshop) -> None:
    report = workshop.run(["2024-05-06", "2999-01-01"])

    assert report.succeeded
    assert report.message == "left out, as demo has no such day partition yet: 2999-01-01"


def test_no_partition_at_all_is_an_error_that_says_what_there_is(workshop: Workshop) -> None:
    with pytest.raises(WorkFailed, match="demo has no day partition for 2024-05-11"):
        workshop.run(["2024-05-11"])


def test_a_run_whose_process_is_gone_is_closed(workshop: Workshop) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lost = DagsterRun(
        job_name="demo__day",
        run_id="7a37a1c2-3c52-4f0c-8ec8-a5c4e2f5f3a1",
        status=DagsterRunStatus.STARTED,
        tags={PROCESS_TAG: f"{socket.gethostname()}:{gone.pid}"},
    )
    elsewhere = DagsterRun(
        job_name="demo__day",
        run_id="1f0e9a52-62a1-4c3f-9f49-0d7ed4b7a1b2",
        status=DagsterRunStatus.STARTED,
        tags={PROCESS_TAG: f"another-host:{gone.pid}"},
    )
    workshop.instance.add_run(lost)
    workshop.instance.add_run(elsewhere)

    closed = close_abandoned_runs(workshop.instance, "demo__day")

    assert closed == [lost.run_id]
    found = {run.run_id: run.status for run in workshop.instance.get_runs()}
    assert found == {lost.run_id: DagsterRunStatus.FAILURE, elsewhere.run_id: DagsterRunStatus.STARTED}
