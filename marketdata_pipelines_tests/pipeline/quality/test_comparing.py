"""Partitions compared with those of other feeds, from the lake."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.quality.disputes import DISPUTE_SCHEMA, SOURCE_SCORE_SCHEMA
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, SCORE_SCHEMA, Level
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.domain.references import Reference, ReferenceKind
from marketdata_pipelines.pipeline.quality.comparing import (
    ComparedPartition,
    compare_partition,
    comparison_inputs,
    partitions_comparing,
)
from marketdata_pipelines.pipeline.reference_intake import IntakeRun, take_in_reference
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import Row, bar_table, column, day, make_feed, us
from marketdata_pipelines_tests.domain.dispute_rows import changed, daily, scaled, session, told

KEY, NEXT, YEAR = "2024-03-08", "2024-03-11", "2024-01-01"
WITH_B = QualitySpec(compare_with=("b",))
A, B, C = (make_feed(name=name, quality=WITH_B if name == "a" else QualitySpec()) for name in "abc")
DAILY = make_feed(interval="1d", name="d")


def feeds(*found: Feed) -> dict[str, Feed]:
    return {feed.name: feed for feed in found}


def put(lake: Lake, feed: Feed, rows: list[Row] | pa.Table, key: str = KEY, table: str = "validated_bars") -> None:
    """Store bars as a partition of a table."""
    bars = rows if isinstance(rows, pa.Table) else bar_table(rows)
    lake.store(feed.name, [TableWrite(table, key, bars, f"{feed.name}-{key}")], {})


def put_daily(lake: Lake, feed: Feed, bars: pa.Table) -> None:
    """Store each day's bars as a partition of bars_1d."""
    for row in bars.to_pylist():
        whole = {name: row.get(name) for name in AGGREGATE_SCHEMA.names} | {"is_final": True}
        put(lake, feed, pa.Table.from_pylist([whole], schema=AGGREGATE_SCHEMA), str(row["session_date"]), "bars_1d")


def compare(lake: Lake, feed: Feed, *others: Feed, key: str = KEY) -> ComparedPartition:
    return compare_partition(lake, feed, feeds(feed, *others), key)


def test_feeds_of_one_interval_are_compared_day_by_day(lake: Lake) -> None:
    put(lake, A, session())
    put(lake, B, changed(session(), {9: {"close": 103.0, "high": 120.0}}))

    found = compare(lake, A, B)

    assert [row[1:3] for row in told(found.disputes)] == [("2024-03-08 14:39", "close"), ("2024-03-08 14:39", "high")]
    assert column(found.findings, "rule") == ["source_dispute"]
    assert [(row["source"], row["compared"], round(row["score"], 3)) for row in found.scores.to_pylist()] == [
        ("a", 390, 100.0),
        ("b", 390, 99.744),
    ]


def test_without_others_or_their_partition_there_is_nothing(lake: Lake) -> None:
    put(lake, A, session())

    for found in (compare(lake, A, B), compare(lake, replace(A, quality=QualitySpec()), B)):
        assert found.disputes.equals(DISPUTE_SCHEMA.empty_table())
        assert found.findings.equals(FINDING_SCHEMA.empty_table())
        assert found.scores.equals(SOURCE_SCORE_SCHEMA.empty_table())
    put(lake, B, session())
    assert compare(lake, A, B, key=NEXT).scores.num_rows == 0


def test_a_feed_that_does_not_ask_for_the_rules_is_not_compared(lake: Lake) -> None:
    basic = replace(A, quality=QualitySpec(level=Level.BASIC, compare_with=("b",)))
    put(lake, A, session())
    put(lake, B, scaled(session(), 3.0))

    assert compare(lake, basic, B).disputes.num_rows == 0


def test_a_third_feed_of_the_same_bars_is_asked(lake: Lake) -> None:
    own = changed(session(), {9: {"close": 99.0, "low": 99.0}})
    three = replace(A, quality=QualitySpec(compare_with=("b", "c")))
    for feed, rows in ((A, own), (B, session()), (C, own)):
        put(lake, feed, rows)

    found = compare(lake, three, B, C)

    assert {(row["other_feed"], row["likelier"], row["witness"]) for row in found.disputes.to_pylist()} == {
        ("b", "own", "third")
    }
    assert set(column(found.scores, "other_feed")) == {"b", "c"}


def test_minutes_are_compared_with_daily_bars_through_their_own_daily_bars(lake: Lake) -> None:
    minutes = replace(A, quality=QualitySpec(compare_with=("d",)))
    put(lake, DAILY, daily([100.0, 101.0, 104.0, 100.0], start="2024-03-05"), YEAR)
    put_daily(lake, A, daily([100.0, 101.0, 102.0, 100.0], start="2024-03-05"))

    found = [compare(lake, minutes, DAILY, key=f"2024-03-0{number}") for number in (5, 6, 7, 8)]

    assert [each.findings.num_rows for each in found] == [0, 0, 1, 0]
    (row,) = found[2].findings.to_pylist()
    assert (row["rule"], row["session_date"]) == ("daily_differs", day("2024-03-07"))
    assert row["message"].startswith("close 102 against 104 of d on 2024-03-07 (1.9%)")


def test_a_daily_feed_is_compared_with_the_daily_bars_of_minutes(lake: Lake) -> None:
    days = replace(DAILY, quality=QualitySpec(compare_with=("a",)))
    put(lake, DAILY, daily([100.0, 101.0, 104.0, 100.0], start="2024-03-05"), YEAR)
    put_daily(lake, A, daily([100.0, 101.0, 102.0, 100.0], start="2024-03-05"))

    found = compare(lake, days, A, key=YEAR)

    assert column(found.findings, "session_date") == [day("2024-03-07")]
    assert found.scores.num_rows == 8


