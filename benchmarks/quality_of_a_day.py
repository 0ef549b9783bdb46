"""What quality costs on an ordinary day: one session of many symbols through the graph, with it and without.

    python benchmarks/quality_of_a_day.py [--symbols 1000] [--runs 3]

A simulated exchange writes the session as a CSV file; `marketdata ingest --materialize` takes it in, each time in a
process of its own and a new home, with `quality: {level: standard}` and `{level: none}` in turn. The shortest counts.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from simulated_day import benchmark_feed

from marketdata_pipelines.domain.feeds import Anchor
from marketdata_pipelines.sources.simulated.files import write_files

FEEDS = """\
feeds:
  day_1m:
    source: {{kind: files}}
    interval: 1m
    calendar: XNYS
    anchor: session
    quality: {{level: {level}}}
"""
DAY = date(2024, 3, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        landing = Path(folder) / "landing"
        write_files(replace(benchmark_feed(options.symbols, Anchor.SESSION), name="day_1m"), DAY, DAY, str(landing))
        taken = {
            level: min(ingest(Path(folder) / f"{level}{at}", landing, level) for at in range(options.runs))
            for level in ("none", "standard")
        }
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    share = (taken["standard"] - taken["none"]) / taken["standard"]
    print(f"one session of {options.symbols} symbols, about {options.symbols * 390:,} bars")
    print(f"  without quality   {taken['none']:6.2f} s")
    print(f"  standard          {taken['standard']:6.2f} s   {share:.0%} of the run; peak {peak:.0f} MB")


def ingest(home: Path, landing: Path, level: str) -> float:
    """Seconds of `marketdata ingest --materialize`, from the start of its process to the end."""
    home.mkdir()
    (home / "feeds.yaml").write_text(FEEDS.format(level=level), "utf-8")
    command = [str(Path(sys.executable).with_name("marketdata")), "ingest", "day_1m", str(landing), "--materialize"]
    begun = time.perf_counter()
    subprocess.run(command, env={**os.environ, "MARKETDATA_HOME": str(home)}, check=True, capture_output=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
