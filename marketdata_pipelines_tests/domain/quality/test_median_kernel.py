"""Medians found by selection are those of sorting, to the last bit, whatever is equal or far apart."""

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.median_kernel import median, median_move, select

QUICK = settings(deadline=None, max_examples=150, phases=(Phase.explicit, Phase.generate))
COUNTS = st.integers(1, 400)
SEEDS = st.integers(0, 2**32 - 1)


def _bits(value: float) -> bytes:
    return np.float64(value).tobytes()


@QUICK
@given(COUNTS, SEEDS, st.sampled_from([1, 2, 5, 1000]))
def test_the_selected_value_is_the_one_of_its_rank(count: int, seed: int, different: int) -> None:
    drawn = np.random.default_rng(seed)
    values = drawn.integers(0, different, count).astype(float)
    k = int(drawn.integers(0, count))
    given_values = values.copy()

    found = select(values, k)

    assert found == np.sort(given_values)[k]
    assert np.array_equal(np.sort(values), np.sort(given_values))
    assert values[: k + 1].max() == found


@QUICK
@given(st.lists(st.floats(allow_nan=False, min_value=1e-300), min_size=1, max_size=60))
def test_the_median_is_numpys(values: list[float]) -> None:
    array = np.array(values)

    with np.errstate(over="ignore"):
        expected = np.median(array)

    assert _bits(median(array.copy())) == _bits(expected)


def test_of_nothing_the_median_is_unknown() -> None:
    assert np.isnan(median(np.zeros(0)))
    assert np.isnan(median_move(np.zeros(0), np.zeros(0), np.zeros(0)))


def test_values_in_order_in_reverse_and_all_alike_have_their_median() -> None:
    increasing = np.arange(1.0, 1001.0)

    assert median(increasing.copy()) == median(increasing[::-1].copy()) == 500.5
    assert median(np.full(100_000, 7.0)) == 7.0


@QUICK
@given(st.integers(2, 400), SEEDS, st.sampled_from([0.3, 0.01, 1e-4, 1e-9, 1e-13, 1e-16]), st.sampled_from([2, 4, 12]))
def test_the_median_move_is_that_of_all_logarithms(count: int, seed: int, step: float, decimals: int) -> None:
    prices = np.round(100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, step, count))), decimals) + 0.01
    ratios = prices[1:] / prices[:-1]
    greater, lesser = np.maximum(prices[1:], prices[:-1]), np.minimum(prices[1:], prices[:-1])

    found = median_move(ratios, (greater - lesser) / lesser, np.empty(count))

    assert _bits(found) == _bits(np.median(_logarithms(ratios)))


def _logarithms(ratios: np.ndarray) -> np.ndarray:
    """|ln| as the kernels' compiler takes it: numpy's own may differ in the last bit."""
    alone = [median_move(ratios[at : at + 1], np.zeros(1), np.empty(1)) for at in range(len(ratios))]
    return np.array(alone)
