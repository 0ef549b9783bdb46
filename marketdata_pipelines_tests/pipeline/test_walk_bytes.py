"""The same inputs give the same bytes, whatever the way they came."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.pipeline.ingest import SourceFile
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.parquet import read_manifest
from marketdata_pipelines_tests.builders import (
    bar,
    lake_files,
    make_feed,
    minutes,
    raw_trades,
    source_of,
    take_in,
    walk_stale,
)

BARS = make_feed()
FILES = (
    source_of("a.csv", minutes("A", "2024-03-08 14:30", 40) + minutes("A", "2024-03-11 13:30", 10, 3.1415)),
    source_of("b.csv", [*minutes("B", "2024-03-08 14:30", 20, 0.3), bar("B", "2024-03-08 16:00", 0.1 + 0.2)]),
    source_of("c.csv", [*minutes("C", "2024-03-12 13:30", 20), bar("C", "2024-03-12 13:31", -1.0), bar("C", None)]),
)
OVERLAPPING = source_of("d.csv", minutes("A", "2024-03-08 14:35", 10, 77.0))
TRADES = source_of("t.csv", raw_trades([("A", f"2024-03-08 14:30:{n:02}", 10 + n / 7, n / 3) for n in range(60)]))


def fill(root: Path, feed: Feed, *batches: Sequence[SourceFile]) -> dict[str, str]:
    """Digests of a new lake's files after some batches, each taken in and walked."""
    lake = Lake(root)
    for batch in batches:
        take_in(lake, feed, *batch)
        walk_stale(lake, feed)
    return {name: hashlib.sha256(content).hexdigest() for name, content in lake_files(lake).items()}


def test_two_homes_fed_alike_are_alike(tmp_path: Path) -> None:
    one = fill(tmp_path / "one", BARS, FILES, [OVERLAPPING])
    two = fill(tmp_path / "two", BARS, FILES, [OVERLAPPING])

    assert len(one) > 60
    assert one == two


def test_homes_of_trades_fed_alike_are_alike(tmp_path: Path) -> None:
    feed = make_feed(interval="1s")

    assert fill(tmp_path / "one", feed, [TRADES]) == fill(tmp_path / "two", feed, [TRADES])


def test_the_order_of_files_that_do_not_overlap_does_not_show(tmp_path: Path) -> None:
    forwards = fill(tmp_path / "one", BARS, FILES)

    assert fill(tmp_path / "two", BARS, FILES[::-1]) == forwards
    assert fill(tmp_path / "three", BARS, [FILES[1]], [FILES[2]], [FILES[0]]) == forwards


def test_a_file_that_came_later_gives_what_it_gives_at_once(tmp_path: Path) -> None:
    at_once = fill(tmp_path / "one", BARS, [*FILES, OVERLAPPING])

    assert fill(tmp_path / "two", BARS, FILES, [OVERLAPPING]) == at_once


def test_no_clock_shows_in_the_files(tmp_path: Path) -> None:
    seen = []
    for number, known_at in enumerate(("2024-04-02 00:00", "2026-01-01 00:00")):
        lake = Lake(tmp_path / str(number))
        take_in(lake, BARS, *FILES, known_at=known_at)
        walk_stale(lake, BARS)
        seen.append(lake_files(lake))

    assert seen[0] == seen[1]


def test_a_manifest_names_versions_and_inputs(tmp_path: Path) -> None:
    fill(tmp_path / "one", BARS, FILES)

    manifest = read_manifest(Lake(tmp_path / "one").layout.table_file("bars_5m", "feed", "2024-03-08"))

    assert set(manifest) == {
        "feed", "feed_version", "calendar_version", "code_version", "table", "partition", "rows",
    }  # fmt: skip
    assert (manifest["feed_version"], manifest["rows"]) == (BARS.version, 13)
