"""`marketdata latest` over a small lake."""

import json
from pathlib import Path

import pytest

from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines_tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def _without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETDATA_REDIS_URL", raising=False)


def test_the_last_bar_of_each_symbol_is_printed(loaded_home: Path, marketdata: Run) -> None:
    answer = marketdata(loaded_home, "latest", "shares", "--json")

    (row,) = json.loads(answer.out)
    assert answer.code == 0
    assert (row["symbol"], row["ts"], row["close"]) == ("SPY", "2024-03-08T14:35:00Z", 10.9)


def test_an_unknown_symbol_has_no_row_and_an_unknown_feed_is_named(loaded_home: Path, marketdata: Run) -> None:
    nothing = marketdata(loaded_home, "latest", "shares", "--symbols", "NONE", "--format", "csv")
    unknown = marketdata(loaded_home, "latest", "nowhere")

    assert (nothing.code, len(nothing.out.splitlines())) == (0, 1)
    assert unknown.code == 2
    assert "'nowhere' is not in" in unknown.err


def test_the_reader_answers_the_view_of_that_name(loaded_home: Path) -> None:
    reader = LakeReader(loaded_home)

    found = reader.latest("shares")

    assert found.to_pylist() == reader.table("shares", "latest_bars").to_pylist()
    assert reader.latest("shares", "SPY").equals(found)
    reader.tiers.close()
