"""Rows waiting for their file to be known good."""

from pathlib import Path

import numpy as np
import pytest

from marketdata_pipelines.pipeline.placement import UNPLACED
from marketdata_pipelines.pipeline.staging import PartitionStaging
from marketdata_pipelines_tests.builders import bar, raw_bars

ONE, TWO = 19_790, 19_793
ROWS = raw_bars([bar("A", f"2024-03-08 14:{minute}") for minute in range(30, 40)])


def fill(staging: PartitionStaging, *days: list[int]) -> dict[str, list[int]]:
    """Add consecutive chunks with these days; row numbers by partition afterwards."""
    at = 0
    for chunk in days:
        staging.add(ROWS.slice(at, len(chunk)), np.array(chunk, np.int64))
        at += len(chunk)
    return {key: staging.rows_of(key)["row"].to_pylist() for key in staging.partitions()}


@pytest.mark.parametrize("spill_rows", [0, 3, 1_000])
def test_rows_come_back_by_partition_in_file_order(tmp_path: Path, spill_rows: int) -> None:
    staging = PartitionStaging(tmp_path / "s", spill_rows=spill_rows)

    found = fill(staging, [TWO, ONE, TWO], [ONE, ONE, TWO, TWO], [ONE])

    assert found == {"2024-03-08": [2, 4, 5, 8], "2024-03-11": [1, 3, 6, 7]}
    assert staging.rows == 8


@pytest.mark.parametrize("spill_rows", [0, 1_000])
def test_rows_without_partition_ride_with_the_row_before_them_over_chunks(tmp_path: Path, spill_rows: int) -> None:
    staging = PartitionStaging(tmp_path / "s", spill_rows=spill_rows)

    found = fill(staging, [ONE, UNPLACED], [UNPLACED, TWO], [UNPLACED, UNPLACED])

    assert found == {"2024-03-08": [1, 2, 3], "2024-03-11": [4, 5, 6]}


def test_rows_ahead_of_the_first_placed_one_ride_with_it(tmp_path: Path) -> None:
    found = fill(PartitionStaging(tmp_path / "s"), [UNPLACED, UNPLACED], [UNPLACED, TWO], [ONE])

    assert found == {"2024-03-08": [5], "2024-03-11": [1, 2, 3, 4]}


def test_a_file_without_any_placed_row_has_no_partition(tmp_path: Path) -> None:
    staging = PartitionStaging(tmp_path / "s")

    assert fill(staging, [UNPLACED, UNPLACED], []) == {}
    assert staging.rows == 2


def test_what_does_not_fit_waits_on_disk_and_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    staging = PartitionStaging(folder, spill_rows=2)

    fill(staging, [ONE, TWO, ONE], [ONE], [TWO, TWO, TWO])

    assert len(list(folder.iterdir())) == 4
    staging.clear()
    assert staging.partitions() == []
    assert not folder.exists()


def test_what_fits_never_touches_the_disk(tmp_path: Path) -> None:
    fill(PartitionStaging(tmp_path / "s", spill_rows=100), [ONE, TWO, ONE])

    assert list(tmp_path.iterdir()) == []
