"""The `publish` part of a feed: its defaults, its values, and what is said about wrong ones."""

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.feeds_file import parse_feeds


def feed_with(publish: str | None) -> Feed:
    line = "" if publish is None else f"    publish: {publish}\n"
    text = f"feeds:\n  a:\n    source: landing\n    interval: 1m\n    calendar: XNYS\n{line}"
    return parse_feeds(text, "feeds.yaml")["a"]


def test_a_feed_is_published_to_every_store_unless_it_says_otherwise() -> None:
    assert feed_with(None).publish == feed_with("{}").publish == Publication()


def test_every_key_is_read() -> None:
    given = (
        "{timescale: false, redis: false, compress_after_days: never, keep_days: 400, view_days: 30, "
        "refresh_minutes: {top_volume: 1, daily_summary: off}}"
    )

    assert feed_with(given).publish == Publication(
        timescale=False,
        redis=False,
        compress_after_days=None,
        keep_days=400,
        view_days=30,
        refresh_minutes=(
            ("daily_summary", 0),
            ("hourly_volume", 15),
            ("symbol_performance", 30),
            ("top_volume", 1),
        ),
    )


def test_a_key_that_is_null_is_its_default() -> None:
    assert feed_with("{keep_days: null, compress_after_days: 3}").publish == Publication(compress_after_days=3)


def test_where_a_feed_goes_is_no_part_of_what_its_tables_hold() -> None:
    plain, kept_out = feed_with(None), feed_with("{timescale: false, keep_days: 1}")

    assert (kept_out.version, kept_out.parse_version) == (plain.version, plain.parse_version)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{tables: 1}", "tables is no key of publish; allowed: timescale, redis"),
        ("{redis: 1}", "redis must be true or false"),
        ("{keep_days: 0}", "'0' is no number of days"),
        ("{keep_days: 1.5}", "'1.5' is no number of days"),
        ("{compress_after_days: soon}", "'soon' is no number of days"),
        ("{view_days: 99999}", "from 1 to 36500"),
        ("{refresh_minutes: {top_volume: 7}}", "'7' is no cadence that divides an hour or a day"),
        ("{refresh_minutes: {latest_bars: 5}}", "latest_bars is no key of refresh_minutes"),
    ],
)
def test_wrong_values_are_refused_with_their_line_and_what_is_allowed(given: str, said: str) -> None:
    with pytest.raises(SettingsInvalid) as error:
        feed_with(given)

    assert said in str(error.value)
    assert "feeds.yaml, line 6" in str(error.value)
