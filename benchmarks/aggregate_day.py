"""A day of minute bars, Parquet to Parquet, all timeframes: this project's kernel beside pandas and polars.

    python benchmarks/aggregate_day.py [--symbols 10000] [--runs 3]

Each engine runs in a process of its own, in turn, over the same plain Parquet file (doubles, zstd), and writes one
Parquet file a timeframe. Printed: median seconds and the ratio to ours in the same run, peak memory of each process.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from simulated_day import DAY, benchmark_feed

from marketdata_pipelines.domain.feeds import Anchor

MINUTES = {"5m": "5min", "15m": "15min", "30m": "30min", "1h": "1h", "2h": "2h", "4h": "4h", "6h": "6h", "8h": "8h",
           "12h": "12h", "1d": "1D", "2d": "2D", "1w": "W-MON", "1M": "MS"}  # fmt: skip
POLARS = {**{name: name for name in MINUTES}, "1M": "1mo"}
ENGINES = ("ours", "pandas", "polars")


def write_input(path: Path, symbols: int) -> int:
    """Write the simulated day as plain Parquet; returns its rows."""
    from marketdata_pipelines.sources.simulated.bars import simulate_bars

    bars = simulate_bars(benchmark_feed(symbols, Anchor.UTC), DAY)
    columns = ["symbol", "ts", "open", "high", "low", "close", "volume", "vwap", "trade_count"]
    pq.write_table(bars.select(columns), path, compression="zstd", row_group_size=1 << 18)
    return bars.num_rows


def read_batches(source: Path) -> Iterator[pa.Table]:
    """The file's row groups, as bars of the regular session."""
    import numpy as np

    opened = pq.ParquetFile(source, read_dictionary=["symbol"])
    for group in range(opened.num_row_groups):
        bars = opened.read_row_group(group)
        yield bars.append_column("regular", pa.array(np.ones(bars.num_rows, bool)))


def run_ours(source: Path, target: Path) -> None:
    from marketdata_pipelines.domain.session_grid import SessionGrid
    from marketdata_pipelines.pipeline.aggregate import aggregate_batches, aggregate_days
    from marketdata_pipelines.stores.lake.lake import Lake, TableWrite

    feed = benchmark_feed(1, Anchor.UTC)
    grid = SessionGrid(feed, DAY, DAY)
    made = aggregate_batches(feed, grid, read_batches(source), 2**62)
    tables = {**made.intraday, "bars_1d": made.daily}
    for name in ("2d", "1w", "1M"):
        tables[f"bars_{name}"] = aggregate_days(feed, made.daily, name, 2**62)
    Lake(target).store("bench", [TableWrite(name, "2024-07-02", table, "") for name, table in tables.items()], {})


def run_pandas(source: Path, target: Path) -> None:
    import pandas as pd

    frame = pd.read_parquet(source)
    frame["notional"] = frame["vwap"] * frame["volume"]
    how = {
        "open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "notional": "sum",
        "trade_count": "sum",
    }  # fmt: skip
    for name, freq in MINUTES.items():
        keys = ["symbol", pd.Grouper(key="ts", freq=freq)]
        made = frame.groupby(keys, sort=True, observed=True).agg(how).reset_index()
        made["vwap"] = made["notional"] / made["volume"]
        made.to_parquet(target / f"{name}.parquet", compression="zstd")


def run_polars(source: Path, target: Path) -> None:
    import polars as pl

    frame = pl.read_parquet(source).with_columns(notional=pl.col("vwap") * pl.col("volume"))
    for name, every in POLARS.items():
        made = (
            frame.lazy()
            .group_by("symbol", pl.col("ts").dt.truncate(every))
            .agg(
                pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), pl.sum("volume"),
                pl.sum("notional"), pl.sum("trade_count"), pl.len().alias("bar_count"),
            )
            .with_columns(vwap=pl.col("notional") / pl.col("volume"))
            .sort("symbol", "ts")
            .collect()
        )  # fmt: skip
        made.write_parquet(target / f"{name}.parquet", compression="zstd")


def run_engine(engine: str, source: Path) -> None:
    """Run one engine in this process and print its seconds (imports and compilation not counted) and peak memory."""
    engines: dict[str, Callable[[Path, Path], None]] = {"ours": run_ours, "pandas": run_pandas, "polars": run_polars}
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        warm = Path(folder) / "warm.parquet"
        pq.write_table(pq.ParquetFile(source).read_row_group(0).slice(0, 2000), warm)
        engines[engine](warm, Path(folder))
        begun = time.perf_counter()
        engines[engine](source, Path(folder))
        seconds = time.perf_counter() - begun
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"engine": engine, "seconds": seconds, "peak_mb": peak_mb}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--source", type=Path)
    options = parser.parse_args()
    if options.engine:
        run_engine(options.engine, options.source)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "day.parquet"
        rows = write_input(source, options.symbols)
        print(
            f"{rows:,} bars, {options.symbols:,} symbols, {source.stat().st_size / 1e6:.0f} MB, {os.cpu_count()} cores"
        )
        results: dict[str, list[dict[str, float]]] = {engine: [] for engine in ENGINES}
        for _ in range(options.runs):
            for engine in ENGINES:
                command = [sys.executable, __file__, "--engine", engine, "--source", str(source)]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                results[engine].append(json.loads(output))
    ours = [result["seconds"] for result in results["ours"]]
    for engine, runs in results.items():
        seconds = [result["seconds"] for result in runs]
        ratio = statistics.median(theirs / own for theirs, own in zip(seconds, ours, strict=True))
        peak = max(result["peak_mb"] for result in runs)
        middle = statistics.median(seconds)
        speed = f"{middle:7.2f} s  {rows / middle / 1e6:6.2f} M bars/s"
        print(f"{engine:8s} {speed}  {ratio:5.1f} x our time  peak {peak:5.0f} MB")


if __name__ == "__main__":
    main()
