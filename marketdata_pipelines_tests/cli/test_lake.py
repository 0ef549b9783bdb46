"""`marketdata lake`: what it prints and how it ends."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketdata_pipelines.settings.feeds_file import parse_feeds
from marketdata_pipelines.stores.lake import table_writes
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import bar_table, minutes, source_of, take_in, walk_stale
from marketdata_pipelines_tests.cli.conftest import FEEDS, Run

DAY = "2024-03-08"
KEPT = FEEDS.replace("    asset_class: equity\n", "    asset_class: equity\n    keep: {superseded_raw: 30d}\n")


@pytest.fixture
def filled(home: Callable[[str], Path], lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a walked day of two files, of which the second replaced the first, and a delta."""
    monkeypatch.setattr(table_writes, "SMALLEST_BASE_ROWS", 10)
    folder = home(KEPT)
    feed = parse_feeds(KEPT, "feeds.yaml")["shares"]
    take_in(lake, feed, source_of("first.csv", minutes("A", f"{DAY} 14:30", 5)), known_at="2024-03-09 01:00")
    rows = [row for symbol in "ABCDEF" for row in minutes(symbol, f"{DAY} 14:30", 10, 101.0)]
    take_in(lake, feed, source_of("second.csv", rows), known_at="2024-03-09 02:00")
    walk_stale(lake, feed)
    table = bar_table(minutes("G", f"{DAY} 14:30", 2))
    lake.store("shares", [TableWrite("validated_bars", DAY, table, "later", symbols=("G",))], {})
    return folder


def told(marketdata: Run, home: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    answer = marketdata(home, "lake", *arguments, "--json")
    assert answer.code == code, answer.err
    rows: list[dict[str, Any]] = json.loads(answer.out)
    return rows


def test_status_has_a_row_a_table(marketdata: Run, filled: Path) -> None:
    rows = {row["table"]: row for row in told(marketdata, filled, "status", "shares")}

    assert (rows["raw_bars"]["files"], rows["raw_bars"]["last_known"]) == (2, "2024-03-09T02:00:00Z")
    assert (rows["validated_bars"]["rows"], rows["validated_bars"]["deltas"]) == (62, 1)
    assert told(marketdata, filled, "status") == list(rows.values())


def test_compaction_shows_what_was_merged(marketdata: Run, filled: Path) -> None:
    (row,) = told(marketdata, filled, "compact", "shares", "--start", DAY)

    assert (row["table"], row["partition"], row["rows"], row["files_before"]) == ("validated_bars", DAY, 62, 2)
    assert told(marketdata, filled, "compact", "shares") == []


def test_a_whole_lake_is_verified_and_a_damaged_one_fails(marketdata: Run, filled: Path, lake: Lake) -> None:
    assert told(marketdata, filled, "verify", "made_up") == []
    assert told(marketdata, filled, "verify") == []

    lake.layout.table_file("bars_5m", "shares", DAY).unlink()

    (finding,) = told(marketdata, filled, "verify", "shares", "--deep", code=1)
    assert (finding["table"], finding["fault"]) == ("bars_5m", "missing")


def test_strays_are_shown_then_removed(marketdata: Run, filled: Path, lake: Lake) -> None:
    stray = lake.layout.table_file("bars_5m", "shares", "2019-01-02")
    stray.write_bytes(b"half")
    os.utime(stray, (0, 0))

    shown = told(marketdata, filled, "vacuum", "--dry-run")
    assert stray.exists()
    removed = told(marketdata, filled, "vacuum")

    assert (
        shown
        == removed
        == [{"feed": "shares", "path": "bars_5m/shares/2019-01-02.parquet", "bytes": 4, "why": "unindexed"}]
    )
    assert not stray.exists()


def test_superseded_parts_go_by_the_feeds_policy_only(marketdata: Run, filled: Path) -> None:
    kept = told(marketdata, filled, "vacuum", "shares")
    (row,) = told(marketdata, filled, "vacuum", "shares", "--superseded")
    without_policy = marketdata(filled, "lake", "vacuum", "made_up", "--superseded")
    unnamed = marketdata(filled, "lake", "vacuum", "--superseded")

    assert kept == []
    assert row["why"] == "superseded"
    assert without_policy.code == 2
    assert "made_up keeps every raw part" in without_policy.err
    assert unnamed.code == 2


def test_an_unknown_feed_is_named_with_those_there_are(marketdata: Run, filled: Path) -> None:
    answer = marketdata(filled, "lake", "status", "shars")

    assert answer.code == 2
    assert "feed 'shars' is not in" in answer.err
