"""A drop folder looked at again and again, while files come, change, move and go."""

import gzip
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.pipeline.intake import Left, take_in
from marketdata_pipelines.pipeline.landing import Look, Watched, look
from marketdata_pipelines.stores.lake.digests import Digests
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed

SECOND = 1_000_000
BARS = "symbol,timestamp,open,high,low,close,volume\nSPY,2024-03-08T14:30:00Z,10,11,9,10,{volume}\n"


@dataclass
class Folder:
    """A drop folder with a clock that is set by hand; each look is a tick of the sensor."""

    lake: Lake
    path: Path
    feed: Feed = field(default_factory=lambda: make_feed())
    now_us: int = 0
    watched: Mapping[str, Watched] = field(default_factory=dict)

    def write(self, name: str, content: str | bytes = BARS.format(volume=1)) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def look(self, after_seconds: float = 15) -> Look:
        self.now_us += int(after_seconds * SECOND)
        found = look(self.lake, self.feed, str(self.path), self.watched, lambda: self.now_us)
        self.watched = found.watched
        return found

    def new(self, after_seconds: float = 15) -> list[str]:
        return sorted(os.path.relpath(each.path, self.path) for each in self.look(after_seconds).new)

    def settled(self) -> list[str]:
        """What is new after two looks."""
        self.look()
        return self.new()

    def take_in(self, *names: str) -> list[str]:
        paths = [str(self.path / name) for name in names]
        reports = take_in(self.lake, self.feed, paths, run_id="run", clock=lambda: self.now_us)
        return ["left" if isinstance(report, Left) else str(report.status) for _, report in reports]


@pytest.fixture
def folder(lake: Lake, tmp_path: Path) -> Folder:
    (tmp_path / "landing").mkdir()
    return Folder(lake, tmp_path / "landing")


def test_a_file_is_new_at_the_second_look_that_finds_it_unchanged(folder: Folder) -> None:
    folder.write("a.csv")

    assert folder.new() == []
    assert folder.new() == ["a.csv"]


def test_two_looks_close_together_are_not_enough(folder: Folder) -> None:
    folder.write("a.csv")

    assert folder.new() == []
    assert folder.new(after_seconds=5) == []
    assert folder.new(after_seconds=5) == ["a.csv"]


def test_a_file_that_grows_between_looks_waits(folder: Folder) -> None:
    for volume in range(3):
        folder.write("a.csv", BARS.format(volume=1) * (volume + 1))
        assert folder.new() == []

    assert folder.new() == ["a.csv"]


def test_a_file_that_was_copied_with_its_old_times_waits_all_the_same(folder: Folder) -> None:
    path = folder.write("a.csv")
    os.utime(path, (1_000_000, 1_000_000))

    assert folder.new() == []


def test_a_file_that_is_being_written_waits_however_long_it_stands_still(folder: Folder) -> None:
    path = folder.write("a.csv")

    with open(path, "a"):
        folder.look()
        found = folder.look(3600)

    assert found.new == ()
    assert found.waiting == {str(path): "another process is writing it"}
    assert folder.new() == ["a.csv"]


def test_a_text_whose_last_line_is_open_waits_a_minute(folder: Folder) -> None:
    folder.write("a.csv", BARS.format(volume=1).rstrip("\n"))

    assert folder.settled() == []
    assert folder.new(after_seconds=30) == []
    assert folder.new(after_seconds=15) == ["a.csv"]


def test_a_cut_file_waits_for_its_rest_and_is_handed_over_when_none_comes(folder: Folder) -> None:
    whole = gzip.compress(BARS.format(volume=1).encode() * 50)
    folder.write("late.csv.gz", whole[:-9])
    folder.write("never.csv.gz", whole[:-10])

    assert folder.settled() == []
    folder.write("late.csv.gz", whole)
    assert folder.settled() == ["late.csv.gz"]
    assert folder.new(after_seconds=600) == ["late.csv.gz", "never.csv.gz"]


def test_temporary_and_hidden_names_are_left_alone_until_they_are_renamed(folder: Folder) -> None:
    for name in ("a.csv.part", ".b.csv", ".hidden/c.csv", "d.csv.filepart", "e.csv~"):
        folder.write(name)

    assert folder.settled() == []

    (folder.path / "a.csv.part").rename(folder.path / "a.csv")

    assert folder.settled() == ["a.csv"]


def test_a_file_that_was_taken_in_is_never_new_again(folder: Folder) -> None:
    folder.write("a.csv")
    folder.settled()

    assert folder.take_in("a.csv") == ["accepted"]
    assert folder.settled() == []
    assert folder.look().known == 1
    assert folder.watched == {}


