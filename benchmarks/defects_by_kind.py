"""Which defects of labelled dirty files are found and named, and how often clean data is warned of.

    python benchmarks/defects_by_kind.py DATA [--symbols 20] [--sessions 250] [--only dirty|alone|clean]

DATA is a folder with `dirty/` (files and labels.csv), `score.py`, and clean sets in the folders that SETS names. The
dirty files are taken in twice: all into one feed, where each is replaced by those after it, and each into a feed of its
own. Clean: every set, and a simulated exchange's sessions written as CSV. Prints located and named by kind, and
warnings by rule and per 1,000 symbol-sessions.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from simulated_day import benchmark_feed

import marketdata_pipelines as md
from marketdata_pipelines.domain.feeds import Anchor
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.domain.quality.defect_kinds import named_kinds
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS, raw_asset
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.ingest import IngestRun, ingest_files
from marketdata_pipelines.pipeline.quality.judging import PartitionJudge
from marketdata_pipelines.pipeline.walk import walk_partitions
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.sources.files.listing import list_files

DIRTY = "{source: {kind: files}, interval: 1m, calendar: XNYS}"
CLOCKS = "{source: {kind: files}, interval: 1m, calendar: 24/7, asset_class: equity}"
NY = "source: {kind: files, timezone: America/New_York}"
# Feed, files below DATA, definition.
SETS = (
    ("csv_minutes", "csv_vendor", f"{{{NY}, interval: 1m, calendar: XNYS, extended_hours: [04:00, 20:00]}}"),
    ("parquet_minutes", "parquet_daily",
     "{source: {kind: files}, interval: 1m, calendar: XNYS, extended_hours: [04:00, 20:00]}"),
    ("end_labels", "ninjatrader",
     "{source: {kind: files, timezone: UTC, label: end}, interval: 1m, calendar: XNYS, "
     "extended_hours: [04:00, 20:01]}"),
    ("seconds", "csv_gz/IBM_1s_2013-10-07_08.csv.gz",
     f"{{{NY}, interval: 1s, calendar: XNYS, extended_hours: [04:00, 20:00]}}"),
    ("hours", "csv_gz/US_hourly_SPY_AAPL.csv.gz", f"{{{NY}, interval: 1h, calendar: XNYS, anchor: utc}}"),
    ("days", "csv_gz/US_daily_SPY_AAPL_QQQ.csv.gz", "{source: {kind: files}, interval: 1d, calendar: XNYS}"),
    ("sheets", "excel", "{source: {kind: files}, interval: 1d, calendar: XNYS}"),
    ("coins", "jsonl", "{source: {kind: files}, interval: 1m, calendar: 24/7}"),
    ("perpetual", "csv_gz/BTC-PERP_1m_2022-01.csv.gz",
     "{source: {kind: files, timezone: UTC}, interval: 1m, calendar: 24/7, volume_unit: quote}"),
    ("futures", "csv_gz/CME_ES_1m_2013.csv.gz", "{source: {kind: files}, interval: 1m, calendar: CMES, anchor: utc}"),
    ("currencies", "tsv", "{source: {kind: files}, interval: 1m, calendar: fx}"),
    ("trades", "trades/IBM_*.csv.gz", f"{{{NY}, data: trades, interval: 1s, calendar: XNYS, anchor: utc}}"),
    ("coin_trades", "trades/bitstampUSD_bitcoincharts.csv",
     "{source: {kind: files}, data: trades, interval: 1s, calendar: 24/7}"),
)  # fmt: skip
COLUMNS = ("file", "line", "row", "symbol", "ts", "rules", "original")
SECONDS = pa.timestamp("s", tz="UTC")
UNLABELLED = ("labels.csv", "natural_oddities.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--symbols", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--only", choices=("dirty", "alone", "clean"))
    options = parser.parse_args()
    parts: dict[str, Callable[[Path], None]] = {
        "dirty": lambda folder: score_dirty(options.data, folder, alone=False),
        "alone": lambda folder: score_dirty(options.data, folder, alone=True),
        "clean": lambda folder: count_warnings(options.data, folder, options.symbols, options.sessions),
    }
    for name, run in parts.items():
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                begun = time.perf_counter()
                run(Path(folder))
                print(f"({time.perf_counter() - begun:.0f} s)\n")


def score_dirty(data: Path, folder: Path, *, alone: bool) -> None:
    """Take the dirty files in, list rejected rows and findings, and let the scorer judge them by their labels."""
    print("Each dirty file in a feed of its own:" if alone else "All dirty files in one feed:")
    paths = [path for path in sorted((data / "dirty").iterdir()) if path.name not in UNLABELLED]
    clocks = [path for path in paths if path.name.startswith("dst_")]
    feeds = [("clocks", CLOCKS, clocks), ("dirty", DIRTY, [path for path in paths if path not in clocks])]
    if alone:
        feeds = [(f"f{at}", CLOCKS if path in clocks else DIRTY, [path]) for at, path in enumerate(paths)]
    listed = folder / "rejected.csv"
    with listed.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(COLUMNS)
        for name, definition, files in feeds:
            reader = load(folder / name, name, definition, map(str, files))
            writer.writerows(_rows(reader.rejected(name, findings=True)))
    kinds = folder / "kinds.json"
    kinds.write_text(json.dumps(named_kinds()), "utf-8")
    labels = data / "dirty" / "labels.csv"
    command = [sys.executable, str(data / "score.py"), str(listed), "--labels", str(labels), "--kinds", str(kinds)]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def count_warnings(data: Path, folder: Path, symbols: int, sessions: int) -> None:
    """Findings in clean data, by set and rule."""
    together, warned = 0, 0
    for name, files, definition in (*SETS, ("simulated", "", DIRTY)):
        paths = list_files(str(data / files)) if files else simulated(folder / "landing", symbols, sessions)
        reader = load(folder / name, name, definition, paths)
        scored = int(pc.sum(pc.is_valid(reader.quality(name)["symbol"])).as_py())
        rules = Counter(reader.findings(name)["rule"].to_pylist())
        together, warned = together + scored, warned + rules.total()
        print(f"{name:16s}{scored:8,} symbol-sessions  {dict(rules) or ''}")
    print(f"{warned} warnings in {together:,} symbol-sessions: {1000 * warned / together:.2f} per 1,000")


def simulated(folder: Path, symbols: int, sessions: int) -> list[str]:
    """A simulated exchange's sessions as files."""
    from marketdata_pipelines.sources.simulated.files import write_files

    feed = replace(benchmark_feed(symbols, Anchor.SESSION), name="simulated")
    days = feed_calendar(feed).sessions(date(2023, 1, 3), date(2024, 12, 31))[:sessions]
    return [source.path for source in write_files(feed, days[0].date, days[-1].date, str(folder))]


