"""Returns, leaps, wicks and ranges of bars."""

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.quality.bar_measures import longest_standstill, measure_bars
from marketdata_pipelines.domain.quality.records import PROFILE_SCHEMA
from marketdata_pipelines_tests.builders import Row, bar, bar_table, day

DATE = day("2024-03-08")


def closes(symbol: str, *prices: float, date: str = "2024-03-08") -> list[Row]:
    return [bar(symbol, f"{date} 14:{30 + at}", price) for at, price in enumerate(prices)]


def profile(symbol: str, scale: float) -> pa.Table:
    row = {**dict.fromkeys(PROFILE_SCHEMA.names), "symbol": symbol, "session_date": DATE}
    return pa.Table.from_pylist([{**row, "return_scale": scale, "range_scale": scale}], PROFILE_SCHEMA)


def test_returns_begin_anew_with_a_symbol_and_a_session() -> None:
    table = bar_table([*closes("A", 10, 11), *closes("A", 12, date="2024-03-11"), *closes("B", 5, 5)])

    within = measure_bars(table, PROFILE_SCHEMA.empty_table(), within_sessions=True).returns
    across = measure_bars(table, PROFILE_SCHEMA.empty_table(), within_sessions=False).returns

    assert np.isnan(within).tolist() == [True, False, True, True, False]
    assert np.isnan(across).tolist() == [True, False, False, True, False]
    assert within[1] == pytest.approx(np.log(1.1))
    assert across[2] == pytest.approx(np.log(12 / 11))


def test_a_leap_is_the_lesser_way_of_going_away_and_coming_back() -> None:
    table = bar_table(closes("A", 100, 150, 100, 101, 102))

    measures = measure_bars(table, profile("A", 0.01), within_sessions=True)

    assert measures.leaps[1] == pytest.approx(np.log(1.5))
    assert measures.leaps[3] == 0.0
    assert np.isnan(measures.leaps[[0, 4]]).all()
    assert measures.leap_scales[1] == pytest.approx(np.log(1.5) / 0.01)


def test_the_longer_wick_counts_as_a_share_of_the_close() -> None:
    table = bar_table([bar("A", "2024-03-08 14:30", 100.0, high=101.0, low=97.0)])

    measures = measure_bars(table, profile("A", 0.01), within_sessions=True)

    assert (measures.wicks[0], measures.ranges[0]) == (0.03, 0.04)
    assert measures.wick_scales[0] == pytest.approx(3.0)


def test_nothing_is_measured_in_a_scale_that_is_unknown_or_none() -> None:
    table = bar_table(closes("A", 100, 101, 100))

    unknown = measure_bars(table, profile("B", 0.01), within_sessions=True)
    nothing = measure_bars(table, profile("A", 0.0), within_sessions=True)

    assert np.isnan(unknown.return_scales).all()
    assert np.isnan(nothing.return_scales).all()


def test_no_bars_have_no_measures() -> None:
    empty = BAR_SCHEMA.empty_table()

    assert len(measure_bars(empty, PROFILE_SCHEMA.empty_table(), within_sessions=True).returns) == 0
    assert longest_standstill(empty) == 0


def test_a_standstill_is_a_run_at_one_price_of_one_symbol() -> None:
    table = bar_table([*closes("A", 1, 2, 2, 2, 3), *closes("B", 3, 3)])

    assert longest_standstill(table) == 3
