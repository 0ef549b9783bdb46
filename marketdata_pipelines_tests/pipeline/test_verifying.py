"""Every kind of damage is found and named, and a whole lake has none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.pipeline.verifying import Fault, disorder, verify_files
from marketdata_pipelines.stores.lake import table_writes
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines.stores.lake.origins import OriginPayload, write_origin
from marketdata_pipelines.stores.lake.parquet import read_file, read_manifest, write_file
from marketdata_pipelines_tests.builders import bar_table, make_feed, minutes, source_of, take_in, walk_stale
from marketdata_pipelines_tests.stores.lake.test_catalog import ingest

FEED = make_feed()
DAY = "2024-03-08"
ROWS = [row for symbol in "ABCDEF" for row in minutes(symbol, f"{DAY} 14:30", 10)]


@pytest.fixture
def filled(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A day of six symbols, walked; its validated bars have a delta."""
    monkeypatch.setattr(table_writes, "SMALLEST_BASE_ROWS", 10)
    take_in(lake, FEED, source_of("day.csv", ROWS), known_at=f"{DAY} 22:00")
    walk_stale(lake, FEED)
    table = bar_table(minutes("G", f"{DAY} 14:30", 2))
    (stored,) = lake.store(FEED.name, [TableWrite("validated_bars", DAY, table, "later", symbols=("G",))], {})
    assert stored.deltas
    return lake


def rewritten(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path, Path], None]:
    def damage(path: Path, temporary: Path) -> None:
        write_file(path, change(read_file(path)), read_manifest(path), temporary)

    return damage


def found(lake: Lake) -> list[tuple[str, str, Fault]]:
    return [(each.table, each.partition, each.fault) for each in verify_files(lake, FEED.name)]


def test_a_whole_lake_has_no_findings(filled: Lake) -> None:
    assert found(filled) == []


@pytest.mark.parametrize(
    ("damage", "faults", "text"),
    [
        (lambda path, _: path.unlink(), [Fault.MISSING], "is not in"),
        (lambda path, _: path.write_bytes(b"PAR1 no more"), [Fault.UNREADABLE], "cannot be read"),
        (rewritten(lambda table: table.slice(1)), [Fault.DIFFERENT], "rows: the index says 12, the file 11"),
        (rewritten(lambda table: table.take(list(range(12))[::-1])), [Fault.UNSORTED], "does not come after"),
        (rewritten(lambda table: table.take([0, *range(11)])), [Fault.UNSORTED], "row 2 (symbol A, ts "),
        (
            rewritten(lambda table: table.set_column(4, "open", pa.array([1 / 3] * 12))),
            [Fault.DIFFERENT], "encoding: the index says open:2",
        ),
    ],
)  # fmt: skip
def test_a_damaged_table_is_found(
    filled: Lake, damage: Callable[[Path, Path], None], faults: list[Fault], text: str
) -> None:
    damage(filled.layout.table_file("bars_5m", FEED.name, DAY), filled.layout.temporary)

    findings = list(verify_files(filled, FEED.name))

    assert {each.table for each in findings} == {"bars_5m"}
    assert set(faults) <= {each.fault for each in findings}
    assert any(text in each.text for each in findings)
    assert all("run: marketdata" in each.text for each in findings)


def test_a_missing_delta_is_found(filled: Lake) -> None:
    stored = filled.catalog.stored_partition("validated_bars", FEED.name, DAY)
    assert stored is not None
    (filled.layout.root / stored.deltas[0].path).unlink()

    assert found(filled) == [("validated_bars", DAY, Fault.MISSING)]


def test_the_file_of_another_partition_is_found(filled: Lake) -> None:
    path = filled.layout.table_file("bars_1h", FEED.name, DAY)
    write_file(path, read_file(path), {**read_manifest(path), "partition": "2019-01-02"}, filled.layout.temporary)

    findings = [each.text for each in verify_files(filled, FEED.name)]

    assert any("partition: the index says 2024-03-08, the file 2019-01-02" in text for text in findings)


def test_damaged_raw_parts_are_found(filled: Lake) -> None:
    (part,) = filled.catalog.raw_parts(FEED.name)
    path = filled.layout.root / part.path
    write_file(path, read_file(path).slice(1), {}, filled.layout.temporary)
    shorter = list(verify_files(filled, FEED.name))
    path.write_bytes(b"")
    unreadable = list(verify_files(filled, FEED.name))
    path.unlink()

    assert [(each.table, each.fault) for each in shorter] == [("raw_bars", Fault.DIFFERENT)]
    assert "the ledger says 60 rows, the file has 59; restore it from a backup" in shorter[0].text
    assert [each.fault for each in unreadable] == [Fault.UNREADABLE]
    assert found(filled) == [("raw_bars", DAY, Fault.MISSING)]


def test_a_vendors_answer_that_was_altered_is_found(lake: Lake) -> None:
    name = write_origin(lake.layout, FEED.name, "vendor", [OriginPayload(b"answer", "GET", 1)])
    lake.catalog.record_ingest(replace(ingest(feed=FEED.name), path=name), [])
    assert found(lake) == []
    body = next((lake.layout.root / "origins" / FEED.name).glob("*.zst"))

    body.write_bytes(pa.Codec("zstd").compress(b"altered", asbytes=True)[:-1])
    altered = found(lake)
    body.unlink()

    assert altered == [("origins", "", Fault.UNREADABLE)]
    assert found(lake) == [("origins", "", Fault.MISSING)]


def test_order_is_that_of_the_table() -> None:
    rejected = [{"file": "a", "row": 2, "part": "p"}, {"file": "a", "row": None, "part": "p"}, {"file": "b", "row": 1}]
    table = pa.Table.from_pylist(rejected, schema=REJECTED_SCHEMA)

    assert disorder("rejected_bars", table) is None
    assert disorder("rejected_bars", table.take([1, 0, 2])) == (
        "row 2 (file a, row 2, part p) does not come after the one before it"
    )
    assert disorder("top_volume", pa.table({"rank": [2, 1], "symbol": ["a", "b"]})) is None


def test_every_table_of_a_walked_feed_is_in_its_order(filled: Lake) -> None:
    for table, feed, *_ in filled.catalog.tables():
        partition = filled.catalog.stored(table, feed)[0].partition
        assert disorder(table, filled.read(table, feed, partition)) is None
