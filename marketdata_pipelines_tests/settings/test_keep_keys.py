"""How long a feed keeps what nothing needs."""

import pytest

from marketdata_pipelines.domain.feeds import Keep
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.feeds_file import parse_feeds

FEED = "feeds:\n  f:\n    source: {kind: files}\n    interval: 1m\n    calendar: XNYS\n"


def test_everything_is_kept_for_ever_unless_the_feed_says_otherwise() -> None:
    plain = parse_feeds(FEED, "feeds.yaml")["f"]
    kept = parse_feeds(FEED + "    keep: {superseded_raw: 365d}\n", "feeds.yaml")["f"]

    assert plain.keep == Keep(None)
    assert kept.keep == Keep(superseded_raw_days=365)


def test_the_policy_is_no_part_of_what_the_tables_hold() -> None:
    plain = parse_feeds(FEED, "feeds.yaml")["f"]
    kept = parse_feeds(FEED + "    keep: {superseded_raw: 30d}\n", "feeds.yaml")["f"]

    assert (kept.version, kept.parse_version) == (plain.version, plain.parse_version)


@pytest.mark.parametrize("text", ["365", "0d", "1y", "-3d", "forever"])
def test_anything_but_days_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"feeds\.yaml, line 6: superseded_raw is wrong: .* days like 365d"):
        parse_feeds(f"{FEED}    keep: {{superseded_raw: {text}}}\n", "feeds.yaml")


def test_other_keys_are_refused() -> None:
    with pytest.raises(SettingsInvalid, match="tables is no key of keep; allowed: superseded_raw"):
        parse_feeds(f"{FEED}    keep: {{tables: 1d}}\n", "feeds.yaml")
