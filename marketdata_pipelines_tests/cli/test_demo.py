"""The demo: from nothing to a summary, and again."""

from importlib.resources import files
from pathlib import Path

import pytest

from marketdata_pipelines.cli.demo_run import DEMO_RANGES, prepare_home
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines_tests.cli.conftest import Run

PROJECT = Path(__file__).resolve().parents[2]
PACKAGED = files("marketdata_pipelines.cli").joinpath("default_feeds.yaml")


def test_the_packaged_feeds_are_those_of_the_project() -> None:
    assert PACKAGED.read_text("utf-8") == (PROJECT / "data" / "feeds.yaml").read_text("utf-8")


def test_a_new_data_folder_gets_the_demo_feeds(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "new" / "home")

    prepare_home(settings)

    assert {name for name, _, _ in DEMO_RANGES} <= set(load_feeds(settings.feeds_file))


def test_feeds_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_text("feeds: {}\n", encoding="utf-8")

    prepare_home(Settings(home=tmp_path))

    assert (tmp_path / "feeds.yaml").read_text("utf-8") == "feeds: {}\n"


def test_feeds_without_the_demos_are_told_where_to_go(marketdata: Run, tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_text("feeds: {}\n", encoding="utf-8")

    answer = marketdata(tmp_path, "demo")

    assert answer.code == 2
    assert "MARKETDATA_HOME=demo marketdata demo" in answer.err


def test_the_demo_finds_every_fault_and_nothing_else(marketdata: Run, tmp_path: Path) -> None:
    pytest.importorskip("bokeh_sampledata", reason="the demo's real bars come from the extra `demo`")
    home = tmp_path / "home"

    answer = marketdata(home, "demo")

    lines = [line.split() for line in answer.out.splitlines()]
    assert answer.code == 0
    assert ["us_stocks_1d", "2000-01-03", "…", "2013-12-31", "14", "12,154", "12,154", "0"] in lines
    faults = {(line[0], line[1]): line[2:5] for line in lines if len(line) >= 6 and line[-1] in _RULES_SHOWN}
    assert faults["demo_nyse_1m", "high_lt_low"] == ["8", "8", "8"]
    assert faults["demo_nyse_1m", "gap_missing_minutes"] == ["4", "4", "4"]
    assert faults["demo_crypto_1m", "symbol_path_traversal"] == ["7", "7", "7"]
    assert [line[-2:] for line in lines if line[1:4] == ["good", "rows", "rejected"]] == [["0", "0"], ["0", "0"]]
    assert "IBM, 1M bars of us_stocks_1d" in answer.out
    assert (home / "dagster").is_dir()


_RULES_SHOWN = ("high_below_low", "gaps", "symbol_path")
