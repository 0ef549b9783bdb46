"""`marketdata disputes` over a small lake."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from marketdata_pipelines.cli.disputes import disputes
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import make_home
from marketdata_pipelines_tests.domain.dispute_rows import changed, compared, scaled, session

FEEDS = """
feeds:
  shares: {source: landing, interval: 1m, calendar: XNYS, quality: {compare_with: [b]}}
  b: {source: landing_b, interval: 1m, calendar: XNYS}
"""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs against one session of three symbols: a false close and a missing bar of A, B on another scale."""
    home = make_home(tmp_path / "data", FEEDS)
    own = session("A") + session("B", price=700.0)
    other = changed(session("A"), {9: {"close": 110.0, "high": 110.0}, 20: None}) + scaled(
        session("B", price=700.0), 1 / 7
    )
    table = compared(own, other).disputes
    Lake(home / "lake").store("shares", [TableWrite("disputes", "2024-03-08", table, "x")], {})
    monkeypatch.setenv("MARKETDATA_HOME", str(home))
    return CliRunner()


def answered(ask: CliRunner, *arguments: str) -> str:
    app = typer.Typer()
    app.command()(disputes)
    result = ask.invoke(app, ["shares", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_disputes_as_csv_have_both_values_and_who_is_likelier_right(ask: CliRunner) -> None:
    header, first, *_ = answered(ask, "--format", "csv", "--symbols", "A").splitlines()

    assert header == (
        "symbol,ts,ts_last,session_date,timeframe,field,value,other_feed,other_value,difference,bars,likelier,witness,"
        "rule,begins"
    )
    assert first.startswith("A,2024-03-08T14:39:00Z,2024-03-08T14:39:00Z,2024-03-08,1m,close,100.04,b,110,-0.0905")
    assert first.endswith(",1,own,neighbours,source_dispute,true")


def test_disputes_for_people_are_in_words(ask: CliRunner) -> None:
    printed = answered(ask)

    assert "close 100.04, b 110" in printed
    assert "only this feed has it, not b" in printed
    assert "prices 7 times those of b" in printed


def test_disputes_as_json_of_a_range(ask: CliRunner) -> None:
    assert len(json.loads(answered(ask, "--json"))) == 4
    assert [row["field"] for row in json.loads(answered(ask, "--json", "--start", "2024-03-08T14:45:00Z"))] == [
        "bar",
        "scale",
    ]
    assert json.loads(answered(ask, "--json", "--end", "2024-03-07")) == []
