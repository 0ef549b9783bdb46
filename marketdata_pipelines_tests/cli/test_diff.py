"""`marketdata diff` over a small lake: for people, for machines, and when there is nothing to tell."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from marketdata_pipelines.cli.diff import diff
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines_tests.builders import bar, make_home, source_of, take_in

FEEDS = "feeds:\n  shares: {source: landing, interval: 1m, calendar: XNYS}\n"
AT, NEXT = "2024-03-08 14:30", "2024-03-08 14:31"
NOTHING = ("--from", "2024-03-11", "--to", "2024-03-12")
BOTH = ("--from", "2024-03-09", "--to", "2024-03-10")


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs against a lake of a file, known on the 9th, and a later one, known on the 10th."""
    home = make_home(tmp_path / "data", FEEDS)
    reader = LakeReader(home)
    feed = reader.feed("shares")
    take_in(reader.lake, feed, source_of("a.csv", [bar("A", AT)]), known_at="2024-03-09 00:00")
    take_in(
        reader.lake, feed, source_of("b.csv", [bar("A", AT, volume=5.0), bar("A", NEXT)]), known_at="2024-03-10 00:00"
    )
    monkeypatch.setenv("MARKETDATA_HOME", str(home))
    return CliRunner()


def answered(ask: CliRunner, *arguments: str) -> str:
    app = typer.Typer()
    app.command()(diff)
    result = ask.invoke(app, ["shares", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_differences_as_csv_have_old_and_new_values_and_causes(ask: CliRunner) -> None:
    header, changed, added = answered(ask, *BOTH, "--format", "csv").splitlines()

    assert header == (
        "symbol,ts,session_date,kind,columns,"
        "old_open,old_high,old_low,old_close,old_volume,old_vwap,old_trade_count,old_bar_count,old_is_final,"
        "new_open,new_high,new_low,new_close,new_volume,new_vwap,new_trade_count,new_bar_count,new_is_final,"
        "cause,seq,file,known_at,run_id,causes,seqs"
    )
    assert changed == (
        "A,2024-03-08T14:30:00Z,2024-03-08,changed,volume,100,100,100,100,100,,,1,true,100,100,100,100,5,,,1,true,"
        "upsert,2,b.csv,2024-03-10T00:00:00Z,run,1,2"
    )
    assert added.startswith("A,2024-03-08T14:31:00Z,2024-03-08,added,,,,,,,,,,,100,")


def test_differences_for_people_begin_with_the_counts_by_cause(ask: CliRunner) -> None:
    printed = answered(ask, *BOTH)

    assert printed.index("differences by cause: 1 row") < printed.index("volume 100 → 5")
    assert "close none → 100" in printed


def test_a_summary_is_only_the_counts(ask: CliRunner) -> None:
    counts = json.loads(answered(ask, *BOTH, "--summary", "--json"))

    assert counts == [
        {
            "cause": "upsert", "seq": 2, "file": "b.csv", "known_at": "2024-03-10T00:00:00Z", "run_id": "run",
            "added": 1, "removed": 0, "changed": 1, "bars": 2,
        }
    ]  # fmt: skip
    assert "→" not in answered(ask, *BOTH, "--summary")


def test_without_a_difference_it_says_so(ask: CliRunner) -> None:
    assert answered(ask, *NOTHING) == "shares: nothing would have been answered differently\n"
    assert answered(ask, *NOTHING, "--json") == "[]\n"


def test_coarser_bars_go_to_a_file(ask: CliRunner, tmp_path: Path) -> None:
    target = tmp_path / "differences.parquet"

    answered(ask, *BOTH, "--timeframe", "1d", "--out", str(target))

    assert pq.read_table(target)["columns"].to_pylist() == ["volume;bar_count"]
