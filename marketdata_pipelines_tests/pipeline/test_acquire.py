"""Bringing what a feed's source has."""

from dataclasses import replace
from pathlib import Path

import pytest

from marketdata_pipelines.domain.feeds import Feed, SourceKind, SourceSpec
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.acquire import AcquireReport, acquire, check_is_files
from marketdata_pipelines.pipeline.changes import stale_partitions
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import LATER, column, make_feed, us, walk_stale

CSV = (
    "symbol,timestamp,open,high,low,close,volume\nA,2024-03-08T14:30:00Z,1,2,1,2,10\nA,2024-03-08T14:31:00Z,2,2,1,1,5\n"
)


def bring(
    lake: Lake, feed: Feed, path: Path | str | None, keys: list[str] | None = None, now: int = LATER
) -> AcquireReport:
    return acquire(lake, feed, None if path is None else str(path), keys or [], run_id="r", now_us=now)


def test_the_files_of_a_folder_come_in_once(lake: Lake, tmp_path: Path) -> None:
    feed, landing = make_feed(), tmp_path / "landing"
    landing.mkdir()
    (landing / "a.csv").write_text(CSV)
    (landing / "bad.csv").write_text("symbol,timestamp\nA,B\n")

    first, second = bring(lake, feed, landing), bring(lake, feed, landing)

    assert [report.status for report in first.files] == ["accepted", "refused"]
    assert first.partitions == ("2024-03-08",)
    assert first.messages[0].startswith("refused bad.csv: ")
    assert [report.status for report in second.files] == ["known", "refused"]
    assert second.partitions == ()


def test_nothing_there_yet_is_no_error(lake: Lake, tmp_path: Path) -> None:
    for name in ("empty", "unfinished"):
        (tmp_path / name).mkdir()
    (tmp_path / "unfinished" / "a.csv.part").write_text("symbol,")

    for path in (None, tmp_path / "nothing", tmp_path / "empty", tmp_path / "unfinished", tmp_path / "*.csv"):
        assert bring(lake, make_feed(), path).files == ()


def simulated(calendar: str = "XNYS", interval: str = "1m") -> Feed:
    source = SourceSpec(SourceKind.SIMULATED, symbols=("A", "B"), seed=3)
    return replace(make_feed(calendar, interval), source=source)


def test_simulated_sessions_come_when_they_are_over(lake: Lake) -> None:
    feed, keys = simulated(), ["2024-07-03", "2024-07-04", "2024-07-05"]

    before = bring(lake, feed, None, keys, now=us("2024-07-05 19:59"))
    after = bring(lake, feed, None, keys, now=us("2024-07-05 20:00"))

    assert before.partitions == ("2024-07-03",)
    assert after.partitions == ("2024-07-05",)
    assert [report.status for report in after.files] == ["known", "accepted"]


def test_a_simulated_month_is_one_file_once_it_is_over(lake: Lake) -> None:
    feed, key = simulated(interval="1h"), ["2024-07-01"]

    early = bring(lake, feed, None, key, now=us("2024-07-03 18:00"))
    walk_stale(lake, feed)
    partial = lake.read("bars_1d", "feed", "2024-07-01").num_rows
    whole = bring(lake, feed, None, key, now=LATER)
    walk_stale(lake, feed)

    assert [report.file for report in early.files] == [
        "feed-2024-07-01.csv", "feed-2024-07-02.csv", "feed-2024-07-03.csv",
    ]  # fmt: skip
    assert [report.status for report in whole.files] == ["accepted"]
    assert partial == 6
    assert lake.read("bars_1d", "feed", "2024-07-01").num_rows == 44
    # What the sessions' own files had brought is superseded, not rejected.
    assert set(column(lake.read("rejected_bars", "feed", "2024-07-01"), "rules")) == {"superseded"}
    assert all(not keys for keys in stale_partitions(lake, feed).values())


def test_rows_of_several_simulated_sessions_are_numbered_through(lake: Lake) -> None:
    feed = simulated(interval="1h")

    bring(lake, feed, None, ["2024-07-01"])

    (ingest,) = lake.catalog.ingests("feed")
    (part,) = lake.catalog.standing_parts("feed")
    assert ingest.rows == part.part.rows == 2 * (21 * 7 + 4)


def test_only_feeds_of_files_take_files() -> None:
    check_is_files(make_feed())
    with pytest.raises(SettingsInvalid, match="feed is fed by simulated, not by files"):
        check_is_files(simulated())


def test_a_file_of_the_folder_that_is_being_written_is_left_for_a_later_run(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "landing" / "a.csv"
    path.parent.mkdir()
    path.write_text(CSV)

    with open(path, "a"):
        during = bring(lake, make_feed(), path.parent)
    after = bring(lake, make_feed(), path.parent)

    assert during.files == ()
    assert [(report.file, report.rows) for report in after.files] == [("a.csv", 2)]
