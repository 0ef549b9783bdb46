"""One corrected minute in a year of many symbols, through the graph, against rebuilding the year.

    python benchmarks/corrected_minute.py [--symbols 100] [--sessions 250]

A simulated exchange writes the sessions as CSV files; `marketdata ingest --materialize` takes them in (the rebuilding).
Then a file with one bar of one symbol is taken in the same way. Prints both times, each a process of its own from start
to end, and which files and rows of the lake changed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
from simulated_day import benchmark_feed

from marketdata_pipelines.domain.feeds import Anchor
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.sources.simulated.files import write_files
from marketdata_pipelines.stores.lake.lake import Lake

FEEDS = """\
feeds:
  year_1m:
    source: {kind: files}
    interval: 1m
    calendar: XNYS
    anchor: session
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--sessions", type=int, default=250)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, landing = Path(folder) / "home", Path(folder) / "landing"
        home.mkdir()
        (home / "feeds.yaml").write_text(FEEDS, "utf-8")
        days = write_year(landing, options.symbols, options.sessions)
        rebuilt = ingest(home, landing)
        lake, middle = Lake(home / "lake"), days[len(days) // 2]
        before, correction = contents(lake), write_correction(Path(folder), landing, middle)
        corrected = ingest(home, correction)
        report(options.symbols, len(days), rebuilt, corrected, before, contents(lake), lake)


def write_year(landing: Path, symbols: int, sessions: int) -> list[date]:
    """The sessions' files; their dates."""
    feed = replace(benchmark_feed(symbols, Anchor.SESSION), name="year_1m")
    days = [session.date for session in feed_calendar(feed).sessions(date(2023, 1, 3), date(2024, 12, 31))][:sessions]
    write_files(feed, days[0], days[-1], str(landing))
    return days


def write_correction(folder: Path, landing: Path, day: date) -> Path:
    """The header and one bar of the day's file, its high a fifth higher: the highest of every bucket it is in."""
    source = next(path for path in sorted(landing.iterdir()) if day.isoformat() in path.name)
    header, *lines = source.read_text("utf-8").splitlines()
    names = header.split(",")
    cells = dict(zip(names, lines[len(lines) // 2].split(","), strict=True))
    cells["high"] = f"{float(cells['high']) * 1.2:.2f}"
    path = folder / f"correction-{day}.csv"
    path.write_text(f"{header}\n{','.join(cells[name] for name in names)}\n", "utf-8")
    return path


def ingest(home: Path, path: Path) -> float:
    """Seconds of `marketdata ingest --materialize`, from the start of its process to the end."""
    command = [str(Path(sys.executable).with_name("marketdata")), "ingest", "year_1m", str(path), "--materialize"]
    begun = time.perf_counter()
    subprocess.run(command, env={**os.environ, "MARKETDATA_HOME": str(home)}, check=True, capture_output=True)
    return time.perf_counter() - begun


def contents(lake: Lake) -> dict[str, bytes]:
    """The bytes of every derived file."""
    root = lake.layout.root
    files = (path for path in root.rglob("*.parquet") if not path.relative_to(root).parts[0].startswith(("raw", ".")))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def report(
    symbols: int,
    sessions: int,
    rebuilt: float,
    corrected: float,
    before: dict[str, bytes],
    after: dict[str, bytes],
    lake: Lake,
) -> None:
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    print(
        f"{sessions} sessions of {symbols} symbols; {len(after):,} files, {sum(map(len, after.values())) / 1e6:.0f} MB"
    )
    print(f"  taken in and materialized whole  {rebuilt:7.1f} s")
    print(f"  one corrected minute             {corrected:7.1f} s   {rebuilt / corrected:.0f} times as fast")
    print(f"  files changed {len(changed)}")
    for name in changed:
        rows = "new" if name not in before else f"{changed_rows(before[name], after[name])} rows differ"
        print(f"    {name}: {rows}")


def changed_rows(before: bytes, after: bytes) -> int:
    import pyarrow.parquet as pq

    old, new = (pq.read_table(pa.BufferReader(content)).to_pylist() for content in (before, after))
    return len({str(row) for row in new} - {str(row) for row in old})


if __name__ == "__main__":
    main()
