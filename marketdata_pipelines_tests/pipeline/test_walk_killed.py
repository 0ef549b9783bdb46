"""SIGKILL at random points of an ingest and a walk; run again: the same bytes, nothing lost, nothing stray."""

import random
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from marketdata_pipelines.pipeline.changes import stale_partitions
from marketdata_pipelines.settings.feeds_file import parse_feeds
from marketdata_pipelines.sources.simulated.files import write_files
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import lake_files

FEEDS = """
feeds:
  exchange:
    source: {kind: simulated, symbols: 20, seed: 5, faults: {high_lt_low: 3, dup_exact: 2, bad_timestamp: 1}}
    interval: 1m
    calendar: XNYS
  files: {source: {kind: files}, interval: 1m, calendar: XNYS, extended_hours: [04:00, 20:00]}
"""
START, END = date(2024, 7, 1), date(2024, 7, 12)
KILLS = 8
WORK = """
import sys, time
from pathlib import Path
from marketdata_pipelines.pipeline.acquire import acquire
from marketdata_pipelines.settings.feeds_file import parse_feeds
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import walk_stale
from marketdata_pipelines_tests.pipeline.test_walk_killed import FEEDS

lake, feed = Lake(Path(sys.argv[1])), parse_feeds(FEEDS, "feeds.yaml")["files"]
print("ready", flush=True)
acquire(lake, feed, sys.argv[2], [], run_id="r", now_us=time.time_ns() // 1000)
walk_stale(lake, feed)
"""


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    write_files(parse_feeds(FEEDS, "feeds.yaml")["exchange"], START, END, str(folder))
    return folder


def work(root: Path, landing: Path, *, kill_after: float | None = None) -> int:
    """Ingest and walk in a process of its own, killed some seconds after it began its work; its exit code."""
    command = [sys.executable, "-c", WORK, str(root), str(landing)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            return process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def test_killed_work_run_again_leaves_the_same_bytes(landing: Path, tmp_path: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    assert work(undisturbed, landing) == 0
    # Undisturbed it takes about two seconds, and less the more is there already.
    moments = random.Random(11)

    ends = [work(killed, landing, kill_after=moments.uniform(0.2, 1.4)) for _ in range(KILLS)]
    last = work(killed, landing)

    assert ends.count(-signal.SIGKILL) >= KILLS // 2
    assert last == 0
    assert lake_files(Lake(killed)) == lake_files(Lake(undisturbed))
    assert ledger(killed) == ledger(undisturbed)
    assert strays(killed) == []
    feed = parse_feeds(FEEDS, "feeds.yaml")["files"]
    assert all(not keys for keys in stale_partitions(Lake(killed), feed).values())


def ledger(root: Path) -> list[tuple[str, str, int, str]]:
    return [(item.file, item.sha256, item.rows, item.status) for item in Lake(root).catalog.ingests("files")]


def strays(root: Path) -> list[str]:
    hidden = [path for folder in (".tmp", ".staging") for path in (root / folder).rglob("*") if path.is_file()]
    return [str(path) for path in (*hidden, *root.glob("catalog.sqlite-journal"))]
