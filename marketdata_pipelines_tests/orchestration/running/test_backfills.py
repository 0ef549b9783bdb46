"""Backfills as the daemon finds them; nothing executes them here (see `test_following` and the live tests)."""

import time

import pytest
from dagster import Definitions
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import asset_sets
from marketdata_pipelines.errors import WorkFailed
from marketdata_pipelines.orchestration.keys import FEED_TAG
from marketdata_pipelines.orchestration.running.backfills import open_backfill, open_backfills, open_periods
from marketdata_pipelines_tests.orchestration.conftest import Workshop

DAYS = ["2024-05-31", "2024-06-03"]


@pytest.fixture
def graph(workshop: Workshop) -> AssetGraph:
    return Definitions(assets=workshop.graph()).get_repository_def().asset_graph


def stored(workshop: Workshop, backfill_id: str) -> PartitionBackfill:
    found = workshop.instance.get_backfill(backfill_id)
    assert found is not None
    return found


def targets(workshop: Workshop, graph: AssetGraph, backfill_id: str) -> dict[str, list[str]]:
    """The partitions asked for, by asset."""
    data = stored(workshop, backfill_id).get_asset_backfill_data(graph)
    subsets = data.target_subset.partitions_subsets_by_asset_key
    return {key.path[-1]: sorted(subset.get_partition_keys()) for key, subset in subsets.items()}


def test_days_are_asked_for_with_their_weeks_and_months(workshop: Workshop, graph: AssetGraph) -> None:
    found = open_backfill(workshop.instance, graph, workshop.feed, DAYS, title="two days")

    asked = targets(workshop, graph, found)
    names = {period: {each.name for each in asset_sets(workshop.feed) if each.period is period} for period in Period}
    assert set(asked) == {each.name for each in asset_sets(workshop.feed)}
    assert {tuple(asked[name]) for name in names[Period.DAY]} == {tuple(DAYS)}
    assert {tuple(asked[name]) for name in names[Period.WEEK]} == {("2024-05-27", "2024-06-03")}
    assert {tuple(asked[name]) for name in names[Period.MONTH]} == {("2024-05-01", "2024-06-01")}


def test_the_daemon_finds_it_with_title_and_tags(workshop: Workshop, graph: AssetGraph) -> None:
    before = time.time()

    found = stored(
        workshop,
        open_backfill(workshop.instance, graph, workshop.feed, DAYS, title="two days", tags={"who": "a test"}),
    )

    assert (found.status, found.title, found.is_asset_backfill) == (BulkActionStatus.REQUESTED, "two days", True)
    assert found.tags == {"who": "a test", FEED_TAG: "demo"}
    assert before <= found.backfill_timestamp <= time.time()


def test_the_feeds_tag_is_not_the_callers_to_set(workshop: Workshop, graph: AssetGraph) -> None:
    found = open_backfill(workshop.instance, graph, workshop.feed, DAYS, title="", tags={FEED_TAG: "other"})

    assert stored(workshop, found).tags[FEED_TAG] == "demo"


def test_chosen_assets_narrow_it(workshop: Workshop, graph: AssetGraph) -> None:
    chosen = frozenset({"daily_bars", "weekly_bars"})

    found = open_backfill(workshop.instance, graph, workshop.feed, DAYS, assets=chosen, title="")

    assert targets(workshop, graph, found) == {"daily_bars": DAYS, "weekly_bars": ["2024-05-27", "2024-06-03"]}


def test_periods_are_taken_as_they_are_listed(workshop: Workshop, graph: AssetGraph) -> None:
    work = {Period.DAY: ["2024-05-06"], Period.WEEK: [], Period.MONTH: ["2024-06-01"]}
    chosen = frozenset({"top_volume", "weekly_bars", "monthly_bars"})

    found = open_periods(workshop.instance, graph, workshop.feed, work, assets=chosen, title="")

    assert targets(workshop, graph, found) == {"monthly_bars": ["2024-06-01"], "top_volume": ["2024-05-06"]}


def test_keys_that_are_no_partitions_are_left_out(workshop: Workshop, graph: AssetGraph) -> None:
    keys = ["1999-01-04", "2024-05-06", "2024-05-11", "2999-01-01"]

    found = open_backfill(workshop.instance, graph, workshop.feed, keys, assets=frozenset({"daily_bars"}), title="")

    assert targets(workshop, graph, found) == {"daily_bars": ["2024-05-06"]}


@pytest.mark.parametrize(
    ("keys", "named"), [(["1999-01-05", "1999-01-04"], "1999-01-01 … 1999-01-05"), ([], "nothing")]
)
def test_no_partition_at_all_is_an_error_that_says_what_to_do(
    workshop: Workshop, graph: AssetGraph, keys: list[str], named: str
) -> None:
    with pytest.raises(WorkFailed, match=rf"demo has no partition in Dagster for {named}; .*marketdata up"):
        open_backfill(workshop.instance, graph, workshop.feed, keys, title="")

    assert workshop.instance.get_backfills() == []


def test_open_ones_are_those_that_are_not_over(workshop: Workshop, graph: AssetGraph) -> None:
    opened = {
        status: open_backfill(workshop.instance, graph, workshop.feed, DAYS, title=status.value)
        for status in BulkActionStatus
    }
    for status, backfill_id in opened.items():
        workshop.instance.update_backfill(stored(workshop, backfill_id).with_status(status))  # type: ignore[no-untyped-call]

    found = open_backfills(workshop.instance, "demo")

    expected = (BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING)
    assert sorted(found) == sorted(opened[status] for status in expected)


def test_one_launched_in_the_ui_is_known_by_its_assets(workshop: Workshop, graph: AssetGraph) -> None:
    ours = open_backfill(workshop.instance, graph, workshop.feed, DAYS, title="")
    launched = PartitionBackfill.from_asset_graph_subset(
        backfill_id="launched",
        backfill_timestamp=time.time(),
        tags={},
        dynamic_partitions_store=workshop.instance,
        asset_graph_subset=stored(workshop, ours).get_asset_backfill_data(graph).target_subset,
        title=None,
        description=None,
        run_config=None,
    )
    workshop.instance.add_backfill(launched)

    assert sorted(open_backfills(workshop.instance, "demo")) == sorted([ours, "launched"])
    assert open_backfills(workshop.instance, "other") == []
