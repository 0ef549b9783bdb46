"""SIGKILL at random points of an ingest and of a backfill; run again: the same bytes, nothing lost, nothing stray."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from marketdata_pipelines.settings.feeds_file import parse_feeds
from marketdata_pipelines.sources.simulated.files import write_files
from marketdata_pipelines.stores.lake.catalog import Catalog
from marketdata_pipelines_tests.acceptance.commands import run

FEEDS = """
feeds:
  exchange:
    source: {kind: simulated, symbols: 40, seed: 3, faults: {high_lt_low: 3, dup_exact: 2, bad_timestamp: 1}}
    interval: 1m
    calendar: XNYS
    start: 2024-07-01
  files: {source: {kind: files}, interval: 1m, calendar: XNYS}
"""
START, END = date(2024, 7, 1), date(2024, 7, 12)
KILLS = 4


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    write_files(parse_feeds(FEEDS, "feeds.yaml")["exchange"], START, END, str(folder))
    return folder


@pytest.mark.parametrize("command", ["ingest", "backfill"])
def test_a_killed_command_run_again_leaves_the_same_bytes(command: str, landing: Path, tmp_path: Path) -> None:
    arguments = (
        ("ingest", "files", str(landing), "--materialize")
        if command == "ingest"
        else ("backfill", "exchange", "--start", START.isoformat(), "--end", END.isoformat())
    )
    undisturbed, killed = _home(tmp_path / "undisturbed"), _home(tmp_path / "killed")
    begun = time.monotonic()
    assert run(undisturbed, *arguments).returncode == 0
    duration = time.monotonic() - begun
    moments = random.Random(17)

    for _ in range(KILLS):
        # The first half is imports; the work is in the second.
        _run_and_kill(killed, arguments, after=duration * moments.uniform(0.4, 1.0))
    ended = run(killed, *arguments)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert _lake_digests(killed) == _lake_digests(undisturbed)
    assert _ledger(killed) == _ledger(undisturbed)
    assert _strays(killed) == []


def _home(folder: Path) -> Path:
    folder.mkdir()
    (folder / "feeds.yaml").write_text(FEEDS)
    return folder


def _run_and_kill(home: Path, arguments: tuple[str, ...], *, after: float) -> None:
    environment = {**os.environ, "MARKETDATA_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "marketdata_pipelines.cli", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _lake_digests(home: Path) -> dict[str, str]:
    """{path: digest} of every Parquet file of the lake."""
    lake = home / "lake"
    files = sorted(lake.rglob("*.parquet"))
    assert files
    return {str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _ledger(home: Path) -> list[tuple[str, str, int]]:
    catalog = Catalog(home / "lake" / "catalog.sqlite")
    return [(item.file, item.sha256, item.rows) for feed in ("exchange", "files") for item in catalog.ingests(feed)]


def _strays(home: Path) -> list[str]:
    lake = home / "lake"
    hidden = (lake / ".tmp", lake / ".staging")
    left = [path for folder in hidden if folder.exists() for path in folder.rglob("*") if path.is_file()]
    journals = [path for path in lake.iterdir() if path.name == "catalog.sqlite-journal"]
    return [str(path) for path in (*left, *journals)]
