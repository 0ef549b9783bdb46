"""Partitions, files and raw parts as a receipt names them."""

from dataclasses import replace
from pathlib import Path

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.pipeline.receipts.buckets import StoredTables
from marketdata_pipelines.pipeline.receipts.partitions import PartitionProofs
from marketdata_pipelines.pipeline.receipts.records import Checked
from marketdata_pipelines.pipeline.receipts.sources import SourceState
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.parquet import read_file, read_manifest, write_file
from marketdata_pipelines.stores.lake.walks import Walks
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.pipeline.receipt_lakes import load, minutes_feed, row, write_lines

KEY = "2024-03-08"


def proofs_of(lake: Lake, feed: Feed) -> PartitionProofs:
    """Proofs of what is stored now."""
    return PartitionProofs(lake, feed, PastTables(lake, feed), StoredTables(lake, feed))


def test_versions_that_are_others_today_are_told(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0)))
    today = replace(feed, multiplier=2.0)

    proofs = proofs_of(lake, today)

    file = proofs.file("validated_bars", KEY)
    part = proofs.part(lake.catalog.standing_parts("feed")[0], SourceState(True, "there"))
    assert file is not None
    assert {version.name for version in file.versions if version.differs} == {"feed_version"}
    assert {version.name for version in part.versions if version.differs} == {"feed_version"}
    assert [(version.recorded, version.today) for version in file.versions if version.differs] == [
        (feed.version, today.version)
    ]


def test_a_check_that_fails_now_is_told(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0), row("A", 1)))
    path = lake.layout.root / lake.catalog.standing_parts("feed")[0].part.path
    write_file(path, read_file(path).slice(1), read_manifest(path), path.parent)

    proof = proofs_of(lake, feed).evaluated(KEY)

    failed = [(check.name, check.message) for check in proof.checks if not check.passed]
    assert failed == [
        ("rows_recorded", "1 rows in the raw parts, 2 in the ledger"),
        ("rows_conserved", "2 accepted + 0 rejected of 1 raw rows"),
    ]


def test_what_the_walk_said_is_told_without_evaluating_it_again(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0), row("A", 1), row("B", 0).replace("10", "-10")))
    proofs = proofs_of(lake, feed)

    kept, evaluated = proofs.partition(KEY), proofs.evaluated(KEY)

    assert (kept.checked, evaluated.checked) == (Checked.BY_ITS_WALK, Checked.NOW)
    assert (kept.raw_rows, kept.accepted_rows, kept.rejected_rows) == (3, 2, 1)
    assert replace(kept, checked=Checked.NOW) == evaluated


def test_a_partition_walked_in_part_is_evaluated_now(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0)))
    walks = Walks(lake.layout.catalog)
    whole = walks.last("feed", KEY)
    assert whole is not None
    walks.note("feed", KEY, replace(whole, proof=None))

    assert proofs_of(lake, feed).partition(KEY).checked is Checked.NOW


def test_what_an_earlier_walk_said_is_not_told_of_newer_tables(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0)))
    walks = Walks(lake.layout.catalog)
    earlier = walks.last("feed", KEY)
    assert earlier is not None
    load(lake, feed, write_lines(tmp_path, "b.csv", row("A", 1)))
    walks.note("feed", KEY, earlier)

    proof = proofs_of(lake, feed).partition(KEY)

    assert (proof.checked, proof.raw_rows) == (Checked.NOW, 2)


def test_a_derived_state_has_no_files_and_always_follows(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0)), walk=False)

    past = PastTables(lake, feed, us("2024-03-11 00:00"))
    then = PartitionProofs(lake, feed, past, past).partition(KEY)
    now = proofs_of(lake, feed).partition(KEY)

    assert (then.file, then.follows, then.accepted_rows) == (None, True, 1)
    assert (now.file, now.follows, now.accepted_rows) == (None, False, 1)
