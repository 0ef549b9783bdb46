from datetime import date
from pathlib import Path

from marketdata_pipelines.defs.assets import build_assets
from marketdata_pipelines.defs.jobs import build_jobs
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import parse_feeds


def test_a_job_for_each_definition_named_by_feed_and_period(tmp_path: Path) -> None:
    feeds = parse_feeds("feeds:\n  a: {source: landing, interval: 1m, calendar: 24/7, start: 2024-01-01}", "feeds.yaml")
    assets = build_assets(feeds.values(), Settings(home=tmp_path), date(2024, 5, 31))

    jobs = {job.name: job for job in build_jobs(assets)}

    assert list(jobs) == ["a__day", "a__week", "a__month"]
    assert jobs["a__week"].description == (
        "Every week of `a`: derives from stored daily bars `weekly_bars`. One run takes any range of weeks: choose the "
        "partitions under Materialize, or run `marketdata backfill a --start D --end D`."
    )
    assert "brings and derives `daily_bars`" in (jobs["a__day"].description or "")
    assert all(job.tags == {"marketdata/feed": "a"} for job in jobs.values())
