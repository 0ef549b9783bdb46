"""Real market data from files to bars, views and gaps, against answers computed without this project's code.

Every set goes in through `marketdata ingest --materialize` and comes back through `bars`, `table` and `gaps`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from marketdata_pipelines_tests.acceptance.commands import read_csv, run, shared_data

NY, EXTENDED = "timezone: America/New_York", "extended_hours: [04:00, 20:00]"


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """A set of files, the feed it is loaded into, and the folder of its answers."""

    feed: str
    files: tuple[str, ...]
    golden: str
    anchor: str
    definition: str


SETS = (
    GoldenSet("eq_csv", ("csv_vendor",), "eq_csv", "session",
              f"{{source: {{kind: files, {NY}}}, interval: 1m, calendar: XNYS, {EXTENDED}}}"),
    GoldenSet("eq_csv_utc", ("csv_vendor",), "eq_csv", "utc",
              f"{{source: {{kind: files, {NY}}}, interval: 1m, calendar: XNYS, anchor: utc}}"),
    GoldenSet("eq_parquet", ("parquet_daily",), "eq_parquet", "session",
              f"{{source: {{kind: files}}, interval: 1m, calendar: XNYS, {EXTENDED}}}"),
    GoldenSet("eq_parquet_utc", ("parquet_daily",), "eq_parquet", "utc",
              "{source: {kind: files}, interval: 1m, calendar: XNYS, anchor: utc}"),
    # One bar of this set starts at 20:00 sharp; the extended hours end a minute later here to keep it.
    GoldenSet("ninja", ("ninjatrader",), "eq_ninjatrader", "session",
              "{source: {kind: files, timezone: UTC, label: end}, interval: 1m, calendar: XNYS, "
              "extended_hours: [04:00, 20:01]}"),
    GoldenSet("ninja_utc", ("ninjatrader",), "eq_ninjatrader", "utc",
              "{source: {kind: files, timezone: UTC, label: end}, interval: 1m, calendar: XNYS, anchor: utc}"),
    GoldenSet("seconds", ("csv_gz/IBM_1s_2013-10-07_08.csv.gz",), "eq_seconds", "session",
              f"{{source: {{kind: files, {NY}}}, interval: 1s, calendar: XNYS, {EXTENDED}}}"),
    GoldenSet("seconds_utc", ("csv_gz/IBM_1s_2013-10-07_08.csv.gz",), "eq_seconds", "utc",
              f"{{source: {{kind: files, {NY}}}, interval: 1s, calendar: XNYS, anchor: utc}}"),
    GoldenSet("hourly_utc", ("csv_gz/US_hourly_SPY_AAPL.csv.gz",), "eq_hourly", "utc",
              f"{{source: {{kind: files, {NY}}}, interval: 1h, calendar: XNYS, anchor: utc}}"),
    GoldenSet("daily_utc", ("csv_gz/US_daily_SPY_AAPL_QQQ.csv.gz",), "eq_daily", "utc",
              "{source: {kind: files}, interval: 1d, calendar: XNYS, anchor: utc}"),
    GoldenSet("xlsx_utc", ("excel",), "daily_xlsx", "utc",
              "{source: {kind: files}, interval: 1d, calendar: XNYS, anchor: utc}"),
    GoldenSet("crypto", ("jsonl",), "crypto_jsonl", "utc",
              "{source: {kind: files}, interval: 1m, calendar: 24/7}"),
    GoldenSet("perp", ("csv_gz/BTC-PERP_1m_2022-01.csv.gz",), "crypto_perp_gz", "utc",
              "{source: {kind: files, timezone: UTC}, interval: 1m, calendar: 24/7, volume_unit: quote}"),
    GoldenSet("futures", ("csv_gz/CME_ES_1m_2013.csv.gz",), "fut_csvgz", "utc",
              "{source: {kind: files}, interval: 1m, calendar: CMES, anchor: utc}"),
    GoldenSet("fx", ("tsv",), "fx_tsv", "utc", "{source: {kind: files}, interval: 1m, calendar: fx}"),
    GoldenSet("trades", ("trades/IBM_2013-10-07_trades.csv.gz", "trades/IBM_2013-10-08_trades.csv.gz"),
              "trades_ibm", "ticks",
              f"{{source: {{kind: files, {NY}}}, data: trades, interval: 1s, calendar: XNYS, anchor: utc}}"),
    GoldenSet("coins", ("trades/bitstampUSD_bitcoincharts.csv",), "trades_bitstampusd", "ticks",
              "{source: {kind: files}, data: trades, interval: 1s, calendar: 24/7}"),
)  # fmt: skip
RENAMED = {"BTC-USD": "BTCUSD"}


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
        ours = _our_timeframe(str(timeframe), golden.anchor)
        if ours is None:
            continue
        wanted = expected[expected["tf"] == timeframe].sort_values(["symbol", "bucket"], ignore_index=True)
        session = ["--session", "all"] if ours in ("1s", "1m") and golden.anchor != "session" else []
        bars = read_csv(home, "bars", golden.feed, "--timeframe", ours, *session)
        _assert_same_bars(bars, wanted, golden, ours)
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


def _our_timeframe(timeframe: str, anchor: str) -> str | None:
    """Our name for a golden timeframe; None for the variants we do not have."""
    if timeframe in ("1w_thu", "2d_o2000") or (timeframe == "2d" and anchor == "session"):
        return None
    return "2d" if timeframe == "2d_sess" else timeframe


def _assert_same_bars(bars: pd.DataFrame, wanted: pd.DataFrame, golden: GoldenSet, timeframe: str) -> None:
    where = f"{golden.feed} {timeframe}"
    bars = bars.assign(symbol=bars["symbol"].replace(RENAMED)).sort_values(["symbol", "ts"], ignore_index=True)
    assert len(bars) == len(wanted), where
    assert list(bars["symbol"]) == list(wanted["symbol"]), where
    assert (pd.to_datetime(bars["ts"]) == wanted["bucket"]).all(), where
    for column in ("open", "high", "low", "close"):
        assert (bars[column] == wanted[column]).all(), f"{where} {column}"
    _assert_close(bars["volume"], wanted["volume"], where)
    vwap = "vwap_tick" if golden.anchor == "ticks" else "vwap_typ"
    _assert_close(bars["vwap"], wanted[vwap], where)
    count = bars["trade_count"] if golden.anchor == "ticks" else bars["bar_count"]
    assert (count == wanted["n"]).all(), where


def _assert_same_table(table: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert len(table) == len(expected)
    for column in expected.columns:
        if column in ("bucket", "first_ts", "last_ts"):
            assert (pd.to_datetime(table[column]) == pd.to_datetime(expected[column])).all(), column
        elif column == "symbol":
            assert list(table[column].replace(RENAMED)) == list(expected[column])
        else:
            _assert_close(table[column], expected[column], column)


def _assert_close(ours: pd.Series, theirs: pd.Series, where: str) -> None:
    left, right = ours.to_numpy(float), theirs.to_numpy(float)
    whole = np.isfinite(right) & (right == np.rint(right)) & (np.abs(right) < 2**53)
    # Integer sums are exact; other sums may differ by rounding in the last digits.
    tolerance = np.where(whole & (left == np.rint(left)), 0.0, np.abs(right) * 1e-10 + 1e-15)
    both_missing = np.isnan(left) & np.isnan(right)
    assert (both_missing | (np.abs(left - right) <= tolerance)).all(), where
