"""The main job on the packaged real bars: loaded through the graph, read back, and computed again with pandas."""

from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd
import pytest

from marketdata_pipelines.sources.sample import sample_files
from marketdata_pipelines_tests.acceptance.commands import read_csv, run

FEEDS = "feeds:\n  stocks: {source: {kind: sample}, interval: 1d, calendar: XNYS, asset_class: equity}\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    (folder / "feeds.yaml").write_text(FEEDS)
    ended = run(folder, "backfill", "stocks", "--start", "2000-01-01", "--end", "2013-12-31")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    """The package's own rows, read without this project's parser."""
    from io import BytesIO

    frames = [pd.read_csv(BytesIO(sample.content)).assign(symbol=sample.symbol) for sample in sample_files()]
    frame = pd.concat(frames, ignore_index=True)
    frame.columns = [name.lower() for name in frame.columns]
    return frame.assign(date=pd.to_datetime(frame["date"])).sort_values(["symbol", "date"], ignore_index=True)


def test_every_row_of_the_package_is_a_validated_bar(home: Path, raw: pd.DataFrame) -> None:
    bars = read_csv(home, "bars", "stocks")

    assert len(bars) == len(raw) == 12_154
    assert (pd.to_datetime(bars["ts"]).dt.tz_localize(None) == raw["date"]).all()
    for column in ("open", "high", "low", "close", "volume"):
        assert (bars[column] == raw[column]).all(), column


@pytest.mark.parametrize(("timeframe", "rule"), [("1w", "week"), ("1M", "month"), ("2d", "pair")])
def test_coarser_bars_equal_what_pandas_makes_of_the_package(
    home: Path, raw: pd.DataFrame, timeframe: str, rule: str
) -> None:
    label = _labels(raw["date"], rule)
    grouped = raw.assign(
        label=label, value=(raw["high"] + raw["low"] + raw["close"]) / 3 * raw["volume"], bars=1
    ).groupby(["symbol", "label"], as_index=False)
    expected = grouped.agg(
        open=("open", "first"), high=("high", "max"), low=("low", "min"), close=("close", "last"),
        volume=("volume", "sum"), value=("value", "sum"), bars=("bars", "sum"),
    )  # fmt: skip

    bars = read_csv(home, "bars", "stocks", "--timeframe", timeframe)

    assert len(bars) == len(expected)
    assert list(bars["symbol"]) == list(expected["symbol"])
    assert (pd.to_datetime(bars["ts"]).dt.tz_localize(None) == expected["label"]).all()
    for column in ("open", "high", "low", "close", "volume"):
        assert (bars[column] == expected[column]).all(), column
    assert (bars["bar_count"] == expected["bars"]).all()
    assert np.allclose(bars["vwap"], expected["value"] / expected["volume"], rtol=1e-10, atol=0)


def test_returns_go_across_the_years_of_the_partitions(home: Path, raw: pd.DataFrame) -> None:
    expected = raw.groupby("symbol")["close"].pct_change()

    summary = read_csv(home, "table", "stocks", "daily_summary")

    assert len(summary) == len(raw)
    assert np.allclose(summary["ret_cc"], expected, rtol=1e-10, atol=1e-12, equal_nan=True)
    assert (summary.groupby("symbol")["ret_cc"].apply(lambda returns: returns.isna().sum()) == 1).all()


def test_the_calendar_says_which_sessions_a_symbol_missed(home: Path, raw: pd.DataFrame) -> None:
    gaps = read_csv(home, "gaps", "stocks")

    open_days = set(_sessions())
    for symbol, own in raw.groupby("symbol"):
        span = {day for day in open_days if own["date"].min() <= day <= own["date"].max()}
        missing = sorted(day.date().isoformat() for day in span - set(own["date"]))
        assert list(gaps[gaps["symbol"] == symbol]["session_date"]) == missing


def _sessions() -> pd.DatetimeIndex:
    return exchange_calendars.get_calendar("XNYS", start="1998-01-02", end="2014-12-31").sessions


def _labels(dates: pd.Series, rule: str) -> pd.Series:
    if rule == "week":
        return dates - pd.to_timedelta(dates.dt.day_of_week, unit="D")
    if rule == "month":
        return dates.dt.to_period("M").dt.start_time
    sessions = _sessions()
    return pd.Series(sessions[sessions.searchsorted(dates) // 2 * 2], index=dates.index)
