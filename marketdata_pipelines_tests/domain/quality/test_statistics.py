"""Statistics in pieces against numpy over the whole."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.statistics import ColumnStatistics


def statistics_of(values: np.ndarray, pieces: int = 1) -> ColumnStatistics:
    found = ColumnStatistics()
    for piece in np.array_split(values, pieces):
        found.add(piece)
    return found


@settings(max_examples=40, phases=(Phase.explicit, Phase.generate), deadline=None)
@given(
    values=st.lists(st.floats(-1e9, 1e9, allow_subnormal=False) | st.just(float("nan")), min_size=2, max_size=200),
    pieces=st.integers(1, 7),
)
def test_pieces_give_what_numpy_gives_over_the_whole(values: list[float], pieces: int) -> None:
    array = np.array(values)
    known = array[~np.isnan(array)]

    found = statistics_of(array, pieces).summary((0.0, 0.5, 1.0))

    assert (found.count, found.nulls) == (len(known), len(array) - len(known))
    if len(known) > 1:
        assert found.zeros == np.count_nonzero(known == 0)
        assert found.distinct == len(np.unique(known))
        assert (found.least, found.greatest) == (known.min(), known.max())
        assert found.mean == pytest.approx(known.mean(), rel=1e-9, abs=1e-6)
        assert found.deviation == pytest.approx(known.std(ddof=1), rel=1e-6, abs=1e-5)
        assert (found.quantiles[0], found.quantiles[2]) == (known.min(), known.max())


@pytest.mark.parametrize("pieces", [1, 9])
def test_quantiles_of_many_values_are_right_to_a_thousandth(pieces: int) -> None:
    random = np.random.default_rng(4)
    values = np.concatenate((random.lognormal(3, 2, 60_000), -random.lognormal(1, 1, 20_000), np.zeros(500)))
    random.shuffle(values)

    found = statistics_of(values, pieces)

    for share in (0.001, 0.05, 0.2, 0.5, 0.9, 0.999):
        assert found.quantile(share) == pytest.approx(float(np.quantile(values, share, method="lower")), rel=1e-3)
    assert found.zeros == 500


def test_the_number_of_many_distinct_values_is_right_to_a_few_per_cent() -> None:
    random = np.random.default_rng(5)
    values = random.integers(0, 50_000, 400_000).astype(float) / 100

    assert statistics_of(values, 8).distinct == pytest.approx(len(np.unique(values)), rel=0.06)


def test_infinities_count_as_nothing_and_no_values_have_no_statistics() -> None:
    nothing = statistics_of(np.array([np.nan, np.inf, -np.inf])).summary((0.5,))

    assert (nothing.count, nothing.nulls, nothing.mean, nothing.quantiles, nothing.histogram) == (
        0,
        1,
        None,
        (None,),
        "",
    )


def test_a_histogram_is_as_wide_as_asked_and_high_where_the_values_are() -> None:
    values = np.concatenate((np.full(90, 1.0), np.linspace(1, 10, 10)))

    line = statistics_of(values).histogram(10)

    assert (len(line), line[0], set(line[1:]) <= set("▁▂")) == (10, "█", True)
    assert statistics_of(np.full(5, 3.0)).histogram() == "█"
