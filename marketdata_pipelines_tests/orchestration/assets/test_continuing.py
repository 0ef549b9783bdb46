"""A run that goes on for an earlier one: its line is made by hand, as a retry and a re-execution make it."""

import uuid
from datetime import date

import pytest
from dagster import AssetKey, DagsterRun, DagsterRunStatus, Definitions
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.orchestration.assets.continuing import earlier_runs, remaining
from marketdata_pipelines.orchestration.assets.graph import feed_graph, period_jobs
from marketdata_pipelines.orchestration.assets.ranges import partition_tags
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import minutes, source_of, take_in
from marketdata_pipelines_tests.orchestration.conftest import Workshop

DAYS = ["2024-05-06", "2024-05-07", "2024-05-08"]
DAILY, TOP = AssetKey(["demo", "daily_bars"]), AssetKey(["demo", "top_volume"])


def going_on(*line: str) -> DagsterRun:
    """A run that goes on for the last of a line, whose root is the first."""
    parent, root = (line[-1], line[0]) if line else (None, None)
    return DagsterRun(
        job_name="demo__day", run_id=str(uuid.uuid4()), status=DagsterRunStatus.STARTED,
        parent_run_id=parent, root_run_id=root,
    )  # fmt: skip


def left(workshop: Workshop, run: DagsterRun, *assets: AssetKey, keys: list[str] | None = None) -> list[str]:
    lake = Lake(workshop.settings.lake)
    chosen = frozenset(assets or (DAILY,))
    return remaining(workshop.instance, run, chosen, keys or DAYS, lake, workshop.feed, Period.DAY)


def test_a_run_of_its_own_has_everything_to_do(workshop: Workshop) -> None:
    workshop.run(DAYS)

    assert left(workshop, going_on()) == DAYS


def test_what_the_earlier_run_recorded_is_done(workshop: Workshop) -> None:
    earlier = workshop.run(DAYS[:2])

    assert left(workshop, going_on(earlier.run_id)) == DAYS[2:]


def test_the_order_of_what_is_left_stays(workshop: Workshop) -> None:
    earlier = workshop.run([DAYS[1]])

    assert left(workshop, going_on(earlier.run_id), keys=DAYS[::-1]) == [DAYS[2], DAYS[0]]


def test_what_another_line_recorded_is_not_ours(workshop: Workshop) -> None:
    earlier = workshop.run([DAYS[0]])
    workshop.run(DAYS)

    assert left(workshop, going_on(earlier.run_id)) == DAYS[1:]


def test_a_partition_is_done_once_every_selected_asset_is(workshop: Workshop) -> None:
    workshop.run(DAYS)
    earlier = workshop.run([DAYS[0]], assets=["daily_bars"])

    assert left(workshop, going_on(earlier.run_id), DAILY) == DAYS[1:]
    assert left(workshop, going_on(earlier.run_id), DAILY, TOP) == DAYS


def test_a_blocked_partition_is_done_again(workshop: Workshop) -> None:
    workshop.run([DAYS[0]])
    earlier = workshop.run(DAYS[:2], acquire=False)

    assert not earlier.succeeded
    assert left(workshop, going_on(earlier.run_id)) == DAYS[1:]


def test_a_partition_with_newer_data_is_done_again(workshop: Workshop) -> None:
    earlier = workshop.run(DAYS)
    rows = minutes("AAA", "2024-05-07 13:30", 13, 55.0, 30 * MINUTE_US)

    take_in(Lake(workshop.settings.lake), workshop.feed, source_of("mended.csv", rows))

    assert left(workshop, going_on(earlier.run_id)) == [DAYS[1]]


def test_all_earlier_runs_of_the_line_count(workshop: Workshop) -> None:
    first = workshop.run([DAYS[0]])
    second = going_on(first.run_id)
    workshop.instance.add_run(second)

    third = going_on(first.run_id, second.run_id)

    assert earlier_runs(workshop.instance, third) == {first.run_id, second.run_id}
    assert left(workshop, third) == DAYS[1:]


def test_a_deleted_run_ends_the_line(workshop: Workshop) -> None:
    gone = str(uuid.uuid4())

    assert earlier_runs(workshop.instance, going_on(gone)) == {gone}
    assert left(workshop, going_on(gone)) == DAYS


@pytest.mark.timeout(60)
def test_a_line_that_bites_its_tail_comes_to_an_end(workshop: Workshop) -> None:
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    for run_id, parent in ((one, two), (two, one)):
        workshop.instance.add_run(DagsterRun("demo__day", run_id, parent_run_id=parent, root_run_id=parent))

    assert earlier_runs(workshop.instance, going_on(one)) == {one, two}


def test_without_assets_nothing_can_be_done_already(workshop: Workshop) -> None:
    earlier = workshop.run([DAYS[0]])
    lake = Lake(workshop.settings.lake)

    found = remaining(workshop.instance, going_on(earlier.run_id), frozenset(), DAYS, lake, workshop.feed, Period.DAY)

    assert found == DAYS


def test_a_run_that_goes_on_walks_only_what_is_left_and_says_so(workshop: Workshop) -> None:
    earlier = workshop.run(DAYS[:2])
    told: list[PartitionOutcome] = []
    assets = feed_graph(workshop.feed, workshop.settings, date(2024, 6, 1), told.append)
    job = Definitions(assets=assets, jobs=period_jobs(assets)).resolve_job_def("demo__day")
    run = workshop.instance.create_run_for_job(
        job_def=job, run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags=partition_tags(DAYS, DAYS), parent_run_id=earlier.run_id, root_run_id=earlier.run_id,
    )  # fmt: skip

    ended = execute_run(InMemoryJob(job), run, workshop.instance)

    texts = [entry.user_message for entry in workshop.instance.all_logs(run.run_id)]
    seen = [outcome.partition for outcome in told if not outcome.is_verdict]
    assert (ended.success, seen) == (True, DAYS[2:])
    assert any("2 of 3 partitions were done by the run this one goes on for" in text for text in texts)
    assert workshop.materialized("daily_bars") == DAYS
