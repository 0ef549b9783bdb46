"""Which partition a row belongs to."""

import numpy as np
import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.sessions import FIRST_DATE, midnight_us
from marketdata_pipelines.domain.validation import MISSING_TS
from marketdata_pipelines.pipeline.placement import UNPLACED, Placer, day_key, ride_along, row_times
from marketdata_pipelines_tests.builders import LATER, bar, ints, make_feed, raw_bars, raw_trades, us


def keys(feed: Feed, *moments: str | int, known_at: int = LATER) -> list[str | None]:
    """Partition keys of instants, None where they have none of their own."""
    ts = ints(*(us(moment) if isinstance(moment, str) else moment for moment in moments))
    placer = Placer(feed, known_at)
    grid = placer.grid_for(ts)
    days = placer.days(ts, grid.place(ts), grid)
    return [None if number == UNPLACED else day_key(int(number)) for number in days]


def test_a_row_belongs_to_its_sessions_partition() -> None:
    assert keys(make_feed(), "2024-03-08 14:30", "2024-03-11 13:30") == ["2024-03-08", "2024-03-11"]
    assert keys(make_feed("XASX"), "2024-03-07 23:00") == ["2024-03-08"]
    assert keys(make_feed("CMES"), "2024-03-10 22:00") == ["2024-03-11"]


def test_a_row_outside_the_hours_belongs_to_its_local_date() -> None:
    # 02:00 UTC is still the evening before in New York.
    assert keys(make_feed(), "2024-03-08 21:30", "2024-03-08 02:00") == ["2024-03-08", "2024-03-07"]


def test_a_row_on_a_closed_day_has_no_partition() -> None:
    assert keys(make_feed(), "2024-03-08 15:00", "2024-03-09 15:00") == ["2024-03-08", None]


def test_future_unreadable_and_ancient_rows_have_no_partition() -> None:
    known = us("2024-03-08 16:00")

    found = keys(make_feed(), "2024-03-08 15:00", "2024-03-08 16:00", MISSING_TS, 0 - 10**16, known_at=known)

    assert found == ["2024-03-08", None, None, None]


def test_months_and_years_have_the_key_of_their_first_day() -> None:
    assert keys(make_feed(interval="1h"), "2024-03-08 15:00", "2024-02-29 15:00") == ["2024-03-01", "2024-02-01"]
    assert keys(make_feed(interval="1d"), "2024-03-08 00:00", "2023-12-29 00:00") == ["2024-01-01", "2023-01-01"]


def test_days_before_1970_are_days_like_others() -> None:
    feed = make_feed("24/7")

    assert keys(feed, "1969-12-31 12:00", "1970-01-01 12:00") == ["1969-12-31", "1970-01-01"]
    assert keys(make_feed(interval="1d"), "1969-12-31 00:00") == ["1969-01-01"]


def test_a_utc_feed_has_a_partition_for_every_day() -> None:
    assert keys(make_feed("24/7"), "2024-03-09 23:59", "2024-03-10 00:00") == ["2024-03-09", "2024-03-10"]


def test_a_closed_day_of_another_month_invents_no_partition() -> None:
    feed = make_feed(interval="1h")

    # 30 June 2024 was a Sunday; every bar is of July.
    assert keys(feed, "2024-07-01 15:00", "2024-06-30 15:00") == ["2024-07-01", None]


def test_nothing_readable_has_no_partition() -> None:
    assert keys(make_feed(), MISSING_TS) == [None]
    assert keys(make_feed(interval="1d"), MISSING_TS, midnight_us(FIRST_DATE) - 1) == [None, None]
    assert keys(make_feed()) == []


def test_the_grid_grows_with_the_file() -> None:
    placer = Placer(make_feed(), LATER)
    first = placer.grid_for(ints(us("2024-03-08 15:00")))

    assert placer.grid_for(ints(us("2024-03-08 16:00"))) is first
    grown = placer.grid_for(ints(us("2024-05-01 15:00")))
    assert (grown.start, grown.end) == (first.start, grown.end)
    assert placer.grid_for(ints(MISSING_TS)) is grown


@pytest.mark.parametrize(
    ("days", "before", "placed"),
    [
        ([5, UNPLACED, UNPLACED, 6, UNPLACED], UNPLACED, [5, 5, 5, 6, 6]),
        ([UNPLACED, 5], 4, [4, 5]),
        ([UNPLACED, 5], UNPLACED, [UNPLACED, 5]),
        ([UNPLACED, UNPLACED], 7, [7, 7]),
        ([], 7, []),
    ],
)
def test_a_row_without_partition_rides_with_the_row_before_it(days: list[int], before: int, placed: list[int]) -> None:
    assert ride_along(np.array(days, np.int64), before).tolist() == placed


def test_row_times_are_microseconds_whatever_the_rows() -> None:
    assert row_times(raw_bars([bar("A", "2024-03-08 14:30"), bar("A", None)])).tolist() == [
        us("2024-03-08 14:30"), MISSING_TS,
    ]  # fmt: skip
    assert row_times(raw_trades([("A", "2024-03-08 14:30:00.5", 1.0, 1.0)])).tolist() == [us("2024-03-08 14:30:00.5")]
