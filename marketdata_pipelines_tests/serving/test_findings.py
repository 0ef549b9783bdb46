"""The source rows behind findings, listed with the rejected ones."""

from typing import Any

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines_tests.builders import (
    bar,
    column,
    make_home,
    minutes,
    raw_trades,
    source_of,
    take_in,
    walk_stale,
)
from marketdata_pipelines_tests.quality_tables import finding, store_quality

FEEDS = """
feeds:
  us: {source: landing, interval: 1m, calendar: XNYS}
  ticks: {source: landing, data: trades, interval: 1m, calendar: XNYS}
"""
FRIDAY, MONDAY = "2024-03-08", "2024-03-11"


@pytest.fixture
def reader(tmp_path: Any) -> LakeReader:
    return LakeReader(make_home(tmp_path / "data", FEEDS))


def load(reader: LakeReader, *sources: Any, feed: str = "us", known_at: str = "2026-01-01 00:00") -> dict[str, str]:
    """Take files in and walk what is behind; the raw part each file brought, by its name."""
    definition: Feed = reader.feed(feed)
    take_in(reader.lake, definition, *sources, known_at=known_at)
    walk_stale(reader.lake, definition)
    return {part.ingest.file: part.part.part_id for part in reader.lake.catalog.standing_parts(feed)}


def listed(reader: LakeReader, *findings: dict[str, Any], feed: str = "us", **how: Any) -> list[tuple[Any, ...]]:
    """(file, row, symbol, rules) of `rejected --findings` after these were found, by session."""
    for key in {str(each["session_date"]) for each in findings}:
        store_quality(reader.lake, feed, key, [], [each for each in findings if str(each["session_date"]) == key])
    found = reader.rejected(feed, findings=True, **how)
    return list(zip(*(column(found, name) for name in ("file", "row", "symbol", "rules")), strict=True))


def test_a_finding_of_one_bar_is_its_row(reader: LakeReader) -> None:
    part = load(reader, source_of("a.csv", minutes("A", "2024-03-08 14:30", 5)))["a.csv"]

    found = finding("price_spike", FRIDAY, "A", "2024-03-08 14:32", file="a.csv", line=4, row=3, part=part)

    assert listed(reader, found) == [("a.csv", 3, "A", "price_spike")]
    table = reader.rejected("us", findings=True)
    assert (column(table, "line"), column(table, "ts")) == ([4], ["2024-03-08 14:32"])


def test_a_finding_without_a_place_is_found_in_the_raw_parts(reader: LakeReader) -> None:
    load(reader, source_of("a.csv", minutes("A", "2024-03-08 14:30", 5) + minutes("B", "2024-03-08 14:30", 5)))

    assert listed(reader, finding("volume_spike", FRIDAY, "B", "2024-03-08 14:31")) == [
        ("a.csv", 7, "B", "volume_spike")
    ]


def test_a_span_has_a_row_for_each_bar_whichever_file_it_came_from(reader: LakeReader) -> None:
    parts = load(
        reader,
        source_of("a.csv", minutes("A", "2024-03-08 14:30", 3)),
        source_of("b.csv", minutes("A", "2024-03-08 14:33", 3)),
    )

    span = finding("stale_run", FRIDAY, "A", "2024-03-08 14:31", ts_last="2024-03-08 14:34", part=parts["a.csv"], row=2)

    assert [row[:2] for row in listed(reader, span)] == [("a.csv", 2), ("a.csv", 3), ("b.csv", 1), ("b.csv", 2)]


def test_a_row_that_is_rejected_and_found_is_listed_once_with_both_rules(reader: LakeReader) -> None:
    rows = minutes("A", "2024-03-08 14:30", 3)
    late = bar("A", "2024-03-08 21:30")
    part = load(reader, source_of("a.csv", [*rows, late]))["a.csv"]

    shift = finding("time_shift", FRIDAY, "A", "2024-03-08 14:31", ts_last="2024-03-08 21:30", part=part)

    assert listed(reader, shift) == [
        ("a.csv", 2, "A", "time_shift"),
        ("a.csv", 3, "A", "time_shift"),
        ("a.csv", 4, "A", "out_of_session;time_shift"),
    ]


