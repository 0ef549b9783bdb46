from dagster import AssetKey

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.orchestration import keys
from marketdata_pipelines.settings.feeds_file import parse_feeds


def feed(more: str = "", source: str = "{kind: files, path: landing, format: jsonl}") -> Feed:
    text = f"feeds:\n  a:\n    source: {source}\n    interval: 1m\n    calendar: 24/7\n{more}"
    return parse_feeds(text, "feeds.yaml")["a"]


def test_asset_key_is_feed_then_table() -> None:
    assert keys.asset_key("us_equities_1m", "daily_bars") == AssetKey(["us_equities_1m", "daily_bars"])
    assert keys.asset_name(AssetKey(["us_equities_1m", "daily_bars"])) == "daily_bars"


def test_job_and_its_step_have_different_names() -> None:
    job = keys.job_name("us_equities_1m", Period.DAY)

    assert job == "us_equities_1m__day"
    assert keys.step_name(job) == "walk_us_equities_1m__day"
    assert keys.job_of_step("walk_us_equities_1m__day") == job


def test_raw_asset_shows_the_source_format() -> None:
    assert keys.asset_kinds(feed(), "raw_bars") == {"parquet", "json"}
    assert keys.asset_kinds(feed(source="landing"), "raw_bars") == {"parquet", "file"}
    assert keys.asset_kinds(feed(source="{kind: sample}"), "raw_bars") == {"parquet", "sample"}
    assert keys.asset_kinds(feed(), "daily_bars") == {"parquet", "duckdb"}


def test_owners_that_are_no_address_are_teams() -> None:
    assert keys.asset_owners(feed()) == ["team:market-data"]
    assert keys.asset_owners(feed("    owners: [desk, eve@example.com]")) == ["team:desk", "eve@example.com"]


def test_tags_hold_only_what_dagster_takes() -> None:
    assert keys.asset_tags(feed()) == {
        "asset_class": "crypto",
        "interval": "1m",
        "calendar": "24_7",
        "source": "files",
    }


def test_a_description_says_how_the_rows_are_read() -> None:
    sets = {table_set.name: table_set for table_set in feed_tables(feed())}

    texts = {name: keys.asset_text(feed(), table_set) for name, table_set in sets.items()}

    assert texts["intraday_bars"].endswith("Partitioned by day. Read it: `marketdata bars a --timeframe 5m`")
    assert texts["monthly_bars"].endswith("Partitioned by month. Read it: `marketdata bars a --timeframe 1M`")
    assert texts["validated_bars"].endswith("Read it: `marketdata bars a --session all`")
    assert texts["rejected_bars"].endswith("Read it: `marketdata rejected a`")
    assert texts["top_volume"].endswith("Read it: `marketdata table a top_volume`")
    assert "Read it" not in texts["raw_bars"]
