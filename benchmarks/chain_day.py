"""A day through the whole chain: vendor CSV in, every table written, in rows a second.

    python benchmarks/chain_day.py [--symbols 2500] [--runs 3]

A simulated exchange writes one day as a CSV file; each run takes it into an empty lake (parse, rules, raw part) and
walks the partition (validate, aggregate all timeframes, views, checks, write). Beside it the limit: pyarrow's CSV
reader over the same bytes, doing nothing with them. Each run is a process of its own.
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
from dataclasses import replace
from pathlib import Path

from simulated_day import DAY, benchmark_feed

from marketdata_pipelines.domain.feeds import Anchor, SourceKind, SourceSpec


def run_chain(source: Path, home: Path) -> dict[str, float]:
    """Take the file in and walk its partition; seconds by stage."""
    from marketdata_pipelines.domain.partitions import Period
    from marketdata_pipelines.domain.tables import feed_tables
    from marketdata_pipelines.pipeline.acquire import file_source
    from marketdata_pipelines.pipeline.ingest import IngestRun, ingest_files
    from marketdata_pipelines.pipeline.walk import walk_partitions
    from marketdata_pipelines.stores.lake.lake import Lake

    feed = replace(benchmark_feed(1, Anchor.SESSION), source=SourceSpec(kind=SourceKind.FILES))
    wanted = frozenset(table_set.name for table_set in feed_tables(feed) if table_set.period is Period.DAY)
    lake = Lake(home)
    begun = time.perf_counter()
    reports = list(ingest_files(lake, feed, [file_source(feed, str(source))], IngestRun("bench")))
    ingested = time.perf_counter()
    outcomes = list(walk_partitions(lake, feed, Period.DAY, [DAY.isoformat()], wanted, run_id="bench"))
    ended = time.perf_counter()
    assert all(outcome.passed for outcome in outcomes), outcomes
    return {"rows": reports[0].rows, "ingest": ingested - begun, "walk": ended - ingested, "total": ended - begun}


def run_limit(source: Path) -> dict[str, float]:
    """Only parse the CSV."""
    from pyarrow import csv

    begun = time.perf_counter()
    rows = csv.read_csv(source).num_rows
    return {"rows": rows, "total": time.perf_counter() - begun}


def run_one(engine: str, source: Path) -> None:
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        if engine == "chain":
            # Imports, calendars and compiled kernels are a process's cost, not a day's.
            run_chain(source.with_name("warm.csv"), Path(folder) / "warm")
            result = run_chain(source, Path(folder) / "lake")
        else:
            result = run_limit(source)
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=2_500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engine", choices=("chain", "limit"))
    parser.add_argument("--source", type=Path)
    options = parser.parse_args()
    if options.engine:
        run_one(options.engine, options.source)
        return
    from marketdata_pipelines.sources.simulated.files import write_files

    with tempfile.TemporaryDirectory() as folder:
        for name, symbols in (("warm", 2), ("day", options.symbols)):
            written = write_files(benchmark_feed(symbols, Anchor.SESSION), DAY, DAY, str(Path(folder) / name))
            Path(written[0].path).rename(Path(folder) / f"{name}.csv")
        source = Path(folder) / "day.csv"
        print(f"{options.symbols:,} symbols, {source.stat().st_size / 1e6:.0f} MB of CSV, {os.cpu_count()} cores")
        runs: dict[str, list[dict[str, float]]] = {"chain": [], "limit": []}
        for _ in range(options.runs):
            for engine, results in runs.items():
                command = [sys.executable, __file__, "--engine", engine, "--source", str(source)]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                results.append(json.loads(output.splitlines()[-1]))
    middle = {key: statistics.median(run[key] for run in runs["chain"]) for key in ("rows", "ingest", "walk", "total")}
    limit = statistics.median(run["total"] for run in runs["limit"])
    peak = max(run["peak_mb"] for run in runs["chain"])
    print(f"ingest {middle['ingest']:.2f} s, walk {middle['walk']:.2f} s, chain {middle['total']:.2f} s:"
          f" {middle['rows'] / middle['total'] / 1e3:.0f}K rows/s, peak {peak:.0f} MB;"
          f" {middle['total'] / limit:.1f} x the time of parsing alone ({limit:.2f} s)")  # fmt: skip


if __name__ == "__main__":
    main()
