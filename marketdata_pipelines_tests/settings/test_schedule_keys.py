"""The `schedule` part of a feed: its defaults, its values, and what is said about wrong ones."""

from dataclasses import replace

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.schedules import Schedule
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.feeds_file import parse_feeds


def feed_with(schedule: str | None, source: str = "landing") -> Feed:
    line = "" if schedule is None else f"    schedule: {schedule}\n"
    text = f"feeds:\n  a:\n    source: {source}\n    interval: 1m\n    calendar: XNYS\n{line}"
    return parse_feeds(text, "feeds.yaml")["a"]


def test_no_key_is_no_schedule_and_an_empty_one_every_default() -> None:
    assert feed_with(None).schedule is None
    assert feed_with("{}").schedule == Schedule()


def test_every_key_is_read() -> None:
    given = "{after_close: 0m, late_after: 1d, catch_up: 5, enabled: false, views: {top_volume: off, latest_bars: 2h}}"

    assert feed_with(given).schedule == Schedule(
        after_close_minutes=0,
        late_after_minutes=1440,
        view_minutes=(
            ("daily_summary", 60),
            ("hourly_volume", 15),
            ("symbol_performance", 30),
            ("top_volume", 0),
            ("latest_bars", 120),
        ),
        enabled=False,
        catch_up_sessions=5,
    )


def test_a_schedule_is_no_part_of_the_versions() -> None:
    feed = feed_with("{after_close: 45m}")

    assert feed.version == replace(feed, schedule=None).version
    assert feed.parse_version == replace(feed, schedule=None).parse_version


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("{after: 5m}", "after is no key of schedule; allowed: after_close, late_after, views, enabled, catch_up"),
        ("{after_close: 15}", "after_close is wrong: '15' is no duration in whole minutes; give one like 0m, 15m"),
        ("{late_after: 30s}", "late_after is wrong: '30s' is no duration in whole minutes"),
        ("{after_close: 8d}", "after_close is wrong: '8d' is longer than a week"),
        ("{late_after: 15m}", r"late_after does not fit: late_after \(15m\) must be longer than after_close \(15m\)"),
        ("{after_close: 3h}", r"after_close does not fit: late_after \(2h\) must be longer than after_close \(3h\)"),
        ("{views: {volume: 5m}}", "volume is no key of views; allowed: daily_summary, hourly_volume"),
        ("{views: {top_volume: 7m}}", "top_volume is wrong: '7m' does not divide an hour or a day; allowed: off, 1m"),
        ("{views: {top_volume: often}}", "top_volume is wrong: 'often' is no cadence; allowed: off, 1m, 2m"),
        ("{enabled: 1}", "enabled must be true or false"),
        ("{catch_up: 0}", "catch_up is wrong: '0' is no number of sessions; give a whole number from 1 to 1000"),
        ("daily", "schedule must be a mapping"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_what_is_allowed(schedule: str, message: str) -> None:
    with pytest.raises(SettingsInvalid, match=rf"^feeds\.yaml, line 6: {message}"):
        feed_with(schedule)


def test_the_packaged_sample_needs_no_schedule() -> None:
    with pytest.raises(SettingsInvalid, match="line 6: schedule is of no use here: the data of a source"):
        feed_with("{}", "{kind: sample}")
