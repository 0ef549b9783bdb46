"""Lakes whose bars are broken in a known way, with findings as the quality rules would store them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, QUALITY_FINDINGS
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.pipeline.ingest import SourceFile
from marketdata_pipelines.pipeline.repairs.applying import RepairReport, apply_repairs
from marketdata_pipelines.pipeline.repairs.proposing import RepairQuestion, propose_repairs
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import LATER, Row, bar, source_of, take_in, us, walk_stale

DAY = "2024-03-08"
OPEN_US = us(f"{DAY} 14:30")  # 09:30 in New York, winter time
SESSION_MINUTES = 390
_VALUES = ("symbol", "ts", "open", "high", "low", "close", "volume", "vwap", "trade_count")


def walking_prices(symbol: str, seed: int = 1, price: float = 100.0, *, count: int = SESSION_MINUTES) -> list[Row]:
    """A session of minutes that move like a liquid share's: prices of cents, steps of a few basis points."""
    random = np.random.default_rng(seed)
    closes = np.round(price * np.exp(np.cumsum(random.normal(0, 4e-4, count))), 2)
    opens = np.concatenate(([price], closes[:-1]))
    spread = np.round(np.abs(random.normal(0, 3e-4, (2, count))) * price + 0.01, 2)
    highs, lows = np.maximum(opens, closes) + spread[0], np.minimum(opens, closes) - spread[1]
    volumes = np.round(random.lognormal(8, 0.5, count))
    return [
        bar(
            symbol,
            OPEN_US + at * MINUTE_US,
            open=float(opens[at]),
            high=round(float(highs[at]), 2),
            low=round(float(lows[at]), 2),
            close=float(closes[at]),
            volume=float(volumes[at]),
        )
        for at in range(count)
    ]


def changed(rows: Sequence[Row], changes: Mapping[int, Mapping[str, Any]]) -> list[Row]:
    """The rows with some values of some of them changed."""
    return [row | dict(changes.get(at, {})) for at, row in enumerate(rows)]


def load(lake: Lake, feed: Feed, *sources: SourceFile | Sequence[Row]) -> None:
    """Take in files (rows are file `bars.csv`) and walk everything."""
    files = [each if isinstance(each, SourceFile) else source_of("bars.csv", each) for each in sources]
    take_in(lake, feed, *files)
    walk_stale(lake, feed)


def find(lake: Lake, feed: Feed, *findings: Mapping[str, Any], key: str = DAY) -> None:
    """Store the findings of a partition; what a finding leaves out is null."""
    usual = {"dimension": "accuracy", "severity": "warn", "bars": 1, "message": "found", "standing": True}
    rows = [{**dict.fromkeys(FINDING_SCHEMA.names), **usual, **finding} for finding in findings]
    for row in rows:
        row["session_date"] = row["session_date"] or datetime.fromisoformat(key).date()
        row["ts_last"] = row["ts_last"] if row["ts_last"] is not None else row["ts"]
    table = pa.Table.from_pylist(rows, FINDING_SCHEMA)
    lake.store(feed.name, [TableWrite(QUALITY_FINDINGS, key, table, "hand-made", None)], {})


def apply_all(lake: Lake, feed: Feed, least: float = 0.0, *, known_at: int = LATER + MINUTE_US) -> list[RepairReport]:
    """Apply every proposal that is this sure and walk what changed."""
    repairs = [each for each in propose_repairs(lake, feed, RepairQuestion()) if each.confidence >= least]
    reports = list(apply_repairs(lake, feed, repairs, run_id="repairing", clock=lambda: known_at))
    walk_stale(lake, feed)
    return reports


def stored_bars(lake: Lake, feed: Feed, key: str = DAY) -> list[tuple[Any, ...]]:
    """What the lake holds of a partition: every bar's values in (symbol, ts) order."""
    return values_of(lake.read(VALIDATED_BARS, feed.name, key).to_pylist())


def values_of(rows: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Rows as tuples in (symbol, ts) order, times in microseconds."""
    found = [tuple(_plain(row[name]) for name in _VALUES) for row in rows]
    return sorted(found, key=lambda values: values[:2])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        delta = value - datetime(1970, 1, 1, tzinfo=UTC)
        return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    return value
