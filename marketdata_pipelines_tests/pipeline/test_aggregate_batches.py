"""Bars that come in batches give the same aggregates, wherever the batches are cut."""

import itertools

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.session_grid import feed_calendar, feed_grid
from marketdata_pipelines.errors import BarsNotSorted
from marketdata_pipelines.pipeline.aggregate import aggregate_batches, aggregate_partition
from marketdata_pipelines_tests.builders import LATER, bar, bar_table, day, make_feed

FEED = make_feed()
GRID = feed_grid(FEED, day("2024-03-08"), day("2024-03-08"))


def _bars() -> pa.Table:
    (session,) = feed_calendar(FEED).sessions(day("2024-03-08"), day("2024-03-08"))
    moments = range(session.open, session.open + 40 * MINUTE_US, MINUTE_US)
    rows = [bar(symbol, at, 50.0 + at % 7, volume=0.1 * (1 + at % 3)) for symbol in "ABCD" for at in moments]
    return bar_table(rows, FEED.interval.us)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 160), max_size=6))
def test_batches_cut_anywhere_give_what_the_whole_gives(cuts: list[int]) -> None:
    bars = _bars()
    edges = [0, *sorted(cuts), bars.num_rows]
    batches = [bars.slice(start, end - start) for start, end in itertools.pairwise(edges)]

    made = aggregate_batches(FEED, GRID, batches, LATER)

    whole = aggregate_partition(FEED, GRID, bars, LATER)
    assert made.daily.to_pylist() == whole.daily.to_pylist()
    assert {name: table.to_pylist() for name, table in made.intraday.items()} == {
        name: table.to_pylist() for name, table in whole.intraday.items()
    }


def test_no_batches_give_no_bars() -> None:
    made = aggregate_batches(FEED, GRID, [], LATER)

    assert made.daily.num_rows == 0
    assert set(made.intraday) >= {"bars_5m", "bars_12h"}


def test_a_batch_that_begins_before_the_last_one_ends_is_refused() -> None:
    bars = _bars()

    with pytest.raises(BarsNotSorted):
        aggregate_batches(FEED, GRID, [bars.slice(80), bars.slice(0, 80)], LATER)