def test_prices_adjusted_differently_are_found_once_and_not_each_day_again(lake: Lake) -> None:
    minutes = replace(A, quality=QualitySpec(compare_with=("d",)))
    raw = [700.0, 707.0, 693.0, 700.0]
    put_daily(lake, A, daily(raw, start="2024-03-05"))
    put(lake, DAILY, daily([close / 7 for close in raw], start="2024-03-05", volume=7e6), YEAR)

    found = [compare(lake, minutes, DAILY, key=f"2024-03-0{number}") for number in (5, 6, 7, 8)]

    assert [column(each.disputes, "field") for each in found] == [["scale"]] * 4
    assert [each.findings.num_rows for each in found] == [1, 0, 0, 0]
    assert column(found[0].findings, "message") == ["prices of 1 bar are 7 times those of d: adjusted differently"]


def test_minutes_of_another_scale_are_found_once_too(lake: Lake) -> None:
    for name, price in (("a", 700.0), ("b", 100.0)):
        feed = {"a": A, "b": B}[name]
        for key in (KEY, NEXT):
            start = f"{key} {'14' if key == KEY else '13'}:30"
            put(lake, feed, scaled(session(price=700.0, start=start), price / 700), key)
        put_daily(lake, feed, daily([price], start=KEY))

    assert [compare(lake, A, B, key=key).findings.num_rows for key in (KEY, NEXT)] == [1, 0]


def test_instruments_that_both_feeds_name_are_matched_whatever_they_are_called(lake: Lake, tmp_path: Path) -> None:
    names = Reference("names", ReferenceKind.INSTRUMENTS)
    other = Reference("others", ReferenceKind.INSTRUMENTS)
    for reference, symbol in ((names, "FB"), (other, "META")):
        path = tmp_path / f"{reference.name}.csv"
        path.write_text(f"instrument_id,symbol,from,to\nmeta,{symbol},2012-05-18,\n", "utf-8")
        take_in_reference(lake, reference, [str(path)], IntakeRun("run", us("2020-01-01")))
    own, theirs = replace(A, instruments="names"), replace(B, instruments="others")
    put(lake, own, session("FB"))
    put(lake, theirs, changed(session("META"), {9: {"low": 50.0}}))

    found = compare_partition(lake, own, feeds(own, theirs), KEY, {"names": names, "others": other})

    assert column(found.findings, "symbol") == ["FB"]
    assert compare(lake, A, B).scores.num_rows == 0


def test_the_inputs_digest_changes_with_what_is_read_of_others_and_only_then(lake: Lake) -> None:
    put(lake, A, session())
    before = comparison_inputs(lake, A, feeds(A, B), KEY)
    put(lake, B, session(), "2024-03-20")
    assert comparison_inputs(lake, A, feeds(A, B), KEY) == before

    put(lake, B, session())

    after = comparison_inputs(lake, A, feeds(A, B), KEY)
    assert after != before
    put(lake, A, session(count=5))
    assert comparison_inputs(lake, A, feeds(A, B), KEY) == after


def test_the_same_tables_give_the_same_answer(lake: Lake) -> None:
    put(lake, A, session("B") + session("A"))
    put(lake, B, changed(session("A") + session("B"), {9: {"low": 50.0}, 400: {"high": 150.0}, 401: None}))

    one, two = (compare(lake, A, B) for _ in range(2))

    assert one == two
    assert column(one.disputes, "symbol") == ["A", "B", "B"]
    lake.store("a", [TableWrite("disputes", KEY, one.disputes, "x")], {})
    assert lake.read("disputes", "a", KEY).to_pylist() == one.disputes.to_pylist()


def test_bars_of_utc_days_are_compared_with_those_of_sessions(lake: Lake) -> None:
    utc = make_feed(name="b", anchor=Anchor.UTC)
    rows = session(start="2024-03-08 20:00", count=480)
    late = bar_table(rows)
    dates = [day(KEY) + timedelta(days=int(row["ts"] // DAY_US - us(KEY) // DAY_US)) for row in rows]
    cut = late.set_column(late.column_names.index("session_date"), "session_date", pa.array(dates))
    put(lake, utc, cut.slice(0, 240))
    put(lake, utc, cut.slice(240), "2024-03-09")
    put(lake, A, rows)

    found = compare(lake, A, utc)

    assert found.disputes.num_rows == 0
    assert sum(row["compared"] for row in found.scores.to_pylist() if row["source"] == "a") == 480


def test_what_others_were_compared_with_is_known_when_it_changes(lake: Lake) -> None:
    minutes, days = (replace(feed, quality=QualitySpec(compare_with=("b",))) for feed in (A, DAILY))
    every = feeds(minutes, B, C, days)
    for feed, key in (("a", KEY), ("a", NEXT), ("a", "2024-03-28"), ("d", YEAR), ("d", "2023-01-01"), ("c", KEY)):
        lake.store(feed, [TableWrite("quality_scores", key, SCORE_SCHEMA.empty_table(), "x")], {})

    assert partitions_comparing(lake, B, every, [KEY]) == {"a": [KEY, NEXT], "d": [YEAR]}
    assert partitions_comparing(lake, B, every, ["2024-03-29", "2023-12-29"]) == {"d": ["2023-01-01", YEAR]}
    assert partitions_comparing(lake, B, every, []) == {}
    assert partitions_comparing(lake, C, every, [KEY]) == {}
