"""`marketdata continuous` and `marketdata rolls` on a small lake of daily bars."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

from marketdata_pipelines.cli.continuous import continuous, rolls
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines_tests.builders import bar, make_home, source_of, take_in, walk_stale

FEEDS = """
feeds:
  cme: {source: landing, interval: 1d, calendar: CMES}
"""
APP = typer.Typer()
APP.command()(continuous)
APP.command()(rolls)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two contracts; volume goes to the later one in the session of Tuesday the 10th."""
    folder = make_home(tmp_path_factory.mktemp("data") / "home", FEEDS)
    reader = LakeReader(folder)
    rows = [
        bar("ESZ3", "2013-12-09", 1800.0, volume=9.0), bar("ESH4", "2013-12-09", 1793.0, volume=1.0),
        bar("ESZ3", "2013-12-10", 1810.0, volume=2.0), bar("ESH4", "2013-12-10", 1803.5, volume=8.0),
        bar("ESZ3", "2013-12-11", 1820.0, volume=1.0), bar("ESH4", "2013-12-11", 1813.5, volume=9.0),
    ]  # fmt: skip
    take_in(reader.lake, reader.feed("cme"), source_of("es.csv", rows))
    assert not any(outcome.blocked for outcome in walk_stale(reader.lake, reader.feed("cme")))
    return folder


def _run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(APP, arguments, env={"MARKETDATA_HOME": str(home)})


def test_a_series_is_written_as_bars_and_whose_they_are(home: Path) -> None:
    ended = _run(home, "continuous", "cme", "ES", "--adjust", "difference", "--format", "csv")

    assert ended.exit_code == 0, ended.output
    lines = [line.split(",") for line in ended.stdout.splitlines()]
    assert lines[0][-1] == "contract"
    assert [(line[0], line[4], line[8], line[-1]) for line in lines[1:]] == [
        ("ES.v.0", "2013-12-09", "1793.5", "ESZ3"),
        ("ES.v.0", "2013-12-10", "1803.5", "ESZ3"),
        ("ES.v.0", "2013-12-11", "1813.5", "ESH4"),
    ]


def test_rolls_are_told_with_what_decided(home: Path) -> None:
    ended = _run(home, "rolls", "cme", "ES", "--json")

    assert ended.exit_code == 0, ended.output
    (roll,) = json.loads(ended.stdout)
    assert (roll["roll_date"], roll["decided_on"], roll["difference"]) == ("2013-12-11", "2013-12-10", -6.5)
    assert (roll["from_volume"], roll["to_volume"]) == (2, 8)


def test_numbers_of_a_rule_are_options(home: Path) -> None:
    by_calendar = _run(home, "rolls", "cme", "ES", "--roll", "calendar", "--before-expiry", "7", "--json")
    by_volume = _run(home, "rolls", "cme", "ES", "--exceeded", "2", "--json")

    assert [json.loads(ended.stdout)[0]["roll_date"] for ended in (by_calendar, by_volume)] == [
        "2013-12-11",
        "2013-12-12",
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_open_interest_is_read_from_a_file(home: Path, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"interest.{ending}"
    text = "symbol,session_date,open_interest\nESZ3,2013-12-09,5\nESH4,2013-12-09,6\n"
    file.write_text(text, encoding="utf-8")
    if ending == "parquet":
        columns = {"symbol": ["ESZ3", "ESH4"], "session_date": ["2013-12-09"] * 2, "open_interest": [5, 6]}
        pq.write_table(pa.table(columns), file)

    ended = _run(home, "rolls", "cme", "ES", "--roll", "open_interest", "--open-interest", str(file), "--json")

    assert ended.exit_code == 0, ended.output
    (roll,) = json.loads(ended.stdout)
    assert (roll["roll_date"], roll["from_open_interest"], roll["to_open_interest"]) == ("2013-12-10", 5, 6)


def test_open_interest_that_cannot_be_read_is_a_wrong_argument(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_text("no parquet", encoding="utf-8")

    for name in ("absent.csv", "bad.parquet"):
        ended = _run(home, "rolls", "cme", "ES", "--roll", "open_interest", "--open-interest", str(tmp_path / name))
        assert ended.exit_code == 2, ended.output
        assert "--open-interest" in ended.output


def test_an_unknown_root_is_a_wrong_setting(home: Path) -> None:
    ended = _run(home, "continuous", "cme", "NQ")

    assert isinstance(ended.exception, SettingsInvalid)
    assert "roots there: ES" in str(ended.exception)
