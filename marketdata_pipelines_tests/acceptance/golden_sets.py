"""The sets of shared market data with answers computed without this project's code, and how bars compare with them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

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


def our_timeframe(timeframe: str, anchor: str) -> str | None:
    """Our name for a golden timeframe; None for the variants we do not have."""
    if timeframe in ("1w_thu", "2d_o2000") or (timeframe == "2d" and anchor == "session"):
        return None
    return "2d" if timeframe == "2d_sess" else timeframe


def assert_same_bars(bars: pd.DataFrame, wanted: pd.DataFrame, golden: GoldenSet, timeframe: str) -> None:
    """Bars as a CSV answer gives them are the golden ones: prices and counts exactly."""
    where = f"{golden.feed} {timeframe}"
    bars = bars.assign(symbol=bars["symbol"].replace(RENAMED)).sort_values(["symbol", "ts"], ignore_index=True)
    assert len(bars) == len(wanted), where
    assert list(bars["symbol"]) == list(wanted["symbol"]), where
    assert (pd.to_datetime(bars["ts"]) == wanted["bucket"]).all(), where
    for column in ("open", "high", "low", "close"):
        assert (bars[column] == wanted[column]).all(), f"{where} {column}"
    assert_close(bars["volume"], wanted["volume"], where)
    vwap = "vwap_tick" if golden.anchor == "ticks" else "vwap_typ"
    assert_close(bars["vwap"], wanted[vwap], where)
    count = bars["trade_count"] if golden.anchor == "ticks" else bars["bar_count"]
    assert (count == wanted["n"]).all(), where


def assert_close(ours: pd.Series, theirs: pd.Series, where: str) -> None:
    """Numbers are the same: whole ones exactly, others but for the rounding of their sums."""
    left, right = ours.to_numpy(float), theirs.to_numpy(float)
    whole = np.isfinite(right) & (right == np.rint(right)) & (np.abs(right) < 2**53)
    # Integer sums are exact; other sums may differ by rounding in the last digits.
    tolerance = np.where(whole & (left == np.rint(left)), 0.0, np.abs(right) * 1e-10 + 1e-15)
    both_missing = np.isnan(left) & np.isnan(right)
    assert (both_missing | (np.abs(left - right) <= tolerance)).all(), where
