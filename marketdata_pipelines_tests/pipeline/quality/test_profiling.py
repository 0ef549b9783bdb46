"""A feed's profile from its stored bars, against figures worked out over all of them at once."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.quality.feed_profile import COLUMN_SCHEMA, SYMBOL_SCHEMA
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.pipeline.quality.profiling import (
    ProfileQuestion,
    profile_feed,
    profiled_expectations,
    write_expectations,
)
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import bar, day, make_feed, minutes
from marketdata_pipelines_tests.repair_lakes import load, walking_prices


@pytest.fixture
def feed() -> Feed:
    return make_feed()


@pytest.fixture
def filled(lake: Lake, feed: Feed) -> Lake:
    """A whole session of A on Friday and Monday's first hundred minutes of B."""
    load(lake, feed, [*walking_prices("A"), *minutes("B", "2024-03-11 13:30", 100, 20.0)])
    return lake


def test_columns_are_those_of_all_bars_together(filled: Lake, feed: Feed) -> None:
    figures = profile_feed(filled, feed, ProfileQuestion())

    table = figures.column_table()
    close = next(row for row in table.to_pylist() if row["column"] == "close")
    rows = [*walking_prices("A"), *minutes("B", "2024-03-11 13:30", 100, 20.0)]
    values = np.array([row["close"] for row in rows])
    assert table.schema == COLUMN_SCHEMA
    assert (close["count"], close["min"], close["max"]) == (490, values.min(), values.max())
    assert close["mean"] == pytest.approx(values.mean())
    assert close["std"] == pytest.approx(values.std(ddof=1))
    assert close["distinct"] == len(np.unique(values))


def test_symbols_say_how_complete_they_are_the_least_first(filled: Lake, feed: Feed) -> None:
    table = profile_feed(filled, feed, ProfileQuestion()).symbol_table()

    assert table.schema == SYMBOL_SCHEMA
    assert table["symbol"].to_pylist() == ["B", "A"]
    assert table["bars"].to_pylist() == [100, 390]
    assert table["coverage"].to_pylist() == [pytest.approx(100 / 390), 1.0]
    assert table["longest_gap"].to_pylist() == [290, 0]


def test_a_question_narrows_by_session_and_symbol(filled: Lake, feed: Feed) -> None:
    looked_at: list[str] = []

    friday = profile_feed(filled, feed, ProfileQuestion(end=day("2024-03-08")), on_partition=looked_at.append)
    only_b = profile_feed(filled, feed, ProfileQuestion(symbols=("B",)))

    assert (friday.bars, list(friday.symbols), looked_at) == (390, ["A"], ["2024-03-08"])
    assert (only_b.bars, list(only_b.symbols), len(only_b.sessions)) == (100, ["B"], 1)


def test_daily_bars_of_a_year_are_narrowed_within_their_partition(lake: Lake) -> None:
    feed = make_feed(interval="1d")
    load(lake, feed, [bar("A", f"2024-03-{number:02} 00:00", 100.0 + number) for number in (4, 5, 6, 7, 8)])

    figures = profile_feed(lake, feed, ProfileQuestion(start=day("2024-03-06"), end=day("2024-03-07")))

    assert (figures.bars, len(figures.sessions)) == (2, 2)
    assert figures.columns["returns"].count == 1


def test_nothing_stored_or_nothing_of_what_was_asked_is_told(filled: Lake, feed: Feed) -> None:
    with pytest.raises(PartitionMissing, match="between 2030-01-01 and the last session"):
        profile_feed(filled, feed, ProfileQuestion(start=day("2030-01-01")))
    with pytest.raises(PartitionMissing, match="name other dates or symbols"):
        profile_feed(filled, feed, ProfileQuestion(symbols=("Z",)))


def test_expectations_hold_for_the_bars_they_were_made_of(filled: Lake, feed: Feed) -> None:
    document = yaml.safe_load(profiled_expectations(feed, profile_feed(filled, feed, ProfileQuestion())))

    assert document["table"] == "validated_bars"
    assert {each["severity"] for each in document["expectations"]} == {"warning"}
    between = [each["kwargs"] for each in document["expectations"] if each["type"].endswith("to_be_between")]
    rows = [*walking_prices("A"), *minutes("B", "2024-03-11 13:30", 100, 20.0)]
    assert {each["column"] for each in between} == {"open", "high", "low", "close", "volume"}
    for each in between:
        assert all(each["min_value"] <= row[each["column"]] <= each["max_value"] for row in rows)


def test_expectations_are_never_written_over_without_being_told_to(tmp_path: Path) -> None:
    path = write_expectations(tmp_path / "shares", "first: 1\n", force=False)

    with pytest.raises(SettingsInvalid, match="is there already; give --force"):
        write_expectations(tmp_path / "shares", "second: 1\n", force=False)

    assert path.read_text("utf-8") == "first: 1\n"
    write_expectations(tmp_path / "shares", "second: 1\n", force=True)
    assert path.read_text("utf-8") == "second: 1\n"
    assert [found.name for found in path.parent.iterdir()] == ["profiled.yaml"]
