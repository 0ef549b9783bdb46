"""Reading feeds.yaml, and what it says about mistakes."""

from datetime import date, time
from pathlib import Path
from textwrap import dedent

import pytest

from marketdata_pipelines.domain.feeds import (
    Anchor,
    AssetClass,
    CalendarSpec,
    ClosingAuction,
    DataKind,
    Feed,
    Label,
    PartitionBy,
    SourceKind,
    TradeFilter,
    VolumeUnit,
)
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.feeds_file import load_feeds, parse_feeds


def one(text: str) -> Feed:
    """The only feed of a text."""
    (feed,) = parse_feeds(dedent(text), "feeds.yaml").values()
    return feed


def complaint(text: str) -> str:
    """What is said about a text."""
    with pytest.raises(SettingsInvalid) as caught:
        parse_feeds(dedent(text), "feeds.yaml")
    return str(caught.value)


def test_the_full_example_is_read() -> None:
    feed = one("""
        feeds:
          us_equities_1m:
            source: {kind: files, path: landing/us_equities, format: auto, timezone: America/New_York,
                     columns: {Date+Time: ts, Open: open}, label: start}
            asset_class: equity
            interval: 1m
            calendar: XNYS             # or {name: CMES, breaks: ["16:00-17:00"], closed: [2025-01-09]}
            anchor: session            # or utc
            extended_hours: [04:00, 20:00]
            closing_auction: last_bar
            volume_unit: base
            start: 2013-10-01
        """)

    assert (feed.name, feed.asset_class, feed.interval.name) == ("us_equities_1m", AssetClass.EQUITY, "1m")
    assert (feed.source.path, feed.source.format, feed.source.label) == ("landing/us_equities", None, Label.START)
    assert feed.source.columns == (("Date+Time", "ts"), ("Open", "open"))
    assert (feed.calendar, feed.anchor) == (CalendarSpec("XNYS"), Anchor.SESSION)
    assert feed.extended_hours == (time(4), time(20))
    assert (feed.closing_auction, feed.volume_unit) == (ClosingAuction.LAST_BAR, VolumeUnit.BASE)
    assert (feed.start, feed.partition, feed.data) == (date(2013, 10, 1), PartitionBy.DAY, None)


def test_source_interval_and_calendar_are_enough() -> None:
    feed = one("feeds: {btc: {source: landing/btc, interval: 1h, calendar: 24/7}}")

    assert (feed.source.kind, feed.source.path) == (SourceKind.FILES, "landing/btc")
    assert (feed.asset_class, feed.anchor, feed.partition) == (AssetClass.CRYPTO, Anchor.UTC, PartitionBy.MONTH)


def test_a_calendar_may_have_breaks_and_closed_days() -> None:
    feed = one("""
        feeds:
          es:
            source: x
            interval: 1m
            calendar: {name: CMES, breaks: ["16:00-17:00"], closed: [2025-01-09]}
        """)

    assert feed.calendar == CalendarSpec("CMES", ((time(16), time(17)),), (date(2025, 1, 9),))
    assert feed.asset_class is AssetClass.FUTURE


def test_ticks_are_trades_whose_finest_bars_are_seconds() -> None:
    feed = one("feeds: {t: {source: x, interval: tick, calendar: XNYS, trade_filter: {exclude_exchanges: [D]}}}")

    assert (feed.interval.name, feed.data) == ("1s", DataKind.TRADES)
    assert feed.trade_filter == TradeFilter(exclude_exchanges=("D",))


def test_simulated_feeds_take_symbols_or_how_many() -> None:
    source = "{{kind: simulated, symbols: {}, faults: {{dup_exact: 2}}}}"
    text = f"feeds: {{{{s: {{{{source: {source}, interval: 1m, calendar: XNYS}}}}}}}}"

    assert one(text.format("[A, B]")).source.symbols == ("A", "B")
    assert one(text.format("500")).source.symbol_count == 500
    assert one(text.format("500")).source.faults == (("dup_exact", 2.0),)


