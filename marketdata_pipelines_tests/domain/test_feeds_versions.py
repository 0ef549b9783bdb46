"""Versions that are in every stored digest: feeds keep theirs as the program grows."""

from dataclasses import replace

from marketdata_pipelines.domain.feeds import Feed, SourceKind, SourceSpec
from marketdata_pipelines.settings.feeds_file import parse_feeds
from marketdata_pipelines_tests.builders import make_feed

SIMULATED = (
    "{kind: simulated, symbols: [A, B], seed: 3, faults: {dup_exact: 2}}, interval: 1h, calendar: CMES, "
    "trade_filter: {exclude_exchanges: [D]}"
)


def pulled(**source: object) -> Feed:
    given = {"url": "http://h", "symbols": ("A",), **source}
    return make_feed(source=SourceSpec(SourceKind.EXCHANGE, **given))  # type: ignore[arg-type]


def test_feeds_from_before_there_were_vendors_keep_their_versions() -> None:
    files = make_feed()
    simulated = parse_feeds(f"feeds: {{s: {{source: {SIMULATED}}}}}", "feeds.yaml")["s"]

    assert (files.version, files.parse_version) == ("a138dee7f228", "816341175107")
    assert (simulated.version, simulated.parse_version) == ("c781516ea6de", "1bf37000a71c")


def test_how_a_vendor_is_reached_is_no_part_of_what_it_has() -> None:
    feed = pulled()
    tuned = pulled(
        url="http://other", calls=3, per_seconds=2.0, attempts=4, timeout_seconds=1.0, page_rows=7, key_env="KEY"
    )

    assert (tuned.version, tuned.parse_version) == (feed.version, feed.parse_version)


def test_what_is_asked_of_a_vendor_is_part_of_it() -> None:
    feed = pulled()

    assert pulled(venue="kraken").parse_version != feed.parse_version
    assert pulled(options=(("prepost", "true"),)).parse_version != feed.parse_version
    assert replace(feed, source=replace(feed.source, kind=SourceKind.YFINANCE)).parse_version != feed.parse_version


def test_another_symbol_changes_the_tables_but_not_how_answers_are_read() -> None:
    more = pulled(symbols=("A", "B"))

    assert more.version != pulled().version
    assert more.parse_version == pulled().parse_version


def test_references_are_applied_on_reading_and_change_no_version() -> None:
    feed = make_feed()
    adjusted = make_feed(corporate_actions="us_actions", instruments="us_instruments")

    assert (adjusted.version, adjusted.parse_version) == (feed.version, feed.parse_version)
