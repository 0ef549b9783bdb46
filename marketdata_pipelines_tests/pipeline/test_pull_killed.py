"""Pulls that are killed, and pulls of several processes at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from marketdata_pipelines.sources.simulated.exchange_faults import ExchangeFault, FaultPlan
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.sources.exchange.exchanges import (
    exchange_up,
    lake_at,
    ledger,
    pull_all,
    pulled_feed,
    without_origins,
)

KEYS = ["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05"]
PULL = """
import sys
from dataclasses import replace
from pathlib import Path
from marketdata_pipelines.pipeline.pull import PullRun, pull
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.sources.exchange.exchanges import pulled_feed
folder, url, name, calls, per_seconds, rows, *keys = sys.argv[1:]
feed = pulled_feed(url, page_rows=int(rows), calls=int(calls), per_seconds=float(per_seconds), timeout_seconds=60.0)
for report in pull(Lake(Path(folder)), replace(feed, name=name), keys, PullRun("run")):
    print(report.file, report.status, flush=True)
"""


def process(
    lake: Lake, url: str, *, name: str = "feed", calls: int = 50, per_seconds: float = 1.0, rows: int = 300
) -> "subprocess.Popen[str]":
    arguments = [str(lake.layout.root), url, name, str(calls), str(per_seconds), str(rows), *KEYS]
    return subprocess.Popen([sys.executable, "-c", PULL, *arguments], stdout=subprocess.PIPE, text=True)


def test_killed_in_the_middle_and_run_again_nothing_done_is_asked_for_twice(lake: Lake, tmp_path: Path) -> None:
    undisturbed = lake_at(tmp_path / "undisturbed")
    with exchange_up() as served:
        pull_all(undisturbed, pulled_feed(served.url), KEYS, served.clock)
    # Three calls a session; the eighth, in the middle of the third session, is not answered.
    with exchange_up(faults=FaultPlan(schedule=(None,) * 7 + (ExchangeFault.TIMEOUT,))) as served:
        killed = process(lake, served.url)
        assert killed.stdout is not None
        done = [killed.stdout.readline() for _ in range(2)]
        _wait_for_calls(served.calls, 8)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        killed.stdout.close()
        before = served.calls()

        pull_all(lake, pulled_feed(served.url), KEYS, served.clock)

        # What the half of a session takes, and a session.
        assert served.calls() - before == 2 + 3
    assert done == ["feed-2024-07-01 accepted\n", "feed-2024-07-02 accepted\n"]
    assert without_origins(lake) == without_origins(undisturbed)
    assert ledger(lake) == ledger(undisturbed)


def test_two_processes_at_once_keep_one_limit_and_bring_the_same(lake: Lake, tmp_path: Path) -> None:
    undisturbed = lake_at(tmp_path / "undisturbed")
    with exchange_up() as served:
        pull_all(undisturbed, pulled_feed(served.url), KEYS, served.clock)
    with exchange_up(calls=4, per_seconds=0.5) as served:
        both = [process(lake, served.url, calls=4, per_seconds=0.5, rows=100, name=name) for name in ("feed", "other")]
        codes = [(one.communicate(timeout=120), one.returncode)[1] for one in both]
        stats = served.exchange.stats()

    assert codes == [0, 0]
    assert stats["throttled"] == 0
    assert 0 < int(str(stats["largest_window"])) <= 4
    own = {name: content for name, content in without_origins(lake).items() if "/feed/" in name}
    assert own == without_origins(undisturbed)


def test_two_processes_that_pull_the_same_feed_bring_it_once(lake: Lake, tmp_path: Path) -> None:
    undisturbed = lake_at(tmp_path / "undisturbed")
    with exchange_up() as served:
        pull_all(undisturbed, pulled_feed(served.url), KEYS, served.clock)
        both = [process(lake, served.url) for _ in range(2)]
        codes = [(one.communicate(timeout=120), one.returncode)[1] for one in both]

    assert codes == [0, 0]
    assert without_origins(lake) == without_origins(undisturbed)
    assert ledger(lake) == ledger(undisturbed)


def _wait_for_calls(calls: Callable[[], int], wanted: int) -> None:
    deadline = time.monotonic() + 60
    while calls() < wanted:
        assert time.monotonic() < deadline, "the call never came"
        time.sleep(0.01)
