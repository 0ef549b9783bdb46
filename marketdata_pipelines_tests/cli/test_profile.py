"""A feed's profile through the command line."""

import json
from pathlib import Path

import pytest
import yaml

from marketdata_pipelines.quality.expectations import read_expectations
from marketdata_pipelines_tests.cli.conftest import Run


@pytest.fixture(scope="module")
def simulated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose feed can be filled without a source."""
    folder = tmp_path_factory.mktemp("profiled")
    feeds = (
        "feeds:\n  made_up: {source: {kind: simulated, symbols: [ALFA, BETA], seed: 3}, interval: 1m, calendar: XNYS}\n"
    )
    (folder / "feeds.yaml").write_text(feeds, encoding="utf-8")
    return folder


@pytest.fixture
def home(marketdata: Run, simulated_home: Path) -> Path:
    if not (simulated_home / "lake").exists():
        answer = marketdata(simulated_home, "backfill", "made_up", "--start", "2024-03-07", "--end", "2024-03-08")
        assert answer.code == 0, answer.err
    return simulated_home


def test_a_profile_names_columns_symbols_and_limits_for_feeds_yaml(marketdata: Run, home: Path) -> None:
    answer = marketdata(home, "profile", "made_up")

    assert answer.code == 0
    assert "of 2 symbols in 2 sessions" in answer.out
    assert [word for word in ("returns", "wicks", "longest_gap", "ALFA", "BETA") if word not in answer.out] == []
    snippet = answer.out[answer.out.index("feeds:") :]
    rules = yaml.safe_load(snippet)["feeds"]["made_up"]["quality"]["rules"]
    assert {"price_spike", "bad_wick"} <= set(rules)


def test_a_profile_for_machines_can_be_narrowed(marketdata: Run, home: Path) -> None:
    told = json.loads(
        marketdata(home, "profile", "made_up", "--symbols", "ALFA", "--start", "2024-03-08", "--json").out
    )

    columns = {column["column"]: column for column in told["columns"]}
    assert (told["sessions"], [symbol["symbol"] for symbol in told["symbols"]]) == (1, ["ALFA"])
    assert told["bars"] == columns["close"]["count"] == told["symbols"][0]["bars"]
    assert columns["close"]["min"] <= columns["close"]["p50"] <= columns["close"]["max"]


def test_expectations_are_written_once_and_load_as_a_users(marketdata: Run, home: Path) -> None:
    first = marketdata(home, "profile", "made_up", "--write-expectations", "--json")
    again = marketdata(home, "profile", "made_up", "--write-expectations")
    forced = marketdata(home, "profile", "made_up", "--write-expectations", "--force")

    path = Path(json.loads(first.out)["expectations"])
    read = read_expectations(home / "expectations" / "made_up")
    assert path == home / "expectations" / "made_up" / "profiled.yaml"
    assert (again.code, forced.code) == (2, 0)
    assert "is there already; give --force to replace it" in again.err
    assert {each.severity for each in read} == {"warn"}
    assert {each.table for each in read} == {"validated_bars"}
    assert "expect_column_values_to_be_between" in {each.type for each in read}
    path.unlink()


def test_a_feed_without_bars_says_how_to_bring_them(marketdata: Run, empty_home: Path) -> None:
    answer = marketdata(empty_home, "profile", "shares")

    assert answer.code == 1
    assert "shares has no validated bars; run: marketdata backfill shares" in answer.err


def test_force_without_anything_to_write_is_misuse(marketdata: Run, empty_home: Path) -> None:
    assert marketdata(empty_home, "profile", "shares", "--force").code == 2
