"""Python values become columns without losing what was written."""

from datetime import date, datetime, time

import pyarrow as pa

from marketdata_pipelines.sources.files.values import join_columns, value_column, value_text


def test_numbers_stay_numbers_and_anything_mixed_becomes_text() -> None:
    assert value_column([1, None, 2]).type == pa.int64()
    assert value_column([1, 2.5]).to_pylist() == [1.0, 2.5]
    assert value_column([1, "x", None, True]).to_pylist() == ["1", "x", None, "true"]
    assert value_column([None, None]).type == pa.null()


def test_integers_beyond_64_bits_are_floats() -> None:
    assert value_column([2**70, 1]).to_pylist() == [float(2**70), 1.0]
    assert value_column([10**400]).to_pylist() == [str(10**400)]


def test_times_and_lists_have_a_text() -> None:
    values = [datetime(2020, 1, 2, 9, 30), date(2020, 1, 2), time(9, 30), ["@", None, "I"], "\ud800"]

    assert [value_text(value) for value in values] == ["2020-01-02 09:30:00", "2020-01-02", "09:30:00", "@;I", "?"]


def test_parts_of_a_column_take_the_type_that_holds_all() -> None:
    whole, part, text = pa.array([1]), pa.array([2.5]), pa.array(["x"])

    assert join_columns([whole, part, pa.nulls(1)]).to_pylist() == [1.0, 2.5, None]
    assert join_columns([part, text]).to_pylist() == ["2.5", "x"]
    assert join_columns([pa.nulls(2)]).null_count == 2
