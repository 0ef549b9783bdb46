"""Which bar a question means."""

from datetime import time
from pathlib import Path

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import bar_table
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.pipeline.receipts.buckets import StoredTables, find_bar, rows_between
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests import builders
from marketdata_pipelines_tests.builders import (
    CME_BREAK,
    Row,
    bar,
    make_feed,
    source_of,
    take_in,
    us,
    utc,
    walk_stale,
)
from marketdata_pipelines_tests.pipeline.receipt_lakes import load, minutes_feed, row, write_lines


def found_at(lake: Lake, feed: Feed, ts: str, timeframe: str, symbol: str = "A") -> tuple[str, str]:
    """(partition, label) of the bar that is meant."""
    found = find_bar(feed, StoredTables(lake, feed), symbol, us(ts), timeframe)
    return found.partition, utc(int(int_values(found.row["ts"])[0]))


def loaded(lake: Lake, feed: Feed, *rows: Row) -> Feed:
    take_in(lake, feed, source_of("a.csv", list(rows)))
    walk_stale(lake, feed)
    return feed


def nyse(lake: Lake) -> Feed:
    """Two minutes of Thursday and Friday, and one of the Monday after."""
    feed = make_feed(extended_hours=(time(4), time(20)))
    times = ["2024-03-07 14:30", "2024-03-07 14:31", "2024-03-08 14:30", "2024-03-08 20:59", "2024-03-11 13:30"]
    return loaded(lake, feed, *[bar("A", ts) for ts in times], bar("B", "2024-03-08 14:35"))


@pytest.mark.parametrize(
    ("ts", "timeframe", "expected"),
    [
        ("2024-03-08 14:30", "1m", ("2024-03-08", "2024-03-08 14:30")),
        ("2024-03-08 14:30:59", "1m", ("2024-03-08", "2024-03-08 14:30")),
        ("2024-03-08 14:34:59", "5m", ("2024-03-08", "2024-03-08 14:30")),
        # The session's last hour is half of one, cut at the close.
        ("2024-03-08 20:45", "1h", ("2024-03-08", "2024-03-08 20:30")),
        ("2024-03-08 00:00", "1d", ("2024-03-08", "2024-03-08 00:00")),
        ("2024-03-08 17:00", "1d", ("2024-03-08", "2024-03-08 00:00")),
        ("2024-03-07 17:00", "2d", ("2024-03-07", "2024-03-07 00:00")),
        ("2024-03-08 00:00", "2d", ("2024-03-07", "2024-03-07 00:00")),
        ("2024-03-04 00:00", "1w", ("2024-03-04", "2024-03-04 00:00")),
        ("2024-03-06 00:00", "1w", ("2024-03-04", "2024-03-04 00:00")),
        ("2024-03-08 20:59", "1w", ("2024-03-04", "2024-03-04 00:00")),
        ("2024-03-31 00:00", "1M", ("2024-03-01", "2024-03-01 00:00")),
    ],
)
def test_a_label_or_any_instant_in_it_means_the_bar(
    lake: Lake, ts: str, timeframe: str, expected: tuple[str, str]
) -> None:
    assert found_at(lake, nyse(lake), ts, timeframe) == expected


def test_an_evening_session_is_found_under_the_date_it_is_labelled_with(lake: Lake) -> None:
    feed = loaded(lake, make_feed("CMES", "1m", breaks=CME_BREAK), bar("A", "2024-03-10 22:30"))

    assert found_at(lake, feed, "2024-03-10 22:30", "1m") == ("2024-03-11", "2024-03-10 22:30")
    assert found_at(lake, feed, "2024-03-10 23:00", "1d") == ("2024-03-11", "2024-03-11 00:00")


def test_bars_of_days_are_found_in_their_year(lake: Lake) -> None:
    feed = loaded(lake, make_feed("24/7", "1d"), *[bar("A", f"2023-12-{day} 00:00") for day in (30, 31)])

    assert found_at(lake, feed, "2023-12-31 12:00", "1d") == ("2023-01-01", "2023-12-31 00:00")
    assert found_at(lake, feed, "2024-01-01 00:00", "2d") == ("2023-01-01", "2023-12-31 00:00")


@pytest.mark.parametrize(
    ("symbol", "ts", "timeframe", "message"),
    [
        ("A", "2024-03-08 14:31", "1m", "no 1m bar of A at 2024-03-08T14:31:00Z; the nearest are at "
         "2024-03-08T14:30:00Z and 2024-03-08T20:59:00Z"),
        ("A", "2024-03-09 12:00", "5m", "the nearest are at 2024-03-08T20:55:00Z and 2024-03-11T13:30:00Z"),
        ("A", "2024-03-09 00:00", "1d", "no 1d bar of A at 2024-03-09; the nearest are at 2024-03-08 and 2024-03-11"),
        ("A", "2024-03-05 12:00", "1m", "the nearest are at 2024-03-07T14:30:00Z"),
        ("C", "2024-03-08 14:30", "1m", "nor near it; stored: 2024-03-07 to 2024-03-11, on 2024-03-08 of A, B"),
    ],
)  # fmt: skip
def test_where_there_is_none_the_nearest_are_named(
    lake: Lake, symbol: str, ts: str, timeframe: str, message: str
) -> None:
    with pytest.raises(PartitionMissing, match=message):
        found_at(lake, nyse(lake), ts, timeframe, symbol)


def test_an_empty_lake_says_how_to_fill_it(lake: Lake) -> None:
    with pytest.raises(PartitionMissing, match="no 1m bars at all; run: marketdata backfill feed --start 2024-03-08"):
        found_at(lake, make_feed(), "2024-03-08 14:30", "1m")


def test_each_timeframe_has_its_table_and_period() -> None:
    feed = make_feed()

    assert bar_table(feed, "1m") == ("validated_bars", Period.DAY)
    assert bar_table(feed, "2d") == ("bars_2d", Period.DAY)
    assert bar_table(feed, "1M") == ("bars_1mo", Period.MONTH)
    with pytest.raises(SettingsInvalid, match="no '3m' bars; there: 1m, 5m"):
        bar_table(feed, "3m")


def test_rows_between_have_both_ends() -> None:
    bars: pa.Table = builders.bar_table([bar("B", f"2024-03-08 14:3{minute}") for minute in range(4)])

    own = rows_between(bars, us("2024-03-08 14:31"), us("2024-03-08 14:32"))

    assert own.schema == BAR_SCHEMA
    assert [row["ts"].minute for row in own.to_pylist()] == [31, 32]


def test_rows_of_a_symbol_are_in_the_order_of_the_table(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", *(row(symbol, at) for at in range(3) for symbol in "BA")))
    past = PastTables(lake, feed, us("2025-01-01 00:00"))

    for tables in (StoredTables(lake, feed), past):
        own = tables.rows("validated_bars", "2024-03-08", "B")
        whole = tables.read("validated_bars", "2024-03-08").to_pylist()
        assert own.to_pylist() == [each for each in whole if each["symbol"] == "B"]
        assert own.num_rows == 3
        assert tables.rows("validated_bars", "2024-03-08", "C").num_rows == 0
