"""Returns and volumes of a sample of bars, beside those of the sessions before."""

from datetime import date

import numpy as np
import pytest

from marketdata_pipelines.pipeline.reports.bars import BarSample, choose_sample, histograms, session_symbols
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.pipeline.report_lakes import fill_lake, names_of, sessions_of

FEED = make_feed("XNYS", "1m", name="stocks_1m")
SYMBOLS = names_of(3)


@pytest.fixture
def days(lake: Lake) -> list[date]:
    rows = sessions_of(FEED, date(2024, 1, 2), 3)
    fill_lake(lake, FEED, SYMBOLS, rows)
    return [each.session.date for each in rows]


def test_returns_are_of_one_session_and_the_share_adds_up(lake: Lake, days: list[date]) -> None:
    returns, volumes = histograms(lake, FEED, choose_sample(FEED, SYMBOLS, days[2:], days[:2]))

    assert (returns.values, returns.before_values) == (3 * 389, 2 * 3 * 389)
    assert (volumes.values, volumes.before_values) == (3 * 390, 2 * 3 * 390)
    assert returns.before_shares is not None
    assert np.allclose([sum(returns.shares), sum(returns.before_shares), sum(volumes.shares)], 1.0)
    assert np.allclose(returns.edges, [-edge for edge in reversed(returns.edges)])


def test_without_sessions_before_there_is_nothing_to_compare(lake: Lake, days: list[date]) -> None:
    returns, volumes = histograms(lake, FEED, choose_sample(FEED, SYMBOLS, days[:1], ()))

    assert (returns.before_shares, volumes.before_shares) == (None, None)


def test_without_bars_nothing_is_drawn(lake: Lake) -> None:
    sample = BarSample(("A",), 1, (date(2024, 1, 2),), ())

    assert histograms(lake, FEED, sample) == ()


def test_a_large_feed_is_sampled_evenly_and_says_so() -> None:
    symbols = [f"S{number:03d}" for number in range(100)]
    all_days = [date(2024, 1, day) for day in range(1, 20)]

    sample = choose_sample(FEED, symbols, all_days[10:], all_days[:10])

    assert (sample.symbols[0], sample.symbols[-1], len(sample.symbols)) == ("S000", "S095", 20)
    assert (sample.inside, sample.before) == (tuple(all_days[-5:]), tuple(all_days[5:10]))
    assert sample.text == "Returns and volumes: 20 of 100 symbols, 5 sessions of the range and 5 before."


def test_symbols_come_from_profiles_or_else_from_bars(lake: Lake, days: list[date]) -> None:
    assert session_symbols(lake, FEED, [days[0].isoformat(), "2024-02-01"]) == SYMBOLS
