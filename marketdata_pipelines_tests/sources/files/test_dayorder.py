"""Rows whose day and month are exchanged are found; disorder of another kind is not."""

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.sources.files.dayorder import swapped_rows

FORMAT = "%m/%d/%Y %H:%M"


def swapped(days: list[str], symbols: list[int] | None = None) -> list[int]:
    text = pa.array([f"{day} 09:30" for day in days])
    codes = np.array(symbols if symbols is not None else [0] * len(days))
    return np.flatnonzero(swapped_rows(text, FORMAT, codes)).tolist()


def test_a_row_that_fits_only_when_exchanged_is_found() -> None:
    assert swapped(["10/03/2013", "10/04/2013", "04/10/2013", "10/04/2013", "10/07/2013", "10/08/2013"]) == [2]


def test_it_is_found_in_a_file_sorted_backwards() -> None:
    assert swapped(["10/08/2013", "10/07/2013", "04/10/2013", "10/04/2013", "10/04/2013", "10/03/2013"]) == [2]


@pytest.mark.parametrize(
    "days",
    [
        ["10/03/2013", "10/08/2013", "10/04/2013", "10/07/2013", "10/05/2013"],
        ["10/08/2013", "10/07/2013", "10/04/2013", "10/03/2013"],
        ["01/02/2013", "02/01/2013", "03/01/2013"],
    ],
)
def test_unsorted_and_reversed_files_are_left_alone(days: list[str]) -> None:
    assert swapped(days) == []


def test_symbols_one_after_the_other_each_have_an_order_of_their_own() -> None:
    days = ["10/03/2013", "10/04/2013", "10/07/2013"]

    assert swapped(days * 2, [0] * 3 + [1] * 3) == []
