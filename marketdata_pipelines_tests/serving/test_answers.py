"""Bars asked of a small lake."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines_tests.builders import bar, column, day, make_home, minutes, source_of, take_in, walk_stale

FEEDS = """
feeds:
  us: {source: landing, interval: 1m, calendar: XNYS, extended_hours: [04:00, 20:00]}
  coin: {source: landing, interval: 1m, calendar: 24/7}
  empty: {source: landing, interval: 1m, calendar: XNYS}
"""
FRIDAY, MONDAY = "2024-03-08", "2024-03-11"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LakeReader:
    """A lake of two New York sessions (prices of other scales) and a day of coins."""
    found = LakeReader(make_home(tmp_path_factory.mktemp("data"), FEEDS))
    friday = minutes("A", "2024-03-08 14:30", 7) + minutes("B", "2024-03-08 14:30", 2, 0.5)
    extended = [bar("A", "2024-03-08 14:29", 99.0), bar("A", "2024-03-08 21:00", 101.0)]
    monday = [*minutes("A", "2024-03-11 13:30", 3, 1.23456), bar("A", "2024-03-11 13:35", 2.0)]
    take_in(found.lake, found.feed("us"), source_of("fri.csv", friday + extended), source_of("mon.csv", monday))
    take_in(found.lake, found.feed("coin"), source_of("coin.csv", minutes("BTC-USD", "2024-03-09 23:58", 4)))
    for name in ("us", "coin"):
        assert not any(outcome.blocked for outcome in walk_stale(found.lake, found.feed(name)))
    return found


def times(table: pa.Table) -> list[str]:
    return [f"{symbol} {ts[5:]}" for symbol, ts in zip(column(table, "symbol"), column(table, "ts"), strict=True)]


def test_bars_have_the_promised_columns(reader: LakeReader) -> None:
    for found in (reader.bars("us"), reader.bars("us", timeframe="5m"), reader.bars("us", timeframe="1w")):
        assert found.column_names == [
            "symbol", "timeframe", "ts", "ts_close", "session_date", "open", "high", "low", "close", "volume", "vwap",
            "trade_count", "bar_count", "is_final",
        ]  # fmt: skip
    assert reader.bars("us").schema.field("ts").type == pa.timestamp("us", tz="UTC")


def test_bars_are_the_regular_sessions_sorted_by_symbol_and_time(reader: LakeReader) -> None:
    found = reader.bars("us", end=FRIDAY)

    assert times(found) == [f"A 03-08 14:3{n}" for n in range(7)] + ["B 03-08 14:30", "B 03-08 14:31"]
    assert set(column(found, "timeframe")) == {"1m"}
    assert set(column(found, "bar_count")) == {1}
    assert set(column(found, "is_final")) == {True}


def test_prices_are_exact_whatever_the_scale_of_their_file(reader: LakeReader) -> None:
    assert column(reader.bars("us", ["A"], start=MONDAY), "open") == [1.2346, 1.2446, 1.2546, 2.0]
    assert column(reader.bars("us", ["A"], end=FRIDAY), "open")[:2] == [100.0, 100.01]
    assert column(reader.bars("us", ["A"], "5m"), "high") == [100.09, 100.11, 1.3046, 2.0]


def test_dates_are_session_dates_with_both_ends(reader: LakeReader) -> None:
    assert reader.bars("us", start=FRIDAY, end=MONDAY).num_rows == 13
    assert reader.bars("us", start=day(MONDAY)).num_rows == 4
    assert reader.bars("us", start=FRIDAY, end=FRIDAY, timeframe="1d").num_rows == 2


def test_instants_are_opens_without_the_end(reader: LakeReader) -> None:
    found = reader.bars("us", ["A"], start="2024-03-08T14:31:00Z", end="2024-03-08T14:33:00Z")

    assert times(found) == ["A 03-08 14:31", "A 03-08 14:32"]
    naive = reader.bars("us", ["A"], start=datetime(2024, 3, 8, 14, 31), end=datetime(2024, 3, 8, 14, 33, tzinfo=UTC))
    assert naive.equals(found)


def test_symbols_are_chosen_and_unknown_ones_have_no_bars(reader: LakeReader) -> None:
    assert set(column(reader.bars("us", ["B", "ZZ"]), "symbol")) == {"B"}
    assert reader.bars("us", ["ZZ"]).num_rows == 0
    assert reader.bars("us", []).num_rows == 0


def test_one_symbol_may_be_given_as_it_is(reader: LakeReader) -> None:
    assert set(column(reader.bars("coin", "BTC-USD"), "symbol")) == {"BTC-USD"}
    assert reader.gaps("us", symbols="A").num_rows == reader.gaps("us", symbols=["A"]).num_rows > 0


def test_extended_hours_are_served_on_request(reader: LakeReader) -> None:
    found = reader.bars("us", ["A"], end=FRIDAY, session="all")

    assert times(found)[0] == "A 03-08 14:29"
    assert times(found)[-1] == "A 03-08 21:00"
    assert found.num_rows == 9


def test_coarser_bars_with_extended_hours_are_combined_when_asked_for(reader: LakeReader) -> None:
    found = reader.bars("us", ["A"], "5m", end=FRIDAY, session="all")

    assert list(zip(times(found), column(found, "bar_count"), strict=True)) == [
        ("A 03-08 14:25", 1), ("A 03-08 14:30", 5), ("A 03-08 14:35", 2), ("A 03-08 21:00", 1),
    ]  # fmt: skip
    with pytest.raises(SettingsInvalid, match="1w bars hold the regular session only"):
        reader.bars("us", timeframe="1w", session="all")


def test_filling_forward_says_what_it_filled(reader: LakeReader) -> None:
    found = reader.bars("us", ["A"], start=MONDAY, fill="forward")

    assert times(found) == [f"A 03-11 13:3{n}" for n in range(6)]
    assert column(found, "filled") == [False, False, False, True, True, False]
    assert column(found, "close")[3:5] == [column(found, "close")[2]] * 2
    assert "filled" not in reader.bars("us").column_names
    assert reader.bars("us", ["ZZ"], fill="forward").column_names[-1] == "filled"


def test_utc_buckets_fill_over_midnight(reader: LakeReader) -> None:
    assert times(reader.bars("coin", fill="forward")) == [
        "BTC-USD 03-09 23:58", "BTC-USD 03-09 23:59", "BTC-USD 03-10 00:00", "BTC-USD 03-10 00:01",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"feed": "uss"}, r"feed 'uss' is not in .*feeds\.yaml; there: us, coin, empty"),
        ({"feed": "us", "timeframe": "7m"}, r"us has no '7m' bars; there: 1m, 5m, 15m, .*, 1M"),
        ({"feed": "us", "timeframe": "1s"}, "us has no '1s' bars"),
        ({"feed": "us", "session": "night"}, "session is 'night'; allowed: regular, all"),
        ({"feed": "us", "fill": "linear"}, "fill is 'linear'; allowed: none, forward"),
        ({"feed": "us", "timeframe": "1d", "fill": "forward"}, "only intraday bars can be filled, not 1d"),
        ({"feed": "us", "start": "soon"}, "'soon' is no date"),
        ({"feed": "us", "start": MONDAY, "end": FRIDAY}, "ends .* before it starts"),
    ],
)
def test_a_wrong_question_names_what_is_allowed(reader: LakeReader, asked: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told):
        reader.bars(**asked)


def test_what_is_not_stored_says_what_is_and_what_to_run(reader: LakeReader) -> None:
    with pytest.raises(
        PartitionMissing, match=r"stored: 2024-03-08 to 2024-03-11; run: marketdata backfill us --start"
    ):
        reader.bars("us", start="2024-03-12", end="2024-03-13")
    with pytest.raises(PartitionMissing, match="empty has no validated_bars in that range; run: "):
        reader.bars("empty")


def test_a_range_inside_what_is_stored_may_be_empty(reader: LakeReader) -> None:
    assert reader.bars("us", start="2024-03-08T16:00Z", end="2024-03-08T17:00Z").num_rows == 0
