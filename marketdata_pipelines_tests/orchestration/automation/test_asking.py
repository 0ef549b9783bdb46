"""What has been asked of Dagster already, whoever asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterRunStatus, RunRequest

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.orchestration.automation.asking import existing_among, failed_attempts, flights, walked_us
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines_tests.orchestration.scheduled import SIMULATED, Desk, desk_in, moment

RANGE = {"dagster/asset_partition_range_start": "2024-05-01", "dagster/asset_partition_range_end": "2024-05-07"}


@pytest.fixture
def desk(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with desk_in(tmp_path, empty_home, SIMULATED) as made:
        yield made


def test_a_run_of_the_job_is_in_flight_with_its_narrowed_range(desk: Desk) -> None:
    tags = {**RANGE, "marketdata/partitions": "2024-05-01..2024-05-02,2024-05-07"}
    run = desk.leave(RunRequest(tags=tags), DagsterRunStatus.NOT_STARTED)

    (found,) = flights(desk.instance, desk.feed, Period.DAY, desk.existing(Period.DAY))

    assert found.run_id == run.run_id
    assert found.keys == {"2024-05-01", "2024-05-02", "2024-05-07"}
    assert {"raw_bars", "latest_bars"} < found.assets
    assert flights(desk.instance, desk.feed, Period.WEEK, desk.existing(Period.WEEK)) == []


def test_a_run_of_some_assets_is_in_flight_with_these_whatever_its_job(desk: Desk) -> None:
    job = desk.repository.get_implicit_global_asset_job_def()
    selection = {asset_key("demo", "top_volume"), asset_key("demo", "weekly_bars")}
    desk.instance.create_run_for_job(job_def=job, asset_selection=selection, tags={"dagster/partition": "2024-05-06"})

    (found,) = flights(desk.instance, desk.feed, Period.DAY, [])

    assert found.assets == {"top_volume"}
    assert found.keys == {"2024-05-06"}


def test_failed_and_cancelled_attempts_count_others_do_not(desk: Desk) -> None:
    request = RunRequest(tags={"dagster/partition": "2024-05-01", "marketdata/asked": "name"})
    desk.leave(request, DagsterRunStatus.FAILURE)
    desk.leave(request, DagsterRunStatus.NOT_STARTED)

    assert failed_attempts(desk.instance, "name") == 1
    assert failed_attempts(desk.instance, "other") == 0


def test_a_partition_counts_as_written_when_its_last_asset_was(desk: Desk) -> None:
    assert desk.run(RunRequest(tags={"dagster/partition": "2024-05-01"}))

    keys = ["2024-05-01", "2024-05-02"]
    first = walked_us(desk.instance, desk.feed, ["validated_bars"], keys)
    both = walked_us(desk.instance, desk.feed, ["validated_bars", "latest_bars"], keys)

    assert list(both) == ["2024-05-01"]
    assert both["2024-05-01"] >= first["2024-05-01"] - 1
    assert walked_us(desk.instance, desk.feed, ["validated_bars", "weekly_bars"], keys) == {}


def test_the_open_partition_is_there_and_tomorrows_is_not(desk: Desk) -> None:
    graph, key = desk.repository.asset_graph, asset_key("demo", "daily_bars")
    keys = ["2024-05-24", "2024-05-27", "2024-05-28", "2024-05-29"]

    assert existing_among(graph, key, keys, moment("2024-05-28 15:00")) == ["2024-05-24", "2024-05-28"]
    assert existing_among(graph, asset_key("demo", "nothing"), keys, moment("2024-05-28 15:00")) == []
