"""Stored tables against what their raw parts give."""

from dataclasses import replace

import pyarrow as pa
import pytest

from marketdata_pipelines.pipeline.rederiving import verify_derived
from marketdata_pipelines.pipeline.verifying import Fault, verify_files
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite, digest
from marketdata_pipelines_tests.builders import make_feed, minutes, source_of, take_in, walk_stale

FEED = make_feed()
DAYS = ("2024-03-07", "2024-03-08")


@pytest.fixture
def walked(lake: Lake) -> Lake:
    for day in DAYS:
        rows = [row for symbol in "AB" for row in minutes(symbol, f"{day} 14:30", 5)]
        take_in(lake, FEED, source_of(f"{day}.csv", rows), known_at=f"{day} 22:00")
    walk_stale(lake, FEED)
    return lake


def store_changed(lake: Lake, table: str, change: pa.Table) -> None:
    """Replace a table's rows under the same inputs, as no walk would."""
    (stored,) = [each for each in lake.catalog.stored(table, FEED.name) if each.partition == DAYS[1]]
    versions = {name: lake.manifest(stored)[name] for name in ("feed_version", "calendar_version", "code_version")}
    lake.store(FEED.name, [TableWrite(table, DAYS[1], change, stored.inputs)], versions)


def test_a_walked_feed_is_what_its_raw_parts_give(walked: Lake) -> None:
    assert list(verify_derived(walked, FEED)) == []


@pytest.mark.parametrize("table", ["validated_bars", "bars_5m", "bars_1d", "daily_summary"])
def test_an_altered_table_is_found_with_its_rows(walked: Lake, table: str) -> None:
    rows = walked.read(table, FEED.name, DAYS[1])
    at = rows.schema.get_field_index("close")
    altered = pa.chunked_array([[77.5, *rows["close"].to_pylist()[1:]]])

    store_changed(walked, table, rows.set_column(at, "close", altered))

    assert list(verify_files(walked, FEED.name)) == []
    (finding,) = verify_derived(walked, FEED)
    assert (finding.table, finding.partition, finding.fault) == (table, DAYS[1], Fault.NOT_DERIVED)
    assert "1 rows stored that are not derived, 1 derived that are not stored: stored only: A, " in finding.text
    assert finding.text.endswith("run: marketdata backfill feed --start 2024-03-08 --end 2024-03-08")


def test_missing_and_invented_rows_are_counted(walked: Lake) -> None:
    store_changed(walked, "bars_5m", walked.read("bars_5m", FEED.name, DAYS[1]).slice(1))

    (finding,) = verify_derived(walked, FEED)

    assert "0 rows stored that are not derived, 1 derived that are not stored: derived only: A, " in finding.text


def test_tables_that_are_behind_are_not_compared(walked: Lake) -> None:
    take_in(walked, FEED, source_of("more.csv", minutes("C", "2024-03-08 15:30", 5)))

    assert list(verify_derived(walked, FEED)) == []
    assert list(verify_derived(walked, replace(FEED, closing_auction=type(FEED.closing_auction).OWN_BAR))) == []


def test_a_table_of_another_release_says_so(walked: Lake) -> None:
    rows = walked.read("bars_5m", FEED.name, DAYS[1]).slice(1)
    stored = walked.catalog.stored_partition("bars_5m", FEED.name, DAYS[1])
    validated = walked.catalog.stored_partition("validated_bars", FEED.name, DAYS[1])
    assert stored is not None
    assert validated is not None
    versions = {name: walked.manifest(stored)[name] for name in ("feed_version", "calendar_version")}
    older = {**versions, "code_version": "0.0.1"}
    inputs = digest([validated.inputs, *map(str, older.values())])

    walked.store(FEED.name, [TableWrite("bars_5m", DAYS[1], rows, inputs)], older)

    (finding,) = verify_derived(walked, FEED)
    assert "(stored by release 0.0.1, this is " in finding.text
