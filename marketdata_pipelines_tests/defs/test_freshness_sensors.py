"""Which feeds are watched: a check of each table, and one sensor for all."""

from pathlib import Path

from marketdata_pipelines.defs.freshness_sensors import build_freshness_checks, build_freshness_sensors
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import parse_feeds

FEEDS = """\
feeds:
  watched: {source: landing, interval: 1m, calendar: XNYS, schedule: {}}
  stopped: {source: landing, interval: 1m, calendar: XNYS, schedule: {enabled: false}}
  unwatched: {source: landing, interval: 1m, calendar: XNYS}
"""


def test_every_table_of_a_watched_feed_has_the_check(tmp_path: Path) -> None:
    feeds = parse_feeds(FEEDS, "feeds.yaml")

    (found,) = build_freshness_checks(list(feeds.values()), Settings(home=tmp_path))

    assert {(key.name, *key.asset_key.path) for key in found.check_keys} == {
        ("is_fresh", "watched", table_set.name) for table_set in feed_tables(feeds["watched"])
    }


def test_one_sensor_watches_them_all_and_none_where_nothing_is_watched(tmp_path: Path) -> None:
    feeds, settings = parse_feeds(FEEDS, "feeds.yaml"), Settings(home=tmp_path)

    assert [each.name for each in build_freshness_sensors(list(feeds.values()), settings)] == ["table_freshness"]
    assert build_freshness_sensors([feeds["unwatched"], feeds["stopped"]], settings) == []
