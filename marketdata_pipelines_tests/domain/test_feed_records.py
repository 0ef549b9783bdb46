"""A definition written down is the definition read back."""

import json

import pytest

from marketdata_pipelines.domain.feed_records import feed_text, read_feed
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.feeds_file import parse_feeds

FEEDS = """
feeds:
  files_1m:
    source:
      {kind: files, path: landing, format: csv, timezone: America/New_York, columns: {Date+Time: ts}, label: end}
    interval: 1m
    calendar: {name: CMES, breaks: ["16:00-17:00"], closed: [2025-01-09]}
    asset_class: future
    extended_hours: ["04:00", "20:00"]
    closing_auction: own_bar
    multiplier: 50
    start: 2013-10-01
    owners: [desk@example.com]
  trades:
    source: {kind: files, path: t}
    data: trades
    interval: 1s
    calendar: 24/7
    trade_filter: {exclude_exchanges: [D]}
  simulated:
    source: {kind: simulated, symbols: [A, B], seed: 7, faults: {high_lt_low: 2}}
    interval: 1d
    calendar: XNYS
"""


@pytest.mark.parametrize("name", ["files_1m", "trades", "simulated"])
def test_a_definition_survives_being_written_down(name: str) -> None:
    feed = parse_feeds(FEEDS, "feeds.yaml")[name]

    again = read_feed(feed_text(feed))

    assert again == feed
    assert (again.version, again.parse_version) == (feed.version, feed.parse_version)


def test_a_field_a_text_does_not_know_has_its_default() -> None:
    feed = parse_feeds(FEEDS, "feeds.yaml")["simulated"]
    text = json.loads(feed_text(feed))
    del text["multiplier"]

    assert read_feed(json.dumps(text)) == feed


@pytest.mark.parametrize("text", ["{}", "[]", '{"name": "a", "anchor": "moon"}'])
def test_a_text_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="cannot be read by this release"):
        read_feed(text)
