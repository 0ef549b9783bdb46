"""Bars labelled by the other end are told where nearly all of a part are."""

from datetime import date, time

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import HOUR_US, MINUTE_US
from marketdata_pipelines.domain.quality.shifts import shifted_sessions
from marketdata_pipelines.domain.session_grid import feed_calendar, feed_grid
from marketdata_pipelines.domain.validation import bar_mask
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.walked_bars import FOREVER_US, FRIDAY, raw_rows, session_of, walked_bars

FEED = make_feed()
SYMBOLS = {"A": 100.0, "B": 13.85}


def _labels(feed: Feed, rows: pa.Table, first: date = FRIDAY, last: date = FRIDAY) -> list[tuple[object, ...]]:
    grid = feed_grid(feed, first, last)
    mask, _ = bar_mask(rows, feed, grid, FOREVER_US)
    found = shifted_sessions(feed, grid, feed_calendar(feed).sessions(first, last), rows, mask).to_pylist()
    return [(each["kind"], each["symbol"], each["bars"], each["value"], each["scale"]) for each in found]


def test_bars_labelled_by_their_end_are_told() -> None:
    assert _labels(FEED, raw_rows(walked_bars(FEED, SYMBOLS), MINUTE_US)) == [
        ("label_shift", "A", 390, 1.0, 1.0),
        ("label_shift", "B", 390, 1.0, 1.0),
    ]


def test_bars_labelled_by_their_start_though_the_feed_says_end_are_told() -> None:
    # The parser took an interval off every label.
    found = _labels(FEED, raw_rows(walked_bars(FEED, {"A": 100.0}), -MINUTE_US))

    assert found == [("label_shift", "A", 390, -1.0, 1.0)]


def test_bars_labelled_as_declared_are_not_told() -> None:
    assert _labels(FEED, raw_rows(walked_bars(FEED, SYMBOLS))) == []


def test_one_of_two_symbols_is_not_enough() -> None:
    bars = walked_bars(FEED, SYMBOLS)
    mixed = pa.concat_tables([raw_rows(bars.slice(0, 390), MINUTE_US), raw_rows(bars.slice(390))])

    assert _labels(FEED, mixed) == []


def test_a_missing_first_bar_and_extended_hours_alone_are_not_told() -> None:
    feed = make_feed(extended_hours=(time(4), time(20)))
    session = session_of(feed)
    ts = np.arange(session.open - 30 * MINUTE_US, session.close + 30 * MINUTE_US, MINUTE_US)
    bars = walked_bars(feed, SYMBOLS, ts=ts)
    first_missing = [n != 30 for n in range(900)]

    assert _labels(feed, raw_rows(bars)) == []
    assert _labels(feed, raw_rows(bars.filter(pa.array(first_missing)))) == []


def test_thin_symbols_are_not_asked() -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    thin = [n % 5 == 4 or n == 389 for n in range(390)]

    assert _labels(FEED, raw_rows(bars.filter(pa.array(thin)), MINUTE_US)) == []


@pytest.mark.parametrize("since_open", [0, -30 * MINUTE_US], ids=["from the open", "on the clock"])
def test_hours_labelled_by_their_end_are_told(since_open: int) -> None:
    feed = make_feed(interval="1h")
    session = session_of(feed)
    bars = walked_bars(feed, {"A": 100.0}, ts=np.arange(session.open + since_open, session.close, HOUR_US))

    (found,) = _labels(feed, raw_rows(bars, HOUR_US))

    assert found == ("label_shift", "A", 7, 1.0, 1.0)
    assert _labels(feed, raw_rows(bars)) == []
