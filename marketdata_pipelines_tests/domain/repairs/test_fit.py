"""The measure of how well a bar fits its neighbours."""

import numpy as np
import pytest

from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.repairs.fit import SymbolBars, confidence, range_fit, volume_fit

RANDOM = np.random.default_rng(3)
CLOSES = np.round(100 * np.exp(np.cumsum(RANDOM.normal(0, 5e-4, 200))), 2)


def symbol_bars(closes: np.ndarray = CLOSES, *, any_sign: bool = False) -> SymbolBars:
    """Bars of 0.1 from low to high around their closes, one a minute."""
    prices = np.column_stack((closes, closes + 0.05, closes - 0.05, closes))
    ts = np.arange(len(closes)) * MINUTE_US
    return SymbolBars(ts, prices, np.full(len(closes), 1_000.0), MINUTE_US, any_sign=any_sign)


def test_a_bar_inside_its_neighbours_range_fits_whole() -> None:
    bars = symbol_bars()
    around = bars.around(50 * MINUTE_US)

    assert bars.fit((CLOSES[49], CLOSES[49] + 0.01, CLOSES[49] - 0.01, CLOSES[49]), around) == 1.0
    assert around.support == 1 - 0.5**11


def test_the_fit_falls_the_further_off_a_bar_lies_and_is_a_half_at_what_is_allowed() -> None:
    bars = symbol_bars()
    around = bars.around(50 * MINUTE_US)
    edge = float(np.exp(around.high + around.allowed))

    fits = [bars.fit((price, price, price, price), around) for price in (100.2, edge, edge * 1.05, edge * 10)]

    assert fits[1] == pytest.approx(0.5)
    assert fits == sorted(fits, reverse=True)
    assert fits[3] < 1e-3


def test_prices_that_are_none_fit_nothing_unless_the_feed_allows_them() -> None:
    plain, oil = symbol_bars(), symbol_bars(np.linspace(-3, 3, 50), any_sign=True)

    assert plain.fit((-100.0, 100.0, -100.0, 100.0), plain.around(50 * MINUTE_US)) == 0.0
    assert oil.fit((-3.0, -2.9, -3.0, -2.95), oil.around(0)) > 0.9


def test_without_neighbours_a_bar_is_neither_likely_nor_unlikely() -> None:
    bars = symbol_bars(np.zeros(0))
    around = bars.around(0)

    assert (bars.fit((5.0, 5.0, 5.0, 5.0), around), around.support, around.before) == (1.0, 0.5, None)
    assert volume_fit(7.0, around) == 0.5
    assert range_fit((5.0, 9.0, 5.0, 5.0), bars, around) == 1.0


def test_what_lies_at_the_instant_itself_is_no_neighbour() -> None:
    closes = CLOSES.copy()
    closes[50] = 1_000.0

    around = symbol_bars(closes).around(50 * MINUTE_US)

    assert around.high < np.log(200)
    assert (around.before, around.after) == (closes[49], closes[51])


def test_a_range_four_times_as_wide_as_usual_fits_half() -> None:
    bars = symbol_bars()
    around = bars.around(50 * MINUTE_US)
    middle = float(CLOSES[50])
    half = middle * (np.exp(around.usual_range * np.exp(1.5) / 2) - 1)

    assert range_fit((middle, middle + 0.05, middle - 0.05, middle), bars, around) == pytest.approx(1.0, abs=1e-3)
    assert range_fit((middle, middle + half, middle - half, middle), bars, around) == pytest.approx(0.5, abs=0.01)


def test_a_volume_far_from_the_usual_does_not_fit() -> None:
    around = symbol_bars().around(50 * MINUTE_US)

    assert volume_fit(1_500.0, around) > 0.99
    assert volume_fit(1e9, around) < 0.01
    assert volume_fit(-5.0, around) == 0.0


def test_confidence_is_lost_to_a_rival_that_fits_as_well_and_to_a_bar_that_fits_as_it_is() -> None:
    around = symbol_bars().around(50 * MINUTE_US)

    assert confidence(1.0, 0.0, around) == around.support
    assert confidence(1.0, 0.0, around, rival=1.0) == around.support / 2
    assert confidence(1.0, 1.0, around) == confidence(0.0, 0.0, around) == 0.0
