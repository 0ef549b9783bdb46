from pathlib import Path

from dagster import AssetKey

from marketdata_pipelines.defs.quality import build_quality_reports, build_quality_sensors
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import parse_feeds

FEEDS = """
feeds:
  judged: {source: landing, interval: 1m, calendar: 24/7}
  silent: {source: landing, interval: 1m, calendar: 24/7, quality: {level: none}}
"""


def test_a_report_for_every_judged_feed_and_one_sensor_for_all(tmp_path: Path) -> None:
    feeds, settings = list(parse_feeds(FEEDS, "feeds.yaml").values()), Settings(home=tmp_path)

    assert [each.key for each in build_quality_reports(feeds, settings)] == [AssetKey(["judged", "quality_report"])]
    assert [each.name for each in build_quality_sensors(feeds, settings)] == ["quality_report_sensor"]


def test_no_sensor_where_no_feed_is_judged(tmp_path: Path) -> None:
    feeds = [parse_feeds(FEEDS, "feeds.yaml")["silent"]]

    assert build_quality_sensors(feeds, Settings(home=tmp_path)) == []
