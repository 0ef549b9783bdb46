"""Epochs are read in the file's unit; others are told apart from garbage."""

import pyarrow as pa
import pytest

from marketdata_pipelines.sources.files.epochs import epoch_unit, read_epochs

NANOS = 10**9


@pytest.mark.parametrize(("value", "unit"), [(1381411800, "epoch_s"), (1381411800 * 10**9, "epoch_ns"), (1, None)])
def test_unit_is_told_by_magnitude(value: int, unit: str | None) -> None:
    assert epoch_unit(value) == unit


@pytest.mark.parametrize("kind", [pa.string(), pa.int64()])
def test_another_unit_is_named_and_garbage_is_not(kind: pa.DataType) -> None:
    column = pa.array([1381411800, 1381411800000, 1381411800 * 10**9, 0, -5]).cast(kind)

    found = read_epochs(column, "epoch_s", NANOS, early=False)

    assert found.readable.tolist() == [True, False, False, False, False]
    assert found.other_unit.tolist() == [False, True, True, False, False]
    assert found.values[0] == 1381411800 * NANOS


def test_fractions_of_seconds_are_exact_as_text() -> None:
    found = read_epochs(pa.array(["1381411800.123456789", "1381411800."]), "epoch_s", NANOS, early=False)

    assert found.values.tolist() == [1381411800_123456789, 1381411800_000000000]


def test_a_double_is_rounded_to_microseconds() -> None:
    found = read_epochs(pa.array([1381411800.25]), "epoch_s", NANOS, early=False)

    assert found.values.tolist() == [1381411800_250000000]


@pytest.mark.parametrize("text", ["", "12a", "9" * 19, "99999999999999999999", "1e9", "nan"])
def test_what_is_no_epoch_is_not_read(text: str) -> None:
    found = read_epochs(pa.array([text, "1381411800"]), "epoch_s", NANOS, early=False)

    assert found.readable.tolist() == [False, True]


def test_days_before_1973_count_for_daily_bars_only() -> None:
    column = pa.array([-252_460_800, 0])

    assert read_epochs(column, "epoch_s", NANOS, early=True).readable.tolist() == [True, True]
    assert read_epochs(column, "epoch_s", NANOS, early=False).readable.tolist() == [False, False]
