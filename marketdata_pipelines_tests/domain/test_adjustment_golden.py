"""Adjusted daily bars of real symbols against answers computed without this project's code."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

from marketdata_pipelines.domain.actions import standing_actions
from marketdata_pipelines.domain.adjustment import Adjustment, adjust_bars
from marketdata_pipelines.sources.reference.actions import read_actions

PRICES = ("open", "high", "low", "close")
LAST = date(2021, 3, 31)


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> pa.Table:
    answers = pq.read_table(shared_data / "golden" / "adjusted_daily.parquet")
    return answers.sort_by([("symbol", "ascending"), ("date", "ascending")])


@pytest.fixture(scope="module")
def daily(shared_data: Path) -> pa.Table:
    """The raw daily bars as the source has them, sorted."""
    read = pv.read_csv(shared_data / "csv_gz" / "US_daily_SPY_AAPL_QQQ.csv.gz")
    named = read.rename_columns(["symbol", "session_date", *PRICES, "volume"])
    return named.sort_by([("symbol", "ascending"), ("session_date", "ascending")])


@pytest.fixture(scope="module")
def actions(shared_data: Path) -> pa.Table:
    files = sorted((shared_data / "corporate_actions").glob("*.csv"))
    return standing_actions([read_actions(path.read_bytes(), path.name) for path in files])


def test_total_adjustment_gives_every_golden_row(daily: pa.Table, actions: pa.Table, golden: pa.Table) -> None:
    found, unapplied = adjust_bars(daily, actions, Adjustment.TOTAL, LAST)

    assert found["symbol"].to_pylist() == golden["symbol"].to_pylist()
    assert found["session_date"].to_pylist() == [moment.date() for moment in golden["date"].to_pylist()]
    for name in (*PRICES, "volume"):
        np.testing.assert_allclose(found[name].to_numpy(), golden[f"adj_{name}"].to_numpy(), rtol=1e-10)
    assert unapplied.num_rows == 0


def test_split_adjustment_goes_by_the_golden_split_factors(
    daily: pa.Table, actions: pa.Table, golden: pa.Table
) -> None:
    found, _ = adjust_bars(daily, actions, Adjustment.SPLIT, LAST)

    factor = golden["sf"].to_numpy()
    for name in PRICES:
        np.testing.assert_allclose(found[name].to_numpy(), golden[name].to_numpy() * factor, rtol=1e-10)
    np.testing.assert_allclose(found["volume"].to_numpy(), golden["volume"].to_numpy() / factor, rtol=1e-10)


def test_an_anchor_before_the_last_split_leaves_that_split_out(daily: pa.Table, actions: pa.Table) -> None:
    late, _ = adjust_bars(daily, actions, Adjustment.SPLIT, date(2020, 8, 31))
    early, _ = adjust_bars(daily, actions, Adjustment.SPLIT, date(2020, 8, 28))

    before = (daily["symbol"].to_numpy() == "AAPL") & (daily["session_date"].to_numpy() < np.datetime64("2020-08-31"))
    ratio = early["close"].to_numpy() / late["close"].to_numpy()
    np.testing.assert_allclose(ratio, np.where(before, 4.0, 1.0), rtol=1e-12)


def test_seven_for_one_is_no_fall_by_six_sevenths(shared_data: Path, actions: pa.Table) -> None:
    read = pv.read_csv(shared_data / "csv_vendor" / "AAPL.csv")
    days = [date(int(text[6:]), int(text[:2]), int(text[3:5])) for text in read["Date"].to_pylist()]
    minutes = pa.table({"symbol": ["AAPL"] * len(days), "session_date": days, "close": read["Close"]})

    raw = minutes["close"].to_numpy()
    found, _ = adjust_bars(minutes, actions, Adjustment.SPLIT, date(2014, 6, 9))

    steps = np.diff(np.log(raw)), np.diff(np.log(found["close"].to_numpy()))
    assert np.exp(steps[0].min()) - 1 < -0.85
    assert abs(steps[1]).max() < 0.02
