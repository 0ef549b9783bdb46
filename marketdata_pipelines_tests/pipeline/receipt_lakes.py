"""Small lakes with real source files behind them, for tests of receipts; nothing here asserts."""

import gzip
from pathlib import Path
from typing import Any

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.receipts.explaining import Explainer
from marketdata_pipelines.pipeline.receipts.records import Receipt
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed, take_in, us, walk_stale

HEADER = "symbol,timestamp,open,high,low,close,volume"
# Friday 2024-03-08, winter time: 09:30 New York is 14:30 UTC.
OPEN = "2024-03-08T14:30"


def row(symbol: str, minute: int, price: float = 10.0, volume: int = 100, day: str = "2024-03-08") -> str:
    """A line of a bar, `minute` minutes after 14:30 UTC; its high is 0.5 above, its low 0.5 below, close 0.25 above."""
    hour, past = divmod(30 + minute, 60)
    prices = f"{price},{price + 0.5},{price - 0.5},{price + 0.25}"
    return f"{symbol},{day}T{14 + hour:02d}:{past:02d}:00Z,{prices},{volume}"


def write_lines(folder: Path, name: str, *lines: str, end: str = "\n", header: str = HEADER) -> str:
    """A CSV file of these lines (gzipped by its name), its path."""
    folder.mkdir(parents=True, exist_ok=True)
    content = "".join(line + end for line in (header, *lines)).encode()
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return str(path)


def load(
    lake: Lake,
    feed: Feed,
    *paths: str,
    known_at: str = "2024-03-10 00:00",
    mode: IngestMode = IngestMode.UPSERT,
    walk: bool = True,
) -> None:
    """Take files in at an instant, and walk what that leaves behind."""
    take_in(lake, feed, *[file_source(feed, path) for path in paths], known_at=known_at, mode=mode)
    if walk:
        walk_stale(lake, feed)


def minutes_feed(**changes: Any) -> Feed:
    """A feed of minutes of XNYS with extended hours."""
    return make_feed("XNYS", "1m", **changes)


def explain(lake: Lake, feed: Feed, symbol: str, ts: str, timeframe: str | None = None, **options: Any) -> Receipt:
    """The receipt of the bar that holds an instant."""
    return Explainer(lake, feed).explain(symbol, us(ts), timeframe, **options)
