"""`marketdata explain` as a user runs it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.cli.conftest import FEEDS, GOOD_FILE, Run
from marketdata_pipelines_tests.pipeline.receipt_lakes import load

Home = Callable[[str], Path]


@pytest.fixture
def shares(home: Home, lake: Lake, tmp_path: Path) -> Path:
    """A home whose feed `shares` holds a small file."""
    folder = home(FEEDS)
    path = tmp_path / "shares.csv"
    path.write_text(GOOD_FILE)
    load(lake, load_feeds(folder / "feeds.yaml")["shares"], str(path))
    return folder


def test_the_text_goes_from_the_bar_to_its_lines(shares: Path, marketdata: Run) -> None:
    answer = marketdata(shares, "explain", "shares", "SPY", "2024-03-08T14:31Z", "--timeframe", "5m")

    lines = answer.out.splitlines()
    assert (answer.code, answer.err) == (0, "")
    assert lines[0] == "shares SPY 5m 2024-03-08T14:30:00Z"
    assert lines[1] == "  open 10.5  high 10.75  low 10.25  close 10.55  volume 150  vwap 10.544444444444444"
    assert "Base bars: 2 bars" in lines
    assert "          SPY,2024-03-08 09:31:00,10.6,10.65,10.5,10.55,50" in lines
    assert "  2024-03-08: 3 of 4 raw rows accepted, 1 rejected" in lines
    assert "      6 checks passed, evaluated by its walk" in lines
    assert any(line.endswith(": SHA-256 matches") for line in lines)


def test_a_long_bucket_shows_its_ends_and_json_has_all(home: Home, lake: Lake, tmp_path: Path, marketdata: Run) -> None:
    folder, path = home(FEEDS), tmp_path / "a.csv"
    rows = "".join(f"SPY,2024-03-08 10:{minute:02d}:00,10,11,9,10,{minute}\n" for minute in range(50))
    path.write_text(GOOD_FILE.splitlines()[0] + "\n" + rows)
    load(lake, load_feeds(folder / "feeds.yaml")["shares"], str(path))

    text = marketdata(folder, "explain", "shares", "SPY", "2024-03-08", "--timeframe", "1d").out
    document = json.loads(
        marketdata(folder, "explain", "shares", "SPY", "2024-03-08", "--timeframe", "1d", "--json").out
    )

    assert "  … 34 more; all of them: --json" in text
    assert (document["base_bars"], document["omitted"], len(document["base"])) == (50, 0, 50)


def test_verifying_says_so_and_ends_well_when_all_is_equal(shares: Path, marketdata: Run) -> None:
    answer = marketdata(shares, "explain", "shares", "SPY", "2024-03-08T14:30Z", "--verify")

    assert answer.code == 0
    assert (
        "Verified, all equal: 1m bar derived again; 1 base bar derived again; shares.csv: SHA-256 matches" in answer.out
    )


def test_verifying_ends_with_1_and_a_table_where_something_differs(
    shares: Path, tmp_path: Path, marketdata: Run
) -> None:
    path = tmp_path / "shares.csv"
    path.write_text(GOOD_FILE.replace("10.5,10.75,10.25,10.6,100", "10.4,10.75,10.25,10.6,100"))

    answer = marketdata(shares, "explain", "shares", "SPY", "2024-03-08T14:30Z", "--verify")
    document = marketdata(shares, "explain", "shares", "SPY", "2024-03-08T14:30Z", "--verify", "--json")

    assert (answer.code, document.code) == (1, 1)
    assert "UNEQUAL: 2 differences" in answer.out
    assert [each["field"] for each in json.loads(document.out)["verification"]["differences"]] == ["content", "open"]


def test_a_row_as_of_an_earlier_instant(shares: Path, marketdata: Run) -> None:
    answer = marketdata(shares, "explain", "shares", "SPY", "2024-03-08T14:30Z", "--as-of", "2024-03-10")
    before = marketdata(shares, "explain", "shares", "SPY", "2024-03-08T14:30Z", "--as-of", "2024-03-09")

    assert "as was known at 2024-03-10T23:59:59.999999Z, derived in memory" in answer.out
    assert (before.code, before.out) == (1, "")
    assert before.err.startswith("marketdata: of shares no 1m bars were known by 2024-03-09T23:59:59.999999Z")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("SPY", "2024-03-08T14:33Z"), 1, "the nearest are at 2024-03-08T14:31:00Z and 2024-03-08T14:35:00Z"),
        (("SPY", "2024-03-08"), 2, "is a date; 1m bars are asked for by a time"),
        (("SPY", "noon"), 2, "'noon' is no time"),
        (("SPY", "2024-03-08T14:30Z", "--timeframe", "3m"), 2, "shares has no '3m' bars"),
    ],
)
def test_what_cannot_be_explained_is_said_in_a_line(
    shares: Path, marketdata: Run, arguments: tuple[str, ...], code: int, message: str
) -> None:
    answer = marketdata(shares, "explain", "shares", *arguments)

    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err
