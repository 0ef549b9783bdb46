"""Real market data from files to bars, views and gaps, against answers computed without this project's code.

Every set goes in through `marketdata ingest --materialize` and comes back through `bars`, `table` and `gaps`.
"""

from pathlib import Path

import pandas as pd
import pytest

from marketdata_pipelines_tests.acceptance.commands import read_csv, run, shared_data
from marketdata_pipelines_tests.acceptance.golden_sets import (
    RENAMED,
    SETS,
    GoldenSet,
    assert_close,
    assert_same_bars,
    our_timeframe,
)


@pytest.fixture(scope="module", params=SETS, ids=lambda golden: golden.feed)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[GoldenSet, Path, Path]:
    """A golden set, loaded and materialized through the command line; its home and its answers."""
    golden: GoldenSet = request.param
    data = shared_data()
    home = tmp_path_factory.mktemp(golden.feed)
    (home / "feeds.yaml").write_text(f"feeds:\n  {golden.feed}: {golden.definition}\n")
    ended = run(home, "ingest", golden.feed, *(str(data / file) for file in golden.files), "--materialize")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return golden, home, data / "golden" / golden.golden


def test_bars_of_every_timeframe_equal_the_golden_answers(loaded: tuple[GoldenSet, Path, Path]) -> None:
    golden, home, answers = loaded
    name = "ticks_utc" if golden.anchor == "ticks" else golden.anchor
    expected = pd.read_parquet(answers / f"{name}.parquet")
    compared = 0

    for timeframe in expected["tf"].unique():
        ours = our_timeframe(str(timeframe), golden.anchor)
        if ours is None:
            continue
        wanted = expected[expected["tf"] == timeframe].sort_values(["symbol", "bucket"], ignore_index=True)
        session = ["--session", "all"] if ours in ("1s", "1m") and golden.anchor != "session" else []
        bars = read_csv(home, "bars", golden.feed, "--timeframe", ours, *session)
        assert_same_bars(bars, wanted, golden, ours)
        compared += len(wanted)

    assert compared > 50


def test_daily_summary_equals_the_golden_answer(loaded: tuple[GoldenSet, Path, Path]) -> None:
    golden, home, answers = loaded
    path = answers / f"daily_summary_{golden.anchor}.csv"
    if not path.exists():
        pytest.skip(f"{golden.golden} has no golden daily summary")
    expected = pd.read_csv(path)

    summary = read_csv(home, "table", golden.feed, "daily_summary")

    assert list(summary.columns[: len(expected.columns)]) == list(expected.columns)
    _assert_same_table(summary, expected)


def test_hourly_volume_equals_the_golden_answer(loaded: tuple[GoldenSet, Path, Path]) -> None:
    golden, home, answers = loaded
    path = answers / f"hourly_volume_{'ny' if golden.anchor == 'session' else 'utc'}.csv"
    if not path.exists():
        pytest.skip(f"{golden.golden} has no golden hourly volume")
    expected = pd.read_csv(path)

    volume = read_csv(home, "table", golden.feed, "hourly_volume")

    assert list(volume.columns[: len(expected.columns)]) == list(expected.columns)
    _assert_same_table(volume, expected)


def test_gaps_equal_the_golden_answer(loaded: tuple[GoldenSet, Path, Path]) -> None:
    golden, home, answers = loaded
    paths = sorted(answers.glob("gaps_*.csv"))
    if not paths or (golden.anchor == "utc" and "xnys" in paths[0].name):
        pytest.skip(f"{golden.golden} has no golden gaps for this calendar")
    expected = pd.read_csv(paths[0])

    gaps = read_csv(home, "gaps", golden.feed)

    assert list(gaps.columns) == ["symbol", "session_date", "first_missing", "last_missing", "minutes", "kind"]
    assert len(gaps) == len(expected)
    if len(expected):
        assert list(gaps["symbol"].replace(RENAMED)) == list(expected["symbol"])
        assert (pd.to_datetime(gaps["first_missing"]) == pd.to_datetime(expected["gap_start_utc"])).all()
        last = pd.to_datetime(gaps["last_missing"]) + pd.Timedelta(minutes=1)
        assert (last == pd.to_datetime(expected["gap_end_utc_excl"])).all()
        assert (gaps["minutes"] == expected["missing_minutes"]).all()
        assert (gaps["kind"] == expected["kind"]).all()


def test_nothing_is_rejected(loaded: tuple[GoldenSet, Path, Path]) -> None:
    golden, home, _ = loaded

    rejected = read_csv(home, "rejected", golden.feed)

    assert rejected[rejected["row"].notna()].empty


def _assert_same_table(table: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert len(table) == len(expected)
    for column in expected.columns:
        if column in ("bucket", "first_ts", "last_ts"):
            assert (pd.to_datetime(table[column]) == pd.to_datetime(expected[column])).all(), column
        elif column == "symbol":
            assert list(table[column].replace(RENAMED)) == list(expected[column])
        else:
            assert_close(table[column], expected[column], column)
