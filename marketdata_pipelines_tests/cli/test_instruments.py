"""`marketdata instruments` over reference files that were taken in."""

import json
import sys
from pathlib import Path

import pytest
import typer

from marketdata_pipelines.cli.instruments import instruments
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.errors import MarketDataError, SettingsInvalid
from marketdata_pipelines.pipeline.reference_intake import IntakeRun, take_in_reference
from marketdata_pipelines.settings.references_file import load_references
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import us

FEEDS = """
references:
  us_instruments: {kind: instruments, path: reference}
feeds:
  shares: {source: landing, interval: 1m, calendar: XNYS, instruments: us_instruments}
  bare: {source: landing, interval: 1m, calendar: XNYS}
"""
GOOG_CLASS_A = "20040819,goog,Q\n20140402,goog,Q\n20501231,googl,Q\n"
GOOG_CLASS_C = "20140327,goocv,Q\n20140402,goocv,Q\n20501231,goog,Q\n"
CSV = """instrument_id,symbol,from,to,type,currency,name
FACEBOOK,FB,2012-05-18,,equity,USD,Facebook
"""
RENAMED = """instrument_id,symbol,from,to,type,currency,name
FACEBOOK,META,2022-06-09,,,,Meta Platforms
"""
Printed = pytest.CaptureFixture[str]


def take(home: Path, name: str, text: str, known_at: str) -> None:
    path = home / "reference" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    reference: Reference = load_references(home / "feeds.yaml")["us_instruments"]
    take_in_reference(Lake(home / "lake"), reference, [str(path)], IntakeRun("run", us(known_at)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that knew of Facebook, then of its new name and of Google's classes."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "feeds.yaml").write_text(FEEDS, encoding="utf-8")
    take(folder, "us.csv", CSV, "2020-01-02 12:00")
    take(folder, "renamed.csv", RENAMED, "2022-06-10 12:00")
    take(folder, "googl.csv", GOOG_CLASS_A, "2022-06-10 13:00")
    take(folder, "goog.csv", GOOG_CLASS_C, "2022-06-10 13:00")
    return folder


def run(home: Path, *arguments: str) -> int:
    """Run the command as `marketdata` would; errors pass through."""
    app = typer.Typer()
    app.command()(instruments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARKETDATA_HOME", str(home))
        patch.setattr(sys, "argv", ["instruments", *arguments])
        return int(app(standalone_mode=False) or 0)


def rows(printed: Printed) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(printed.readouterr().out)
    return found


def test_a_symbol_on_a_date_is_one_instrument(home: Path, capfd: Printed) -> None:
    run(home, "shares", "--symbol", "GOOG", "--on", "2014-04-02", "--json")
    before = rows(capfd)[0]
    run(home, "shares", "--symbol", "GOOG", "--on", "2014-04-03", "--json")
    after = rows(capfd)[0]

    assert (before["instrument_id"], before["after"]) == ("GOOGL", "GOOG from 2014-04-03")
    assert (after["instrument_id"], after["before"]) == ("GOOG", "GOOGL until 2014-04-02")


def test_answers_are_as_they_were_known(home: Path, capfd: Printed) -> None:
    run(home, "shares", "--id", "FACEBOOK", "--on", "2023-01-03", "--json")
    now = rows(capfd)[0]
    run(home, "shares", "--id", "FACEBOOK", "--on", "2023-01-03", "--as-of", "2022-06-09", "--json")
    earlier = rows(capfd)[0]

    assert (now["symbol"], now["name"]) == ("META", "Meta Platforms")
    assert (earlier["symbol"], earlier["name"]) == ("FB", "Facebook")


def test_the_listing_has_a_row_for_each_alias(home: Path, capfd: Printed) -> None:
    assert run(home, "shares", "--format", "csv") == 0

    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == (
        "instrument_id,symbol,from_date,to_date,type,mic,currency,tick_size,lot_size,multiplier,listed,delisted,name,"
        "root,expiry,contract_month,rules"
    )
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["FACEBOOK", "FB", "2012-05-18", "2022-06-08"],
        ["FACEBOOK", "META", "2022-06-09", ""],
        ["GOOG", "GOOCV", "2014-03-27", "2014-04-02"],
        ["GOOG", "GOOG", "2014-04-03", ""],
        ["GOOGL", "GOOG", "2004-08-19", "2014-04-02"],
        ["GOOGL", "GOOGL", "2014-04-03", ""],
    ]


def test_everybody_who_bore_a_symbol_is_listed(home: Path, capfd: Printed) -> None:
    assert run(home, "shares", "--symbol", "GOOG", "--json") == 0

    assert [row["instrument_id"] for row in rows(capfd)] == ["GOOG", "GOOGL"]


def test_nobodys_symbol_is_a_finding_and_an_unknown_one_is_not(home: Path, capfd: Printed) -> None:
    assert run(home, "shares", "--symbol", "GOOGL", "--on", "2010-01-04") == 1
    assert run(home, "shares", "--symbol", "BTC-USD", "--on", "2010-01-04") == 0

    assert "symbol:BTC-USD" in capfd.readouterr().out


def test_wrong_questions_are_refused(home: Path) -> None:
    with pytest.raises(SettingsInvalid, match="bare names no instruments"):
        run(home, "bare")
    with pytest.raises(SettingsInvalid, match="there is no instrument 'NOBODY'"):
        run(home, "shares", "--id", "NOBODY")
    with pytest.raises(typer.BadParameter, match="give one"):
        run(home, "shares", "--id", "GOOG", "--symbol", "GOOG")
    with pytest.raises(MarketDataError, match="'yesterday' is no date"):
        run(home, "shares", "--symbol", "GOOG", "--on", "yesterday")
