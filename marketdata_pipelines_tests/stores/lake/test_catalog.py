"""The ledger and the index."""

import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from marketdata_pipelines.stores.lake.catalog import Catalog, Ingest, RawPart, Stored

DAY, NEXT = "2024-03-08", "2024-03-11"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "lake" / "catalog.sqlite")


def ingest(sha256: str = "s1", known_at_us: int = 1, status: str = "accepted", feed: str = "f") -> Ingest:
    return Ingest(
        feed=feed,
        file=f"{sha256}.csv",
        path=f"/landing/{sha256}.csv",
        sha256=sha256,
        bytes=1,
        known_at_us=known_at_us,
        run_id="r",
        mode="upsert",
        status=status,
        rule=None,
        message=None,
        findings=(("header_guessed", "pin it"),),
        feed_version="v",
        parse_version="p",
        calendar_version="c",
        code_version="1",
        rows=1,
        first_ts_us=None,
        last_ts_us=None,
    )


def part(part_id: str, partition: str = DAY, tbl: str = "raw_bars") -> RawPart:
    return RawPart(partition, tbl, part_id, f"{tbl}/f/{partition}/{part_id}.parquet", 3)


def stored(partition: str = DAY, table: str = "bars_5m", rows: int = 1, feed: str = "f") -> Stored:
    path = f"{table}/{feed}/{partition}.parquet"
    return Stored(table, feed, partition, path, rows, 10, 1, None, None, "open:2", "inputs")


def standing(catalog: Catalog, *partitions: str, as_of_us: int | None = None) -> list[str]:
    found = catalog.standing_parts("f", partitions or None, as_of_us=as_of_us)
    return [item.part.part_id for item in found]


def test_an_empty_catalog_answers_and_creates_nothing(catalog: Catalog, tmp_path: Path) -> None:
    assert catalog.ingests("f") == []
    assert catalog.latest_ingest("f", "s1") is None
    assert catalog.standing_parts("f") == []
    assert catalog.horizons("f") == {}
    assert catalog.raw_partitions("f") == []
    assert catalog.stored("bars_5m", "f") == []
    assert catalog.tables() == []
    assert list(tmp_path.iterdir()) == []


def test_contents_are_known_by_their_newest_ingest(catalog: Catalog) -> None:
    catalog.record_ingest(ingest(), [part("p1")])
    catalog.record_ingest(ingest("s2", status="refused"), [])
    catalog.record_ingest(replace(ingest(), parse_version="p2"), [])
    catalog.record_ingest(ingest("s3", feed="g"), [])

    assert catalog.contents("f") == {"s1": (3, "p2"), "s2": (2, "p")}
    assert catalog.contents("none") == {}


def test_an_ingest_comes_back_as_it_was_with_its_number(catalog: Catalog) -> None:
    first = catalog.record_ingest(ingest(), [part("p1")])
    second = catalog.record_ingest(ingest("s2"), [])

    assert (first, second) == (1, 2)
    assert catalog.ingests("f") == [replace(ingest(), seq=1), replace(ingest("s2"), seq=2)]
    assert catalog.latest_ingest("f", "s2") == replace(ingest("s2"), seq=2)
    assert catalog.standing_parts("f")[0].part == part("p1")


def test_feeds_do_not_see_each_other(catalog: Catalog) -> None:
    catalog.record_ingest(ingest(feed="g"), [part("p1")])
    catalog.commit_stored([stored(feed="g")])

    assert catalog.ingests("f") == []
    assert standing(catalog) == []
    assert catalog.stored("bars_5m", "f") == []


def test_parts_stand_in_order_of_knowledge_then_sequence(catalog: Catalog) -> None:
    catalog.record_ingest(ingest("late", 9), [part("p9")])
    catalog.record_ingest(ingest("b", 5), [part("p5b")])
    catalog.record_ingest(ingest("a", 5), [part("p5a")])

    assert standing(catalog) == ["p5b", "p5a", "p9"]


def test_of_each_content_only_the_newest_ingest_stands(catalog: Catalog) -> None:
    catalog.record_ingest(ingest("s1", 1), [part("old"), part("gone", NEXT)])
    catalog.record_ingest(ingest("s1", 2), [part("new")])

    assert standing(catalog) == ["new"]
    assert standing(catalog, NEXT) == []


def test_a_refused_second_reading_takes_the_first_ones_rows_away(catalog: Catalog) -> None:
    catalog.record_ingest(ingest("s1", 1), [part("old")])
    catalog.record_ingest(ingest("s2", 1), [part("other")])
    catalog.record_ingest(ingest("s1", 2, status="refused"), [])

    assert standing(catalog) == ["other"]


def test_as_of_an_earlier_instant_what_stood_then_stands(catalog: Catalog) -> None:
    catalog.record_ingest(ingest("s1", 10), [part("old")])
    catalog.record_ingest(ingest("s2", 20), [part("other")])
    catalog.record_ingest(ingest("s1", 30), [part("new")])
    catalog.record_ingest(ingest("s2", 40, status="refused"), [])

    assert standing(catalog, as_of_us=9) == []
    assert standing(catalog, as_of_us=10) == ["old"]
    assert standing(catalog, as_of_us=29) == ["old", "other"]
    assert standing(catalog, as_of_us=39) == ["other", "new"]
    assert standing(catalog) == ["new"]


