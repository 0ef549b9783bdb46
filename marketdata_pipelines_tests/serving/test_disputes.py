"""Disputes of a range, read from the lake."""

from dataclasses import replace

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.quality.disputes import DISPUTE_SCHEMA
from marketdata_pipelines.domain.quality.records import SCORE_SCHEMA
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.serving.disputes import answer_disputes
from marketdata_pipelines.serving.notes import answer_notes
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import column, make_feed
from marketdata_pipelines_tests.domain.dispute_rows import changed, compare_daily, compared, daily, scaled, session

FEED = make_feed(name="shares", quality=QualitySpec(compare_with=("b",)))
DAILY = make_feed(interval="1d", name="days", quality=QualitySpec(compare_with=("b",)))


def put(lake: Lake, feed: str, key: str, disputes: pa.Table, name: str = "disputes") -> None:
    lake.store(feed, [TableWrite(name, key, disputes, key)], {})


@pytest.fixture
def two_days(lake: Lake) -> Lake:
    """Two sessions of A and B: a false low in each."""
    for key, start in (("2024-03-07", "2024-03-07 14:30"), ("2024-03-08", "2024-03-08 14:30")):
        own = session("B", start=start) + session("A", start=start)
        other = changed(own, {9: {"low": 50.0}, 399: {"low": 50.0}})
        put(lake, "shares", key, compared(own, other).disputes)
    return lake


def rows(table: pa.Table) -> list[str]:
    return [f"{symbol} {ts}" for symbol, ts in zip(column(table, "symbol"), column(table, "ts"), strict=True)]


def test_disputes_of_all_partitions_come_sorted_with_symbols_as_text(two_days: Lake) -> None:
    found = answer_disputes(two_days, FEED)

    assert rows(found) == ["A 2024-03-07 14:39", "A 2024-03-08 14:39", "B 2024-03-07 14:39", "B 2024-03-08 14:39"]
    assert found.column_names == DISPUTE_SCHEMA.names
    assert found.schema.field("symbol").type == pa.string()
    assert answer_notes(found) == []


def test_disputes_are_narrowed_by_dates_instants_and_symbols(two_days: Lake) -> None:
    assert rows(answer_disputes(two_days, FEED, end="2024-03-07", symbols=["B"])) == ["B 2024-03-07 14:39"]
    assert len(rows(answer_disputes(two_days, FEED, start="2024-03-08T14:39:00Z"))) == 2
    assert len(rows(answer_disputes(two_days, FEED, start="2024-03-08T14:40:00Z"))) == 0
    assert len(rows(answer_disputes(two_days, FEED, end="2024-03-08T14:39:00Z"))) == 2
    assert rows(answer_disputes(two_days, FEED, symbols=["C"])) == []


def test_a_stretch_is_told_wherever_it_lies_in_the_range(lake: Lake) -> None:
    prices = [100.0, 101.0, 99.0, 100.0, 102.0]
    put(lake, "days", "2024-01-01", compare_daily(daily(prices), daily([price / 7 for price in prices])).disputes)

    assert column(answer_disputes(lake, DAILY, "2024-03-06", "2024-03-06"), "field") == ["scale"]
    assert answer_disputes(lake, DAILY, "2024-03-09").num_rows == 0
    assert answer_disputes(lake, DAILY, end="2024-03-03").num_rows == 0


def test_minutes_of_another_scale_are_told_by_any_of_them(lake: Lake) -> None:
    put(lake, "shares", "2024-03-08", compared(session(price=700.0), scaled(session(price=700.0), 1 / 7)).disputes)

    assert column(answer_disputes(lake, FEED, "2024-03-08T15:00:00Z", "2024-03-08T15:05:00Z"), "field") == ["scale"]


def test_why_nothing_is_disputed_is_told(lake: Lake) -> None:
    alone = replace(FEED, quality=QualitySpec())

    assert "shares is compared with no other feed" in answer_notes(answer_disputes(lake, alone))[0]
    assert "no partition of that range was judged yet" in answer_notes(answer_disputes(lake, FEED))[0]
    put(lake, "shares", "2024-03-08", SCORE_SCHEMA.empty_table(), "quality_scores")
    assert answer_notes(answer_disputes(lake, FEED)) == []
