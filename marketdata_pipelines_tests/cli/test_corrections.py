"""`marketdata corrections` over a small lake."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from marketdata_pipelines.cli.corrections import corrections
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines_tests.builders import bar, make_home, source_of, take_in

FEEDS = "feeds:\n  shares: {source: landing, interval: 1m, calendar: XNYS}\n"


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs against a lake of one bar that a second file corrects."""
    home = make_home(tmp_path / "data", FEEDS)
    reader = LakeReader(home)
    for name, price in (("a.csv", 10.0), ("b.csv", 11.5)):
        file = source_of(name, [bar("A", "2024-03-08 14:30", price)])
        take_in(reader.lake, reader.feed("shares"), file, known_at=f"2024-03-{9 + (name == 'b.csv'):02} 00:00")
    monkeypatch.setenv("MARKETDATA_HOME", str(home))
    return CliRunner()


def answered(ask: CliRunner, *arguments: str) -> str:
    app = typer.Typer()
    app.command()(corrections)
    result = ask.invoke(app, ["shares", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_corrections_as_csv_have_old_and_new_values_and_both_files(ask: CliRunner) -> None:
    header, row = answered(ask, "--format", "csv").splitlines()

    assert header == (
        "symbol,ts,session_date,kind,"
        "old_open,old_high,old_low,old_close,old_volume,old_vwap,old_trade_count,"
        "new_open,new_high,new_low,new_close,new_volume,new_vwap,new_trade_count,"
        "known_at,seq,file,line,row,part,cause,previous_file,previous_seq"
    )
    assert row.startswith("A,2024-03-08T14:30:00Z,2024-03-08,changed,10,10,10,10,100,,,11.5,11.5,11.5,11.5,100,,,")
    assert row.endswith(",upsert,a.csv,1")


def test_corrections_for_people_say_what_changed_in_words(ask: CliRunner) -> None:
    assert "close 10 → 11.5, open 10 → 11.5, high 10 → 11.5, low 10 → 1…" in answered(ask)


def test_corrections_known_since_a_date_and_of_other_symbols(ask: CliRunner) -> None:
    assert len(json.loads(answered(ask, "--since", "2024-03-10", "--json"))) == 1
    assert json.loads(answered(ask, "--since", "2024-03-11", "--json")) == []
    assert json.loads(answered(ask, "--symbols", "B", "--json")) == []
