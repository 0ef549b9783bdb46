"""Buckets of several days of real symbols: scaled as they are, or with an ex date inside and combined anew."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pytest

from marketdata_pipelines.domain.actions import standing_actions
from marketdata_pipelines.domain.adjustment import Adjustment, adjust_bars, spans_action
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.pipeline.aggregate import aggregate_days
from marketdata_pipelines.sources.reference.actions import read_actions
from marketdata_pipelines_tests.builders import LATER, make_feed

VALUES = ("open", "high", "low", "close", "volume", "notional", "vwap")
LAST = date(2021, 3, 31)


@pytest.fixture(scope="module")
def daily(shared_data: Path) -> pa.Table:
    """Raw daily bars as 1d aggregates."""
    read = pv.read_csv(shared_data / "csv_gz" / "US_daily_SPY_AAPL_QQQ.csv.gz")
    named = read.rename_columns(["symbol", "session_date", *VALUES[:5]])
    typical = pc.divide(pc.add(pc.add(named["high"], named["low"]), named["close"]), 3.0)
    ts = named["session_date"].cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
    columns = {
        **{name: named[name] for name in ("symbol", "session_date", *VALUES[:5])},
        **dict.fromkeys(("ts", "first_ts", "last_ts"), ts),
        "ts_close": pc.add(ts, pa.scalar(21 * 3600, pa.duration("s"))),
        "notional": pc.multiply(typical, named["volume"].cast(pa.float64())),
        "vwap": typical,
        "trade_count": pa.nulls(named.num_rows, pa.int64()),
        "bar_count": pa.array(np.ones(named.num_rows, np.int64)),
        "is_final": pa.array(np.ones(named.num_rows, bool)),
    }
    table = pa.table({name: columns[name] for name in AGGREGATE_SCHEMA.names}).cast(AGGREGATE_SCHEMA)
    text = table.set_column(0, "symbol", table["symbol"].cast(pa.string()))
    return text.sort_by([("symbol", "ascending"), ("ts", "ascending")]).cast(AGGREGATE_SCHEMA)


@pytest.fixture(scope="module")
def actions(shared_data: Path) -> pa.Table:
    files = sorted((shared_data / "corporate_actions").glob("*.factor.csv"))
    return standing_actions([read_actions(path.read_bytes(), path.name) for path in files])


@pytest.mark.parametrize("timeframe", ["2d", "1w", "1M"])
@pytest.mark.parametrize("adjustment", [Adjustment.SPLIT, Adjustment.TOTAL])
def test_buckets_without_an_ex_date_inside_are_scaled_as_they_are(
    daily: pa.Table, actions: pa.Table, timeframe: str, adjustment: Adjustment
) -> None:
    feed = make_feed("XNYS", "1d")
    raw = aggregate_days(feed, daily, timeframe, LATER)
    right = aggregate_days(feed, adjust_bars(daily, actions, adjustment, LAST)[0], timeframe, LATER)

    scaled, _ = adjust_bars(raw, actions, adjustment, LAST)
    spans = spans_action(raw, actions, adjustment, LAST)

    def unequal(name: str) -> np.ndarray:
        found: np.ndarray = ~np.isclose(scaled[name].to_numpy(), right[name].to_numpy(), rtol=1e-9, atol=0)
        return found

    wrong = np.any([unequal(name) for name in VALUES], axis=0)
    assert not (wrong & ~spans).any()
    assert wrong.sum() >= 0.9 * spans.sum() > 0
