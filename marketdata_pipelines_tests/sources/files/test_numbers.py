"""What counts as a number, as nothing, and as neither."""

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.sources.files.numbers import parse_numbers


def parse(cells: list[str | None], decimal: str = ".") -> list[float | str]:
    parsed = parse_numbers(pa.array(cells, pa.string()), decimal)
    columns = zip(parsed.values.tolist(), parsed.missing.tolist(), parsed.bad.tolist(), strict=True)
    return ["missing" if missing else "bad" if bad else value for value, missing, bad in columns]


@given(st.lists(st.floats(allow_nan=False), max_size=20))
def test_every_float_written_by_repr_reads_back_exactly(values: list[float]) -> None:
    assert parse([repr(value) for value in values]) == values


def test_null_markers_are_missing_and_nan_is_a_value() -> None:
    assert parse(["", " ", "null", "N/A", "#N/A", "None", "-", None]) == ["missing"] * 8
    assert math.isnan(float(parse(["nan"])[0]))
    assert parse(["inf", "-Infinity"]) == [math.inf, -math.inf]


@pytest.mark.parametrize("text", ["1,234", "1_000", "0x1F4", "five", "1.2.3", "1e", "--5", "1 000", "٣"])
def test_only_plain_decimals_and_exponents_are_numbers(text: str) -> None:
    assert parse(["1.5", text, "+2", "3e2"]) == [1.5, "bad", 2.0, 300.0]


def test_thousands_separators_count_where_most_of_the_column_has_them() -> None:
    assert parse(["1,234", "12,345,678.5", "7"]) == [1234.0, 12345678.5, 7.0]


def test_a_currency_sign_counts_where_the_column_has_it() -> None:
    assert parse(["$75.09", "$1,074.06", "$3"]) == [75.09, 1074.06, 3.0]


def test_with_decimal_commas_a_point_is_no_decimal_point() -> None:
    assert parse(["13,9", "1.234", "7"], ",") == [13.9, "bad", 7.0]


def test_decimals_are_exact() -> None:
    column = pa.array(["372.0250", "0.1"]).cast(pa.decimal128(10, 4))

    assert parse_numbers(column).values.tolist() == [372.025, 0.1]
