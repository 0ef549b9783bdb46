"""Symbols, their traits and their levels from day to day."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import AssetClass
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.simulated.market import (
    day_levels,
    open_market,
    price_ticks,
    session_of,
    simulated_symbols,
)
from marketdata_pipelines.sources.simulated.traits import ONE
from marketdata_pipelines_tests.sources.simulated.feeds import simulated_feed


def test_a_count_names_symbols_and_fills_up_a_list() -> None:
    counted = simulated_symbols(simulated_feed(symbols=(), symbol_count=3))
    filled = simulated_symbols(simulated_feed(symbols=("SPY", "AAPL"), symbol_count=3))

    assert counted == ("SIM00001", "SIM00002", "SIM00003")
    assert filled == ("AAPL", "SIM00001", "SPY")


def test_a_feed_without_symbols_says_what_to_write() -> None:
    with pytest.raises(SettingsInvalid, match="demo_us simulates no symbol; give `symbols:"):
        simulated_symbols(simulated_feed(symbols=()))


@given(level=st.integers(-6 * ONE, 6 * ONE), base=st.integers(400, 10_000_000))
def test_a_price_is_positive_and_never_falls_with_a_rising_level(level: int, base: int) -> None:
    lower, higher = price_ticks(np.array([base]), np.array([level, level + ONE // 50]))

    assert 1 <= lower <= higher


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), ordinal=st.integers(700_000, 760_000), asset_class=st.sampled_from(AssetClass))
def test_levels_move_by_days_moves_not_by_jumps(seed: int, ordinal: int, asset_class: AssetClass) -> None:
    feed = simulated_feed(symbols=(), symbol_count=50, seed=seed, asset_class=asset_class)
    market = open_market(feed)

    today, tomorrow = day_levels(market, ordinal), day_levels(market, ordinal + 1)

    moves = np.abs(tomorrow - today) / market.volatility
    assert moves.max() < 8
    assert moves.mean() > 0.1


def test_levels_wander_over_years_as_a_walk_does() -> None:
    market = open_market(simulated_feed(symbols=(), symbol_count=200))
    start = date(2020, 1, 1).toordinal()

    after = [np.abs(day_levels(market, start + days) - day_levels(market, start)).mean() for days in (1, 16, 256)]

    assert 2 < after[1] / after[0] < 6
    assert 2 < after[2] / after[1] < 6


def test_a_closed_day_has_no_session() -> None:
    feed = simulated_feed()

    assert session_of(feed, date(2024, 3, 9)) is None
    assert session_of(feed, date(2024, 7, 4)) is None
    assert session_of(feed, date(2024, 3, 8)) is not None
