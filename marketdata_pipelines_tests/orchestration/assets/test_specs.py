from dataclasses import replace
from datetime import date

from dagster import AssetKey, MetadataValue, TimeWindowPartitionMapping

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.orchestration.assets.columns import column_schema
from marketdata_pipelines.orchestration.assets.partitions import feed_partitions
from marketdata_pipelines.orchestration.assets.specs import period_check_specs, period_specs
from marketdata_pipelines.settings.feeds_file import parse_feeds

FEED = parse_feeds(
    "feeds:\n  demo: {source: landing, interval: 1m, calendar: XNYS, description: Minutes of New York}", "feeds.yaml"
)["demo"]
PARTITIONS = feed_partitions(FEED, "2024-05-01", date(2024, 5, 31))


def test_specs_are_in_the_feeds_group_and_described() -> None:
    specs = {spec.key.path[-1]: spec for spec in period_specs(FEED, Period.DAY, PARTITIONS[Period.DAY])}

    daily = specs["daily_bars"]
    assert daily.group_name == "demo"
    assert daily.kinds == {"parquet", "duckdb"}
    assert daily.owners == ["team:market-data"]
    assert daily.skippable
    assert daily.metadata["tables"] == "bars_1d, bars_2d"
    assert daily.metadata["dagster/column_schema"] == column_schema("daily_bars")
    assert "`bars_1d`, `bars_2d`" in (daily.description or "")
    assert "Minutes of New York (1m bars, calendar XNYS)" in (daily.description or "")


def test_weekly_bars_depend_on_the_daily_bars_of_their_week() -> None:
    (weekly,) = period_specs(FEED, Period.WEEK, PARTITIONS[Period.WEEK])

    (dep,) = weekly.deps
    assert (weekly.key, dep.asset_key) == (AssetKey(["demo", "weekly_bars"]), AssetKey(["demo", "daily_bars"]))
    assert isinstance(dep.partition_mapping, TimeWindowPartitionMapping)


def test_every_asset_carries_a_check_of_its_own_partitioning() -> None:
    for period, partitions in PARTITIONS.items():
        checks = period_check_specs(FEED, period, partitions)

        assert {check.asset_key for check in checks} == {spec.key for spec in period_specs(FEED, period, partitions)}
        assert all(check.partitions_def == partitions for check in checks)


def test_a_feed_of_daily_bars_has_all_assets_by_year() -> None:
    daily: Feed = parse_feeds("feeds:\n  d: {source: landing, interval: 1d, calendar: XNYS}", "feeds.yaml")["d"]

    partitions = feed_partitions(daily, "2000-01-01", date(2024, 5, 31))

    assert list(partitions) == [Period.YEAR]
    names = [spec.key.path[-1] for spec in period_specs(daily, Period.YEAR, partitions[Period.YEAR])]
    assert names[:4] == ["raw_bars", "validated_bars", "rejected_bars", "daily_bars"]
    assert {"weekly_bars", "monthly_bars"} <= set(names)


def test_references_are_linked_and_no_dependency() -> None:
    adjusted = replace(FEED, corporate_actions="us_actions")
    plain = period_specs(FEED, Period.DAY, PARTITIONS[Period.DAY])

    specs = period_specs(adjusted, Period.DAY, PARTITIONS[Period.DAY])

    link = MetadataValue.asset(AssetKey(["us_actions", "corporate_actions"]))
    assert {spec.metadata["corporate_actions"] for spec in specs} == {link}
    assert not any("instruments" in spec.metadata for spec in specs)
    assert [spec.deps for spec in specs] == [spec.deps for spec in plain]