def test_a_list_of_columns_names_those_of_a_file_without_header() -> None:
    feed = one("feeds: {s: {source: {kind: files, columns: [ts, open, '-', close]}, interval: 1m, calendar: XNYS}}")

    assert feed.source.columns == (("1", "ts"), ("2", "open"), ("4", "close"))


def test_feeds_keep_their_order_and_none_are_none() -> None:
    text = "feeds: {b: {source: x, interval: 1m, calendar: fx}, a: {source: x, interval: 1d, calendar: fx}}"

    assert list(parse_feeds(text, "f")) == ["b", "a"]
    assert parse_feeds("", "f") == parse_feeds("# nothing yet", "f") == parse_feeds("feeds:", "f") == {}


GOOD = """\
feeds:
  us_1m:
    source:
      kind: files
    interval: 1m
    calendar: XNYS
"""


def test_the_text_that_mistakes_are_made_in_is_good() -> None:
    assert one(GOOD).name == "us_1m"


@pytest.mark.parametrize(
    ("wrong", "line", "told"),
    [
        (GOOD.replace("    interval: 1m\n", ""), 2, "us_1m lacks the key interval"),
        (GOOD.replace("    calendar: XNYS\n", ""), 2, "us_1m lacks the key calendar"),
        (GOOD.replace("      kind: files\n", "      path: x\n"), 3, "source lacks the key kind"),
        (GOOD.replace("source:", "sorce:"), 3, "sorce is no key of us_1m; allowed: source, interval, calendar,"),
        (GOOD.replace("kind: files", "kind: ftp"), 4, "kind is 'ftp'; allowed: files, simulated, sample"),
        (GOOD.replace("interval: 1m", "interval: 1x"), 5, "give one like 1s, 1m, 15m, 1h, 1d, 1w or 1M"),
        (GOOD.replace("interval: 1m", "interval: [1m]"), 5, "interval must be one value"),
        (GOOD.replace("XNYS", "XNYX"), 6, "use 24/7, fx or one of: "),
        (GOOD.replace("XNYS", "{name: XNYX}"), 6, "calendar 'XNYX' is unknown"),
        (GOOD.replace("XNYS", "{name: XNYS, holidays: []}"), 6, "allowed: name, breaks, closed"),
        (GOOD.replace("XNYS", "{breaks: []}"), 6, "calendar lacks the key name"),
        (GOOD.replace("XNYS", "{name: XNYS, breaks: ['16:00']}"), 6, "give local times like 16:00-17:00"),
        (GOOD.replace("XNYS", "{name: XNYS, breaks: ['16:00-16:00']}"), 6, "begins where it ends"),
        (GOOD.replace("XNYS", "{name: XNYS, closed: [soon]}"), 6, "'soon' is no date like 2024-03-08"),
        (GOOD.replace("  us_1m:", "  US-1m:"), 2, "use lower-case letters, digits and _"),
        (GOOD + GOOD.partition("\n")[2], 7, "us_1m is given twice"),
        (GOOD + "    interval: 5m\n", 7, "interval is given twice"),
        (GOOD + "    anchor: open\n", 7, "anchor is 'open'; allowed: session, utc"),
        (GOOD + "    asset_class: stonk\n", 7, "allowed: equity, etf, index, future, option, fx, crypto, bond"),
        (GOOD + "    data: ticks\n", 7, "data is 'ticks'; allowed: bars, trades"),
        (GOOD + "    partition: week\n", 7, "partition is 'week'; allowed: day, month, year"),
        (GOOD + "    volume_unit: usd\n", 7, "allowed: base, quote, lots"),
        (GOOD + "    closing_auction: no\n", 7, "allowed: last_bar, own_bar"),
        (GOOD + "    multiplier: many\n", 7, "multiplier is wrong: could not convert string to float: 'many'"),
        (GOOD + "    multiplier: 0\n", 7, "0 is no positive number"),
        (GOOD + "    multiplier: .nan\n", 7, "multiplier is wrong"),
        (GOOD + "    allow_nonpositive_prices: maybe\n", 7, "must be true or false"),
        (GOOD + "    extended_hours: 04:00\n", 7, "like [04:00, 20:00]"),
        (GOOD + "    extended_hours: [20:00, 04:00]\n", 7, "the earlier first"),
        (GOOD + "    extended_hours: [early, 20:00]\n", 7, "'early' is no local time like 16:00"),
        (GOOD + "    extended_hours: {from: 04:00}\n", 7, "extended_hours must be a list"),
        (GOOD + "    start: yesterday\n", 7, "'yesterday' is no date like 2024-03-08"),
        (GOOD + "    owners: {a: b}\n", 7, "owners must be a list"),
        (
            GOOD + "    trade_filter: {exclude: [A]}\n",
            7,
            "allowed: ohlc_exclude_conditions, volume_exclude_conditions,",
        ),
        (GOOD.replace("kind: files", "kind: files\n      label: middle"), 5, "label is 'middle'; allowed: start, end"),
        (GOOD.replace("kind: files", "kind: files\n      format: xml"), 5, "allowed: auto, csv, tsv, json, jsonl,"),
        (GOOD.replace("kind: files", "kind: files\n      header: maybe"), 5, "header must be true or false"),
        (GOOD.replace("kind: files", "kind: files\n      decimal: '!'"), 5, "give '.' or ','"),
        (GOOD.replace("kind: files", "kind: files\n      delimiter: ab"), 5, "give one character like"),
        (GOOD.replace("kind: files", "kind: files\n      encoding: ebcdic7"), 5, "give one like utf-8"),
        (GOOD.replace("kind: files", "kind: files\n      timezone: New York"), 5, "America/New_York or UTC"),
        (GOOD.replace("kind: files", "kind: files\n      timezone: ''"), 5, "no IANA zone"),
        (GOOD.replace("kind: files", "kind: files\n      symbol_from_name: '('"), 5, "is no regular expression"),
        (GOOD.replace("kind: files", "kind: files\n      symbol_from_name: x"), 5, "needs a group"),
        (GOOD.replace("kind: files", "kind: files\n      seed: one"), 5, "seed is wrong"),
        (GOOD.replace("kind: files", "kind: files\n      columns:\n        Date: tss"), 6, "is no field; allowed: "),
        (
            GOOD.replace("kind: files", "kind: files\n      columns:\n      - ts\n      - opn"),
            7,
            "is no field; allowed",
        ),
        (GOOD.replace("kind: files", "kind: files\n      columns: ts"), 5, "columns must be a mapping"),
        (GOOD.replace("kind: files", "kind: simulated\n      faults: {no_such: 1}"), 5, "use one of: high_lt_low,"),
        (GOOD.replace("kind: files", "kind: simulated\n      faults: {dup_exact: some}"), 5, "dup_exact is wrong"),
        (GOOD.replace("kind: files", "kind: simulated\n      faults: {dup_exact: -1}"), 5, "give a share of rows"),
        ("feds: {}\n", 1, "feds is no key of feeds.yaml; allowed: feeds"),
        ("- a\n", 1, "must be a mapping"),
        ("feeds: [a]\n", 1, "feeds must be a mapping"),
        ("feeds:\n  a: 5\n", 2, "a must be a mapping"),
    ],
)
def test_a_mistake_names_its_line_and_what_is_allowed(wrong: str, line: int, told: str) -> None:
    said = complaint(wrong)

    assert said.startswith(f"feeds.yaml, line {line}: ")
    assert told in said


def test_text_that_is_no_yaml_names_the_line() -> None:
    assert "feeds.yaml is not valid YAML" in complaint("feeds:\n  a: [1\n")
    assert "line 2" in complaint("feeds:\n\ta: 1\n")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"feeds\.yaml is not there; create it .* MARKETDATA_HOME"):
        load_feeds(tmp_path / "feeds.yaml")


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_bytes(b"feeds: \xff\xfe")

    with pytest.raises(SettingsInvalid, match="must be a UTF-8 text file"):
        load_feeds(tmp_path / "feeds.yaml")
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        load_feeds(tmp_path)
