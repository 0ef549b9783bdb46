"""The `references` section of feeds.yaml, the feeds that name them, and what is said about mistakes."""

from pathlib import Path
from textwrap import dedent

import pytest

from marketdata_pipelines.domain.references import Reference, ReferenceKind, ReferenceMode
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.feeds_file import parse_feeds
from marketdata_pipelines.settings.references_file import load_references, parse_references

ACTIONS = "  us_actions: {kind: corporate_actions}\n"
INSTRUMENTS = "  us_instruments: {kind: instruments}\n"


def complaint(text: str) -> str:
    """What is said about a text, read as references and as feeds alike."""
    with pytest.raises(SettingsInvalid) as caught:
        parse_references(dedent(text), "feeds.yaml")
    with pytest.raises(SettingsInvalid, match=r"."):
        parse_feeds(dedent(text), "feeds.yaml")
    return str(caught.value)


def feed_complaint(keys: str, references: str = f"references:\n{ACTIONS}{INSTRUMENTS}") -> str:
    """What is said about a feed with these keys."""
    with pytest.raises(SettingsInvalid) as caught:
        parse_feeds(f"{references}feeds:\n  f: {{source: x, interval: 1m, calendar: XNYS, {keys}}}\n", "feeds.yaml")
    return str(caught.value)


def test_a_reference_says_where_it_comes_from_and_how_it_is_read() -> None:
    found = parse_references(
        dedent("""
            references:
              us_actions: {kind: corporate_actions, path: reference/us_actions, style: lean_factors, mode: replace,
                           description: From the vendor, owners: [a@b.example]}
              us_instruments: {kind: instruments}
            """),
        "feeds.yaml",
    )

    assert found == {
        "us_actions": Reference(
            "us_actions", ReferenceKind.CORPORATE_ACTIONS, "reference/us_actions", "lean_factors",
            ReferenceMode.REPLACE, "From the vendor", ("a@b.example",),
        ),
        "us_instruments": Reference("us_instruments", ReferenceKind.INSTRUMENTS),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "feeds: {}", "references:\n", "references: {}"])
def test_there_may_be_none(text: str) -> None:
    assert parse_references(text, "feeds.yaml") == {}
    assert parse_feeds(text, "feeds.yaml") == {}


def test_they_are_read_from_the_file_of_the_feeds(tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_text(f"references:\n{ACTIONS}", "utf-8")

    assert list(load_references(tmp_path / "feeds.yaml")) == ["us_actions"]


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="is not there; create it"):
        load_references(tmp_path / "feeds.yaml")


def test_a_feed_names_the_references_it_uses() -> None:
    text = (
        f"references:\n{ACTIONS}{INSTRUMENTS}"
        "feeds:\n  f: {source: x, interval: 1m, calendar: XNYS, corporate_actions: us_actions, "
        "instruments: us_instruments}\n  g: {source: x, interval: 1m, calendar: XNYS}\n"
    )

    feeds = parse_feeds(text, "feeds.yaml")

    assert (feeds["f"].corporate_actions, feeds["f"].instruments) == ("us_actions", "us_instruments")
    assert (feeds["g"].corporate_actions, feeds["g"].instruments) == (None, None)
    assert (feeds["f"].parse_version, feeds["f"].version) == (feeds["g"].parse_version, _version_of("f"))


def _version_of(name: str) -> str:
    plain = parse_feeds(f"feeds: {{{name}: {{source: x, interval: 1m, calendar: XNYS}}}}", "feeds.yaml")
    return plain[name].version


def test_mistakes_name_line_and_choices() -> None:
    assert complaint("references:\n  a: {kind: dividends}") == (
        "feeds.yaml, line 2: kind is 'dividends'; allowed: corporate_actions, instruments"
    )
    assert complaint("references:\n  a:\n    path: x\n") == "feeds.yaml, line 2: a lacks the key kind"
    assert complaint("references:\n  a:\n    kind: instruments\n    style: lean_factors\n") == (
        "feeds.yaml, line 4: style is 'lean_factors'; allowed for instruments: auto, instruments, lean_map"
    )
    assert complaint("references:\n  a:\n    kind: instruments\n    mode: append\n") == (
        "feeds.yaml, line 4: mode is 'append'; allowed: upsert, replace"
    )
    assert complaint("references:\n  a: {kind: instruments, folder: x}") == (
        "feeds.yaml, line 2: folder is no key of a; allowed: kind, path, style, mode, description, owners"
    )
    assert complaint("references:\n  a: {kind: instruments, path: ''}").startswith("feeds.yaml, line 2: path is empty;")
    assert complaint("references:\n  A-b: {kind: instruments}").startswith("feeds.yaml, line 2: A-b is no reference")
    assert complaint("references: [a]").startswith("feeds.yaml, line 1: references must be a mapping")
    assert complaint("referenzen: {}") == (
        "feeds.yaml, line 1: referenzen is no key of feeds.yaml; allowed: feeds, references"
    )


def test_a_feed_and_a_reference_cannot_have_one_name() -> None:
    text = "feeds:\n  same: {source: x, interval: 1m, calendar: XNYS}\nreferences:\n  same: {kind: instruments}\n"

    assert complaint(text) == (
        "feeds.yaml, line 4: same is also the name of a feed (line 2); both become folders: rename one of them"
    )


def test_a_feed_that_names_an_unknown_reference_is_told_the_known_ones() -> None:
    assert feed_complaint("corporate_actions: eu_actions") == (
        "feeds.yaml, line 5: corporate_actions names 'eu_actions', which is not under references; "
        "references of kind corporate_actions: us_actions"
    )
    assert feed_complaint("instruments: x", references="") == (
        "feeds.yaml, line 2: instruments names 'x', which is not under references; "
        "there are no references of kind instruments yet"
    )


def test_a_feed_that_names_a_reference_of_another_kind_is_told_so() -> None:
    assert feed_complaint("instruments: us_actions") == (
        "feeds.yaml, line 5: instruments names 'us_actions', which is of kind corporate_actions; "
        "references of kind instruments: us_instruments"
    )
