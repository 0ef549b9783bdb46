"""Where instants belong."""

from datetime import time

import numpy as np
import pytest

from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_calendar, feed_grid
from marketdata_pipelines.domain.validation import MISSING_TS
from marketdata_pipelines_tests.builders import CME_BREAK, day, ints, make_feed, us, utc

EXTENDED = (time(4), time(20))


def placed(feed: Feed, *moments: str, around: str = "2024-03-08") -> list[str | None]:
    """For each UTC text: its session date, with a `*` in extended hours; None outside."""
    grid = feed_grid(feed, day(around), day(around))
    placement = grid.place(ints(*(us(moment) for moment in moments)))
    found: list[str | None] = []
    for session, regular in zip(placement.session, placement.regular, strict=True):
        date_text = str(np.datetime64(int(grid.dates[session]), "D")) + ("" if regular else "*")
        found.append(None if session < 0 else date_text)
    return found


def test_a_session_holds_its_open_and_not_its_close() -> None:
    feed = make_feed()

    found = placed(feed, "2024-03-08 14:29", "2024-03-08 14:30", "2024-03-08 20:59", "2024-03-08 21:00")

    assert found == [None, "2024-03-08", "2024-03-08", None]


def test_extended_hours_run_from_four_to_twenty_local() -> None:
    feed = make_feed(extended_hours=EXTENDED)

    moments = ["2024-03-08 08:59", "2024-03-08 09:00", "2024-03-08 21:00", "2024-03-09 00:59", "2024-03-09 01:00"]

    assert placed(feed, *moments) == [None, "2024-03-08*", "2024-03-08*", "2024-03-08*", None]


def test_extended_hours_end_at_seventeen_local_on_half_days() -> None:
    feed = make_feed(extended_hours=EXTENDED)

    moments = ["2024-07-03 08:00", "2024-07-03 17:00", "2024-07-03 20:59", "2024-07-03 21:00"]

    assert placed(feed, *moments, around="2024-07-03") == ["2024-07-03*", "2024-07-03*", "2024-07-03*", None]


def test_extended_hours_follow_the_clock_change() -> None:
    feed = make_feed(extended_hours=EXTENDED)

    assert placed(feed, "2024-03-11 08:00", "2024-03-11 07:59", around="2024-03-11") == ["2024-03-11*", None]


def test_a_lunch_break_is_outside_the_session() -> None:
    feed = make_feed("XHKG")

    moments = ["2024-03-08 03:59", "2024-03-08 04:00", "2024-03-08 04:59", "2024-03-08 05:00"]

    assert placed(feed, *moments) == ["2024-03-08", None, None, "2024-03-08"]


def test_an_overlaid_break_is_outside_every_session() -> None:
    feed = make_feed("CMES", breaks=CME_BREAK)

    moments = ["2024-03-07 21:59", "2024-03-07 22:00", "2024-03-07 22:59", "2024-03-07 23:00"]

    assert placed(feed, *moments) == ["2024-03-07", None, None, "2024-03-08"]


def test_a_bar_at_the_close_belongs_to_the_session_only_as_its_own_bar() -> None:
    last, own = make_feed(), make_feed(closing_auction=ClosingAuction.OWN_BAR)

    assert placed(last, "2024-03-08 21:00") == [None]
    assert placed(own, "2024-03-08 21:00", "2024-03-08 21:01") == ["2024-03-08", None]
    assert placed(own, "2024-07-03 17:00", around="2024-07-03") == ["2024-07-03"]


def test_an_hourly_bar_labelled_nine_belongs_to_the_session_that_opens_half_past() -> None:
    feed = make_feed(interval="1h")

    moments = ["2024-03-08 13:00", "2024-03-08 14:00", "2024-03-08 20:00", "2024-03-08 21:00"]

    assert placed(feed, *moments) == [None, "2024-03-08", "2024-03-08", None]


def test_an_hourly_bar_over_the_lunch_break_belongs_to_the_part_it_overlaps() -> None:
    feed = make_feed("XHKG", "1h")
    grid = feed_grid(feed, day("2024-03-08"), day("2024-03-08"))

    placement = grid.place(ints(us("2024-03-08 03:30"), us("2024-03-08 04:00"), us("2024-03-08 04:30")))

    assert placement.regular.tolist() == [True, False, True]
    assert [utc(int(anchor)) for anchor in placement.anchor[[0, 2]]] == ["2024-03-08 01:30", "2024-03-08 05:00"]


def test_sydney_bars_of_the_utc_day_before_belong_to_the_local_session() -> None:
    assert placed(make_feed("XASX"), "2024-03-07 23:00", "2024-03-08 04:59") == ["2024-03-08", "2024-03-08"]


def test_anchor_utc_has_no_outside() -> None:
    feed = make_feed(anchor=Anchor.UTC)

    assert placed(feed, "2024-03-08 00:00", "2024-03-08 23:59", "2024-03-09 12:00") == [
        "2024-03-08", "2024-03-08", "2024-03-09",
    ]  # fmt: skip


def test_daily_bars_carry_a_date_whatever_the_hours() -> None:
    cme, sydney = make_feed("CMES", "1d"), make_feed("XASX", "1d")

    assert placed(cme, "2024-03-08 00:00", "2024-03-09 00:00") == ["2024-03-08", None]
    assert placed(sydney, "2024-03-08 00:00", "2024-03-10 00:00") == ["2024-03-08", None]


def test_unreadable_times_belong_nowhere() -> None:
    for feed in (make_feed(), make_feed("24/7"), make_feed(interval="1d"), make_feed(interval="1h")):
        grid = feed_grid(feed, day("2024-03-08"), day("2024-03-08"))

        assert grid.place(ints(MISSING_TS)).session.tolist() == [-1]


@pytest.mark.parametrize("interval", ["1m", "1h", "1d"])
def test_a_span_without_sessions_places_nothing(interval: str) -> None:
    grid = SessionGrid(make_feed(interval=interval), day("2024-03-09"), day("2024-03-10"))

    placement = grid.place(ints(us("2024-03-09 15:00"), us("2024-03-10 00:00")))

    assert len(grid.dates) == 0
    assert placement.session.tolist() == [-1, -1]
    assert placement.regular.tolist() == [False, False]


def test_local_dates_are_the_exchanges() -> None:
    moments = ints(us("2024-03-08 04:59"), us("2024-03-08 05:00"), us("2024-03-11 03:59"), us("2024-03-11 04:00"))
    grid = feed_grid(make_feed(), day("2024-03-08"), day("2024-03-11"))

    days = [str(np.datetime64(int(number), "D")) for number in grid.local_dates(moments)]

    assert days == ["2024-03-07", "2024-03-08", "2024-03-10", "2024-03-11"]


def test_local_dates_of_utc_feeds_are_utc_dates() -> None:
    grid = feed_grid(make_feed(anchor=Anchor.UTC), day("2024-03-08"), day("2024-03-08"))

    assert grid.local_dates(ints(us("2024-03-08 00:00"))).tolist() == [(day("2024-03-08") - day("1970-01-01")).days]


def test_the_calendar_of_a_utc_feed_is_cut_into_utc_days() -> None:
    assert feed_calendar(make_feed(anchor=Anchor.UTC)).zone == "UTC"
    assert feed_calendar(make_feed()).zone == "America/New_York"
