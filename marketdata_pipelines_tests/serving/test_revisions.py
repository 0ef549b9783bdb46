"""Corrections of a range, and answers compared at two instants."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.corrections import CORRECTION_SCHEMA
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.differences import DIFFERENCE_SCHEMA
from marketdata_pipelines.serving.revisions import answer_corrections, answer_differences
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import bar, column, make_feed, source_of, take_in

FEED = make_feed()
THURSDAY, FRIDAY = "2024-03-07 15:00", "2024-03-08 15:00"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two sessions of two symbols; on the 10th Thursday is corrected, on the 12th Friday."""
    found = Lake(Path(tmp_path_factory.mktemp("data")) / "lake")
    everything = [bar(symbol, moment) for symbol in "BA" for moment in (THURSDAY, FRIDAY)]
    take_in(found, FEED, source_of("a.csv", everything), known_at="2024-03-09 00:00")
    take_in(found, FEED, source_of("b.csv", [bar("B", THURSDAY, 2.0)]), known_at="2024-03-10 12:00")
    friday = [bar("A", FRIDAY, 3.0), bar("B", FRIDAY, 3.0)]
    take_in(found, FEED, source_of("c.csv", friday), known_at="2024-03-12 12:00")
    return found


def rows(table: pa.Table) -> list[str]:
    return [f"{symbol} {ts}" for symbol, ts in zip(column(table, "symbol"), column(table, "ts"), strict=True)]


def test_corrections_of_all_partitions_come_sorted_by_symbol_and_time(lake: Lake) -> None:
    found = answer_corrections(lake, FEED)

    assert rows(found) == [f"A {FRIDAY}", f"B {THURSDAY}", f"B {FRIDAY}"]
    assert found.column_names == CORRECTION_SCHEMA.names
    assert found.schema.field("symbol").type == pa.string()


def test_corrections_are_narrowed_by_dates_instants_symbols_and_when_they_became_known(lake: Lake) -> None:
    assert rows(answer_corrections(lake, FEED, end="2024-03-07")) == [f"B {THURSDAY}"]
    assert rows(answer_corrections(lake, FEED, start="2024-03-07T15:01:00Z", symbols=["B"])) == [f"B {FRIDAY}"]
    assert rows(answer_corrections(lake, FEED, end="2024-03-08T15:00:00Z")) == [f"B {THURSDAY}"]
    assert len(rows(answer_corrections(lake, FEED, since=date(2024, 3, 12)))) == 2
    assert len(rows(answer_corrections(lake, FEED, since="2024-03-12T12:00:00.000001Z"))) == 0


def test_a_date_to_compare_at_is_the_end_of_that_day(lake: Lake) -> None:
    found = answer_differences(lake, FEED, "2024-03-09", "2024-03-10")

    assert rows(found) == [f"B {THURSDAY}"]
    assert found.column_names == DIFFERENCE_SCHEMA.names
    assert answer_differences(lake, FEED, "2024-03-10", "2024-03-10").num_rows == 0


def test_without_a_second_instant_it_is_now(lake: Lake) -> None:
    assert rows(answer_differences(lake, FEED, "2024-03-10")) == [f"A {FRIDAY}", f"B {FRIDAY}"]
    assert rows(answer_differences(lake, FEED, "2024-03-08", symbols=["A"], end="2024-03-07")) == [f"A {THURSDAY}"]
    assert rows(answer_differences(lake, FEED, "2024-03-09", timeframe="1w", symbols=["B"])) == ["B 2024-03-04 00:00"]


def test_what_cannot_be_compared_is_said(lake: Lake) -> None:
    with pytest.raises(SettingsInvalid, match=r"from \(2024-03-11\) is later than to \(2024-03-10\)"):
        answer_differences(lake, FEED, "2024-03-11", "2024-03-10")
    with pytest.raises(SettingsInvalid, match="has no '7m' bars"):
        answer_differences(lake, FEED, "2024-03-10", timeframe="7m")
    with pytest.raises(SettingsInvalid, match="give a session date"):
        answer_differences(lake, FEED, "2024-03-10", start="2024-03-08T15:00:00Z")
    with pytest.raises(SettingsInvalid, match="an earlier date or time"):
        answer_differences(lake, FEED, None)
