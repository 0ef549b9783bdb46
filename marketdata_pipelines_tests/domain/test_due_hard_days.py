"""The calendar's hard days, each with a fixed clock: which session is due at which instant, and where it belongs."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from marketdata_pipelines.domain.due import due_partitions, session_due_at
from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.schedules import Schedule
from marketdata_pipelines.pipeline.changes import affected_partitions
from marketdata_pipelines_tests.builders import CME_BREAK, make_feed, us


def feed_on(calendar: str, **changes: Any) -> Feed:
    return replace(make_feed(calendar, **changes), schedule=Schedule(catch_up_sessions=1))


def due_at(feed: Feed, instant: str) -> tuple[str | None, list[str]]:
    """The session whose tick this is, and the newest partition asked for."""
    session = session_due_at(feed, us(instant))
    return None if session is None else session.date.isoformat(), due_partitions(feed, us(instant), {})


@pytest.mark.parametrize(
    ("calendar", "instant", "session"),
    [
        # A month that ends on Friday: 2024-05-31, 16:15 New York in summer time.
        ("XNYS", "2024-05-31 20:15", "2024-05-31"),
        # A Monday holiday: nothing closes on Memorial Day; Tuesday is the next.
        ("XNYS", "2024-05-28 20:15", "2024-05-28"),
        # Half-days close at 13:00: before Independence Day, after Thanksgiving, on Christmas Eve.
        ("XNYS", "2024-07-03 17:15", "2024-07-03"),
        ("XNYS", "2024-11-29 18:15", "2024-11-29"),
        ("XNYS", "2024-12-24 18:15", "2024-12-24"),
        # The weeks in which clocks change: Friday before, Monday after, spring and autumn.
        ("XNYS", "2024-03-08 21:15", "2024-03-08"),
        ("XNYS", "2024-03-11 20:15", "2024-03-11"),
        ("XNYS", "2024-11-01 20:15", "2024-11-01"),
        ("XNYS", "2024-11-04 21:15", "2024-11-04"),
        # London changes its clocks in other weeks than New York, and closes half-days at 12:30.
        ("XLON", "2024-03-28 16:45", "2024-03-28"),
        ("XLON", "2024-04-02 15:45", "2024-04-02"),
        ("XLON", "2024-12-24 12:45", "2024-12-24"),
        # Futures: the session that opened on Sunday evening closes on Monday, 17:00 Chicago is 22:00 UTC in summer.
        ("CMES", "2024-07-01 22:15", "2024-07-01"),
        ("CMES", "2024-11-29 18:15", "2024-11-29"),
        # Round the clock: a day closes at midnight UTC.
        ("24/7", "2024-02-29 00:15", "2024-02-28"),
        ("24/7", "2024-03-01 00:15", "2024-02-29"),
        ("24/7", "2025-01-01 00:15", "2024-12-31"),
    ],
)
def test_the_tick_of_a_session_asks_for_that_session(calendar: str, instant: str, session: str) -> None:
    assert due_at(feed_on(calendar), instant) == (session, [session])


@pytest.mark.parametrize(
    ("calendar", "instant", "newest"),
    [
        # Memorial Day, Independence Day, the weekend, and 16:15 of half-days ask for nothing new.
        ("XNYS", "2024-05-27 20:15", "2024-05-24"),
        ("XNYS", "2024-07-04 20:15", "2024-07-03"),
        ("XNYS", "2024-07-06 20:15", "2024-07-05"),
        ("XNYS", "2024-07-03 20:15", "2024-07-03"),
        # 13:15 of an ordinary day, and 16:15 as it would be without the change of clocks.
        ("XNYS", "2024-07-02 17:15", "2024-07-01"),
        ("XNYS", "2024-03-11 21:15", "2024-03-11"),
        ("XLON", "2024-04-01 15:45", "2024-03-28"),
    ],
)
def test_at_other_times_no_session_becomes_due(calendar: str, instant: str, newest: str) -> None:
    assert due_at(feed_on(calendar), instant) == (None, [newest])


def test_friday_at_a_quarter_past_four_asks_for_friday_its_week_and_its_month() -> None:
    feed = feed_on("XNYS")

    keys = due_partitions(feed, us("2024-05-31 20:15"), {})

    assert affected_partitions(feed, keys) == {
        Period.DAY: ["2024-05-31"],
        Period.WEEK: ["2024-05-27"],
        Period.MONTH: ["2024-05-01"],
    }


def test_the_first_session_after_a_monday_holiday_belongs_to_that_mondays_week() -> None:
    feed = feed_on("XNYS")

    keys = due_partitions(feed, us("2024-05-28 20:15"), {})

    assert affected_partitions(feed, keys)[Period.WEEK] == ["2024-05-27"]


def test_a_week_over_new_year_belongs_to_both_months() -> None:
    feed = replace(feed_on("XNYS"), schedule=Schedule(catch_up_sessions=3))

    keys = due_partitions(feed, us("2025-01-03 21:15"), {})

    assert keys == ["2024-12-31", "2025-01-02", "2025-01-03"]
    assert affected_partitions(feed, keys)[Period.WEEK] == ["2024-12-30"]
    assert affected_partitions(feed, keys)[Period.MONTH] == ["2024-12-01", "2025-01-01"]


@pytest.mark.parametrize(
    ("instant", "session"),
    [
        # Trading ends on Friday at 17:00 New York: 21:00 UTC in summer, 22:00 in winter; other days at midnight UTC.
        ("2024-07-05 21:15", "2024-07-05"),
        ("2024-01-05 22:15", "2024-01-05"),
        ("2024-07-04 00:15", "2024-07-03"),
        ("2024-07-08 00:15", "2024-07-07"),
        # The Friday before New York's clocks change, and the one after.
        ("2024-03-08 22:15", "2024-03-08"),
        ("2024-03-15 21:15", "2024-03-15"),
    ],
)
def test_fx_on_utc_days_is_due_when_trading_ends(instant: str, session: str) -> None:
    assert due_at(feed_on("fx"), instant) == (session, [session])


def test_fx_on_its_own_sessions_is_due_at_five_in_new_york() -> None:
    feed = feed_on("fx", anchor=Anchor.SESSION)

    assert due_at(feed, "2024-07-05 21:15") == ("2024-07-05", ["2024-07-05"])
    assert due_at(feed, "2024-07-08 21:15") == ("2024-07-08", ["2024-07-08"])
    assert due_at(feed, "2024-07-07 21:15") == (None, ["2024-07-05"])


def test_a_daily_break_at_a_sessions_end_brings_its_close_forward() -> None:
    assert due_at(feed_on("CMES"), "2024-07-01 21:15")[0] is None
    assert due_at(feed_on("CMES", breaks=CME_BREAK), "2024-07-01 21:15") == ("2024-07-01", ["2024-07-01"])


def test_an_extra_closure_asks_for_nothing() -> None:
    feed = feed_on("XNYS", closed=(date(2024, 7, 2),))

    assert due_at(feed, "2024-07-02 20:15") == (None, ["2024-07-01"])


def test_the_first_day_of_a_year_asks_for_the_new_years_partition() -> None:
    feed = feed_on("XNYS", interval="1d")

    assert due_partitions(feed, us("2025-01-02 21:14"), {}) == ["2024-01-01"]
    assert due_partitions(feed, us("2025-01-02 21:15"), {}) == ["2025-01-01"]
