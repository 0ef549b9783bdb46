"""Walking beside each other, in a program as a run's process is one: forked while it is one thread."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.errors import SettingsInvalid, SourceUnavailable, WorkFailed
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.quality.checks import ValidatedBatch
from marketdata_pipelines.quality.outcome import CheckOutcome, CheckSpec
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import bar, lake_files, make_feed, minutes, source_of, take_in, walk_keys
from marketdata_pipelines_tests.waiting import children_of, wait_until_gone

FEED = make_feed()
DAYS = [f"2024-03-{day:02}" for day in (11, 12, 13, 14, 15, 18, 19, 20, 21, 22, 25, 26, 27)]
BAD = "2024-03-19"
DAILY = frozenset(each.name for each in feed_tables(FEED) if each.period is Period.DAY)


class RefusesOneDay:
    """A suite that gives up over one partition."""

    def specs(self, feed: Feed) -> tuple[CheckSpec, ...]:
        return ()

    def evaluate(self, batch: ValidatedBatch) -> list[CheckOutcome]:
        if batch.partition == DAYS[6]:
            raise SettingsInvalid("the check has no limit")
        return []


# argv: lake, what is done with the outcomes, days. One partition a line; then the outcomes, or the error.
WALK = """
import pickle, sys
from pathlib import Path
from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.pipeline import walk
from marketdata_pipelines.pipeline.walkers import Walkers
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines_tests.pipeline import test_walkers as t

root, mode, *days = sys.argv[1:]
if mode == "refuse":
    suites = walk.default_suites()
    walk.default_suites = lambda: (*suites, t.RefusesOneDay())
def source(keys):
    for key in keys:
        if mode == "dry" and key == t.DAYS[6]:
            raise SourceUnavailable("nobody answers")
        yield key

seen, error, lake = [], None, Lake(Path(root))
walk.clear_lake(lake, t.FEED)
with Walkers(2) as walkers:
    print("ready", flush=True)
    try:
        for outcome in walkers.walk(lake, t.FEED, Period.DAY, source(days), t.DAILY):
            print(outcome.partition, flush=True)
            seen.append(outcome)
            if mode == "stop":
                break
            if mode == "wait":
                sys.stdin.read()
    except Exception as failure:
        error = failure
Path(root + ".outcomes").write_bytes(pickle.dumps((seen, error)))
"""


def start(lake: Lake, mode: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WALK, str(lake.layout.root), mode, *DAYS]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def walk_beside(lake: Lake, mode: str = "all") -> tuple[list[PartitionOutcome], Exception | None]:
    """Outcomes and error of two processes that walk all days."""
    with start(lake, mode) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    seen, error = pickle.loads(Path(f"{lake.layout.root}.outcomes").read_bytes())
    return seen, error


@dataclass(frozen=True, slots=True)
class Filled:
    """Lakes with the same raw parts, and one of them walked."""

    folder: Path
    walked: Lake
    outcomes: list[PartitionOutcome]

    def copy(self, folder: Path) -> Lake:
        """A lake of one's own that is not walked yet."""
        shutil.copytree(self.folder, folder)
        return Lake(folder)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("lakes")
    lake = Lake(folder / "raw")
    for key in DAYS:
        rows = minutes("A", f"{key} 13:30", 390) + minutes("B", f"{key} 13:35", 7)
        rows = [bar("A", f"{key} 13:30", -1.0)] if key == BAD else rows
        take_in(lake, FEED, source_of(f"{key}.csv", rows))
    shutil.copytree(folder / "raw", folder / "walked")
    walked = Lake(folder / "walked")
    return Filled(folder / "raw", walked, list(walk_keys(walked, FEED, Period.DAY, DAYS).values()))


def test_outcomes_and_bytes_are_those_of_walking_one_by_one(filled: Filled, tmp_path: Path) -> None:
    lake = filled.copy(tmp_path / "lake")

    seen, error = walk_beside(lake)

    assert error is None
    assert [outcome.partition for outcome in seen] == DAYS
    assert [gist(outcome) for outcome in seen] == [gist(outcome) for outcome in filled.outcomes]
    assert [outcome.partition for outcome in seen if outcome.blocked] == [BAD]
    assert lake_files(lake) == lake_files(filled.walked)
    assert list(lake.layout.temporary.iterdir()) == []


def gist(outcome: PartitionOutcome) -> object:
    """All of it, with previews as plain rows."""
    results = [
        (replace(result, preview=None, sketch=None), result.preview.to_pylist() if result.preview is not None else None)
        for result in outcome.results
    ]
    return outcome.partition, outcome.blocked, outcome.checks, results


def test_previews_come_without_the_tables_they_are_of(filled: Filled, tmp_path: Path) -> None:
    seen, _ = walk_beside(filled.copy(tmp_path / "lake"))

    held = [
        result.preview.get_total_buffer_size()
        for outcome in seen
        for result in outcome.results
        if result.preview is not None
    ]
    whole = [
        result.preview.get_total_buffer_size() for result in filled.outcomes[0].results if result.preview is not None
    ]
    assert max(whole) > 20_000
    assert max(held) < 4_000


def test_an_error_names_the_partition_and_those_before_it_are_told(filled: Filled, tmp_path: Path) -> None:
    seen, error = walk_beside(filled.copy(tmp_path / "lake"), "refuse")

    assert isinstance(error, WorkFailed)
    assert str(error) == f"feed stopped at {DAYS[6]}: the check has no limit"
    assert [outcome.partition for outcome in seen] == DAYS[:6]


def test_partitions_before_one_whose_source_gives_nothing_are_told(filled: Filled, tmp_path: Path) -> None:
    lake = filled.copy(tmp_path / "lake")

    seen, error = walk_beside(lake, "dry")

    assert isinstance(error, SourceUnavailable)
    assert [outcome.partition for outcome in seen] == DAYS[:6]
    assert [stored.partition for stored in lake.catalog.stored("rejected_bars", "feed")] == DAYS[:6]


def test_who_stops_listening_ends_the_work(filled: Filled, tmp_path: Path) -> None:
    seen, error = walk_beside(filled.copy(tmp_path / "lake"), "stop")

    assert ([outcome.partition for outcome in seen], error) == (DAYS[:1], None)


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_walkers_end_with_their_parent_however_it_ends(
    filled: Filled, tmp_path: Path, signal_number: signal.Signals
) -> None:
    lake = filled.copy(tmp_path / "lake")
    with start(lake, "wait") as process:
        assert process.stdout is not None
        first = [process.stdout.readline().strip() for _ in range(2)]
        walkers = children_of(process.pid)

        os.kill(process.pid, signal_number)

        wait_until_gone(*walkers)
    assert first == ["ready", DAYS[0]]
    assert len(walkers) == 2
    seen, error = walk_beside(lake)
    assert (len(seen), error) == (len(DAYS), None)
    # A process that ended counts as there until the system has buried it, and so long its temporary files stay.
    left = {name: content for name, content in lake_files(lake).items() if not name.startswith(".tmp/")}
    assert left == lake_files(filled.walked)


_OWN = """
from marketdata_pipelines.pipeline.walkers import Walkers, own_walkers
with Walkers(1) as walkers:
    assert own_walkers() is walkers
assert own_walkers() is None
"""


def test_a_process_has_walkers_while_it_has_entered_them() -> None:
    told = subprocess.run([sys.executable, "-c", _OWN], capture_output=True, text=True, check=False)

    assert (told.returncode, told.stderr) == (0, "")
