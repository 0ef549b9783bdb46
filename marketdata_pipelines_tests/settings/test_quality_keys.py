"""What a feed says about its quality, and how a mistake in it is told."""

import pytest

from marketdata_pipelines.domain.quality.records import Level, Severity
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.feeds_file import parse_feeds

FEED = "feeds:\n  f:\n    source: {kind: files}\n    interval: 1m\n    calendar: XNYS\n"


def quality(text: str) -> QualitySpec:
    """The `quality` of a feed that says this."""
    return parse_feeds(f"{FEED}    quality: {text}\n", "feeds.yaml")["f"].quality


def test_a_feed_that_says_nothing_is_looked_at_by_the_standard() -> None:
    assert parse_feeds(FEED, "feeds.yaml")["f"].quality == QualitySpec(Level.STANDARD)


@pytest.mark.parametrize("level", list(Level))
def test_every_level_can_be_chosen(level: Level) -> None:
    assert quality(f"{{level: {level}}}").level is level


def test_a_rule_takes_a_severity_and_limits() -> None:
    found = quality("{rules: {long_gap: {severity: block, most: 30}, market_gap: {most: 3, symbols: 10}}}")

    assert found.rules == (
        RuleSetting("long_gap", Severity.BLOCK, (("most", 30.0),)),
        RuleSetting("market_gap", None, (("most", 3.0), ("symbols", 10.0))),
    )


def test_a_rule_is_turned_off_by_a_word_that_yaml_takes_for_false() -> None:
    assert quality("{rules: {tick_size: {severity: off}}}").rules == (RuleSetting("tick_size", off=True),)


def test_a_rule_may_be_named_without_changes() -> None:
    found = quality("{level: custom, rules: {long_gap: {}}}")

    assert found == QualitySpec(Level.CUSTOM, (RuleSetting("long_gap"),))


def test_sampling_is_read() -> None:
    assert quality("{sample: 0.25}").sample == 0.25


@pytest.mark.parametrize(("text", "feeds"), [("backup", ("backup",)), ("[backup, daily]", ("backup", "daily"))])
def test_feeds_to_compare_with_are_one_or_a_list(text: str, feeds: tuple[str, ...]) -> None:
    others = """
  backup: {source: backup, interval: 1m, calendar: XNYS}
  daily: {source: daily, interval: 1d, calendar: XNYS}
"""

    found = parse_feeds(f"{FEED}    quality: {{compare_with: {text}}}\n{others}", "feeds.yaml")["f"]

    assert found.quality.compare_with == feeds


def test_a_feed_to_compare_with_must_be_another_one_that_is_there() -> None:
    with pytest.raises(SettingsInvalid, match="compare_with: 'backup' is no other feed"):
        quality("{compare_with: backup}")
    with pytest.raises(SettingsInvalid, match="compare_with: 'f' is no other feed"):
        quality("{compare_with: f}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{level: extreme}", "level is 'extreme'; allowed: none, basic, standard, strict, custom"),
        ("{rules: {long_gaps: {}}}", "long_gaps is no quality rule; use one of: .*long_gap"),
        ("{rules: {long_gap: {severity: fatal}}}", "severity is wrong: 'fatal' is no severity; use block, warn or off"),
        ("{rules: {long_gap: {longest: 3}}}", "longest is no key of long_gap; allowed: severity, most, dense"),
        ("{rules: {long_gap: {most: -1}}}", "most is wrong: '-1' is no limit; use a number of 0 or more"),
        ("{rules: {long_gap: {most: nan}}}", "most is wrong: 'nan' is no limit"),
        ("{rules: {long_gap: {most: inf}}}", "most is wrong: 'inf' is no limit"),
        ("{rules: {long_gap: {most: many}}}", "most is wrong"),
        ("{sample: 0}", "sample is wrong: '0' is no share; use a number above 0, up to 1"),
        ("{sample: 1.5}", "sample is wrong: '1.5' is no share"),
        ("{levels: basic}", "levels is no key of quality; allowed: level, rules, sample, compare_with"),
        ("{rules: {long_gap: {}, long_gap: {}}}", "long_gap is given twice"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_is_allowed(text: str, complaint: str) -> None:
    with pytest.raises(SettingsInvalid, match=rf"feeds\.yaml, line 6: {complaint}"):
        quality(text)


def test_a_rule_that_reads_more_than_its_partition_cannot_block() -> None:
    for rule in ("missing_symbol", "source_dispute", "unannounced_revision"):
        with pytest.raises(SettingsInvalid, match="severity cannot be block: the rule reads more than its partition"):
            quality(f"{{rules: {{{rule}: {{severity: block}}}}}}")


def test_what_quality_asks_is_no_part_of_how_sources_are_read_or_bars_made() -> None:
    plain = parse_feeds(FEED, "feeds.yaml")["f"]
    strict = parse_feeds(FEED + "    quality: {level: strict}\n", "feeds.yaml")["f"]

    assert (strict.version, strict.parse_version) == (plain.version, plain.parse_version)
