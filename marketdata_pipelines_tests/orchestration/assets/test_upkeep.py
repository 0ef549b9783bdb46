"""The compaction asset: what it does when it is asked to, and that nobody else asks it."""

from pathlib import Path

import pytest
from dagster import AssetKey, AssetSelection, DagsterInstance, TableMetadataValue, materialize

from marketdata_pipelines.definitions import build_definitions
from marketdata_pipelines.orchestration.assets.upkeep import compaction_assets
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines.pipeline.upkeep import with_deltas
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake import table_writes
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import bar_table, make_feed, make_home, minutes

FEED = make_feed(name="shares")
DAYS = ("2024-03-07", "2024-03-08")
FEEDS = "feeds:\n  shares: {source: {kind: files}, interval: 1m, calendar: XNYS}\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=make_home(tmp_path / "data", FEEDS))


def test_deltas_are_merged_and_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_writes, "SMALLEST_BASE_ROWS", 10)
    lake = Lake(settings.lake)
    for day in DAYS:
        bars = bar_table([row for symbol in "ABCDEF" for row in minutes(symbol, f"{day} 14:30", 10)])
        lake.store("shares", [TableWrite("validated_bars", day, bars, "whole")], {})
        more = bar_table(minutes("G", f"{day} 14:30", 2))
        lake.store("shares", [TableWrite("validated_bars", day, more, "more", symbols=("G",))], {})
    assert len(with_deltas(lake, "shares")) == 2

    with DagsterInstance.ephemeral() as instance:
        result = materialize(compaction_assets([FEED], settings), instance=instance)

    (event,), (check,) = result.get_asset_materialization_events(), result.get_asset_check_evaluations()
    metadata = event.materialization.metadata
    merged = metadata["merged"]
    assert event.asset_key == AssetKey(["shares", "compaction"])
    assert (metadata["partitions"].value, metadata["files before"].value) == (2, 4)
    assert isinstance(merged, TableMetadataValue)
    assert [record.data["partition"] for record in merged.records] == list(DAYS)
    assert check.passed
    assert with_deltas(lake, "shares") == []


def test_with_nothing_to_merge_it_says_so(settings: Settings) -> None:
    with DagsterInstance.ephemeral() as instance:
        result = materialize(compaction_assets([FEED], settings), instance=instance)

    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["partitions"].value == 0


def test_no_backfill_job_or_schedule_of_the_feed_includes_it(settings: Settings) -> None:
    definitions = build_definitions(settings)
    graph = definitions.resolve_asset_graph()
    key = asset_key("shares", "compaction")
    node = graph.get(key)

    assert node.partitions_def is None
    assert (node.parent_keys, node.child_keys) == (set(), set())
    # What follows from the raw bars is what a backfill of the whole feed asks for.
    assert key not in AssetSelection.assets(asset_key("shares", "raw_bars")).downstream().resolve(graph)
    named = [job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    assert named
    assert all(key not in job.asset_layer.executable_asset_keys for job in named)