def test_other_spans_leave_rejected_rows_to_their_own_rules(reader: LakeReader) -> None:
    rows = [*minutes("A", "2024-03-08 14:30", 3), bar("A", "2024-03-08 14:31", high=90.0, low=110.0)]
    load(reader, source_of("a.csv", rows))

    span = finding("stale_run", FRIDAY, "A", "2024-03-08 14:30", ts_last="2024-03-08 14:31")

    assert listed(reader, span) == [
        ("a.csv", 1, "A", "stale_run"),
        ("a.csv", 2, "A", "stale_run"),
        ("a.csv", 4, "A", "high_below_low"),
    ]


def test_a_row_of_several_findings_has_all_their_rules_once(reader: LakeReader) -> None:
    load(reader, source_of("a.csv", minutes("A", "2024-03-08 14:30", 3)))
    spots = [finding(rule, FRIDAY, "A", "2024-03-08 14:31") for rule in ("bad_wick", "price_spike", "bad_wick")]

    assert listed(reader, *spots) == [("a.csv", 2, "A", "bad_wick;price_spike")]


def test_rows_that_another_file_replaced_are_listed_for_what_was_found_in_them(reader: LakeReader) -> None:
    load(reader, source_of("old.csv", minutes("A", "2024-03-08 14:30", 3, 50.0)), known_at="2025-01-01 00:00")
    parts = load(reader, source_of("new.csv", minutes("A", "2024-03-08 14:30", 3)))
    old = finding(
        "price_spike", FRIDAY, "A", "2024-03-08 14:31", part=parts["old.csv"], row=2, line=3, file="old.csv",
        standing=False,
    )  # fmt: skip
    new = finding("bad_wick", FRIDAY, "A", "2024-03-08 14:31")

    assert listed(reader, old, new) == [("new.csv", 2, "A", "bad_wick"), ("old.csv", 2, "A", "price_spike")]
    assert listed(reader, old, superseded=True) == [
        ("old.csv", 1, "A", "superseded"),
        ("old.csv", 2, "A", "superseded;price_spike"),
        ("old.csv", 3, "A", "superseded"),
    ]


@pytest.mark.parametrize(
    ("first", "last"),
    [("2024-03-08 14:33", "2024-03-08 14:59"), ("2024-03-08 14:30", "2024-03-08 20:59")],
    ids=["by the gap", "by the session"],
)
def test_a_gap_is_told_at_the_first_row_after_it(reader: LakeReader, first: str, last: str) -> None:
    rows = (
        minutes("A", "2024-03-08 14:30", 3) + minutes("A", "2024-03-08 15:00", 3) + minutes("B", "2024-03-08 14:40", 9)
    )
    load(reader, source_of("a.csv", rows))

    assert listed(reader, finding("long_gap", FRIDAY, "A", first, ts_last=last)) == [("a.csv", 4, "A", "long_gap")]


def test_a_gap_may_name_the_row_after_it_itself(reader: LakeReader) -> None:
    rows = minutes("A", "2024-03-08 14:30", 3) + minutes("A", "2024-03-08 15:00", 3)
    part = load(reader, source_of("a.csv", rows))["a.csv"]
    after = finding("long_gap", FRIDAY, "A", "2024-03-08 15:00", bars=27, file="a.csv", line=5, row=4, part=part)

    assert listed(reader, after) == [("a.csv", 4, "A", "long_gap")]


def test_what_another_feed_says_differently_is_a_row_only_where_it_is_one_bar(reader: LakeReader) -> None:
    load(reader, source_of("a.csv", minutes("A", "2024-03-08 14:30", 5)))
    one = finding("source_dispute", FRIDAY, "A", "2024-03-08 14:31")
    some = finding("source_dispute", FRIDAY, "A", "2024-03-08 14:31", ts_last="2024-03-08 14:34", bars=2)

    assert listed(reader, one) == [("a.csv", 2, "A", "source_dispute")]
    assert listed(reader, some) == [("a.csv", None, "A", "source_dispute")]


