"""Pins the graph of the project's own feeds.yaml: every asset, check, job, schedule and sensor, and what each
asset depends on.

A key that changes orphans what Dagster has stored under the old one, so a change here is a decision.
"""

import shutil
from pathlib import Path

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    Definitions,
    TimeWindowPartitionsDefinition,
)
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
    "compaction": [],
    "quality": ["rejected_bars", "validated_bars"],
    "quality_report": ["quality"],
}
CHECKS = {
    "raw_bars": ["rows_recorded"],
    "rejected_bars": ["every_row_has_a_reason"],
    "validated_bars": [
        "not_empty_when_open",
        "ohlc_consistent",
        "quality_rules",
        "rows_conserved",
        "sorted_and_unique",
    ],
    "intraday_bars": ["aggregates_conserve"],
    "daily_bars": ["aggregates_conserve"],
    "weekly_bars": ["aggregates_conserve"],
    "monthly_bars": ["aggregates_conserve"],
    "daily_summary": ["one_row_a_key"],
    "hourly_volume": ["one_row_a_key"],
    "symbol_performance": ["one_row_a_key"],
    "top_volume": ["one_row_a_key"],
    "latest_bars": ["one_row_a_key"],
    "compaction": ["no_deltas_left"],
    "quality": ["accuracy", "completeness", "consistency", "timeliness", "uniqueness", "validity"],
    "quality_report": ["suites_agree"],
}


SCHEDULES = [
    "demo_crypto_1m__after_close",
    "demo_crypto_1m__daily_summary__every_60m",
    "demo_crypto_1m__hourly_volume__every_15m",
    "demo_crypto_1m__latest_bars__every_5m",
    "demo_crypto_1m__symbol_performance__every_30m",
    "demo_crypto_1m__top_volume__every_5m",
    "demo_nyse_1m__after_close",
    "demo_nyse_1m__daily_summary__every_60m",
    "demo_nyse_1m__hourly_volume__every_15m",
    "demo_nyse_1m__latest_bars__every_5m",
    "demo_nyse_1m__symbol_performance__every_30m",
    "demo_nyse_1m__top_volume__every_5m",
]
SENSORS = [
    "demo_crypto_1m__gaps",
    "demo_crypto_1m__roll_up",
    "demo_nyse_1m__gaps",
    "demo_nyse_1m__roll_up",
    "notifications",
    "notify_run_failed",
    "notify_run_recovered",
    "quality_report_sensor",
    "us_stocks_1d__gaps",
]
JOBS = [
    "demo_crypto_1m__day",
    "demo_crypto_1m__month",
    "demo_crypto_1m__week",
    "demo_nyse_1m__day",
    "demo_nyse_1m__month",
    "demo_nyse_1m__week",
    "us_stocks_1d__year",
]


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    home = tmp_path_factory.mktemp("home")
    shutil.copy(PROJECT / "data" / "feeds.yaml", home / "feeds.yaml")
    return build_definitions(Settings(home=home))


@pytest.fixture(scope="module")
def graph(definitions: Definitions) -> AssetGraph:
    return definitions.resolve_asset_graph()


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


def test_jobs(definitions: Definitions) -> None:
    jobs = [job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")]

    assert sorted(job.name for job in jobs) == JOBS
    assert all(job.description for job in jobs)


def test_schedules(definitions: Definitions) -> None:
    schedules = definitions.get_repository_def().schedule_defs

    assert sorted(schedule.name for schedule in schedules) == SCHEDULES
    assert {schedule.default_status for schedule in schedules} == {DefaultScheduleStatus.STOPPED}
    assert all(schedule.description for schedule in schedules)


def test_sensors(definitions: Definitions) -> None:
    sensors = definitions.get_repository_def().sensor_defs

    assert sorted(sensor.name for sensor in sensors) == SENSORS
    running = {sensor.name for sensor in sensors if sensor.default_status is DefaultSensorStatus.RUNNING}
    assert running == {"notifications", "notify_run_failed", "notify_run_recovered", "quality_report_sensor"}
    assert all(sensor.description for sensor in sensors)


def test_checks_that_block_are_those_that_make_what_follows_worthless(graph: AssetGraph) -> None:
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}

    assert blocking == {
        "every_row_has_a_reason",
        "not_empty_when_open",
        "ohlc_consistent",
        "quality_rules",
        "rows_conserved",
        "rows_recorded",
        "sorted_and_unique",
    }


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
        assert node.metadata["dagster/column_schema"]


def test_references_add_an_asset_each_and_change_no_feed(
    tmp_path: Path, definitions: Definitions, graph: AssetGraph
) -> None:
    text = (PROJECT / "data" / "feeds.yaml").read_text("utf-8")
    text = text.replace(
        "  us_stocks_1d:\n", "  us_stocks_1d:\n    corporate_actions: us_actions\n    instruments: us_names\n"
    )
    references = "references:\n  us_actions: {kind: corporate_actions}\n  us_names: {kind: instruments}\n"
    (tmp_path / "feeds.yaml").write_text(f"{references}{text}", "utf-8")

    found = build_definitions(Settings(home=tmp_path))

    with_references = found.resolve_asset_graph()
    added = {AssetKey(["us_actions", "corporate_actions"]), AssetKey(["us_names", "instruments"])}
    assert set(with_references.get_all_asset_keys()) == set(graph.get_all_asset_keys()) | added
    assert set(with_references.asset_check_keys) == set(graph.asset_check_keys) | {
        AssetCheckKey(key, "rows_are_valid") for key in added
    }
    for key in graph.get_all_asset_keys():
        assert with_references.get(key).parent_keys == graph.get(key).parent_keys
    for key in added:
        node = with_references.get(key)
        assert (node.group_name, node.partitions_def, node.parent_keys) == (key.path[0], None, set())
        assert node.owners
        assert node.kinds
        assert node.description
        assert node.metadata["dagster/column_schema"]
    assert sorted(job.name for job in found.resolve_all_job_defs()) == sorted(
        job.name for job in definitions.resolve_all_job_defs()
    )
