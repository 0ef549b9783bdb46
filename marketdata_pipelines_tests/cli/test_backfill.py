"""Backfilling a range through the command line."""

import json
from pathlib import Path

from marketdata_pipelines_tests.cli.conftest import Run

WEEK = ("--start", "2024-03-04", "--end", "2024-03-05")


def test_a_dry_run_shows_the_work_and_does_none(marketdata: Run, empty_home: Path) -> None:
    answer = marketdata(empty_home, "backfill", "made_up", *WEEK, "--dry-run", "--json")

    days, weeks, months = json.loads(answer.out)
    assert answer.code == 0
    assert (days["period"], days["partitions"], days["partitions_with_raw_data"], days["raw_rows"]) == (
        "day",
        2,
        0,
        780,
    )
    assert (weeks["partitions"], months["partitions"]) == (1, 1)
    assert not (empty_home / "lake").exists()


def test_a_range_is_brought_derived_and_answered(marketdata: Run, empty_home: Path) -> None:
    answer = marketdata(empty_home, "backfill", "made_up", *WEEK, "--to", "daily_bars", "--json")

    done = json.loads(answer.out)
    assert answer.code == 0
    assert (done["partitions"], done["rejected"], done["bars"]["1d"]) == (2, 0, 2)
    days = marketdata(empty_home, "bars", "made_up", "--timeframe", "1d", "--json")
    assert [bar["session_date"] for bar in json.loads(days.out)] == ["2024-03-04", "2024-03-05"]


def test_a_dry_run_knows_what_was_ingested(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(
        loaded_home, "backfill", "shares", "--start", "2024-03-07", "--end", "2024-03-08", "--dry-run", "--json"
    )

    days = json.loads(answer.out)[0]
    assert (days["partitions"], days["partitions_with_raw_data"], days["raw_rows"]) == (2, 1, 4)
    assert days["raw_bytes"] > 0
