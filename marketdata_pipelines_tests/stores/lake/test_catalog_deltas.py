"""The index of tables with deltas, also in a catalog from before there were any."""

import sqlite3
from dataclasses import replace

from marketdata_pipelines.stores.lake.deltas import Delta
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.stores.lake.test_catalog import stored

BESIDE = replace(stored(), deltas=(Delta("a/delta-1.parquet", ("A", ""), 2, 5, "open:2"),))


def test_deltas_are_read_back(lake: Lake) -> None:
    lake.catalog.commit_stored([BESIDE, stored("2024-03-11")])

    assert lake.catalog.stored("bars_5m", "f") == [BESIDE, stored("2024-03-11")]
    assert [file.path for file in BESIDE.files] == ["bars_5m/f/2024-03-08.parquet", "a/delta-1.parquet"]


def test_a_catalog_from_before_there_were_deltas_is_read_and_grows_with_its_next_write(lake: Lake) -> None:
    lake.catalog.commit_stored([stored()])
    with sqlite3.connect(lake.layout.catalog) as connection:
        connection.execute("alter table stored drop column deltas")
    connection.close()

    before = lake.catalog.stored("bars_5m", "f")
    lake.catalog.commit_stored([BESIDE])

    assert before == [stored()]
    assert lake.catalog.stored("bars_5m", "f") == [BESIDE]
