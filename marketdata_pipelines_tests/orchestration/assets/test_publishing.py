"""Publishing a simulated feed to real databases, in real runs, and what Dagster is told of it."""

from dataclasses import replace
from datetime import UTC, date, datetime

import psycopg
import pytest
from dagster import AssetCheckKey, AssetKey, DagsterInstance, ExecuteInProcessResult, materialize
from pydantic import SecretStr

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.orchestration.assets.publish_events import EQUALS_LAKE, ROLLUPS_AGREE
from marketdata_pipelines.orchestration.assets.publishing import publishing_assets
from marketdata_pipelines.orchestration.assets.ranges import RANGE_END_TAG, RANGE_START_TAG
from marketdata_pipelines.pipeline.publishing import partitions_behind
from marketdata_pipelines.pipeline.serving_stores import timescale_store
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.orchestration.conftest import Workshop

DAYS = ["2024-05-02", "2024-05-03"]
BARS = AssetKey(["demo", "timescale_bars"])


def settings_of(workshop: Workshop, dsn: str) -> Settings:
    return Settings(home=workshop.settings.home, timescale_dsn=SecretStr(dsn))


def publish(
    workshop: Workshop, dsn: str, start: str = DAYS[0], end: str = DAYS[-1], period: Period = Period.DAY
) -> ExecuteInProcessResult:
    today = datetime.now(UTC).date()
    assets = publishing_assets([workshop.feed], settings_of(workshop, dsn), today)
    wanted = [each for each in assets if each.op.name.endswith(f"publish_{period}")]
    tags = {RANGE_START_TAG: start, RANGE_END_TAG: end}
    # What they depend on is not in this run.
    return materialize(wanted, instance=workshop.instance, tags=tags, raise_on_error=False)


def published(instance: DagsterInstance, asset: str = "timescale_bars") -> list[str]:
    return sorted(instance.get_materialized_partitions(AssetKey(["demo", asset])))


def verdict(instance: DagsterInstance, name: str, key: AssetKey = BARS) -> tuple[bool, str | None]:
    check = AssetCheckKey(key, name)
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([check])[check]
    assert record.evaluation is not None
    return record.evaluation.passed, record.evaluation.description


