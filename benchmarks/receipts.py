"""How long a receipt takes: from a bar of any timeframe back to the lines of its source file.

    python benchmarks/receipts.py [--symbols 500] [--sessions 5] [--receipts 300]

A simulated exchange writes the sessions as CSV files, which are taken in and walked. Random bars of every timeframe are
explained in one process: each with nothing kept from those before it, then again by one explainer that keeps what it
has read. The time of a command is this and about two seconds of Python's start.
"""

import argparse
import random
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from simulated_day import benchmark_feed

from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.tables import bar_table
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.ingest import IngestRun, ingest_files
from marketdata_pipelines.pipeline.receipts.explaining import Explainer
from marketdata_pipelines.pipeline.walk import walk_partitions
from marketdata_pipelines.sources.files.listing import list_files
from marketdata_pipelines.sources.simulated.files import write_files
from marketdata_pipelines.stores.lake.lake import Lake

Bar = tuple[str, int, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--receipts", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        feed = replace(benchmark_feed(options.symbols, Anchor.SESSION), name="shares_1m")
        lake, landing = Lake(Path(folder) / "lake"), Path(folder) / "landing"
        write_files(feed, date(2024, 3, 4), date(2024, 3, 3 + options.sessions), str(landing))
        sources = [file_source(feed, path) for path in list_files(str(landing))]
        reports = list(ingest_files(lake, feed, sources, IngestRun(run_id="load")))
        keys = sorted({key for report in reports for key in report.partitions})
        walk(lake, feed, keys)
        bars = drawn(lake, feed, options.receipts)
        print(
            f"{len(keys)} sessions of {options.symbols} symbols; {len(bars)} receipts of all timeframes, milliseconds"
        )
        tell("nothing kept", [seconds(Explainer(lake, feed), bar) for bar in bars])
        kept = Explainer(lake, feed)
        tell("one explainer", [seconds(kept, bar) for bar in bars])


def walk(lake: Lake, feed: Feed, keys: list[str]) -> None:
    """Walk the days, their weeks and their months."""
    from marketdata_pipelines.domain.tables import feed_tables
    from marketdata_pipelines.pipeline.changes import affected_partitions

    for period, affected in affected_partitions(feed, keys).items():
        assets = frozenset(each.name for each in feed_tables(feed) if each.period is period)
        for outcome in walk_partitions(lake, feed, period, affected, assets, run_id="load"):
            assert outcome.blocked is None, outcome.blocked


def drawn(lake: Lake, feed: Feed, count: int) -> list[Bar]:
    """Random bars, as many of each timeframe."""
    chance, found = random.Random(1), []
    timeframes = (feed.interval.name, *feed.timeframes)
    for timeframe in timeframes:
        table, _ = bar_table(feed, timeframe)
        stored = [item for item in lake.catalog.stored(table, feed.name) if item.rows]
        for _ in range(count // len(timeframes) if stored else 0):
            chosen = chance.choice(stored)
            row = lake.read(table, feed.name, chosen.partition).slice(chance.randrange(chosen.rows), 1)
            found.append((row["symbol"][0].as_py(), int(int_values(row["ts"])[0]), timeframe))
    chance.shuffle(found)
    return found


def seconds(explainer: Explainer, bar: Bar) -> float:
    begun = time.perf_counter()
    explainer.explain(*bar)
    return time.perf_counter() - begun


def tell(name: str, taken: list[float]) -> None:
    cuts = statistics.quantiles([each * 1000 for each in taken], n=100)
    print(
        f"  {name:15s} p50 {cuts[49]:6.1f}   p95 {cuts[94]:6.1f}   p99 {cuts[98]:6.1f}   most {max(taken) * 1000:6.1f}"
    )


if __name__ == "__main__":
    main()
