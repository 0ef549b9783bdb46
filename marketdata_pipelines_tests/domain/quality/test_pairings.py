"""Which feeds can be compared, and how."""

from dataclasses import replace

import pytest

from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.quality.pairings import Pairing, daily_table, pairings_of
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines_tests.builders import make_feed

FEED, OTHER = make_feed(name="a"), make_feed(name="b")


def paired(feed: Feed, other: Feed) -> Pairing:
    named = replace(feed, quality=QualitySpec(compare_with=(other.name,)))
    (found,) = pairings_of(named, {"a": named, other.name: other})
    return found


def test_feeds_of_one_interval_are_compared_by_their_bars() -> None:
    for other in (OTHER, make_feed(name="b", anchor=Anchor.UTC)):
        assert paired(FEED, other) == Pairing(other, "1m", "validated_bars", "validated_bars", "source_dispute")


def test_feeds_of_different_intervals_are_compared_by_their_daily_bars() -> None:
    days, hours = make_feed(interval="1d", name="b"), make_feed(interval="1h", name="b")

    assert paired(FEED, days) == Pairing(days, "1d", "bars_1d", "validated_bars", "daily_differs")
    assert paired(FEED, hours) == Pairing(hours, "1d", "bars_1d", "bars_1d", "daily_differs")


def test_days_of_a_market_that_never_closes_are_the_same_however_they_are_anchored() -> None:
    minutes, days = make_feed("24/7", name="a"), make_feed("24/7", "1d", name="b", anchor=Anchor.SESSION)

    assert paired(minutes, days).timeframe == "1d"


def test_a_feed_coarser_than_a_day_has_no_daily_bars() -> None:
    assert daily_table(make_feed(interval="1w")) is None


@pytest.mark.parametrize(
    ("names", "others", "text"),
    [
        (("x",), (OTHER,), "a: quality: compare_with: 'x' is no other feed; there: b"),
        (("a",), (OTHER,), "'a' is no other feed"),
        (("w",), (make_feed(interval="1w", name="w"),), "'w' cannot be compared: a has 1m bars on session days, w 1w"),
        (("u",), (make_feed("24/7", "1d", name="u"),), "name a feed of the same interval, or one with daily bars"),
    ],
)
def test_feeds_that_cannot_be_compared_are_named(names: tuple[str, ...], others: tuple[Feed, ...], text: str) -> None:
    feed = replace(FEED, quality=QualitySpec(compare_with=names))

    with pytest.raises(SettingsInvalid, match=text):
        pairings_of(feed, {each.name: each for each in (feed, *others)})
