"""Prices between ticks are found by symbol and session, and no price on a tick ever is."""

from datetime import date

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.off_ticks import TicksByDay, off_tick_bars
from marketdata_pipelines.domain.quality.records import SUSPECT_SCHEMA
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.walked_bars import FRIDAY, bar_columns, changed, session_times, walked_bars
from marketdata_pipelines_tests.domain.walked_bars import session_of as session

FEED = make_feed()
QUICK = settings(deadline=None, max_examples=60, phases=(Phase.explicit, Phase.generate))


def test_a_symbol_session_is_told_once_with_its_first_price_and_count() -> None:
    bars = changed(changed(walked_bars(FEED, {"A": 100.0, "B": 20.0}), 401, high=20.555), 500, close=20.111)

    (found,) = off_tick_bars(bars, {FRIDAY: {"A": 0.01, "B": 0.01}}).to_pylist()

    assert (found["symbol"], found["session_date"], found["kind"], found["bars"]) == ("B", FRIDAY, "off_tick", 2)
    assert (found["ts"], found["ts_last"]) == (bars["ts"][401].as_py(), bars["ts"][500].as_py())
    assert (found["value"], found["scale"], found["standing"]) == (20.555, 0.01, True)


def test_symbols_and_days_without_a_tick_are_passed_over() -> None:
    bars = changed(walked_bars(FEED, {"A": 100.0}), 9, close=100.001)

    days: list[TicksByDay] = [
        {},
        {FRIDAY: {}},
        {FRIDAY: {"B": 0.01}},
        {date(2024, 3, 7): {"A": 0.01}},
        {FRIDAY: {"A": 0.0}},
    ]
    for ticks in days:
        found = off_tick_bars(bars, ticks)

        assert found.num_rows == 0
        assert found.schema == SUSPECT_SCHEMA


def test_no_bars_have_no_suspects() -> None:
    assert off_tick_bars(walked_bars(FEED, {"A": 1.0}).slice(0, 0), {FRIDAY: {"A": 0.01}}).num_rows == 0


@QUICK
@given(
    st.sampled_from([1e-8, 0.0001, 0.005, 0.01, 0.05, 0.1, 0.25, 1 / 32, 1 / 128, 0.3, 1.0, 5.0, 12.5]),
    st.lists(st.integers(1, 10**9), min_size=1, max_size=50),
)
def test_multiples_of_a_tick_as_any_source_writes_them_are_on_it(tick: float, counts: list[int]) -> None:
    exact = np.array(counts) * tick
    # As a product, as a quotient, and as text with four decimals or so many that the tick can be told.
    decimals = 4 if tick >= 0.005 else 10
    for prices in (exact, exact / 3 * 3, np.round(exact, decimals), np.round(exact, decimals + 2)):
        assert off_tick_bars(_bars(prices), {FRIDAY: {"A": tick}}).num_rows == 0


@QUICK
@given(
    st.sampled_from(["open", "high", "low", "close"]),
    st.sampled_from([0.01, 0.05, 0.25]),
    st.integers(100, 10**6),
    st.floats(0.021, 0.979),
)
def test_a_price_between_two_ticks_is_found_in_every_column(name: str, tick: float, count: int, part: float) -> None:
    price = (count + part) * tick

    (found,) = off_tick_bars(changed(_bars(np.full(5, count * tick)), 3, **{name: price}), {FRIDAY: {"A": tick}})[
        "value"
    ].to_pylist()

    assert found == pytest.approx(price)


def _bars(prices: np.ndarray) -> object:
    times = session_times(FEED, session(FEED))[: len(prices)]
    columns = dict.fromkeys(("open", "high", "low", "close"), prices)
    return bar_columns(FEED, "A", FRIDAY, times, **columns, volume=np.ones(len(prices)))
