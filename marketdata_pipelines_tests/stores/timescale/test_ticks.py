"""Values as whole ticks, exactly."""

import math
from decimal import Decimal

import numpy as np
import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.ticks import (
    MAX_SCALE,
    UNKNOWN_TICKS,
    decimal_scale,
    from_ticks,
    group_scales,
    ticks_array,
    to_ticks,
)

many = settings(phases=(Phase.explicit, Phase.generate), deadline=None, max_examples=300)
SCALES = st.integers(0, MAX_SCALE)
TICKS = st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), st.integers(-(10**7), 10**7))


def values_of(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(values, np.float64)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ((), 0),
        ((math.nan,), 0),
        ((0.0, 100.0, -3.0), 0),
        ((0.1, 0.25), 2),
        ((99.99, math.nan, 1.2345), 4),
        ((0.000000001,), 9),
        ((0.0000000001,), None),
        ((1 / 3,), None),
        ((0.1 + 0.2,), None),
        ((2.0**53 - 1,), 0),
        ((2.0**53,), None),
        ((1e300,), None),
        ((math.inf,), None),
        ((-math.inf, 1.0), None),
        ((-0.0,), None),
        ((1.0, 9_007_199_254_740.5), 1),
        ((9_007_199_254_740.5, 0.001), 3),
        ((9_007_199_254_740.5, 0.0001), None),
    ],
)
def test_the_scale_is_the_smallest_that_is_exact(values: tuple[float, ...], scale: int | None) -> None:
    assert decimal_scale(values_of(*values)) == scale


@many
@given(st.lists(TICKS, max_size=20), SCALES)
def test_values_made_of_ticks_have_a_scale_and_come_back_bit_for_bit(ticks: list[int], scale: int) -> None:
    values = np.array(ticks, np.int64) / 10.0**scale

    found = decimal_scale(values)

    assert found is not None
    assert found <= scale
    assert from_ticks(to_ticks(values, found), found).tobytes() == values.tobytes()


@many
@given(st.lists(st.floats(), min_size=1, max_size=8))
def test_any_values_come_back_bit_for_bit_or_have_no_scale(values: list[float]) -> None:
    column = values_of(*values)

    scale = decimal_scale(column)

    if scale is not None:
        back = from_ticks(to_ticks(column, scale), scale)
        known = ~np.isnan(column)
        assert back[known].tobytes() == column[known].tobytes()
        assert np.isnan(back[~known]).all()


@many
@given(st.decimals(0, 10**6, places=4, allow_nan=False))
def test_a_price_with_four_decimals_is_its_ticks(price: Decimal) -> None:
    assert to_ticks(values_of(float(price)), 4).tolist() == [int(price.scaleb(4))]


def test_a_value_far_behind_in_a_long_column_decides_the_scale() -> None:
    values = np.full(100_000, 12.5)
    values[77_777] = 12.3456

    assert decimal_scale(values) == 4


def test_unknown_values_stay_unknown() -> None:
    ticks = to_ticks(values_of(1.5, math.nan), 1)

    assert ticks.tolist() == [15, UNKNOWN_TICKS]
    assert ticks_array(ticks).to_pylist() == [15, None]
    assert np.isnan(from_ticks(ticks, 1)).tolist() == [False, True]


@pytest.mark.parametrize("value", [1.25, math.inf, -0.0, 2.0**53])
def test_what_a_scale_does_not_hold_is_refused_by_row_and_value(value: float) -> None:
    with pytest.raises(StoreError, match=r"in row 2 is no whole number of ticks of 10\^-1") as raised:
        to_ticks(values_of(1.0, 2.0, value), 1)

    assert repr(value) in str(raised.value)


@many
@given(st.lists(st.lists(st.tuples(TICKS, TICKS, SCALES), min_size=1, max_size=6), max_size=8))
def test_scales_of_runs_are_those_of_each_run_alone(runs: list[list[tuple[int, int, int]]]) -> None:
    first = values_of(*(tick / 10.0**scale for run in runs for tick, _, scale in run))
    second = values_of(*(tick / 10.0**scale for run in runs for _, tick, scale in run))
    lengths = np.array([len(run) for run in runs], np.int64)
    starts = np.cumsum(lengths) - lengths

    found = group_scales([first, second], starts)

    expected = []
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        own = slice(start, start + length)
        expected.append(decimal_scale(np.concatenate((first[own], second[own]))))
    assert [None if scale < 0 else scale for scale in found.tolist()] == expected


def test_each_row_may_have_a_scale_of_its_own() -> None:
    scales = np.array([0, 2, 9], np.int16)
    values = values_of(7.0, 1.25, 0.000000003)

    ticks = to_ticks(values, scales)

    assert ticks.tolist() == [7, 125, 3]
    assert from_ticks(ticks, scales).tobytes() == values.tobytes()


def test_postgresql_divides_to_the_same_doubles(postgres_url: str) -> None:
    random = np.random.default_rng(7)
    ticks = np.concatenate([random.integers(-(2**53) + 1, 2**53, 2_000), random.integers(-(10**6), 10**6, 2_000)])
    query = (
        "select float8send(t::float8 / 10^s::float8) from unnest(%s::bigint[]) with ordinality as x(t, n), "
        "(values (%s::smallint)) as y(s) order by n"
    )

    with psycopg.connect(postgres_url) as connection:
        for scale in range(MAX_SCALE + 1):
            rows = connection.execute(query, [ticks.tolist(), scale]).fetchall()
            there = np.frombuffer(b"".join(row[0] for row in rows), ">f8").astype(np.float64)

            assert there.tobytes() == from_ticks(ticks, scale).tobytes()
