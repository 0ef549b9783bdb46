"""Where sessions stand on the session clock."""

from datetime import date, time

import numpy as np
import pytest

from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.intervals import DAY_US, HOUR_US, MINUTE_US
from marketdata_pipelines.domain.session_clock import SessionClock
from marketdata_pipelines_tests.builders import CME_BREAK, day, ints, make_feed, us, utc
from marketdata_pipelines_tests.domain.clock_bars import EXTENDED, OWN


def laid(feed: Feed, on: str) -> list[tuple[str, str, str, bool]]:
    """(clock start, clock end, UTC start, regular) of one session's segments."""
    return [
        (utc(s.clock_start_us)[11:], utc(s.clock_end_us)[11:], utc(s.ts_start_us), s.regular)
        for s in SessionClock(feed, day(on), day(on)).segments
    ]


def clocked(feed: Feed, session: str, *opens: str) -> list[str]:
    clock = SessionClock(feed, day(session), day(session))
    days = np.full(len(opens), (day(session) - date(1970, 1, 1)).days, np.int32)
    times = clock.to_clock(ints(*(us(moment) for moment in opens)), days)
    return [str(np.datetime64(int(value), "us")) for value in times]


def test_a_session_begins_at_midnight_whatever_the_zone_and_season() -> None:
    assert laid(make_feed(), "2024-03-08") == [("00:00", "06:30", "2024-03-08 14:30", True)]
    assert laid(make_feed(), "2024-03-11") == [("00:00", "06:30", "2024-03-11 13:30", True)]
    assert laid(make_feed(), "2024-07-03") == [("00:00", "03:30", "2024-07-03 13:30", True)]
    assert laid(make_feed("XASX"), "2024-03-08") == [("00:00", "06:00", "2024-03-07 23:00", True)]


def test_after_a_break_the_clock_goes_on_with_the_next_full_hour() -> None:
    assert laid(make_feed("XHKG"), "2024-03-08") == [
        ("00:00", "02:30", "2024-03-08 01:30", True),
        ("03:00", "06:00", "2024-03-08 05:00", True),
    ]


def test_extended_hours_stand_behind_regular_trading() -> None:
    assert laid(make_feed(extended_hours=EXTENDED), "2024-03-08") == [
        ("00:00", "06:30", "2024-03-08 14:30", True),
        ("07:00", "12:30", "2024-03-08 09:00", False),
        ("13:00", "17:00", "2024-03-08 21:00", False),
    ]


def test_a_break_that_extended_hours_fill_is_a_segment_of_them() -> None:
    feed = make_feed("XHKG", extended_hours=(time(9), time(16, 30)))

    assert [segment[2:] for segment in laid(feed, "2024-03-08")] == [
        ("2024-03-08 01:30", True),
        ("2024-03-08 05:00", True),
        ("2024-03-08 01:00", False),
        ("2024-03-08 04:00", False),
        ("2024-03-08 08:00", False),
    ]


def test_hours_that_do_not_fit_a_day_lose_the_full_hours_between_extended_ones_first() -> None:
    # 23 hours without an hour to spare for the two stretches of extended ones.
    feed = make_feed("CMES", breaks=((time(8), time(9, 30)), *CME_BREAK), extended_hours=(time(0), time(16, 20)))

    assert [(start, end) for start, end, _, _ in laid(feed, "2024-03-08")] == [
        ("00:00", "15:00"), ("15:00", "21:30"), ("21:30", "23:00"), ("23:00", "23:20"),
    ]  # fmt: skip


def test_a_session_that_no_day_holds_is_refused() -> None:
    breaks = tuple((time(hour, 10), time(hour, 20)) for hour in (1, 3, 5))
    feed = make_feed("CMES", breaks=breaks, name="globex")

    with pytest.raises(ValueError, match="globex: the 4 segments of session 2024-03-08 take more than the 24 hours"):
        SessionClock(feed, day("2024-03-08"), day("2024-03-11"))


@pytest.mark.parametrize(
    ("feed", "day_of"),
    [(make_feed("24/7"), "2024-03-09"), (make_feed(anchor=Anchor.UTC), "2024-03-09"), (make_feed("fx"), "2024-03-09")],
)
def test_the_clock_of_utc_feeds_is_utc(feed: Feed, day_of: str) -> None:
    assert laid(feed, day_of) == [("00:00", "00:00", f"{day_of} 00:00", True)]
    assert clocked(feed, day_of, f"{day_of} 23:59") == [f"{day_of}T23:59:00.000000"]


def test_daily_bars_stand_at_midnight_of_their_session() -> None:
    assert clocked(make_feed("CMES", "1d"), "2024-03-08", "2024-03-08 00:00") == ["2024-03-08T00:00:00.000000"]
    assert SessionClock(make_feed(interval="1d"), day("2024-03-09"), day("2024-03-10")).segments == ()


def test_the_bar_at_the_close_stands_at_the_last_microsecond_of_its_session() -> None:
    own = make_feed(closing_auction=ClosingAuction.OWN_BAR)

    assert clocked(own, "2024-07-03", "2024-07-03 16:59", "2024-07-03 17:00") == [
        "2024-07-03T03:29:00.000000", "2024-07-03T03:29:59.999999",
    ]  # fmt: skip


