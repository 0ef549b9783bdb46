"""Pins the graph of the project's own feeds.yaml: every asset and check key, and what each asset depends on."""

import shutil
from pathlib import Path

import pytest
from dagster import AssetCheckKey, AssetKey, TimeWindowPartitionsDefinition
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from marketdata_pipelines.definitions import build_definitions
from marketdata_pipelines.settings.environment import Settings

PROJECT = Path(__file__).resolve().parent.parent
FEEDS = ["demo_crypto_1m", "demo_nyse_1m", "us_stocks_1d"]
DEPS = {
    "raw_bars": [],
    "validated_bars": ["raw_bars"],
    "rejected_bars": ["raw_bars"],
    "intraday_bars": ["validated_bars"],
    "daily_bars": ["validated_bars"],
    "weekly_bars": ["daily_bars"],
    "monthly_bars": ["daily_bars"],
    "daily_summary": ["daily_bars"],
    "hourly_volume": ["validated_bars"],
    "symbol_performance": ["daily_bars"],
    "top_volume": ["daily_bars"],
    "latest_bars": ["validated_bars"],
}
CHECKS = {
    "raw_bars": ["rows_recorded"],
    "rejected_bars": ["every_row_has_a_reason"],
    "validated_bars": ["not_empty_when_open", "ohlc_consistent", "rows_conserved", "sorted_and_unique"],
    "intraday_bars": ["aggregates_conserve"],
    "daily_bars": ["aggregates_conserve"],
    "weekly_bars": ["aggregates_conserve"],
    "monthly_bars": ["aggregates_conserve"],
    "daily_summary": ["one_row_a_key"],
    "hourly_volume": ["one_row_a_key"],
    "symbol_performance": ["one_row_a_key"],
    "top_volume": ["one_row_a_key"],
    "latest_bars": ["one_row_a_key"],
}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> AssetGraph:
    home = tmp_path_factory.mktemp("home")
    shutil.copy(PROJECT / "data" / "feeds.yaml", home / "feeds.yaml")
    return build_definitions(Settings(home=home)).resolve_asset_graph()


def assets_of(feed: str) -> list[str]:
    """Bars of a day have no hours."""
    return [asset for asset in DEPS if not (feed == "us_stocks_1d" and asset in ("intraday_bars", "hourly_volume"))]


def test_asset_keys_and_what_they_depend_on(graph: AssetGraph) -> None:
    found = {
        key: sorted(parent.path[-1] for parent in graph.get(key).parent_keys) for key in graph.get_all_asset_keys()
    }

    assert found == {AssetKey([feed, asset]): DEPS[asset] for feed in FEEDS for asset in assets_of(feed)}


def test_check_keys(graph: AssetGraph) -> None:
    expected = {
        AssetCheckKey(AssetKey([feed, asset]), check)
        for feed in FEEDS
        for asset in assets_of(feed)
        for check in CHECKS[asset]
    }

    assert set(graph.asset_check_keys) == expected


def test_periods(graph: AssetGraph) -> None:
    crons = {}
    for feed in FEEDS:
        for asset in ("daily_bars", "weekly_bars", "monthly_bars"):
            partitions = graph.get(AssetKey([feed, asset])).partitions_def
            assert isinstance(partitions, TimeWindowPartitionsDefinition)
            crons[feed, asset] = (partitions.cron_schedule, partitions.timezone)

    assert crons == {
        ("demo_crypto_1m", "daily_bars"): ("0 0 * * *", "UTC"),
        ("demo_crypto_1m", "weekly_bars"): ("0 0 * * 1", "UTC"),
        ("demo_crypto_1m", "monthly_bars"): ("0 0 1 * *", "UTC"),
        ("demo_nyse_1m", "daily_bars"): ("0 0 * * *", "America/New_York"),
        ("demo_nyse_1m", "weekly_bars"): ("0 0 * * 1", "America/New_York"),
        ("demo_nyse_1m", "monthly_bars"): ("0 0 1 * *", "America/New_York"),
        ("us_stocks_1d", "daily_bars"): ("0 0 1 1 *", "America/New_York"),
        ("us_stocks_1d", "weekly_bars"): ("0 0 1 1 *", "America/New_York"),
        ("us_stocks_1d", "monthly_bars"): ("0 0 1 1 *", "America/New_York"),
    }


def test_every_asset_has_a_group_an_owner_kinds_and_a_description(graph: AssetGraph) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.group_name == key.path[0]
        assert node.owners
        assert node.kinds
        assert node.description
