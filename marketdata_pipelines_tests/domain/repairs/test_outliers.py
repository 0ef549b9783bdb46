"""What to do with bars that stand and do not fit."""

import numpy as np
import pytest

from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.repairs.fit import SymbolBars
from marketdata_pipelines.domain.repairs.outliers import choose_duplicate, mend_outlier
from marketdata_pipelines.domain.repairs.records import LEAST_CONFIDENCE, BarRow, RepairKind

GOOD = {"open": 100.0, "high": 100.2, "low": 99.9, "close": 100.1, "volume": 500.0, "vwap": 100.05, "trade_count": 7}


def bars(count: int = 60, *, leaps_at: int | None = None) -> SymbolBars:
    """Bars around 100 of volume 500; from `leaps_at` on around 110."""
    closes = 100 + 0.05 * (np.arange(count) % 3)
    if leaps_at is not None:
        closes[leaps_at:] += 10
    prices = np.column_stack((closes, closes + 0.05, closes - 0.05, closes))
    kept = np.arange(count) != 30
    ts = np.arange(count) * MINUTE_US
    return SymbolBars(ts[kept], prices[kept], np.full(count, 500.0)[kept], MINUTE_US)


def row(**changes: float | None) -> BarRow:
    return BarRow("A", 30 * MINUTE_US, {**GOOD, **changes}, "f.csv", 2, 1, "part")


def test_a_bar_that_fits_has_nothing_to_mend() -> None:
    for rule in ("price_spike", "bad_wick", "return_outlier"):
        found = mend_outlier(row(), rule, bars())

        assert found is None or found.confidence < LEAST_CONFIDENCE


def test_two_prices_of_another_scale_are_put_right_together() -> None:
    found = mend_outlier(row(high=1002.0, close=1001.0, vwap=None), "price_spike", bars())

    assert found is not None
    assert (found.kind, found.detail, found.values) == (
        RepairKind.PRICE_SCALE,
        "high and close through 10",
        GOOD | {"vwap": None},
    )


def test_a_spike_between_neighbours_that_agree_goes() -> None:
    found = mend_outlier(row(open=137.0, high=137.2, low=136.9, close=137.1), "price_spike", bars())

    assert found is not None
    assert (found.kind, found.values, found.confidence > 0.95) == (RepairKind.BAR_DROPPED, None, True)


def test_a_bar_between_two_levels_is_no_spike_to_drop() -> None:
    found = mend_outlier(row(open=107.0, high=107.2, low=106.9, close=107.1), "price_spike", bars(leaps_at=31))

    assert found is not None
    assert found.confidence < 0.05


def test_a_spike_at_the_end_of_what_is_known_is_left() -> None:
    assert mend_outlier(row(open=137.0, high=137.2, low=136.9, close=137.1), "price_spike", bars(30)) is None


@pytest.mark.parametrize(("name", "value"), [("high", 130.0), ("low", 70.0)])
def test_a_wick_is_clipped_on_its_side_only(name: str, value: float) -> None:
    found = mend_outlier(row(**{name: value}), "bad_wick", bars())

    assert found is not None
    assert found.values is not None
    other = "low" if name == "high" else "high"
    assert found.kind is RepairKind.WICK_CLIPPED
    assert abs((found.values[name] or 0.0) - 100.1) < 0.3
    assert found.values[other] == GOOD[other]
    assert found.values["vwap"] == 100.05
    assert found.confidence <= 0.5


def test_a_full_counter_is_no_volume() -> None:
    found = mend_outlier(row(volume=2.0**31 - 1), "volume_spike", bars())

    assert found is not None
    assert found.values is not None
    assert (found.kind, found.values["volume"], found.confidence > 0.95) == (RepairKind.FIELD_UNKNOWN, None, True)


def test_a_volume_a_hundred_times_too_large_may_be_in_lots_but_not_surely() -> None:
    found = mend_outlier(row(volume=50_000.0), "volume_spike", bars())

    assert found is not None
    assert found.values is not None
    assert (found.kind, found.values["volume"]) == (RepairKind.VOLUME_MENDED, 500.0)
    assert found.confidence < 0.95


def test_without_a_usual_volume_none_is_mended() -> None:
    quiet = bars()
    silent = SymbolBars(quiet.ts, quiet.prices, np.full(len(quiet.ts), np.nan), MINUTE_US)

    assert mend_outlier(row(volume=2.0**31 - 1), "volume_spike", silent) is None


def test_of_two_rows_whose_prices_fit_alike_the_volumes_decide() -> None:
    better = choose_duplicate(row(volume=480.0), GOOD | {"volume": 4e7}, bars())
    worse = choose_duplicate(row(volume=4e7), GOOD, bars())
    same = choose_duplicate(row(), GOOD, bars())

    assert better is not None
    assert (better.kind, better.confidence > 0.9) == (RepairKind.DUPLICATE_CHOSEN, True)
    assert worse is None
    assert same is None
