"""Files and index together."""

import os
import signal
import subprocess
import sys

import pyarrow as pa
import pytest

from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite, digest
from marketdata_pipelines.stores.lake.parquet import read_manifest
from marketdata_pipelines_tests.builders import bar, bar_table, us

BARS = bar_table([bar("A", "2024-03-08 14:30"), bar("B", "2024-03-08 14:31"), bar("B", "2024-03-08 14:32")])


def test_what_is_stored_is_indexed_with_its_span(lake: Lake) -> None:
    (stored,) = lake.store("f", [TableWrite("validated_bars", "2024-03-08", BARS, "abc")], {"code_version": "1"})

    assert lake.catalog.stored("validated_bars", "f") == [stored]
    assert (stored.path, stored.rows, stored.symbols) == ("validated_bars/f/2024-03-08.parquet", 3, 2)
    assert (stored.first_ts_us, stored.last_ts_us) == (us("2024-03-08 14:30"), us("2024-03-08 14:32"))
    assert read_manifest(lake.layout.root / stored.path) == {
        "code_version": "1", "table": "validated_bars", "partition": "2024-03-08", "rows": 3,
    }  # fmt: skip


def test_a_stored_partition_is_replaced_not_appended(lake: Lake) -> None:
    for rows in (BARS, BARS.slice(0, 1)):
        lake.store("f", [TableWrite("validated_bars", "2024-03-08", rows, "")], {})

    assert lake.read("validated_bars", "f", "2024-03-08").num_rows == 1
    assert lake.catalog.tables() == [("validated_bars", "f", 1, 1, lake.catalog.tables()[0][4])]


def test_a_removed_partition_leaves_neither_file_nor_index_entry(lake: Lake) -> None:
    lake.store("f", [TableWrite("bars_5m", key, BARS, "") for key in ("2024-03-08", "2024-03-11")], {})

    stored = lake.store("f", [TableWrite("bars_5m", "2024-03-08", None, "")], {})

    assert stored == []
    assert [item.partition for item in lake.catalog.stored("bars_5m", "f")] == ["2024-03-11"]
    assert not lake.layout.table_file("bars_5m", "f", "2024-03-08").exists()
    lake.store("f", [TableWrite("bars_5m", "2024-03-08", None, "")], {})


def test_a_missing_partition_says_what_to_run(lake: Lake) -> None:
    with pytest.raises(PartitionMissing, match=r"f has no bars_5m for 2024-03-08; run: marketdata backfill f --start"):
        lake.read("bars_5m", "f", "2024-03-08")


def test_partitions_of_a_range_come_in_order_with_both_ends(lake: Lake) -> None:
    keys = ["2024-03-11", "2024-03-07", "2024-03-08", "2024-03-12"]
    lake.store("f", [TableWrite("bars_5m", key, BARS, "") for key in keys], {})

    found = list(lake.read_many("bars_5m", "f", "2024-03-08", "2024-03-11", ["close"]))

    assert [key for key, _ in found] == ["2024-03-08", "2024-03-11"]
    assert found[0][1].column_names == ["close"]


def test_tables_without_time_or_symbol_have_no_span(lake: Lake) -> None:
    (stored,) = lake.store("f", [TableWrite("top_volume", "2024-03-08", pa.table({"rank": [1]}), "")], {})

    assert (stored.first_ts_us, stored.last_ts_us, stored.symbols) == (None, None, 0)


def test_an_empty_table_is_stored_too(lake: Lake) -> None:
    (stored,) = lake.store("f", [TableWrite("bars_2d", "2024-03-08", BARS.slice(0, 0), "")], {})

    assert (stored.rows, stored.first_ts_us) == (0, None)
    assert lake.read("bars_2d", "f", "2024-03-08").num_rows == 0


def test_the_write_lock_clears_what_a_killed_ingest_left(lake: Lake) -> None:
    staging = lake.layout.staging("f")
    staging.mkdir(parents=True)
    (staging / "rows.arrow").write_bytes(b"half")

    with lake.writing("f"):
        assert not staging.exists()


_HOLDS_THE_LOCK = """
import sys
from pathlib import Path
from marketdata_pipelines.stores.lake.lake import Lake
with Lake(Path(sys.argv[1])).writing("f"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_ingest_gives_its_lock_back(lake: Lake) -> None:
    command = [sys.executable, "-c", _HOLDS_THE_LOCK, str(lake.layout.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()

        with lake.writing("f"):
            pass


def test_feeds_are_locked_apart(lake: Lake) -> None:
    with lake.writing("f"), lake.writing("g"):
        pass


def test_digests_depend_on_order_and_borders() -> None:
    assert len(digest(["a"])) == 16
    assert digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest(["a", "b"]) != digest(["b", "a"])
    assert digest([]) == digest(iter(()))
