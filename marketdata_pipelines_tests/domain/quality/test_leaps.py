"""Spikes are told at the bars that are away, whatever part of them is, and jumps where nothing comes back."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.profiles import profile_bars
from marketdata_pipelines.domain.quality.suspects import suspicious_bars
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.walked_bars import FOREVER_US, changed, scaled, suspects_of, walked_bars

FEED = make_feed()
QUICK = settings(deadline=None, max_examples=25, phases=(Phase.explicit, Phase.generate))
FACTORS = [0.01, 0.1, 0.2, 0.5, 2.0, 5.0, 10.0, 100.0]


def _rows(bars: pa.Table, kind: str = "spike") -> set[int]:
    """Positions of the bars that suspects of a kind cover (one symbol); there are none of other kinds."""
    position = {ts: n for n, ts in enumerate(bars["ts"].to_pylist())}
    found = suspects_of(FEED, bars)
    assert {each["kind"] for each in found} <= {kind}
    return {row for each in found for row in range(position[each["ts"]], position[each["ts_last"]] + 1)}


@QUICK
@given(st.integers(0, 389), st.sampled_from(FACTORS), st.sampled_from([13.85, 180.0]))
def test_a_bar_off_by_a_factor_is_found_anywhere_and_no_other_is(at: int, factor: float, price: float) -> None:
    bars = walked_bars(FEED, {"A": price})

    assert _rows(scaled(bars, at, factor)) == {at}


@QUICK
@given(st.integers(0, 389), st.sampled_from(FACTORS))
def test_a_close_alone_is_found(at: int, factor: float) -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    row = bars.slice(at, 1).to_pylist()[0]
    close = row["close"] * factor
    bars = changed(bars, at, close=close, high=max(row["high"], close), low=min(row["low"], close))

    assert _rows(bars) == {at}


@QUICK
@given(st.integers(0, 388), st.sampled_from(FACTORS))
def test_an_open_alone_is_found(at: int, factor: float) -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    row = bars.slice(at, 1).to_pylist()[0]
    opened = row["open"] * factor
    bars = changed(bars, at, open=opened, high=max(row["high"], opened), low=min(row["low"], opened))

    assert _rows(bars) == {at}


@QUICK
@given(st.integers(1, 350), st.integers(2, 30), st.sampled_from(FACTORS))
def test_several_bars_off_together_are_found_as_one_run(first: int, count: int, factor: float) -> None:
    bars = scaled(walked_bars(FEED, {"A": 100.0}), slice(first, first + count), factor)

    assert _rows(bars) == set(range(first, first + count))
    assert len(suspects_of(FEED, bars)) == 1


@QUICK
@given(st.lists(st.integers(0, 194), min_size=2, max_size=12, unique=True), st.sampled_from([0.1, 10.0]))
def test_many_spikes_in_one_session_hide_neither_each_other_nor_the_bars_between(at: list[int], factor: float) -> None:
    rows = [2 * row for row in at]
    bars = walked_bars(FEED, {"A": 100.0})
    for row in rows:
        bars = scaled(bars, row, factor)

    assert _rows(bars) == set(rows)


def test_a_level_that_stays_is_a_jump_and_no_spike() -> None:
    bars = scaled(walked_bars(FEED, {"A": 100.0}), slice(200, 390), 0.4)

    (found,) = suspects_of(FEED, bars)

    assert (found["kind"], found["ts"]) == ("jump", bars["ts"][200].as_py())
    assert found["value"] == pytest.approx(-np.log(0.4), abs=0.01)


def test_a_spike_beside_wild_neighbours_has_their_scale() -> None:
    calm, wild = walked_bars(FEED, {"A": 100.0}), walked_bars(FEED, {"A": 100.0}, step=0.01)
    at = 200

    (quiet,) = [each for each in suspects_of(FEED, scaled(calm, at, 1.3)) if each["kind"] == "spike"]
    loud = [each for each in suspects_of(FEED, scaled(wild, at, 1.3)) if each["ts"] == wild["ts"][at].as_py()]

    assert quiet["scale"] < 0.001
    assert loud[0]["scale"] > 0.005


def test_leaps_across_long_pauses_are_measured_wider() -> None:
    feed = make_feed(interval="1s")
    bars = walked_bars(feed, {"A": 100.0}).slice(0, 600)
    sparse = bars.filter(pa.array([n % 100 == 0 or n < 200 for n in range(600)]))

    near = [each for each in suspects_of(feed, scaled(bars, 50, 1.1)) if each["kind"] == "spike"]
    far = [each for each in suspects_of(feed, scaled(sparse, 201, 1.1)) if each["kind"] == "spike"]

    assert far[0]["scale"] > 5 * near[0]["scale"]


@pytest.mark.parametrize("interval", ["1h", "1d"])
def test_coarse_bars_are_compared_with_the_partitions_others(interval: str) -> None:
    feed = make_feed(interval=interval)
    days = [
        date(2024, 3, 4) + timedelta(days=n) for n in range(26) if (date(2024, 3, 4) + timedelta(days=n)).weekday() < 5
    ]
    days = [day for day in days if day != date(2024, 3, 29)]
    sessions = feed_calendar(feed).sessions(days[0], days[-1])
    ts = None if interval == "1h" else 0
    tables = []
    price = 100.0
    for number, day in enumerate(days):
        at = None if ts is None else np.array([(day - date(1970, 1, 1)).days * 86_400_000_000])
        table = walked_bars(feed, {"A": price}, day, seed=number, step=0.01, ts=at)
        price = table["close"][-1].as_py()
        tables.append(table)
    bars = pa.concat_tables(tables).combine_chunks()
    middle = bars.num_rows // 2
    spoiled = scaled(bars, middle, 2.0)

    found = suspicious_bars(feed, spoiled, profile_bars(feed, spoiled, sessions, FOREVER_US)).to_pylist()

    spikes = [each for each in found if each["kind"] == "spike" and each["value"] > 0.5]
    assert [each["ts"] for each in spikes] == [bars["ts"][middle].as_py()]
