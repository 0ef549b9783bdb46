"""What rows with impossible values might have been meant to say."""

import numpy as np
import pytest

from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.repairs.fit import SymbolBars
from marketdata_pipelines.domain.repairs.records import BarRow, RepairKind
from marketdata_pipelines.domain.repairs.values import is_consistent, mend_row, scale_options, volume_options

GOOD = {"open": 100.0, "high": 100.2, "low": 99.9, "close": 100.1, "volume": 500.0, "vwap": None, "trade_count": None}


def quiet_bars(count: int = 60, *, continuous: bool = False) -> SymbolBars:
    """Bars around 100; continuous ones open where the one before closed."""
    closes = 100 + 0.05 * (np.arange(count) % 3)
    opens = np.concatenate(([100.0], closes[:-1])) if continuous else closes - 0.02
    prices = np.column_stack((opens, np.maximum(opens, closes) + 0.05, np.minimum(opens, closes) - 0.05, closes))
    return SymbolBars(np.arange(count) * MINUTE_US, prices, np.full(count, 500.0), MINUTE_US)


def row(*rules: str, at: int = 30, **changes: float | None) -> BarRow:
    return BarRow("A", at * MINUTE_US, {**GOOD, **changes}, "f.csv", 2, 1, "part", frozenset(rules))


@pytest.mark.parametrize("rule", ["unparsable_timestamp", "out_of_session", "symbol_case", "row_too_short"])
def test_what_is_not_about_values_is_not_mended(rule: str) -> None:
    assert mend_row(row(rule), quiet_bars()) is None
    assert mend_row(row("high_below_low", rule, high=99.0), quiet_bars()) is None


def test_a_wide_swapped_bar_is_less_sure_than_a_narrow_one() -> None:
    narrow = mend_row(row("high_below_low", high=99.95, low=100.15), quiet_bars())
    wide = mend_row(row("high_below_low", high=99.6, low=100.6), quiet_bars())

    assert narrow is not None
    assert wide is not None
    assert (narrow.kind, narrow.confidence > 0.95) == (RepairKind.HIGH_LOW_SWAPPED, True)
    assert wide.confidence < 0.8


def test_a_close_of_another_scale_outside_the_range_is_put_right() -> None:
    found = mend_row(row("price_outside_range", close=1001.0), quiet_bars())

    assert found is not None
    assert (found.kind, found.values) == (RepairKind.PRICE_SCALE, GOOD)


def test_a_close_that_is_outside_by_no_scale_stays_unmended() -> None:
    assert mend_row(row("price_outside_range", close=100.5), quiet_bars()) is None


def test_a_bar_that_is_negative_whole_has_its_extremes_turned() -> None:
    found = mend_row(row("price_not_positive", open=-100.0, high=-99.9, low=-100.2, close=-100.1), quiet_bars())

    assert found is not None
    assert found.values == GOOD


@pytest.mark.parametrize("name", ["open", "close"])
def test_where_bars_go_on_where_they_stopped_a_missing_end_is_known(name: str) -> None:
    bars = quiet_bars(continuous=True)
    at = 31
    values = dict(zip(("open", "high", "low", "close"), bars.prices[at].tolist(), strict=True))
    left = SymbolBars(np.delete(bars.ts, at), np.delete(bars.prices, at, 0), np.delete(bars.volumes, at), MINUTE_US)

    found = mend_row(row("missing_price", at=at, **{**values, name: None}), left)

    assert found is not None
    assert found.values is not None
    assert found.values[name] == values[name]


def test_a_missing_end_of_other_bars_and_a_missing_extreme_are_left() -> None:
    assert mend_row(row("missing_price", open=None), quiet_bars()) is None
    assert mend_row(row("missing_price", high=None), quiet_bars(continuous=True)) is None
    assert mend_row(row("missing_price", open=None, close=None), quiet_bars(continuous=True)) is None


def test_a_vwap_outside_the_bar_becomes_unknown_and_one_of_the_bars_scale_follows_it() -> None:
    outside = mend_row(row("vwap_outside_range", vwap=140.0), quiet_bars())
    scaled = mend_row(row("price_outside_range", close=1001.0, vwap=100.05), quiet_bars())

    assert outside is not None
    assert scaled is not None
    assert (outside.kind, outside.values) == (RepairKind.FIELD_UNKNOWN, {**GOOD, "vwap": None})
    assert scaled.values == {**GOOD, "vwap": 100.05}


def test_a_negative_trade_count_becomes_unknown() -> None:
    found = mend_row(row("trade_count_negative", trade_count=-4.0), quiet_bars())

    assert found is not None
    assert found.values == GOOD


def test_price_and_volume_are_mended_together_and_are_as_sure_as_both() -> None:
    both = mend_row(row("price_not_positive", "volume_negative", open=-100.0, volume=-500.0), quiet_bars())
    price = mend_row(row("price_not_positive", open=-100.0), quiet_bars())

    assert both is not None
    assert price is not None
    assert (both.values, both.confidence <= price.confidence) == (GOOD, True)


def test_scales_are_powers_of_ten_written_as_a_source_writes_them() -> None:
    options = {option.detail: option.prices for option in scale_options((1682.7, 1683.1, 1682.0, 1682.9))}

    assert options["all prices through 10"] == (168.27, 168.31, 168.2, 168.29)
    assert all(is_consistent(np.array(prices)) for prices in options.values())


def test_a_counter_that_went_over_is_one_reading_of_a_huge_volume() -> None:
    assert (7.0, "a counter of 32 bits went over") in volume_options(2.0**32 + 7)
    assert all("counter" not in text for _, text in volume_options(5_000.0))
