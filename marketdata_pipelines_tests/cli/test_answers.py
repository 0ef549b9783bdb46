"""What the reading commands answer over a loaded data folder."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from marketdata_pipelines_tests.cli.conftest import Run

BARS_HEADER = (
    "symbol,timeframe,ts,ts_close,session_date,open,high,low,close,volume,vwap,trade_count,bar_count,is_final\n"
)


def test_bars_as_csv(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "bars", "shares", "--format", "csv")

    assert answer.code == 0
    assert answer.out == BARS_HEADER + (
        "SPY,1m,2024-03-08T14:30:00Z,2024-03-08T14:31:00Z,2024-03-08,10.5,10.75,10.25,10.6,100,,,1,true\n"
        "SPY,1m,2024-03-08T14:31:00Z,2024-03-08T14:32:00Z,2024-03-08,10.6,10.65,10.5,10.55,50,,,1,true\n"
        "SPY,1m,2024-03-08T14:35:00Z,2024-03-08T14:36:00Z,2024-03-08,10.6,11,10.6,10.9,25,,,1,true\n"
    )


def test_five_minute_bars_hold_their_minutes(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "bars", "shares", "--timeframe", "5m", "--json")

    found = [(bar["ts"], bar["high"], bar["low"], bar["volume"], bar["bar_count"]) for bar in json.loads(answer.out)]
    assert found == [("2024-03-08T14:30:00Z", 10.75, 10.25, 150, 2), ("2024-03-08T14:35:00Z", 11, 10.6, 25, 1)]


def test_a_range_by_instants_leaves_its_end_out(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(
        loaded_home, "bars", "shares", "--start", "2024-03-08T14:31:00Z", "--end", "2024-03-08T14:35:00Z", "--json"
    )

    assert [bar["ts"] for bar in json.loads(answer.out)] == ["2024-03-08T14:31:00Z"]


def test_filled_bars_say_so(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "bars", "shares", "--fill", "forward", "--json")

    assert [(bar["ts"][11:16], bar["filled"]) for bar in json.loads(answer.out)] == [
        ("14:30", False), ("14:31", False), ("14:32", True), ("14:33", True), ("14:34", True), ("14:35", False),
    ]  # fmt: skip


def test_an_unknown_symbol_is_an_empty_answer(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "bars", "shares", "--symbols", "NOPE", "--format", "csv")

    assert (answer.code, answer.out) == (0, BARS_HEADER)


def test_out_writes_parquet_and_says_how_much(marketdata: Run, loaded_home: Path, tmp_path: Path) -> None:
    target = tmp_path / "bars.parquet"

    answer = marketdata(loaded_home, "bars", "shares", "--out", str(target))

    assert answer.out == ""
    assert answer.err == f"3 rows written to {target}\n"
    assert pq.read_table(target)["close"].to_pylist() == [10.6, 10.55, 10.9]


def test_rejected_rows_have_place_reason_and_text(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "rejected", "shares", "--format", "csv")

    assert answer.out == (
        "file,line,row,symbol,ts,rules,original\n"
        "SPY.csv,4,3,SPY,2024-03-08T14:32:00Z,high_below_low,"
        '"SPY,2024-03-08 09:32:00,10.5,10.25,10.75,10.6,""70"""\n'
    )


def test_gaps_lie_between_the_first_and_last_bar(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "gaps", "shares", "--format", "csv")

    assert answer.out.splitlines()[0] == "symbol,session_date,first_missing,last_missing,minutes,kind"
    assert "SPY,2024-03-08,2024-03-08T14:32:00Z,2024-03-08T14:34:00Z,3,missing_minutes" in answer.out


def test_a_view_is_a_table(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "table", "shares", "daily_summary", "--json")

    assert [(day["symbol"], day["close"], day["volume"], day["n"]) for day in json.loads(answer.out)] == [
        ("SPY", 10.9, 175, 3)
    ]


def test_feeds_tell_what_is_configured_and_stored(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "feeds", "--json")

    found = [
        (feed["feed"], feed["partitions"], feed["bars"], feed["files_taken_in"]) for feed in json.loads(answer.out)
    ]
    assert found == [("shares", 1, 3, 1), ("made_up", 0, 0, 0)]


def test_stored_tables_are_listed(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "feeds", "--tables", "--json")

    rows = {table["table"]: table["rows"] for table in json.loads(answer.out)}
    assert (rows["validated_bars"], rows["rejected_bars"], rows["bars_5m"], rows["bars_1mo"]) == (3, 1, 2, 1)