@pytest.mark.parametrize("memory", ["kept", "lost"])
def test_a_known_content_moved_renamed_copied_or_touched_is_not_new(folder: Folder, memory: str) -> None:
    folder.write("a.csv")
    folder.settled()
    folder.take_in("a.csv")
    if memory == "lost":
        folder.lake.layout.digests("feed").unlink()

    (folder.path / "sub").mkdir()
    (folder.path / "a.csv").rename(folder.path / "sub" / "b.csv")
    shutil.copy(folder.path / "sub" / "b.csv", folder.path / "c.csv")
    os.utime(folder.path / "c.csv", (5, 5))

    assert folder.settled() == []
    assert folder.look().known == 2


def test_new_content_under_an_old_name_is_new_even_with_the_same_size_and_time(folder: Folder) -> None:
    path = folder.write("a.csv")
    times = path.stat()
    folder.settled()
    folder.take_in("a.csv")

    folder.write("a.csv", BARS.format(volume=2))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert path.stat().st_size == times.st_size
    assert folder.settled() == ["a.csv"]


def test_a_refused_content_is_not_new_until_the_feed_reads_files_another_way(folder: Folder) -> None:
    folder.write("bad.csv", "nonsense\n1\n")
    folder.settled()

    assert folder.take_in("bad.csv") == ["refused"]
    assert folder.settled() == []

    folder.feed = replace(folder.feed, source=replace(folder.feed.source, delimiter=";"))

    assert folder.new() == ["bad.csv"]


def test_the_same_content_under_two_names_is_one_new_file(folder: Folder) -> None:
    folder.write("a.csv")
    folder.write("b.csv")

    assert folder.settled() == ["a.csv"]


def test_only_new_files_are_read_and_a_thousand_known_ones_cost_a_stat_each(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        folder.write(f"{number}.csv", BARS.format(volume=number))
    folder.settled()
    stored = Digests(folder.lake.layout.digests("feed")).known()
    read: list[str] = []
    monkeypatch.setattr("marketdata_pipelines.pipeline.landing.file_digest", lambda path: read.append(path))

    found = folder.look()

    assert len(stored) == 300
    assert read == []
    assert len(found.new) == 300


def test_subfolders_and_links_to_files_count_links_to_nothing_and_pipes_do_not(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text(BARS.format(volume=5))
    folder.write("2024/03/a.csv")
    (folder.path / "link.csv").symlink_to(outside)
    (folder.path / "broken.csv").symlink_to(tmp_path / "nowhere.csv")
    os.mkfifo(folder.path / "pipe.csv")

    assert folder.settled() == ["2024/03/a.csv", "link.csv"]


def test_what_cannot_be_read_is_told_once_and_again_only_when_it_changes(folder: Folder) -> None:
    loop = folder.path / "loop.csv"
    loop.symlink_to(loop)

    first, second = folder.look(), folder.look()

    assert list(first.unreadable) == [str(loop)]
    assert second.unreadable == {}
    assert list(second.waiting) == [str(loop)]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_told_once_and_taken_when_it_may_be_read(folder: Folder) -> None:
    path = folder.write("a.csv")
    path.chmod(0)
    folder.look()

    told = [list(folder.look().unreadable) for _ in range(3)]
    path.chmod(0o600)

    assert told == [[str(path)], [], []]
    assert folder.settled() == ["a.csv"]


def test_a_file_that_goes_while_it_waits_is_forgotten(folder: Folder) -> None:
    path = folder.write("a.csv")
    folder.look()

    path.unlink()

    assert folder.new() == []
    assert folder.watched == {}


def test_no_folder_yet_is_no_error(folder: Folder) -> None:
    folder.path.rmdir()

    assert folder.look() == Look(0, (), {}, {}, {})


def test_a_pattern_names_the_files_that_count(folder: Folder) -> None:
    folder.write("a.csv")
    folder.write("b.txt", BARS.format(volume=2))
    only_csv = replace(folder, path=folder.path / "*.csv")

    only_csv.look()
    found = only_csv.look()

    assert [Path(each.path).name for each in found.new] == ["a.csv"]


def test_what_is_remembered_between_looks_is_bounded_and_every_file_gets_its_turn(folder: Folder) -> None:
    for number in range(1100):
        folder.write(f"{number:04}.csv", BARS.format(volume=number))

    folder.look()
    first = len(folder.watched)
    folder.look()
    everything = {name for _ in range(3) for name in folder.new()}

    assert first == 1000
    assert len(everything) == 1100
