"""A `marketdata up` whose processes can be killed, and what its home holds afterwards; nothing here is a test."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import pytest
from dagster import AssetKey, AssetRecordsFilter, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import BACKFILL_ID_TAG
from dagster_graphql import DagsterGraphQLClientError

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.quality.records import QUALITY_FINDINGS
from marketdata_pipelines.domain.tables import asset_sets
from marketdata_pipelines.orchestration.running.run_worker import PROCESS_TAG
from marketdata_pipelines.orchestration.services.server import LOGS
from marketdata_pipelines.pipeline.acquire import acquire
from marketdata_pipelines.pipeline.changes import affected_partitions
from marketdata_pipelines.pipeline.quality.judging import PartitionJudge
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.browser.live import LAUNCH, LiveDagster, wait_for
from marketdata_pipelines_tests.builders import LATER, lake_files, walk_keys

PROCESSES = Path("/proc")
SECONDS_TO_GO_ON = 150.0
# What a run is launched with when its process's death is not to be mended by Dagster itself.
NO_RETRY = {"key": "dagster/max_retries", "value": "0"}
GOING = ("REQUESTED", "CANCELING", "FAILING")
REEXECUTE = """
mutation($id: String!) {
  reexecutePartitionBackfill(reexecutionParams: {parentRunId: $id, strategy: FROM_FAILURE}) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
_Found = TypeVar("_Found")


class Part(StrEnum):
    """A process of `marketdata up`, by words of its command line."""

    CODE = "dagster code-server start"
    DAEMON = "marketdata_pipelines.orchestration.services.daemon"
    WEB = "marketdata_pipelines.orchestration.services.web"


@dataclass(frozen=True, slots=True)
class Process:
    """A process that works on a home; `command` are its arguments, joined by spaces."""

    pid: int
    command: str


class MortalDagster(LiveDagster):
    """A running `marketdata up` that survives, or does not survive, SIGKILL."""

    def __init__(self, home: Path) -> None:
        self.home = home
        try:
            super().__init__(home)
        except BaseException:
            kill_all_of(home)
            raise

    def launch(
        self, feed: str, assets: Sequence[str], keys: Sequence[str], title: str, tags: Sequence[Mapping[str, str]] = ()
    ) -> str:
        """Ask for a backfill whose runs carry `tags`; returns its id."""
        selection = [{"path": [feed, asset]} for asset in assets]
        params = {"assetSelection": selection, "partitionNames": list(keys), "title": title, "tags": list(tags)}
        answer = self.ask(LAUNCH, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def kill(self, part: Part) -> list[int]:
        """SIGKILL one of its parts; returns the processes that were it."""
        gone = [process.pid for process in processes_of(self.home) if part in process.command]
        assert gone, f"no process of {self.home} runs {part}"
        for pid in gone:
            _kill(pid)
        return gone

    def kill_everything(self) -> None:
        """SIGKILL all of it at once, run workers included, as a machine that loses power does."""
        kill_all_of(self.home)
        self._process.wait(30)

    def until(self, what: str, look: Callable[[], _Found | None]) -> _Found:
        """As `wait_for`; while the web server is away there is no answer yet."""

        def patient() -> _Found | None:
            try:
                return look()
            except (DagsterGraphQLClientError, OSError):
                return None

        return wait_for(what, patient, SECONDS_TO_GO_ON, self._alive)

    def over(self, backfill_id: str) -> str:
        """The status of a backfill once it is over."""

        def status() -> str | None:
            found = str(self.backfill(backfill_id)["status"])
            return None if found in GOING else found

        return self.until(f"backfill {backfill_id} to be over", status)

    def launch_again(self, backfill_id: str) -> str:
        """Re-execute what a backfill that is over has not done; returns the id of the new one."""
        answer = self.ask(REEXECUTE, id=backfill_id)["reexecutePartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])


def processes_of(home: Path) -> list[Process]:
    """What runs with this home in its environment, this process apart."""
    if not PROCESSES.is_dir():
        pytest.skip("processes are found through /proc, which this system does not have")
    return list(_processes(f"MARKETDATA_HOME={home}".encode()))


def kill_all_of(home: Path) -> None:
    """SIGKILL whatever works on a home, and what that starts meanwhile."""

    def gone() -> bool:
        found = processes_of(home)
        for process in found:
            _kill(process.pid)
        return not found

    wait_for(f"the processes of {home} to be gone", gone)


def _processes(mark: bytes) -> Iterator[Process]:
    for folder in PROCESSES.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        # It may end while it is looked at; a dead one that nobody has waited for has an empty environment.
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                yield Process(int(folder.name), command.strip())


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_worker(instance: DagsterInstance, backfill_id: str) -> str:
    """SIGKILL the process of the backfill's run that works, once there is one; returns the run's id."""

    def working() -> DagsterRun | None:
        started = RunsFilter(statuses=[DagsterRunStatus.STARTED], tags={BACKFILL_ID_TAG: backfill_id})
        return next((run for run in instance.get_runs(started) if PROCESS_TAG in run.tags), None)

    run = wait_for("a run to work", working, SECONDS_TO_GO_ON)
    _kill(int(run.tags[PROCESS_TAG].rpartition(":")[2]))
    return run.run_id


def assets_of(feed: Feed) -> list[str]:
    """Every asset of a feed, as a page's "materialize all" selects them."""
    return [table_set.name for table_set in asset_sets(feed)]


def recorded(instance: DagsterInstance, feed: Feed) -> dict[tuple[str, str], list[str]]:
    """The runs that materialized each (asset, partition) of a feed, one entry an event."""
    found: dict[tuple[str, str], list[str]] = {}
    for asset in assets_of(feed):
        page = instance.fetch_materializations(AssetRecordsFilter(AssetKey([feed.name, asset])), limit=10_000)
        for record in page.records:
            found.setdefault((asset, str(record.partition_key)), []).append(record.run_id)
    return found


def not_in_the_lake(lake: Lake, feed: Feed, shown: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of (asset, partition) shown as done those of which a table is not stored, or its file is not there."""
    missing = []
    for table_set in asset_sets(feed):
        # Where nothing was found there is no table of findings.
        tables = [table for table in table_set.tables if table != QUALITY_FINDINGS]
        stored = {
            (item.tbl, item.partition)
            for table in tables
            for item in lake.catalog.stored(table, feed.name)
            if (lake.layout.root / item.path).is_file()
        }
        if table_set.name.startswith("raw_"):
            stored = {(table, key) for table in tables for key in lake.catalog.raw_partitions(feed.name)}
        missing += [
            (asset, key)
            for asset, key in shown
            if asset == table_set.name and not all((table, key) in stored for table in tables)
        ]
    return sorted(missing)


def files_of(lake: Lake, feed: Feed) -> dict[str, bytes]:
    """The content of every file of a feed, by its path in the lake."""
    return {name: content for name, content in lake_files(lake).items() if f"/{feed.name}/" in name}


def sources(lake: Lake, feed: Feed) -> list[str]:
    """What the ledger says was ingested, one entry an ingest."""
    return sorted(ingest.file for ingest in lake.catalog.ingests(feed.name))


def leftovers(lake: Lake) -> list[str]:
    """Temporary files, staged files and journals that killed writers left behind."""
    hidden = [lake.layout.root / ".tmp", lake.layout.root / ".staging"]
    files = [path for folder in hidden if folder.exists() for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in (*files, *lake.layout.root.glob("catalog.sqlite-journal"))]


def told_by(home: Path) -> set[str]:
    """The names of the logs that `marketdata up` keeps of its parts."""
    return {path.name for path in (home / "dagster" / LOGS).glob("*.log")}


def complaints(home: Path) -> list[str]:
    """Lines of these logs that tell of errors or locked databases."""
    words = ("Traceback", "OperationalError", "is locked", "Error:")
    return [
        f"{name}: {line}"
        for name in sorted(told_by(home))
        for line in (home / "dagster" / LOGS / name).read_text("utf-8", "replace").splitlines()
        if any(word in line for word in words)
    ]


def feeds_in(home: Path) -> dict[str, Feed]:
    """The feeds of a home."""
    return load_feeds(home / "feeds.yaml")


def walk_undisturbed(lake: Lake, feed: Feed, keys: list[str]) -> None:
    """What a backfill of these partitions and their weeks and months comes to, without Dagster, one after the other."""
    acquire(lake, feed, None, keys, run_id="run", now_us=LATER)
    for period, affected in affected_partitions(feed, keys).items():
        walk_keys(lake, feed, period, affected)
    judge = PartitionJudge(lake, feed)
    judge.judge(keys, at_us=LATER)
    if later := judge.later(keys):
        judge.judge(later, at_us=LATER)
