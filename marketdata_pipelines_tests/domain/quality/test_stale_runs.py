"""Prices that stand still are told with how usual that is for the symbol."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.stale_runs import expected_runs
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.walked_bars import changed, suspects_of, walked_bars

FEED = make_feed()


def _flat(bars: pa.Table, first: int, count: int, **volume: float) -> pa.Table:
    price = bars["close"][first].as_py() + 0.13
    return changed(bars, slice(first, first + count), open=price, high=price, low=price, close=price, **volume)


@settings(deadline=None, max_examples=25, phases=(Phase.explicit, Phase.generate))
@given(st.integers(0, 330), st.integers(10, 60), st.booleans())
def test_a_run_at_one_price_covers_its_own_bars(first: int, count: int, without_volume: bool) -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    bars = _flat(bars, first, count, **({"volume": 0.0} if without_volume else {}))

    (found,) = [each for each in suspects_of(FEED, bars) if each["kind"] == "flat"]

    assert (found["ts"], found["ts_last"]) == (bars["ts"][first].as_py(), bars["ts"][first + count - 1].as_py())
    assert (found["bars"], found["value"]) == (count, float(count))
    assert found["scale"] < 0.05


def test_nine_bars_are_not_told() -> None:
    assert suspects_of(FEED, _flat(walked_bars(FEED, {"A": 100.0}), 100, 9)) == []


def test_a_bar_with_a_range_that_is_repeated_is_not_of_the_run() -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    row = bars.slice(99, 1).to_pylist()[0]
    bars = changed(bars, slice(100, 120), **{name: row[name] for name in ("open", "high", "low", "close", "volume")})

    (found,) = suspects_of(FEED, bars)

    assert (found["ts"], found["bars"]) == (bars["ts"][100].as_py(), 20)


def test_a_symbol_that_hardly_trades_repeats_often() -> None:
    bars = walked_bars(FEED, {"A": 100.0}, step=0.00001, tick=1.0)

    found = [each for each in suspects_of(FEED, bars) if each["kind"] == "flat"]

    assert found == [] or min(each["scale"] for each in found) > 0.3


def test_bars_without_volume_are_compared_with_such_bars_only() -> None:
    quiet = walked_bars(FEED, {"A": 4.0}, step=0.0008)

    (traded,) = [each for each in suspects_of(FEED, _flat(quiet, 150, 40)) if each["bars"] >= 40]
    (empty,) = [each for each in suspects_of(FEED, _flat(quiet, 150, 40, volume=0.0)) if each["bars"] >= 40]

    assert empty["scale"] < 0.02 < traded["scale"]


def test_prices_that_stay_between_rare_trades_are_no_run() -> None:
    feed = make_feed(interval="1s")
    bars = walked_bars(feed, {"A": 100.0}).slice(0, 2000)
    rare = bars.filter(pa.array([n < 1000 or n % 20 == 0 for n in range(2000)]))

    traded = [each for each in suspects_of(feed, _flat(rare, 1010, 30)) if each["kind"] == "flat"]
    empty = [each for each in suspects_of(feed, _flat(rare, 1010, 30, volume=0.0)) if each["kind"] == "flat"]

    assert traded == []
    assert [each["bars"] for each in empty] == [30]


def test_a_run_ends_with_its_session_and_its_symbol() -> None:
    bars = walked_bars(FEED, {"A": 100.0, "B": 100.0})
    bars = changed(bars, slice(380, 400), open=50.0, high=50.0, low=50.0, close=50.0)

    found = [each for each in suspects_of(FEED, bars) if each["kind"] == "flat"]

    assert [(each["symbol"], each["bars"]) for each in found] == [("A", 10), ("B", 10)]


def test_expected_runs_fall_with_length_and_rise_with_share() -> None:
    found = expected_runs(np.array([390, 390, 390]), np.array([15.0, 20.0, 15.0]), np.array([0.1, 0.1, 0.5]))

    assert found == pytest.approx([390 * 0.1**14, 390 * 0.1**19, 390 * 0.5**14])