def count(dsn: str, table: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(f'select count(*) from "demo".{table}'.encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_a_range_is_published_and_equals_the_lake_in_bars_and_rollups(workshop: Workshop, store_dsn: str) -> None:
    workshop.run(DAYS)

    result = publish(workshop, store_dsn)

    lake = Lake(workshop.settings.lake)
    assert result.success
    assert published(workshop.instance) == DAYS
    assert published(workshop.instance, "timescale_daily_bars") == DAYS
    assert verdict(workshop.instance, EQUALS_LAKE) == (True, None)
    assert verdict(workshop.instance, ROLLUPS_AGREE) == (True, None)
    assert count(store_dsn, "bars_30m") == sum(lake.read("validated_bars", "demo", day).num_rows for day in DAYS)
    with timescale_store(settings_of(workshop, store_dsn)) as store:
        behind = partitions_behind(lake, store, workshop.feed)
    assert "timescale_bars" not in behind
    # The pair of sessions that May 2nd belongs to begins on the day before.
    assert list(behind["timescale_daily_bars"]) == ["2024-05-01"]


def test_what_is_told_of_a_partition_says_rows_engine_and_how_to_ask(workshop: Workshop, store_dsn: str) -> None:
    workshop.run(DAYS[:1])

    publish(workshop, store_dsn, end=DAYS[0])
    publish(workshop, store_dsn, end=DAYS[0])

    event = workshop.instance.get_latest_materialization_event(BARS)
    assert event is not None
    assert event.asset_materialization is not None
    told = event.asset_materialization.metadata
    rows = Lake(workshop.settings.lake).read("validated_bars", "demo", DAYS[0]).num_rows
    assert (told["dagster/row_count"].value, told["symbols"].value, told["changed"].value) == (rows, 2, False)
    assert "PostgreSQL" in str(told["store"].value)
    sql = str(told["SQL"].value).removeprefix("```sql\n").removesuffix("\n```")
    with psycopg.connect(store_dsn) as connection:
        assert len(connection.execute(sql.encode()).fetchall()) == rows


def test_the_trades_of_a_feed_go_with_its_bars_and_equal_the_lakes(workshop: Workshop, store_dsn: str) -> None:
    file = workshop.settings.feeds_file
    file.write_text(file.read_text("utf-8").replace("interval: 30m", "interval: 30m\n    data: trades"), "utf-8")
    workshop = replace(workshop, feed=load_feeds(file)["demo"])
    workshop.run(DAYS[:1])

    publish(workshop, store_dsn, end=DAYS[0])

    event = workshop.instance.get_latest_materialization_event(BARS)
    assert event is not None
    assert event.asset_materialization is not None
    told = event.asset_materialization.metadata
    bars = Lake(workshop.settings.lake).read("validated_bars", "demo", DAYS[0])
    trades = count(store_dsn, "trades where counts_price")
    assert verdict(workshop.instance, EQUALS_LAKE) == (True, None)
    assert trades == sum(bars["trade_count"].to_pylist()) > bars.num_rows
    assert told["dagster/row_count"].value == count(store_dsn, "trades") + bars.num_rows
    assert "trades" in str(told["rows by table"].value)


def test_a_pair_of_sessions_that_began_before_the_feeds_first_day_goes_along(
    workshop: Workshop, store_dsn: str
) -> None:
    # May 2nd is the second of a pair, which is kept by its first session.
    workshop.run(DAYS[:1])
    begins_later = replace(workshop, feed=replace(workshop.feed, start=date(2024, 5, 2)))

    result = publish(begins_later, store_dsn, end=DAYS[0])

    with timescale_store(settings_of(workshop, store_dsn)) as store:
        pairs = store.published("demo", "bars_2d")
    assert result.success
    assert pairs["2024-05-01"].rows == 2
    assert published(workshop.instance, "timescale_daily_bars") == DAYS[:1]


def test_weeks_and_months_are_published_by_their_own_partitions(workshop: Workshop, store_dsn: str) -> None:
    workshop.run(DAYS)
    workshop.run(["2024-04-29"], Period.WEEK)

    result = publish(workshop, store_dsn, "2024-04-29", "2024-04-29", Period.WEEK)

    assert result.success
    assert published(workshop.instance, "timescale_weekly_bars") == ["2024-04-29"]
    assert count(store_dsn, "bars_1w") == 2


def test_a_value_changed_in_the_store_is_named_and_mended_by_the_next_publication(
    workshop: Workshop, store_dsn: str
) -> None:
    workshop.run(DAYS)
    publish(workshop, store_dsn)
    with psycopg.connect(store_dsn) as connection:
        connection.execute("update \"demo\".bars_1d set high = high + 1 where symbol = 'AAA'")
    lake = Lake(workshop.settings.lake)
    with timescale_store(settings_of(workshop, store_dsn)) as store:
        found = store.compare(workshop.feed, "bars_1d", DAYS[0], lake.read("bars_1d", "demo", DAYS[0]))

    publish(workshop, store_dsn)

    assert [(each.symbol, each.column) for each in found] == [("AAA", "high")]
    assert verdict(workshop.instance, EQUALS_LAKE, AssetKey(["demo", "timescale_daily_bars"])) == (True, None)


def test_a_partition_that_cannot_be_published_fails_alone_and_is_named(workshop: Workshop, store_dsn: str) -> None:
    workshop.run(DAYS)
    lake = Lake(workshop.settings.lake)
    upside_down = lake.read("validated_bars", "demo", DAYS[0])
    upside_down = upside_down.take(list(range(upside_down.num_rows))[::-1])
    lake.store("demo", [TableWrite("validated_bars", DAYS[0], upside_down, "wrong")], {})

    result = publish(workshop, store_dsn)

    (failure,) = [each for each in result.all_events if each.is_step_failure]
    assert not result.success
    assert published(workshop.instance) == DAYS[1:]
    told = str(failure.step_failure_data.user_failure_data)
    assert f"1 of 4 partitions of demo were not published: {DAYS[0]}" in told


def test_a_partition_the_lake_has_lost_is_removed_from_the_store(workshop: Workshop, store_dsn: str) -> None:
    workshop.run(DAYS)
    publish(workshop, store_dsn)
    lake = Lake(workshop.settings.lake)
    rows = lake.read("validated_bars", "demo", DAYS[1]).num_rows
    lake.store("demo", [TableWrite("validated_bars", DAYS[0], None, "")], {})

    result = publish(workshop, store_dsn)

    assert result.success
    assert count(store_dsn, "bars_30m") == rows


def test_a_server_that_is_away_ends_the_run_with_one_clear_line_and_no_secret(workshop: Workshop) -> None:
    workshop.run(DAYS[:1])

    result = publish(workshop, "postgresql://anna:hush@127.0.0.1:1/bars", end=DAYS[0])

    (failure,) = [each for each in result.all_events if each.is_step_failure]
    text = str(failure.step_failure_data.user_failure_data)
    assert "demo was not published to the end" in text
    assert "127.0.0.1:1" in text
    assert "hush" not in str(failure.step_failure_data)


def test_the_store_keeps_only_as_many_days_as_the_feed_says(workshop: Workshop, store_dsn: str) -> None:
    workshop.run(DAYS)
    publish(workshop, store_dsn)
    short = replace(workshop, feed=replace(workshop.feed, publish=Publication(keep_days=0)))

    result = publish(short, store_dsn)

    assert result.success
    assert count(store_dsn, "bars_30m") == Lake(workshop.settings.lake).read("validated_bars", "demo", DAYS[1]).num_rows


@pytest.mark.parametrize("publication", [Publication(timescale=False), None])
def test_there_is_no_such_asset_without_a_server_or_where_the_feed_says_no(
    workshop: Workshop, publication: Publication | None
) -> None:
    settings = workshop.settings if publication is None else settings_of(workshop, "postgresql://a@b/c")
    feed = workshop.feed if publication is None else replace(workshop.feed, publish=publication)

    assert not publishing_assets([feed], settings, datetime.now(UTC).date())
