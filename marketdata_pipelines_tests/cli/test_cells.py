"""Times, numbers and booleans as text."""

import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.cli.cells import text_cells

DOUBLES = st.binary(min_size=8, max_size=8).map(lambda raw: struct.unpack("<d", raw)[0]).filter(np.isfinite)


def test_floats_are_the_shortest_text_without_a_needless_fraction() -> None:
    column = pa.array([168.28, 302173.0, 0.1 + 0.2, 12345678901234.0, 1e10, 99999999999.5, 1e300, None])

    assert text_cells(column).to_pylist() == [
        "168.28", "302173", "0.30000000000000004", "12345678901234", "10000000000", "99999999999.5", "1e+300", None,
    ]  # fmt: skip


@given(st.lists(DOUBLES, max_size=20))
def test_floats_read_back_as_the_same_number(values: list[float]) -> None:
    texts = text_cells(pa.array(values, pa.float64())).to_pylist()

    assert [float(text) for text in texts] == values


def test_a_fraction_of_a_second_is_written_only_where_there_is_one() -> None:
    column = pa.array([1_380_893_400_000_000, 1_380_893_400_250_000, -1, None]).cast(pa.timestamp("us", tz="UTC"))

    assert text_cells(column).to_pylist() == [
        "2013-10-04T13:30:00Z", "2013-10-04T13:30:00.25Z", "1969-12-31T23:59:59.999999Z", None,
    ]  # fmt: skip


@given(st.integers(-(10**15), 4 * 10**15))
def test_an_instant_reads_back_as_itself(us: int) -> None:
    text = text_cells(pa.array([us]).cast(pa.timestamp("us", tz="UTC"))).to_pylist()[0]

    assert int(np.datetime64(text.removesuffix("Z"), "us").astype(np.int64)) == us


def test_nanoseconds_keep_their_nine_digits() -> None:
    column = pa.array([1_380_893_400_000_000_001]).cast(pa.timestamp("ns", tz="UTC"))

    assert text_cells(column).to_pylist() == ["2013-10-04T13:30:00.000000001Z"]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([15_982], pa.int32()).cast(pa.date32()), ["2013-10-04"]),
        (pa.array([7, None]), ["7", None]),
        (pa.array(["b", "a", None]).dictionary_encode(), ["b", "a", None]),
    ],
)
def test_other_columns(column: pa.Array, texts: list[str | None]) -> None:
    assert text_cells(column).to_pylist() == texts


def test_a_slice_shows_its_own_rows() -> None:
    column = pa.array([1.0, None, 2e10, 3.5]).slice(2, 2)

    assert text_cells(column).to_pylist() == ["20000000000", "3.5"]
