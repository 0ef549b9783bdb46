"""A store's views: refreshed in real databases from the lake's answers."""

from datetime import date, timedelta

import psycopg
import pyarrow as pa
from dagster import AssetKey, AssetsDefinition, ExecuteInProcessResult, materialize
from pydantic import SecretStr

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.assets.store_views import store_view_assets
from marketdata_pipelines.pipeline.store_views import view_range
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.orchestration.conftest import Workshop

DAYS = ["2024-05-02", "2024-05-03"]


def view_assets(workshop: Workshop, dsn: str) -> list[AssetsDefinition]:
    settings = Settings(home=workshop.settings.home, timescale_dsn=SecretStr(dsn))
    reader = LakeReader(workshop.settings.home)

    def rows(feed: Feed, view: str, first: date, last: date) -> pa.Table:
        return reader.table(feed.name, view, first, last)

    return store_view_assets([workshop.feed], settings, rows)


def refresh(workshop: Workshop, dsn: str) -> ExecuteInProcessResult:
    return materialize(view_assets(workshop, dsn), instance=workshop.instance, raise_on_error=False)


def test_every_view_is_in_the_store_as_the_lake_answers_it(workshop: Workshop, store_dsn: str) -> None:
    workshop.run(DAYS)

    result = refresh(workshop, store_dsn)

    views = ("daily_summary", "hourly_volume", "symbol_performance", "top_volume")
    reader = LakeReader(workshop.settings.home)
    assert result.success
    with psycopg.connect(store_dsn) as connection:
        counts = [connection.execute(f'select count(*) from "demo".{view}'.encode()).fetchone() for view in views]
        ranked = connection.execute('select symbol from "demo".top_volume order by session_date, rank').fetchall()
    assert counts == [(reader.table("demo", view).num_rows,) for view in views]
    assert [name for (name,) in ranked] == reader.table("demo", "top_volume")["symbol"].to_pylist()


def test_a_refresh_tells_its_range_and_the_revision_it_is_of(workshop: Workshop, store_dsn: str) -> None:
    workshop.run(DAYS)

    refresh(workshop, store_dsn)

    event = workshop.instance.get_latest_materialization_event(AssetKey(["demo", "timescale_top_volume"]))
    wanted = view_range(Lake(workshop.settings.lake), workshop.feed, "top_volume")
    assert event is not None
    assert event.asset_materialization is not None
    assert wanted is not None
    told = event.asset_materialization.metadata
    assert told["revision"].value == wanted.inputs
    assert (told["last session"].value, told["dagster/row_count"].value) == (DAYS[1], 4)
    assert wanted.first == date.fromisoformat(DAYS[1]) - timedelta(days=90)


def test_a_view_the_lake_has_nothing_of_fails_with_what_to_do(workshop: Workshop, store_dsn: str) -> None:
    result = refresh(workshop, store_dsn)

    failures = [str(each.step_failure_data.user_failure_data) for each in result.all_events if each.is_step_failure]
    assert "demo has no daily_summary yet; run: marketdata backfill demo" in failures[0]