def test_a_gap_at_the_end_of_a_session_is_told_of_its_file(reader: LakeReader) -> None:
    load(reader, source_of("a.csv", minutes("A", "2024-03-08 14:30", 3)))
    end = finding("long_gap", FRIDAY, "A", "2024-03-08 14:33", ts_last="2024-03-08 20:59")

    assert listed(reader, end) == [("a.csv", None, "A", "long_gap")]


def test_a_finding_about_a_whole_file_has_no_row_and_its_sentence_as_text(reader: LakeReader) -> None:
    part = load(reader, source_of("a.csv", minutes("A", "2024-03-08 14:30", 3)))["a.csv"]
    labels = [
        finding(
            "label_shift", FRIDAY, symbol, "2024-03-08 14:31", ts_last="2024-03-08 21:00", part=part, file="a.csv",
            message="labelled by their end",
        )
        for symbol in ("A", "B")
    ]  # fmt: skip

    assert listed(reader, *labels) == [("a.csv", None, None, "label_shift")], "once, not for each symbol-session"
    assert column(reader.rejected("us", findings=True), "original") == ["labelled by their end"]


def test_a_finding_about_a_whole_partition_names_its_file_where_there_is_one_only(reader: LakeReader) -> None:
    load(reader, source_of("a.csv", minutes("A", "2024-03-08 14:30", 3)))
    load(
        reader,
        source_of("b.csv", minutes("A", "2024-03-11 13:30", 3)),
        source_of("c.csv", minutes("B", "2024-03-11 13:30", 3)),
    )

    missing = [finding("missing_symbol", FRIDAY, "Z"), finding("market_gap", FRIDAY)]
    assert listed(reader, *missing) == [("a.csv", None, None, "market_gap"), ("a.csv", None, "Z", "missing_symbol")]
    spread = [finding("missing_symbol", MONDAY, "Z"), finding("incomplete_session", MONDAY, "B")]
    assert listed(reader, *spread, start=MONDAY) == [
        ("c.csv", None, "B", "incomplete_session"),
        (None, None, "Z", "missing_symbol"),
    ]


def test_a_bar_of_trades_is_all_of_its_trades(reader: LakeReader) -> None:
    trades = [("A", f"2024-03-08 14:{at}", 10.0, 1.0) for at in ("30:10", "30:50", "31:05", "31:59", "32:00")]
    load(reader, source_of("t.csv", raw_trades(trades)), feed="ticks")

    assert listed(reader, finding("price_spike", FRIDAY, "A", "2024-03-08 14:31"), feed="ticks") == [
        ("t.csv", 3, "A", "price_spike"),
        ("t.csv", 4, "A", "price_spike"),
    ]


def test_a_range_leaves_findings_of_other_sessions_out(reader: LakeReader) -> None:
    load(reader, source_of("a.csv", minutes("A", "2024-03-08 14:30", 3) + minutes("A", "2024-03-11 13:30", 3)))
    both = [
        finding("bad_wick", FRIDAY, "A", "2024-03-08 14:31"),
        finding("bad_wick", MONDAY, "A", "2024-03-11 13:31"),
    ]

    assert [row[1] for row in listed(reader, *both)] == [2, 5]
    assert [row[1] for row in listed(reader, *both, start=MONDAY, end=MONDAY)] == [5]
    assert [row[1] for row in listed(reader, *both, end="2024-03-08T20:00:00Z")] == [2]


def test_without_findings_the_list_is_that_of_rejected_rows(reader: LakeReader) -> None:
    load(reader, source_of("a.csv", [*minutes("A", "2024-03-08 14:30", 3), bar("A", "2024-03-08 14:40", 0.0)]))
    store_quality(reader.lake, "us", FRIDAY, [], [finding("bad_wick", FRIDAY, "A", "2024-03-08 14:31")])

    assert column(reader.rejected("us"), "rules") == ["price_not_positive"]
    assert column(reader.rejected("us", findings=True), "rules") == ["bad_wick", "price_not_positive"]


def test_findings_of_an_earlier_instant_are_not_known(reader: LakeReader) -> None:
    with pytest.raises(SettingsInvalid, match="findings are those of today"):
        reader.rejected("us", findings=True, as_of="2025-01-01")
