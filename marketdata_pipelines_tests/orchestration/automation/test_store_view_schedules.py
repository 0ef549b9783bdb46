"""The schedules of a store's views: asked for at a cadence, where what they are made of has changed."""

from dataclasses import replace

from dagster import AssetMaterialization, DagsterRun, DagsterRunStatus, DefaultScheduleStatus, RunRequest, SkipReason
from dagster._core.utils import make_new_run_id
from pydantic import SecretStr

from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.orchestration.automation.store_view_schedules import (
    ask_for_view,
    store_view_jobs,
    store_view_schedules,
)
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_key
from marketdata_pipelines.pipeline.store_views import view_range
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.orchestration.conftest import Workshop

DAYS = ["2024-05-02", "2024-05-03"]
VIEW = "top_volume"


def configured(workshop: Workshop) -> Settings:
    return Settings(home=workshop.settings.home, timescale_dsn=SecretStr("postgresql://a@b/c"))


def ask(workshop: Workshop, at_seconds: float) -> RunRequest | SkipReason:
    return ask_for_view(
        workshop.instance, Lake(workshop.settings.lake), workshop.feed, VIEW, int(at_seconds * 1_000_000)
    )


def refreshed(workshop: Workshop) -> float:
    """Tell of a refresh as it stands now; when that was, seconds since 1970."""
    wanted = view_range(Lake(workshop.settings.lake), workshop.feed, VIEW)
    assert wanted is not None
    key = asset_key("demo", "timescale_top_volume")
    workshop.instance.report_runless_asset_event(AssetMaterialization(key, metadata={"revision": wanted.inputs}))
    event = workshop.instance.get_latest_materialization_event(key)
    assert event is not None
    return event.timestamp


def test_each_view_has_a_schedule_of_its_own_cadence(workshop: Workshop) -> None:
    found = store_view_schedules([workshop.feed], configured(workshop))

    assert {each.name: each.cron_schedule for each in found} == {
        "demo__timescale_daily_summary__every_60m": "0 * * * *",
        "demo__timescale_hourly_volume__every_15m": "*/15 * * * *",
        "demo__timescale_symbol_performance__every_30m": "*/30 * * * *",
        "demo__timescale_top_volume__every_5m": "*/5 * * * *",
    }
    assert all(each.default_status is DefaultScheduleStatus.RUNNING for each in found)


def test_a_view_without_a_cadence_has_a_job_and_no_schedule(workshop: Workshop) -> None:
    feed = replace(workshop.feed, publish=Publication(refresh_minutes=((VIEW, 0),)))

    assert not store_view_schedules([feed], configured(workshop))
    assert [job.name for job in store_view_jobs([feed], configured(workshop))] == ["demo__refresh_top_volume"]


def test_it_is_asked_for_until_it_is_refreshed_and_again_once_the_lake_changes(workshop: Workshop) -> None:
    nothing = ask(workshop, 0)
    workshop.run(DAYS[:1])

    asked = ask(workshop, 0)
    at = refreshed(workshop)
    rested = ask(workshop, at + 60)
    workshop.run(DAYS[1:])
    again = ask(workshop, at + 120)

    assert isinstance(nothing, SkipReason)
    assert nothing.skip_message == "the lake has no top_volume of demo yet"
    assert isinstance(asked, RunRequest)
    assert isinstance(rested, SkipReason)
    assert rested.skip_message == "top_volume of demo is up to date"
    assert isinstance(again, RunRequest)


def test_after_a_day_it_is_refreshed_though_nothing_changed(workshop: Workshop) -> None:
    workshop.run(DAYS[:1])

    at = refreshed(workshop)

    assert isinstance(ask(workshop, at + 86_399), SkipReason)
    assert isinstance(ask(workshop, at + 86_401), RunRequest)


def test_it_is_not_asked_for_while_it_is_being_refreshed(workshop: Workshop) -> None:
    workshop.run(DAYS[:1])
    run = DagsterRun(
        "demo__refresh_top_volume", make_new_run_id(), status=DagsterRunStatus.STARTED, tags={FEED_TAG: "demo"}
    )
    workshop.instance.add_run(run)

    found = ask(workshop, 0)

    assert isinstance(found, SkipReason)
    assert found.skip_message == f"top_volume of demo is being refreshed already (run {run.run_id})"
