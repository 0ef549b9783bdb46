"""By how much displaced bars are to be moved."""

import numpy as np
import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import HOUR_US, MINUTE_US
from marketdata_pipelines.domain.repairs.times import label_shift, session_shift
from marketdata_pipelines.domain.session_grid import SessionGrid
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines_tests.builders import day, make_feed, us

OPEN = us("2024-03-08 14:30")
SESSION = OPEN + np.arange(390) * MINUTE_US


def grid_of(feed: Feed) -> SessionGrid:
    return SessionGrid(feed, day("2024-03-05"), day("2024-03-12"))


@pytest.mark.parametrize("hours", [-12, -5, -4, -1, 1, 4, 5, 9])
def test_a_whole_session_hours_away_is_brought_back(hours: int) -> None:
    friday = (day("2024-03-08") - EPOCH).days

    found = session_shift(SESSION + hours * HOUR_US, grid_of(make_feed()), MINUTE_US, friday)

    assert found is not None
    assert (found.us, found.confidence > 0.99) == (-hours * HOUR_US, True)


def test_a_session_where_it_belongs_is_not_moved() -> None:
    assert session_shift(SESSION, grid_of(make_feed()), MINUTE_US) is None
    assert session_shift(SESSION[5:300], grid_of(make_feed()), MINUTE_US) is None


def test_a_part_of_a_session_may_go_to_several_places_and_is_less_sure() -> None:
    found = session_shift(SESSION[100:200] + 6 * HOUR_US, grid_of(make_feed()), MINUTE_US)

    assert found is not None
    assert found.confidence < 0.3


def test_around_the_clock_no_time_is_the_wrong_one() -> None:
    assert session_shift(SESSION, grid_of(make_feed("24/7")), MINUTE_US) is None


def test_no_bars_have_no_shift() -> None:
    nothing = np.zeros(0, np.int64)

    assert session_shift(nothing, grid_of(make_feed()), MINUTE_US) is None
    assert label_shift(nothing, nothing, grid_of(make_feed()), MINUTE_US) is None


@pytest.mark.parametrize("late", [1, -1])
def test_labels_by_the_other_end_are_moved_by_one_interval(late: int) -> None:
    codes, ts = np.repeat([0, 1], 390), np.tile(SESSION, 2) + late * MINUTE_US

    found = label_shift(codes, ts, grid_of(make_feed()), MINUTE_US)

    assert found is not None
    assert (found.us, found.confidence > 0.99) == (-late * MINUTE_US, True)
    assert f"labelled by their {'end' if late > 0 else 'start'}" in found.evidence


def test_right_labels_are_left_alone() -> None:
    assert label_shift(np.zeros(390, np.int64), SESSION, grid_of(make_feed()), MINUTE_US) is None


def test_hourly_bars_cut_from_the_open_are_moved_too() -> None:
    hours = OPEN + np.arange(7) * HOUR_US

    found = session_shift(hours + 5 * HOUR_US, grid_of(make_feed(interval="1h")), HOUR_US)

    assert found is not None
    assert found.us == -5 * HOUR_US
