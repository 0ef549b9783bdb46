"""Sessions of a small feed launched through the web server of `marketdata up`, all assets, until Dagster says done.

    python benchmarks/served_backfill.py                    250 sessions, then the same on Dagster's own SQLite storage
    python benchmarks/served_backfill.py --years 22 --own   22 years of sessions, on our storage only

Prints where the time goes (waiting for the daemon, days, weeks and months) and the memory of all processes together.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FEED = "small_1m"
FEEDS = """\
feeds:
  small_1m:
    source: {{kind: simulated, symbols: [{symbols}], seed: 3}}
    interval: 1m
    calendar: XNYS
    start: {start}
"""
LAST_SESSION = "2024-12-31"
_LAUNCH = """mutation($b: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $b) {
    ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_STATUS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill {
    status runs(limit: 50) { status creationTime startTime endTime
      tags { key value } assetSelection { path } } } } }"""
_NODES = "{ assetNodes { assetKey { path } partitionKeys } }"


@dataclass(frozen=True, slots=True)
class Phase:
    """One run: its assets' period, and seconds since the launch."""

    period: str
    created: float
    started: float
    ended: float


class Served:
    """A running `marketdata up`."""

    def __init__(self, home: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        command = [str(Path(sys.executable).with_name("marketdata")), "up", "--port", str(port)]
        environment = {**os.environ, "MARKETDATA_HOME": str(home)}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "ready after" in line:
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            data: dict[str, Any] = json.loads(answer.read())["data"]
        return data

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


class Memory:
    """The greatest proportional memory of a process and all below it, looked at every two seconds."""

    def __init__(self, pid: int) -> None:
        self.peak_kib, self._pid, self._ended = 0, pid, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def end(self) -> int:
        self._ended.set()
        return self.peak_kib

    def _watch(self) -> None:
        while not self._ended.wait(2):
            self.peak_kib = max(self.peak_kib, sum(map(_proportional_kib, _tree(self._pid))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--years", type=int, help="instead: all sessions of so many years")
    parser.add_argument("--symbols", type=int, default=3)
    parser.add_argument("--own", action="store_true", help="leave Dagster's own storage out")
    arguments = parser.parse_args()
    for storage in ("ours",) if arguments.own else ("ours", "stock"):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), storage, arguments.sessions, arguments.years, arguments.symbols)


def measure(home: Path, storage: str, sessions: int, years: int | None, symbols: int) -> None:
    """One backfill on one storage, in a new home."""
    start = f"{2025 - years}-01-02" if years else "2020-01-02"
    names = ", ".join(f"S{number:03d}" for number in range(symbols))
    (home / "feeds.yaml").write_text(FEEDS.format(symbols=names, start=start), "utf-8")
    configure(home, storage)
    with served(home) as site:
        nodes = [node for node in site.ask(_NODES)["assetNodes"] if node["assetKey"]["path"][0] == FEED]
        nodes = [node for node in nodes if node["partitionKeys"]]
        days = next(node for node in nodes if node["assetKey"]["path"][1] == "raw_bars")["partitionKeys"]
        keys = [key for key in days if key <= LAST_SESSION]
        keys = keys if years else keys[-sessions:]
        memory = Memory(site.process.pid)
        total, phases = backfill(site, [node["assetKey"] for node in nodes], keys)
        report(storage, keys, symbols, total, phases, memory.end(), home)


def configure(home: Path, storage: str) -> None:
    """Our dagster.yaml; for `stock` with Dagster's own storage in it."""
    from dagster import DagsterInstance

    from marketdata_pipelines.orchestration.history.instance import make_home
    from marketdata_pipelines.settings.environment import Settings

    folder = make_home(Settings(home=home))
    if storage == "stock":
        text = (folder / "dagster.yaml").read_text("utf-8")
        stock = f"storage:\n  sqlite: {{base_dir: {folder}}}\n"
        (folder / "dagster.yaml").write_text(re.sub(r"(?s)storage:\n.*?\n(?=\S)", stock, text, count=1), "utf-8")
        # Its making of tables is not meant for several processes that start at once.
        with DagsterInstance.from_config(str(folder)):
            pass


@contextmanager
def served(home: Path) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site = Served(home, port)
    try:
        yield site
    finally:
        site.end()


def backfill(site: Served, assets: list[Any], keys: list[str]) -> tuple[float, list[Phase]]:
    """Launch all assets over the keys and wait; seconds until done, and its runs."""
    began = time.time()
    answer = site.ask(_LAUNCH, b={"assetSelection": assets, "partitionNames": keys})["launchPartitionBackfill"]
    while True:
        state = site.ask(_STATUS, id=answer["backfillId"])["partitionBackfillOrError"]
        if state["status"] not in ("REQUESTED", "CANCELING", "FAILING"):
            break
        # An answer about thousands of partitions takes the web server a while; a page asks every few seconds.
        time.sleep(min(0.5 + (time.time() - began) / 60, 5))
    total = time.time() - began
    if state["status"] != "COMPLETED_SUCCESS":
        raise SystemExit(f"the backfill ended as {state['status']}")
    phases = [
        Phase(_period(run), run["creationTime"] - began, run["startTime"] - began, run["endTime"] - began)
        for run in state["runs"]
    ]
    return total, sorted(phases, key=lambda phase: phase.created)


def report(
    storage: str, keys: list[str], symbols: int, total: float, phases: list[Phase], peak_kib: int, home: Path
) -> None:
    days = [phase for phase in phases if phase.period == "day"]
    walked = sum(phase.ended - phase.started for phase in days)
    coarser = max((phase.ended for phase in phases), default=0.0) - max(phase.ended for phase in days)
    print(f"{storage} storage: {len(keys)} sessions of {symbols} symbols, {keys[0]} … {keys[-1]}, {len(phases)} runs")
    print(f"  launched to done   {total:7.1f} s")
    print(f"  until days start   {days[0].started:7.1f} s")
    print(f"  days               {walked:7.1f} s   {1000 * walked / len(keys):.1f} ms a session")
    print(f"  weeks and months   {coarser:7.1f} s   (with the wait before them)")
    print(f"  until seen as done {total - max(phase.ended for phase in phases):7.1f} s")
    print(
        f"  memory of all processes together {peak_kib / 1024:.0f} MiB; history {_bytes(home / 'dagster') / 1e6:.0f} MB"
    )


def _period(run: dict[str, Any]) -> str:
    names = {asset["path"][1] for asset in run["assetSelection"] or ()}
    return "day" if "raw_bars" in names else "week" if "weekly_bars" in names else "month"


def _tree(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _proportional_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
