"""Feeds and their versions."""

from dataclasses import replace
from datetime import date

import pytest

from marketdata_pipelines.domain.feeds import (
    Anchor,
    AssetClass,
    ClosingAuction,
    PartitionBy,
    SourceKind,
    SourceSpec,
    default_anchor,
    default_asset_class,
    default_partition,
)
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines_tests.builders import make_feed


def test_the_version_changes_with_what_decides_the_tables() -> None:
    feed = make_feed()

    assert feed.version == make_feed().version
    assert feed.version != replace(feed, closing_auction=ClosingAuction.OWN_BAR).version
    assert feed.version != make_feed(closed=(date(2025, 1, 9),)).version


def test_words_and_places_are_no_part_of_the_version() -> None:
    feed = make_feed()
    moved = replace(feed, source=SourceSpec(SourceKind.FILES, path="elsewhere"))

    assert feed.version == replace(feed, description="text", owners=("team",), start=date(2020, 1, 1)).version
    assert feed.version == moved.version


def test_the_parse_version_changes_only_with_how_files_are_read() -> None:
    feed = make_feed()

    assert feed.parse_version == replace(feed, closing_auction=ClosingAuction.OWN_BAR).parse_version
    assert feed.parse_version != replace(feed, source=SourceSpec(SourceKind.FILES, timezone="UTC")).parse_version
    assert feed.parse_version != replace(feed, partition=PartitionBy.MONTH).parse_version


@pytest.mark.parametrize(
    ("calendar", "asset_class", "anchor"),
    [
        ("XNYS", AssetClass.EQUITY, Anchor.SESSION),
        ("CMES", AssetClass.FUTURE, Anchor.SESSION),
        ("24/7", AssetClass.CRYPTO, Anchor.UTC),
        ("fx", AssetClass.FX, Anchor.UTC),
    ],
)
def test_defaults_follow_the_calendar(calendar: str, asset_class: AssetClass, anchor: Anchor) -> None:
    assert default_asset_class(calendar) is asset_class
    assert default_anchor(calendar) is anchor


@pytest.mark.parametrize(
    ("interval", "partition"),
    [("1s", "day"), ("30m", "day"), ("1h", "month"), ("12h", "month"), ("1d", "year"), ("1w", "year"), ("1M", "year")],
)
def test_the_partition_follows_the_interval(interval: str, partition: str) -> None:
    assert default_partition(parse_interval(interval)) == partition
