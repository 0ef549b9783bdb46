"""Which schedules and roll-ups the feeds get, and whether they run by themselves."""

from datetime import date
from pathlib import Path

from dagster import DefaultScheduleStatus, DefaultSensorStatus

from marketdata_pipelines.defs.assets import build_assets
from marketdata_pipelines.defs.jobs import build_jobs
from marketdata_pipelines.defs.schedules import build_roll_ups, build_schedules
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import parse_feeds

TODAY = date(2024, 5, 31)
FEEDS = """\
feeds:
  minutes: {source: landing, interval: 1m, calendar: XNYS, start: 2024-01-02, schedule: {}}
  days: {source: landing, interval: 1d, calendar: XNYS, start: 2024-01-02}
  packaged: {source: {kind: sample}, interval: 1d, calendar: XNYS}
"""


def test_every_feed_but_the_packaged_sample_has_schedules(tmp_path: Path) -> None:
    feeds = parse_feeds(FEEDS, "feeds.yaml")

    found = build_schedules(feeds.values(), Settings(home=tmp_path), TODAY)

    assert {each.name: each.job_name for each in found} == {
        "minutes__after_close": "minutes__day",
        "minutes__daily_summary__every_60m": "minutes__day",
        "minutes__hourly_volume__every_15m": "minutes__day",
        "minutes__symbol_performance__every_30m": "minutes__day",
        "minutes__top_volume__every_5m": "minutes__day",
        "minutes__latest_bars__every_5m": "minutes__day",
        "days__after_close": "days__year",
        "days__daily_summary__every_60m": "days__year",
        "days__symbol_performance__every_30m": "days__year",
        "days__top_volume__every_5m": "days__year",
        "days__latest_bars__every_5m": "days__year",
    }
    running = {each.name for each in found if each.default_status is DefaultScheduleStatus.RUNNING}
    assert running == {each.name for each in found if each.name.startswith("minutes__")}


def test_weeks_and_months_of_feeds_by_day_follow_their_days(tmp_path: Path) -> None:
    feeds, settings = parse_feeds(FEEDS, "feeds.yaml"), Settings(home=tmp_path)
    jobs = build_jobs(build_assets(feeds.values(), settings, TODAY))

    (found,) = build_roll_ups(feeds.values(), settings, jobs)

    assert found.name == "minutes__roll_up"
    assert [job.name for job in found.jobs] == ["minutes__week", "minutes__month"]
    assert found.default_status is DefaultSensorStatus.RUNNING
