from pathlib import Path

from marketdata_pipelines.defs.sensors import build_ingest_jobs, build_sensors
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import parse_feeds

FEEDS = """
feeds:
  landed: {source: landing, interval: 1m, calendar: 24/7}
  handed: {source: {kind: files}, interval: 1m, calendar: 24/7}
  remote: {source: "s3://bucket/bars", interval: 1m, calendar: 24/7}
  made_up: {source: {kind: simulated, symbols: [A]}, interval: 1m, calendar: 24/7, start: 2024-01-01}
"""


def test_a_landing_sensor_and_a_job_where_files_land_and_a_gap_sensor_for_every_feed(tmp_path: Path) -> None:
    feeds, settings = list(parse_feeds(FEEDS, "feeds.yaml").values()), Settings(home=tmp_path)

    jobs = build_ingest_jobs(feeds, settings)
    sensors = {each.name: each.default_status.value for each in build_sensors(feeds, settings, jobs)}

    assert [job.name for job in jobs] == ["landed__ingest"]
    assert sensors == {
        "landed__landing": "RUNNING",
        "landed__gaps": "STOPPED",
        "handed__gaps": "STOPPED",
        "remote__gaps": "STOPPED",
        "made_up__gaps": "STOPPED",
        "notify_run_failed": "RUNNING",
        "notify_run_recovered": "RUNNING",
        "notifications": "RUNNING",
    }


def test_every_sensor_and_job_says_what_it_does(tmp_path: Path) -> None:
    feeds, settings = list(parse_feeds(FEEDS, "feeds.yaml").values()), Settings(home=tmp_path)
    jobs = build_ingest_jobs(feeds, settings)

    texts = [job.description for job in jobs]
    texts += [sensor.description for sensor in build_sensors(feeds, settings, jobs)]

    assert all(texts)
