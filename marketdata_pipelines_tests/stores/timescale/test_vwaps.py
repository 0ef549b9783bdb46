"""vwaps as ticks where they are decimal, among vwaps that are not, all bit for bit."""

import math

import numpy as np
import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.ticks import MAX_SCALE, Floats, Ints
from marketdata_pipelines.stores.timescale.vwaps import ANY_SCALE, from_stored, suits, to_stored, vwap_scales

many = settings(phases=(Phase.explicit, Phase.generate), deadline=None, max_examples=300)
DECIMALS = st.tuples(st.integers(-(10**9), 10**9), st.integers(0, MAX_SCALE)).map(lambda it: it[0] / 10.0 ** it[1])
DOUBLES = st.floats(allow_infinity=False)
VWAPS = st.lists(st.one_of(DECIMALS, DOUBLES, st.just(-0.0), st.just(math.nan)), min_size=1, max_size=12)


def values_of(*values: float) -> Floats:
    return np.array(values, np.float64)


def same_bits(found: Floats, values: Floats) -> bool:
    known = ~np.isnan(values)
    return bool((np.isnan(found) == ~known).all()) and found[known].tobytes() == values[known].tobytes()


@many
@given(st.lists(VWAPS, min_size=1, max_size=5))
def test_any_vwaps_come_back_bit_for_bit_from_the_scales_of_their_runs(runs: list[list[float]]) -> None:
    values = values_of(*(value for run in runs for value in run))
    lengths = np.array([len(run) for run in runs], np.int64)

    scales = vwap_scales(values, np.cumsum(lengths) - lengths)

    own = np.repeat(np.maximum(scales, 0), lengths)
    assert same_bits(from_stored(to_stored(values, own), own), values)


@many
@given(VWAPS, st.integers(0, MAX_SCALE))
def test_a_scale_either_keeps_vwaps_bit_for_bit_or_refuses_them(vwaps: list[float], scale: int) -> None:
    values = values_of(*vwaps)

    try:
        stored = to_stored(values, scale)
    except StoreError:
        stored = None

    assert stored is not None or np.nanmax(np.abs(values)) >= 2**53 / 10.0**scale
    assert stored is None or same_bits(from_stored(stored, scale), values)


@many
@given(VWAPS)
def test_scale_0_keeps_every_vwap_as_it_is(vwaps: list[float]) -> None:
    values = values_of(*vwaps)

    assert same_bits(to_stored(values, 0), values)
    assert same_bits(from_stored(values, 0), values)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ((math.nan, math.nan), ANY_SCALE),
        ((100.0, 7.0, -3.0), 0),
        ((100.25, 7.0), 2),
        ((12.6075, 12.61, math.nan, 12.6025), 4),
        ((1 / 3, 2 / 3, 100 / 7), 0),
        # One in ten is none: the others are worth it. Of half of them only the pairs are.
        ((12.61, 12.62, 12.63, 12.64, 12.65, 12.66, 12.67, 12.68, 12.69, 38 / 3), 2),
        ((12.61, 38 / 3, 12.63, 37 / 3), 0),
        # Four decimals in one of five cost less than one that is none.
        ((12.61, 12.62, 12.63, 12.64, 12.6525), 4),
        # As ticks they would reach 2^53: whole numbers among them might not be ticks.
        ((9.5e13, 1e12 + 0.25, 1e12 + 0.75), 0),
    ],
)
def test_the_scale_is_the_one_that_takes_the_least_space(values: tuple[float, ...], scale: int) -> None:
    assert vwap_scales(values_of(*values), np.zeros(1, np.int64)).tolist() == [scale]


def test_runs_are_told_apart_whatever_their_length() -> None:
    runs = [
        np.full(1, 0.5),
        np.full(1_000, math.nan),
        np.arange(1_000) / 10_000,
        1 / np.arange(7, 1_000),
        np.full(3, 8.0),
    ]
    starts: Ints = np.cumsum([0, *map(len, runs[:-1])])

    assert vwap_scales(np.concatenate(runs), starts).tolist() == [1, ANY_SCALE, 4, 0, 0]
    assert vwap_scales(np.zeros(0), np.zeros(0, np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("values", "scale", "wanted", "expected"),
    [
        ((12.61, 12.62), 2, 2, True),
        ((12.61, 12.62), 4, 2, True),
        ((12.61, 12.62), 0, 2, False),
        ((12.6125,), 2, 4, False),
        ((1 / 3,), 4, 0, True),
        ((math.nan,), 4, ANY_SCALE, True),
        ((9e12,), 4, 0, False),
        # More decimals are no nearer to what has none, but may lose what has.
        ((9_007_199_254.25,), 9, 2, False),
    ],
)
def test_another_scale_will_do_where_it_keeps_as_many_in_ticks(
    values: tuple[float, ...], scale: int, wanted: int, expected: bool
) -> None:
    assert suits(values_of(*values), scale, wanted) is expected


def test_a_whole_number_that_would_be_taken_for_ticks_is_refused_by_row_and_value() -> None:
    odd = 6_433_195_800_142_594.0

    with pytest.raises(StoreError, match=r"in row 1 is no whole number of ticks of 10\^-5") as raised:
        to_stored(values_of(0.5, odd), 5)

    assert repr(odd) in str(raised.value)


def test_postgresql_tells_ticks_and_divides_as_it_is_done_here(postgres_url: str) -> None:
    random = np.random.default_rng(7)
    vwaps = np.concatenate([random.integers(-(10**9), 10**9, 2_000) / 10_000, random.normal(100, 30, 2_000), [-0.0]])
    query = (
        "select float8send(case when v = trunc(v) then v / power(10::float8, s::float8) else v end),"
        " float8send(case when v = trunc(v) then v / 10::float8 ^ s::float8 else v end)"
        " from unnest(%s::float8[]) with ordinality as x (v, n), (values (%s::smallint)) as y (s) order by n"
    )

    with psycopg.connect(postgres_url) as connection:
        for scale in range(MAX_SCALE + 1):
            rows = connection.execute(query, [to_stored(vwaps, scale).tolist(), scale]).fetchall()

            for column in zip(*rows, strict=True):
                assert np.frombuffer(b"".join(column), ">f8").astype(np.float64).tobytes() == vwaps.tobytes()
