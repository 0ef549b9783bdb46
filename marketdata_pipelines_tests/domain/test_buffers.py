"""Arrow arrays by their buffers are what `pa.array` would make."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain import buffers
from marketdata_pipelines.domain.bars import SYMBOL

TEXTS = st.lists(st.none() | st.text(max_size=5), max_size=40)


@given(TEXTS)
def test_texts_are_those_of_arrow(values: list[str | None]) -> None:
    made = buffers.texts(values)

    made.validate(full=True)
    assert made.equals(pa.array(values, pa.string()))


@given(TEXTS, st.integers(0, 10))
def test_codes_name_each_row_also_of_a_slice(values: list[str | None], cut: int) -> None:
    plain = pa.chunked_array([pa.array(values, pa.string()), pa.array(["A", None], pa.string())])

    short = plain.cast(pa.dictionary(pa.int8(), pa.string()))
    for column in (plain, plain.cast(SYMBOL), plain.slice(cut), plain.cast(SYMBOL).slice(cut), short):
        codes, names = buffers.codes_of(column)
        assert [None if code < 0 else names[code] for code in codes.tolist()] == column.to_pylist()


@given(st.lists(st.integers(-1, 3), max_size=40))
def test_chosen_texts_hold_only_names_that_occur(codes: list[int]) -> None:
    names = ["A", "B", "C", "D"]

    made = buffers.chosen_texts(np.array(codes, np.int32), names)

    made.validate(full=True)
    assert made.type == SYMBOL
    assert made.to_pylist() == [None if code < 0 else names[code] for code in codes]
    assert made.dictionary.to_pylist() == sorted({names[code] for code in codes if code >= 0})


@given(st.lists(st.integers(-1, 4), max_size=40))
def test_negative_positions_take_null(positions: list[int]) -> None:
    found = pa.array([10, 11, 12, 13, 14]).take(buffers.nullable_positions(np.array(positions, np.int64)))

    assert found.to_pylist() == [None if at < 0 else at + 10 for at in positions]


@given(st.lists(st.none() | st.integers(-30_000, 30_000), max_size=40), st.integers(0, 10))
def test_dates_and_what_is_known_survive(days: list[int | None], cut: int) -> None:
    known = np.array([day is not None for day in days], bool)

    made = buffers.dates(np.array([day or 0 for day in days], np.int64), known)

    made.validate(full=True)
    assert made.equals(pa.array(days, pa.int32()).cast(pa.date32()))
    assert buffers.is_known(made.slice(cut)).tolist() == known.tolist()[cut:]
    there = made.drop_null()
    assert buffers.day_values(there).tolist() == [day for day in days if day is not None]


def test_flags_and_instants_survive() -> None:
    flags = np.array([True, False, True] * 7)

    assert buffers.booleans(flags).to_pylist() == flags.tolist()
    assert buffers.integers(np.arange(4)[::2]).to_pylist() == [0, 2]
    assert buffers.instant_values(
        pa.chunked_array([pa.array([5, 6, 7]).cast(pa.timestamp("us"))]).slice(1)
    ).tolist() == [
        6,
        7,
    ]
    assert buffers.instant_values(pa.chunked_array([], pa.timestamp("us"))).tolist() == []
