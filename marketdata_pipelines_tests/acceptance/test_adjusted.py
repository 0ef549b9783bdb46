"""Real daily bars adjusted by a real vendor's factors, against answers computed without this project's code."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines_tests.acceptance.commands import read_csv, run, shared_data

FEEDS = """\
references:
  us_actions: {kind: corporate_actions, path: reference, style: auto}
feeds:
  daily: {source: {kind: files}, interval: 1d, calendar: XNYS, anchor: utc, corporate_actions: us_actions}
  minutes:
    source: {kind: files, timezone: America/New_York}
    interval: 1m
    calendar: XNYS
    extended_hours: [04:00, 20:00]
    corporate_actions: us_actions
"""
LAST = "2021-03-31"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data, home = shared_data(), tmp_path_factory.mktemp("adjusted")
    (home / "feeds.yaml").write_text(FEEDS)
    factors = sorted(str(path) for path in (data / "corporate_actions").glob("*.factor.csv"))
    for arguments in (
        ("reference", "ingest", "us_actions", *factors),
        ("ingest", "daily", str(data / "csv_gz" / "US_daily_SPY_AAPL_QQQ.csv.gz"), "--materialize"),
        ("ingest", "minutes", str(data / "csv_vendor" / "AAPL.csv"), "--materialize"),
    ):
        ended = run(home, *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    return home


def golden() -> pd.DataFrame:
    found = pq.read_table(shared_data() / "golden" / "adjusted_daily.parquet").to_pandas()
    return found.sort_values(["symbol", "date"]).reset_index(drop=True)


@pytest.mark.parametrize(("adjustment", "price", "volume"), [("total", "pf", "sf"), ("split", None, "sf")])
def test_adjusted_daily_bars_are_the_golden_ones(home: Path, adjustment: str, price: str | None, volume: str) -> None:
    expected = golden()

    found = read_csv(home, "bars", "daily", "--adjustment", adjustment, "--end", LAST)

    assert found["symbol"].tolist() == expected["symbol"].tolist()
    assert found["ts"].str[:10].tolist() == expected["date"].dt.strftime("%Y-%m-%d").tolist()
    factor = expected[volume] * (expected[price] if price else 1.0)
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(found[name].astype(float), expected[name] * factor, rtol=1e-10)
    if adjustment == "total":
        for name in ("open", "high", "low", "close", "volume"):
            np.testing.assert_allclose(found[name].astype(float), expected[f"adj_{name}"], rtol=1e-10)


def test_a_month_with_a_split_in_it_is_made_of_adjusted_days(home: Path) -> None:
    reader, expected = LakeReader(home), golden()
    month = expected[(expected["symbol"] == "AAPL") & (expected["date"].dt.strftime("%Y-%m") == "2014-06")]
    last = expected[(expected["symbol"] == "AAPL") & (expected["date"] == "2014-06-30")].iloc[0]

    row = reader.bars("daily", ["AAPL"], "1M", "2014-06-01", "2014-06-30", adjustment="split").to_pylist()[0]

    # Anchored at the end of the range, the prices after the split are the traded ones.
    factor = month["sf"] / last["sf"]
    assert row["open"] == pytest.approx((month["open"] * factor).iloc[0], rel=1e-9)
    assert row["high"] == pytest.approx((month["high"] * factor).max(), rel=1e-9)
    assert row["low"] == pytest.approx((month["low"] * factor).min(), rel=1e-9)
    assert row["close"] == last["close"]
    assert row["volume"] == pytest.approx((month["volume"] / factor).sum(), rel=1e-9)


def test_a_seven_to_one_split_is_no_fall_of_86_percent(home: Path) -> None:
    reader = LakeReader(home)
    first, last = "2014-06-05", "2014-06-09"

    raw = reader.bars("minutes", ["AAPL"], "1d", first, last)["close"].to_pylist()
    adjusted = reader.bars("minutes", ["AAPL"], "1d", first, last, adjustment="split")["close"].to_pylist()
    performance = reader.table("minutes", "symbol_performance", first, last).to_pylist()[0]
    daily = reader.table("minutes", "daily_summary", first, last).to_pylist()

    assert raw[-1] / raw[-2] - 1 < -0.85
    assert abs(adjusted[-1] / adjusted[-2] - 1) < 0.03
    assert abs(performance["ret"]) < 0.05
    assert [abs(row["ret_cc"]) < 0.03 for row in daily if row["ret_cc"] is not None] == [True, True]
    assert [row["close"] for row in daily] == raw


def test_what_was_not_known_yet_adjusts_nothing(home: Path) -> None:
    ended = run(home, "bars", "daily", "--adjustment", "total", "--as-of", "2014-01-01", "--format", "csv")

    assert ended.returncode == 1
    assert "first known" in ended.stderr