def load(home: Path, name: str, definition: str, files: Iterable[str]) -> LakeReader:
    """Take files into a data folder of their own, walk their partitions and judge them."""
    home.mkdir()
    (home / "feeds.yaml").write_text(f"feeds:\n  {name}: {definition}\n", "utf-8")
    reader = md.open(home)
    feed = reader.feed(name)
    reports = list(ingest_files(reader.lake, feed, [file_source(feed, path) for path in files], IngestRun("bench")))
    keys: Sequence[str] = sorted({key for report in reports for key in report.partitions})
    wanted = frozenset({raw_asset(feed), VALIDATED_BARS, REJECTED_BARS})
    for _ in walk_partitions(reader.lake, feed, period_of(feed.partition), keys, wanted, run_id="bench"):
        pass
    if keys:
        PartitionJudge(reader.lake, feed).judge(keys, at_us=time.time_ns() // 1000)
    return reader


def _rows(rejected: pa.Table) -> Iterable[tuple[object, ...]]:
    times = pc.strftime(rejected["ts"].cast(SECONDS, safe=False), "%Y-%m-%dT%H:%M:%SZ").to_pylist()
    columns = [times if name == "ts" else rejected[name].to_pylist() for name in COLUMNS]
    return zip(*columns, strict=True)


if __name__ == "__main__":
    main()
