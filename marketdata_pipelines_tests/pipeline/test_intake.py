import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.pipeline.ingest import FileReport, IngestStatus
from marketdata_pipelines.pipeline.intake import Left, last_seq, partitions_behind, take_in, without
from marketdata_pipelines.sources.files.read import read_file
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import LATER, make_feed, walk_stale

BARS = "symbol,timestamp,open,high,low,close,volume\n"
FRIDAY, MONDAY = "SPY,2024-03-08T14:30:00Z,10,11,9,10,1\n", "SPY,2024-03-11T13:30:00Z,10,11,9,10,1\n"


@pytest.fixture
def feed() -> Feed:
    return make_feed()


def taken(lake: Lake, feed: Feed, *paths: Path) -> list[FileReport | Left]:
    found = take_in(lake, feed, map(str, paths), run_id="run", clock=lambda: LATER)
    return [report for _, report in found]


def test_each_file_is_its_own_matter(lake: Lake, feed: Feed, tmp_path: Path) -> None:
    good, bad, gone = tmp_path / "good.csv", tmp_path / "bad.csv", tmp_path / "gone.csv"
    good.write_text(BARS + FRIDAY)
    bad.write_text("nonsense\n")

    reports = taken(lake, feed, gone, bad, good)

    assert reports[0] == Left(str(gone), "it is not there any more")
    assert [report.status for report in reports[1:] if isinstance(report, FileReport)] == [
        IngestStatus.REFUSED,
        IngestStatus.ACCEPTED,
    ]
    assert len(lake.catalog.ingests("feed")) == 2


def test_a_file_that_is_being_written_is_left(lake: Lake, feed: Feed, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(BARS + FRIDAY)

    with open(path, "a"):
        (report,) = taken(lake, feed, path)

    assert report == Left(str(path), "another process is writing it")
    assert lake.catalog.ingests("feed") == []


@pytest.mark.parametrize("change", ["replaced", "appended", "deleted"])
def test_a_file_that_changes_while_it_is_read_leaves_no_trace(
    lake: Lake, feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(BARS + FRIDAY)

    def change_then(read: Callable[..., Iterator[object]]) -> Callable[..., Iterator[object]]:
        def changed(*arguments: object) -> Iterator[object]:
            chunks = list(read(*arguments))
            if change == "deleted":
                path.unlink()
            elif change == "appended":
                path.write_text(BARS + FRIDAY + MONDAY)
            else:
                (tmp_path / "new").write_text(BARS + MONDAY)
                os.replace(tmp_path / "new", path)
            return iter(chunks)

        return changed

    monkeypatch.setattr("marketdata_pipelines.pipeline.acquire.read_file", change_then(read_file))
    (report,) = taken(lake, feed, path)

    assert report == Left(str(path), "a.csv changed while it was read; it is left for later")
    assert lake.catalog.ingests("feed") == []


def test_what_an_ingest_touched_is_behind_until_it_is_derived(lake: Lake, feed: Feed, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(BARS + FRIDAY)
    taken(lake, feed, tmp_path / "a.csv")

    before = partitions_behind(lake, feed, 0)
    walk_stale(lake, feed)

    assert before == {Period.DAY: ["2024-03-08"], Period.WEEK: ["2024-03-04"], Period.MONTH: ["2024-03-01"]}
    assert not any(partitions_behind(lake, feed, 0).values())


def test_partitions_that_a_new_version_left_behind_are_not_asked_for(lake: Lake, feed: Feed, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(BARS + FRIDAY)
    (tmp_path / "b.csv").write_text(BARS + MONDAY)
    taken(lake, feed, tmp_path / "a.csv")
    walk_stale(lake, feed)
    seq = last_seq(lake, feed)
    changed = replace(feed, multiplier=10.0)

    taken(lake, changed, tmp_path / "b.csv")

    assert partitions_behind(lake, changed, seq)[Period.DAY] == ["2024-03-11"]
    assert partitions_behind(lake, changed, 0)[Period.DAY] == ["2024-03-08", "2024-03-11"]


def test_days_that_others_are_at_are_left_to_them_with_their_weeks_and_months(feed: Feed) -> None:
    work = {
        Period.DAY: ["2024-03-01", "2024-03-08", "2024-03-11"],
        Period.WEEK: ["2024-02-26", "2024-03-04", "2024-03-11"],
        Period.MONTH: ["2024-03-01"],
    }
    claimed = {Period.DAY: frozenset(["2024-03-08", "2020-01-02"]), Period.WEEK: frozenset(["2024-02-26"])}

    assert without(feed, work, claimed) == {
        Period.DAY: ["2024-03-01", "2024-03-11"],
        Period.WEEK: ["2024-03-11"],
        Period.MONTH: [],
    }
