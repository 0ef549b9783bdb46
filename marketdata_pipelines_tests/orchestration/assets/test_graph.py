from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import AssetKey, BackfillPolicy, DagsterInstance, Definitions
from dagster._core.execution.asset_backfill import AssetBackfillData
from dagster._core.remote_representation.external import RemoteRepository
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._core.remote_representation.handle import RepositoryHandle
from dagster._serdes import deserialize_value, serialize_value

from marketdata_pipelines.orchestration.assets.graph import feed_graph, period_jobs
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import parse_feeds

FEED = parse_feeds("feeds:\n  demo: {source: landing, interval: 1m, calendar: XNYS, start: 2024-01-02}", "feeds.yaml")[
    "demo"
]
ASSETS = ["raw_bars", "validated_bars", "daily_bars", "weekly_bars", "monthly_bars"]


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    assets = feed_graph(FEED, settings, datetime.now(UTC).date())
    return Definitions(assets=assets, jobs=period_jobs(assets))


@pytest.fixture(scope="module")
def as_the_daemon_sees_it(definitions: Definitions) -> RemoteRepository:
    """The repository after its way through the wire between the code server and the daemon or web server."""
    snapshot = RepositorySnap.from_def(definitions.get_repository_def())
    received = deserialize_value(serialize_value(snapshot), RepositorySnap)
    return RemoteRepository(received, RepositoryHandle.for_test(), auto_materialize_use_sensors=True)


# Dagster's own: it has not followed its own deprecation yet.
@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("days", "weeks", "months"),
    [
        (["2024-05-31"], ["2024-05-27"], ["2024-05-01"]),
        (["2024-05-28", "2024-05-29"], ["2024-05-27"], ["2024-05-01"]),
        (["2024-05-31", "2024-06-03"], ["2024-05-27", "2024-06-03"], ["2024-05-01", "2024-06-01"]),
        (["2024-03-08", "2024-03-11"], ["2024-03-04", "2024-03-11"], ["2024-03-01"]),
        (["2024-06-28", "2024-07-05"], ["2024-06-24", "2024-07-01"], ["2024-06-01", "2024-07-01"]),
    ],
)
def test_a_backfill_over_days_takes_their_weeks_and_months_along(
    as_the_daemon_sees_it: RemoteRepository, days: list[str], weeks: list[str], months: list[str]
) -> None:
    with DagsterInstance.ephemeral() as instance:
        backfill = AssetBackfillData.from_asset_partitions(
            asset_graph=as_the_daemon_sees_it.asset_graph,
            partition_names=days,
            asset_selection=[AssetKey(["demo", name]) for name in ASSETS],
            dynamic_partitions_store=instance,
            backfill_start_timestamp=datetime.now(UTC).timestamp(),
            all_partitions=False,
        )

    found = {name: backfill.get_target_partitions_subset(AssetKey(["demo", name])) for name in ASSETS}
    assert {name: list(subset.get_partition_keys()) for name, subset in found.items()} == {
        "raw_bars": days,
        "validated_bars": days,
        "daily_bars": days,
        "weekly_bars": weeks,
        "monthly_bars": months,
    }


def test_a_range_of_partitions_is_one_run(as_the_daemon_sees_it: RemoteRepository) -> None:
    graph = as_the_daemon_sees_it.asset_graph

    assert {graph.get(AssetKey(["demo", name])).backfill_policy for name in ASSETS} == {BackfillPolicy.single_run()}
    assert {frozenset(graph.get(AssetKey(["demo", name])).pools or ()) for name in ASSETS} == {frozenset({"demo"})}


def test_one_job_per_period(definitions: Definitions) -> None:
    names = sorted(job.name for job in definitions.get_repository_def().get_all_jobs() if "__ASSET" not in job.name)

    assert names == ["demo__day", "demo__month", "demo__week"]


def test_partitions_begin_at_the_start_where_nothing_is_stored(tmp_path: Path) -> None:
    day = feed_graph(FEED, Settings(home=tmp_path), datetime.now(UTC).date())[0].partitions_def

    assert day is not None
    assert day.get_first_partition_key() == "2024-01-02"
