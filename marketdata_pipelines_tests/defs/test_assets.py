from datetime import date
from pathlib import Path

from marketdata_pipelines.defs.assets import build_assets
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import parse_feeds

FEEDS = """\
feeds:
  minutes: {source: landing, interval: 1m, calendar: 24/7, start: 2024-01-01}
  days: {source: landing, interval: 1d, calendar: 24/7, start: 2024-01-01}
"""


def test_every_feed_has_one_definition_per_period(tmp_path: Path) -> None:
    assets = build_assets(parse_feeds(FEEDS, "feeds.yaml").values(), Settings(home=tmp_path), date(2024, 5, 31))

    assert [definition.op.name for definition in assets] == [
        "walk_minutes__day",
        "walk_minutes__week",
        "walk_minutes__month",
        "walk_days__year",
    ]
    assert all(definition.can_subset for definition in assets)
