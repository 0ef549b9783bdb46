import pytest
from dagster import AssetKey, DagsterRun, DagsterRunStatus, Definitions, RepositoryDefinition

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.orchestration.automation.claims import claimed_partitions
from marketdata_pipelines.orchestration.running.backfills import open_backfill
from marketdata_pipelines_tests.orchestration.conftest import Workshop
from marketdata_pipelines_tests.orchestration.landings import end_backfill


@pytest.fixture
def repository(workshop: Workshop) -> RepositoryDefinition:
    return Definitions(assets=workshop.graph()).get_repository_def()


def test_an_open_backfill_claims_its_partitions_until_it_is_over(
    workshop: Workshop, repository: RepositoryDefinition
) -> None:
    graph, instance = repository.asset_graph, workshop.instance
    opened = open_backfill(instance, graph, workshop.feed, ["2024-05-06", "2024-05-08"], title="t")

    during = claimed_partitions(instance, graph, workshop.feed)
    backfill = instance.get_backfill(opened)
    assert backfill is not None
    end_backfill(instance, backfill)
    after = claimed_partitions(instance, graph, workshop.feed)

    assert during == {
        Period.DAY: frozenset({"2024-05-06", "2024-05-08"}),
        Period.WEEK: frozenset({"2024-05-06"}),
        Period.MONTH: frozenset({"2024-05-01"}),
    }
    assert not any(after.values())


@pytest.mark.parametrize("status", [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED])
def test_a_run_that_is_not_over_claims_its_range(
    workshop: Workshop, repository: RepositoryDefinition, status: DagsterRunStatus
) -> None:
    run = DagsterRun(
        job_name="__ASSET_JOB",
        status=status,
        asset_selection=frozenset({AssetKey(["demo", "daily_bars"])}),
        tags={
            "dagster/asset_partition_range_start": "2024-05-03",
            "dagster/asset_partition_range_end": "2024-05-07",
        },
    )
    workshop.instance.add_run(run)

    claimed = claimed_partitions(workshop.instance, repository.asset_graph, workshop.feed)

    assert claimed[Period.DAY] == {"2024-05-03", "2024-05-06", "2024-05-07"}
    assert claimed[Period.WEEK] == frozenset()


def test_a_run_that_is_over_claims_nothing(workshop: Workshop, repository: RepositoryDefinition) -> None:
    workshop.run(["2024-05-06"])

    assert not any(claimed_partitions(workshop.instance, repository.asset_graph, workshop.feed).values())
