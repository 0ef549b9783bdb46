"""Views, rejected rows, gaps and SQL asked of a small lake."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from marketdata_pipelines.errors import MarketDataError, PartitionMissing, SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.sources.parsed import Finding
from marketdata_pipelines_tests.builders import (
    TableRead,
    bar,
    column,
    make_home,
    minutes,
    source_of,
    take_in,
    walk_stale,
)

FEEDS = """
feeds:
  us: {source: landing, interval: 1m, calendar: XNYS}
  daily: {source: landing, interval: 1d, calendar: XNYS}
  empty: {source: landing, interval: 1m, calendar: XNYS}
"""
FRIDAY, MONDAY = "2024-03-08", "2024-03-11"
VIEWS = ("daily_summary", "hourly_volume", "symbol_performance", "top_volume", "latest_bars")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LakeReader:
    """Two sessions of two symbols with a few bad rows, and a year of daily bars."""
    found = LakeReader(make_home(tmp_path_factory.mktemp("data"), FEEDS))
    friday = minutes("A", "2024-03-08 14:30", 40) + minutes("B", "2024-03-08 14:30", 2, 0.5)
    monday = [*minutes("A", "2024-03-11 13:30", 3, 110.0), bar("A", "2024-03-11 13:33", -1.0), bar("A", None)]
    again = source_of("again.csv", minutes("A", "2024-03-11 13:30", 1, 111.0))
    guessed = replace(again, read=TableRead(again.read()[0], (Finding("header_guessed", "pin it"),)))  # type: ignore[arg-type]
    take_in(found.lake, found.feed("us"), source_of("fri.csv", friday), source_of("mon.csv", monday), guessed)
    take_in(found.lake, found.feed("us"), source_of("none.csv", [bar("A", None)]))
    days = [
        bar("A", f"2024-{moment} 00:00", price) for moment, price in (("01-02", 10.0), ("03-08", 11.0), ("03-11", 12.0))
    ]
    take_in(found.lake, found.feed("daily"), source_of("days.csv", days))
    for name in ("us", "daily"):
        walk_stale(found.lake, found.feed(name))
    return found


def test_every_view_answers(reader: LakeReader) -> None:
    assert {view: reader.table("us", view).num_rows for view in VIEWS} == {
        "daily_summary": 3, "hourly_volume": 3, "symbol_performance": 2, "top_volume": 3, "latest_bars": 2,
    }  # fmt: skip


def test_the_summary_of_a_session_knows_the_close_before_the_range(reader: LakeReader) -> None:
    found = reader.table("us", "daily_summary", MONDAY, MONDAY)

    before = reader.table("us", "daily_summary", FRIDAY, FRIDAY)
    close = dict(zip(column(before, "symbol"), column(before, "close"), strict=True))["A"]
    assert column(found, "ret_cc") == [pytest.approx(column(found, "close")[0] / close - 1)]
    assert column(before, "ret_cc") == [None, None]
    assert column(found, "expected_minutes") == [390]


def test_hours_are_those_of_the_exchange(reader: LakeReader) -> None:
    found = reader.table("us", "hourly_volume", FRIDAY, FRIDAY)

    rows = list(zip(column(found, "symbol"), column(found, "hour"), column(found, "bars"), strict=True))
    assert rows == [("A", 9, 30), ("A", 10, 10), ("B", 9, 2)]


def test_an_unknown_volume_makes_the_sum_of_its_hour_unknown(home: Callable[[str], Path]) -> None:
    reader = LakeReader(home(FEEDS))
    rows = [bar("A", "2024-03-08 14:30"), bar("A", "2024-03-08 14:31", volume=None), bar("A", "2024-03-08 15:00")]
    take_in(reader.lake, reader.feed("us"), source_of("a.csv", rows))
    walk_stale(reader.lake, reader.feed("us"))

    assert column(reader.table("us", "hourly_volume"), "sum") == [None, 100.0]
    assert column(reader.lake.read("hourly_volume", "us", FRIDAY), "sum") == [None, 100.0]
    assert column(reader.table("us", "symbol_performance"), "volume") == [None]
    assert column(reader.table("us", "top_volume"), "share") == [None]


def test_latest_bars_are_the_last_in_the_range(reader: LakeReader) -> None:
    assert column(reader.table("us", "latest_bars"), "ts") == ["2024-03-11 13:32", "2024-03-08 14:31"]
    assert column(reader.table("us", "latest_bars", end=FRIDAY), "ts") == ["2024-03-08 15:09", "2024-03-08 14:31"]


def test_a_name_that_is_no_view_names_the_views(reader: LakeReader) -> None:
    with pytest.raises(SettingsInvalid, match="'weekly' is no view of us; there: daily_summary, hourly_volume,"):
        reader.table("us", "weekly")
    with pytest.raises(SettingsInvalid, match="'hourly_volume' is no view of daily"):
        reader.table("daily", "hourly_volume")
    with pytest.raises(PartitionMissing, match="empty has no daily_summary in that range"):
        reader.table("empty", "daily_summary")


def test_views_and_gaps_are_asked_by_date(reader: LakeReader) -> None:
    told = "2024-03-08T14:30:00Z is a time; give a session date like 2024-03-08"

    with pytest.raises(SettingsInvalid, match=told):
        reader.table("us", "daily_summary", "2024-03-08T14:30:00Z")
    with pytest.raises(SettingsInvalid, match=told):
        reader.gaps("us", end="2024-03-08T14:30:00Z")


def rejected(reader: LakeReader, *asked: str, superseded: bool = False) -> list[tuple[str, int | None, str]]:
    found = reader.rejected("us", *asked, superseded=superseded)
    assert found.column_names == ["file", "line", "row", "symbol", "ts", "rules", "original"]
    return list(zip(column(found, "file"), column(found, "row"), column(found, "rules"), strict=True))


def test_rejected_rows_then_whole_files(reader: LakeReader) -> None:
    assert rejected(reader) == [
        ("again.csv", None, "header_guessed"),
        ("mon.csv", 4, "price_not_positive"),
        ("mon.csv", 5, "unparsable_timestamp"),
        ("none.csv", None, "unreadable_times"),
    ]


def test_a_range_of_rejected_rows_leaves_out_files_and_other_days(reader: LakeReader) -> None:
    assert rejected(reader, MONDAY, MONDAY) == [
        ("mon.csv", 4, "price_not_positive"), ("mon.csv", 5, "unparsable_timestamp"),
    ]  # fmt: skip
    assert rejected(reader, FRIDAY, FRIDAY) == []


def test_superseded_rows_are_listed_on_request(reader: LakeReader) -> None:
    assert ("mon.csv", 1, "superseded") in rejected(reader, superseded=True)


def test_an_empty_lake_has_no_rejected_rows_and_no_gaps(reader: LakeReader) -> None:
    assert reader.rejected("empty").num_rows == 0
    assert reader.gaps("empty").num_rows == 0


def test_gaps_lie_between_a_symbols_first_and_last_session(reader: LakeReader) -> None:
    found = reader.gaps("us").to_pylist()

    assert [(gap["symbol"], str(gap["session_date"]), gap["minutes"]) for gap in found] == [
        ("A", FRIDAY, 350), ("A", MONDAY, 387), ("B", FRIDAY, 388),
    ]  # fmt: skip
    assert reader.gaps("us", MONDAY, MONDAY).num_rows == 1
    assert reader.gaps("us", symbols=["B"]).num_rows == 1
    assert reader.gaps("us", "2024-03-12").num_rows == 0


def test_missing_sessions_of_daily_bars(reader: LakeReader) -> None:
    found = reader.gaps("daily", "2024-03-01")

    assert set(column(found, "kind")) == {"missing_session"}
    assert [str(date) for date in column(found, "session_date")] == [
        "2024-03-01", "2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07",
    ]  # fmt: skip


def test_sql_sees_a_table_of_all_feeds_and_of_one(reader: LakeReader) -> None:
    every = reader.sql("select feed, count(*) as n from bars_2d group by all order by feed")
    one = reader.sql("select count(*) as n, max(\"close\") as c from us.bars_5m where symbol = 'A'")

    assert every.to_pylist() == [{"feed": "daily", "n": 3}, {"feed": "us", "n": 3}]
    assert column(one, "n") == [9]
    assert reader.sql("select 1 as x").to_pylist() == [{"x": 1}]
    joined = reader.sql("select count(*) as n from us.bars_1d a join daily.validated_bars b using (session_date)")
    assert column(joined, "n") == [3]


def test_sql_reads_exact_prices_of_every_scale(reader: LakeReader) -> None:
    found = reader.sql("select open from us.validated_bars where symbol = 'B' order by ts")

    assert column(found, "open") == [0.5, 0.51]


@pytest.mark.parametrize("query", ["select * from nothing_there", "selec 1", "select nope from us.bars_5m"])
def test_sql_that_fails_is_an_error_of_ours_with_the_reason(reader: LakeReader, query: str) -> None:
    with pytest.raises(MarketDataError, match="bars_5m"):
        reader.sql(query)