def test_hours_that_overlap_an_open_stand_within_the_first_second_in_their_order() -> None:
    feed = make_feed(interval="1h")

    # On the exchange's clock, on the half hour before the open, and from the open.
    found = clocked(feed, "2024-03-08", "2024-03-08 14:00", "2024-03-08 14:15", "2024-03-08 14:30", "2024-03-08 15:00")

    assert found == [
        "2024-03-08T00:00:00.001800",
        "2024-03-08T00:00:00.002700",
        "2024-03-08T00:00:00.003600",
        "2024-03-08T00:30:00.000000",
    ]


def test_an_open_on_the_feeds_interval_stands_at_the_start_exactly() -> None:
    assert clocked(make_feed(interval="5m"), "2024-03-08", "2024-03-08 14:30") == ["2024-03-08T00:00:00.000000"]
    assert clocked(make_feed("CMES", "1h"), "2024-03-08", "2024-03-07 23:00") == ["2024-03-08T00:00:00.000000"]


def test_a_coarse_bar_over_the_break_stands_in_the_segment_it_overlaps() -> None:
    assert clocked(make_feed("XHKG", "1h"), "2024-03-08", "2024-03-08 03:30", "2024-03-08 04:30") == [
        "2024-03-08T02:00:00.000000", "2024-03-08T03:00:00.001800",
    ]  # fmt: skip


def test_bars_of_two_sessions_may_come_in_any_order() -> None:
    clock = SessionClock(make_feed(), day("2024-03-08"), day("2024-03-11"))
    days = np.array([19793, 19790, 19793], np.int32)

    found = clock.to_clock(ints(us("2024-03-11 13:31"), us("2024-03-08 14:30"), us("2024-03-11 13:30")), days)

    assert [utc(int(value)) for value in found] == ["2024-03-11 00:01", "2024-03-08 00:00", "2024-03-11 00:00"]


@pytest.mark.parametrize(
    ("session", "opens"),
    [
        ("2024-03-08", "2024-03-08 14:29"),
        ("2024-03-08", "2024-03-08 21:00"),
        ("2024-03-07", "2024-03-08 14:30"),
        ("2024-03-09", "2024-03-09 15:00"),
    ],
)
def test_a_bar_outside_its_session_is_named(session: str, opens: str) -> None:
    clock = SessionClock(make_feed(name="us"), day("2024-03-07"), day("2024-03-11"))
    days = np.array([19790, (day(session) - date(1970, 1, 1)).days], np.int32)

    with pytest.raises(ValueError, match=f"us: a bar of session {session} opens at {opens}:00 UTC, outside") as raised:
        clock.to_clock(ints(us("2024-03-08 14:30"), us(opens)), days)

    assert f"validate {session} again" in str(raised.value)


def test_a_clock_without_sessions_knows_no_bar() -> None:
    clock = SessionClock(make_feed(), day("2024-03-09"), day("2024-03-10"))

    assert clock.segments == ()
    assert clock.to_clock(ints(), np.zeros(0, np.int32)).tolist() == []
    assert clock.span(us("2024-03-09 00:00"), us("2024-03-10 00:00")) is None
    with pytest.raises(ValueError, match="outside every segment"):
        clock.to_clock(ints(us("2024-03-09 15:00")), np.array([19791], np.int32))
    with pytest.raises(ValueError, match="no session hours at 2024-03-09 01:00:00"):
        clock.buckets(ints(us("2024-03-09 01:00")), HOUR_US)


def test_buckets_are_labelled_and_complete_as_in_the_lake() -> None:
    feed = make_feed(closing_auction=OWN)
    clock = SessionClock(feed, day("2024-07-03"), day("2024-07-03"))
    midnight = us("2024-07-03 00:00")

    labels, ends = clock.buckets(ints(midnight, midnight + 3 * HOUR_US), HOUR_US)
    days, completes = clock.buckets(ints(midnight), DAY_US)

    assert [utc(int(value)) for value in labels] == ["2024-07-03 13:30", "2024-07-03 16:30"]
    assert [utc(int(value)) for value in ends] == ["2024-07-03 14:30", "2024-07-03 17:01"]
    assert [utc(int(value)) for value in (*days, *completes)] == ["2024-07-03 00:00", "2024-07-03 17:01"]


def test_a_span_of_time_is_the_span_of_the_clock_that_holds_its_bars() -> None:
    clock = SessionClock(make_feed(), day("2024-03-07"), day("2024-03-11"))

    one_minute = clock.span(us("2024-03-08 14:31"), us("2024-03-08 14:32"))
    over_the_night = clock.span(us("2024-03-07 20:59"), us("2024-03-08 14:31"))

    assert one_minute == (us("2024-03-08 00:01"), us("2024-03-08 00:02"))
    assert over_the_night == (us("2024-03-07 06:29"), us("2024-03-08 00:01"))
    assert clock.span(us("2024-03-08 21:00"), us("2024-03-11 13:30")) is None
    assert clock.span(us("2024-03-08 15:00"), us("2024-03-08 15:00")) is None


def test_ten_years_of_sessions_do_not_overlap_on_the_clock() -> None:
    clock = SessionClock(make_feed(extended_hours=EXTENDED), day("2014-01-01"), day("2023-12-31"))

    edges = [edge for s in clock.segments for edge in (s.clock_start_us, s.clock_end_us)]

    assert edges == sorted(edges)
    assert len({s.session_date for s in clock.segments}) == 2516
    assert all(s.clock_start_us % (60 * MINUTE_US) == 0 for s in clock.segments)
