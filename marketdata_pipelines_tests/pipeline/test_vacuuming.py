"""What nothing leads to goes once it is old; everything else stays."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from marketdata_pipelines.pipeline.vacuuming import vacuum
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.origins import OriginPayload, write_origin
from marketdata_pipelines.stores.lake.strays import find_strays
from marketdata_pipelines_tests.builders import lake_files, make_feed, minutes, source_of, take_in, us, walk_stale
from marketdata_pipelines_tests.stores.lake.test_catalog import ingest

FEED = make_feed()
DAY = "2024-03-08"
NOW_US = us("2026-06-01 12:00")
OLD, YOUNG = NOW_US - 7_200_000_000, NOW_US - 60_000_000


@pytest.fixture
def walked(lake: Lake) -> Lake:
    take_in(lake, FEED, source_of("day.csv", minutes("A", f"{DAY} 14:30", 5)), known_at=f"{DAY} 22:00")
    walk_stale(lake, FEED)
    return lake


def put(lake: Lake, name: str, changed_us: int) -> Path:
    path = lake.layout.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    os.utime(path, ns=(changed_us * 1000, changed_us * 1000))
    return path


STRAYS = (
    f"bars_5m/{FEED.name}/{DAY}/delta-0123456789abcdef.parquet",
    f"bars_5m/{FEED.name}/2019-01-02.parquet",
    f"raw_bars/{FEED.name}/2019-01-02/part.parquet",
)


def test_files_nothing_leads_to_are_removed_with_their_folders(walked: Lake) -> None:
    before = lake_files(walked)
    paths = [put(walked, name, OLD) for name in STRAYS]

    removed = vacuum(walked, FEED.name, now_us=NOW_US)

    assert [stray.path for stray in removed] == sorted(STRAYS)
    assert [stray.bytes for stray in removed] == [4, 4, 4]
    assert lake_files(walked) == before
    assert not paths[0].parent.exists()
    assert vacuum(walked, FEED.name, now_us=NOW_US) == []


def test_young_files_stay_unless_asked_otherwise(walked: Lake) -> None:
    for name in STRAYS:
        put(walked, name, YOUNG)

    assert vacuum(walked, FEED.name, now_us=NOW_US) == []
    assert len(vacuum(walked, FEED.name, now_us=NOW_US, age_seconds=30)) == 3


def test_a_dry_run_removes_nothing(walked: Lake) -> None:
    for name in STRAYS:
        put(walked, name, OLD)
    before = lake_files(walked)

    told = vacuum(walked, FEED.name, now_us=NOW_US, dry_run=True)

    assert len(told) == 3
    assert lake_files(walked) == before


def test_while_an_ingest_runs_its_files_stay(walked: Lake) -> None:
    for name in STRAYS:
        put(walked, name, OLD)

    with FileLock(walked.layout.lock(FEED.name)):
        removed = vacuum(walked, FEED.name, now_us=NOW_US)

    assert [stray.path for stray in removed] == sorted(STRAYS[:2])
    assert [stray.path for stray in find_strays(walked, FEED.name)] == [STRAYS[2]]


def test_answers_that_no_ingest_names_go_and_shared_bodies_stay(walked: Lake) -> None:
    shared, alone = OriginPayload(b"shared", "GET", 1), OriginPayload(b"alone", "GET", 2)
    kept = write_origin(walked.layout, FEED.name, "vendor", [shared])
    write_origin(walked.layout, FEED.name, "vendor", [shared, alone])
    from dataclasses import replace

    walked.catalog.record_ingest(replace(ingest(feed=FEED.name), path=kept), [])
    folder = walked.layout.root / "origins" / FEED.name
    for path in folder.iterdir():
        os.utime(path, ns=(OLD * 1000, OLD * 1000))

    removed = vacuum(walked, FEED.name, now_us=NOW_US)

    assert len(removed) == 2
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".zst"]
    assert (folder / f"{kept.rpartition('/')[2]}.json").exists()


def test_other_feeds_files_stay(walked: Lake) -> None:
    path = put(walked, "bars_5m/other/2019-01-02.parquet", OLD)

    vacuum(walked, FEED.name, now_us=NOW_US)

    assert path.exists()