def test_parts_of_some_partitions_only(catalog: Catalog) -> None:
    catalog.record_ingest(ingest(), [part("p1"), part("p2", NEXT), part("p3", "2024-03-12")])

    assert standing(catalog, DAY) == ["p1"]
    assert standing(catalog, DAY, NEXT) == ["p1", "p2"]
    assert catalog.standing_parts("f", []) == []


def test_bars_and_trades_of_one_ingest_and_partition_are_two_parts(catalog: Catalog) -> None:
    catalog.record_ingest(ingest(), [part("p1"), part("p1", tbl="raw_trades")])

    assert [item.part.tbl for item in catalog.standing_parts("f")] == ["raw_bars", "raw_trades"]


def test_a_partitions_horizon_is_when_its_newest_part_became_known(catalog: Catalog) -> None:
    catalog.record_ingest(ingest("s1", 10), [part("p1"), part("p2", NEXT)])
    catalog.record_ingest(ingest("s2", 20), [part("p3")])
    catalog.record_ingest(ingest("s3", 99, status="refused"), [])

    assert catalog.horizons("f") == {DAY: 20, NEXT: 10}
    assert catalog.horizons("f", NEXT, NEXT) == {NEXT: 10}


def test_partitions_that_ever_had_rows_are_remembered(catalog: Catalog) -> None:
    catalog.record_ingest(ingest("s1", 1), [part("p1"), part("p2", NEXT)])
    catalog.record_ingest(ingest("s1", 2), [part("p3", NEXT)])

    assert catalog.raw_partitions("f") == [DAY, NEXT]


def test_index_entries_are_replaced_and_removed(catalog: Catalog) -> None:
    catalog.commit_stored([stored(), stored(NEXT)])
    catalog.commit_stored([stored(rows=7)], removed=[("bars_5m", "f", NEXT)])

    assert catalog.stored("bars_5m", "f") == [stored(rows=7)]
    assert catalog.stored_partition("bars_5m", "f", NEXT) is None
    assert catalog.tables() == [("bars_5m", "f", 1, 7, 10)]


def test_index_entries_come_by_key_with_both_ends(catalog: Catalog) -> None:
    catalog.commit_stored([stored(NEXT), stored("2024-03-12"), stored(DAY)])

    assert [item.partition for item in catalog.stored("bars_5m", "f", DAY, NEXT)] == [DAY, NEXT]


def test_an_ingest_whose_parts_cannot_be_recorded_is_not_recorded(catalog: Catalog) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        catalog.record_ingest(ingest(), [part("p1"), part("p1")])

    assert catalog.ingests("f") == []
    assert catalog.record_ingest(ingest(), [part("p1")]) == 1


def test_a_catalog_killed_while_it_was_made_is_made_again(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "catalog.sqlite").touch()

    assert catalog.latest_ingest("f", "s1") is None
    assert catalog.tables() == []
    assert catalog.record_ingest(ingest(), [part("p1")]) == 1


_KILLED_IN_A_TRANSACTION = """
import os, signal, sys
from pathlib import Path
from marketdata_pipelines.stores.lake.catalog import Catalog

with Catalog(Path(sys.argv[1]))._write() as connection:
    connection.execute("delete from stored")
    connection.execute("delete from ingest")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_transaction_killed_half_way_did_not_happen(catalog: Catalog, tmp_path: Path) -> None:
    catalog.record_ingest(ingest(), [part("p1")])
    catalog.commit_stored([stored()])
    path = tmp_path / "lake" / "catalog.sqlite"

    killed = subprocess.run([sys.executable, "-c", _KILLED_IN_A_TRANSACTION, str(path)], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert standing(catalog) == ["p1"]
    assert catalog.stored("bars_5m", "f") == [stored()]
    catalog.commit_stored([stored(NEXT)])


_WRITES = """
import sys
from pathlib import Path
from marketdata_pipelines_tests.stores.lake.test_catalog import ingest, part, stored
from marketdata_pipelines.stores.lake.catalog import Catalog

catalog, name = Catalog(Path(sys.argv[1])), sys.argv[2]
for number in range(25):
    catalog.record_ingest(ingest(f"{name}-{number}"), [part(f"{name}-{number}", f"2024-{name}-{number + 1:02}")])
    catalog.commit_stored([stored(f"2024-{name}-{number + 1:02}")])
    catalog.standing_parts("f")
"""


def test_processes_that_write_at_once_lose_nothing(catalog: Catalog, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITES, str(tmp_path / "lake" / "catalog.sqlite")]

    with ThreadPoolExecutor(4) as pool:
        names = ("01", "02", "03", "04")
        writers = pool.map(lambda name: subprocess.run([*command, name], capture_output=True, check=False), names)

    assert [writer.stderr for writer in writers if writer.returncode] == []
    assert len(catalog.ingests("f")) == len(catalog.stored("bars_5m", "f")) == 100
    assert sorted(item.seq for item in catalog.ingests("f")) == list(range(1, 101))


def test_threads_share_a_catalog(catalog: Catalog) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: catalog.commit_stored([stored(f"2024-01-{number:02}")]), range(1, 21)))

    assert len(catalog.stored("bars_5m", "f")) == 20
