from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from dagster import TimeWindowPartitionsDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, partition_keys
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.orchestration.assets.partitions import feed_partitions, first_day, partitions_for
from marketdata_pipelines.settings.feeds_file import parse_feeds

NEW_YORK = ZoneInfo("America/New_York")
CHICAGO = ZoneInfo("America/Chicago")


def feed(calendar: str = "XNYS", interval: str = "1m", more: str = "") -> Feed:
    text = f"feeds:\n  a:\n    source: landing\n    interval: {interval}\n    calendar: {calendar}\n{more}"
    return parse_feeds(text, "feeds.yaml")["a"]


def keys(partitions: TimeWindowPartitionsDefinition, now: datetime) -> list[str]:
    return list(partitions.get_partition_keys(current_time=now))


@pytest.mark.parametrize(
    ("calendar", "start", "end"),
    [
        ("XNYS", date(2004, 1, 1), date(2026, 6, 30)),
        ("XSAU", date(2021, 12, 30), date(2024, 6, 30)),
        ("XHKG", date(2019, 1, 1), date(2024, 6, 28)),
        ("{name: XNYS, closed: [2024-06-12]}", date(2024, 5, 1), date(2024, 6, 28)),
    ],
)
def test_day_keys_are_the_sessions(calendar: str, start: date, end: date) -> None:
    the_feed = feed(calendar)
    partitions = partitions_for(the_feed, Period.DAY, start, end)

    found = keys(partitions, datetime(end.year, end.month, end.day, 12, tzinfo=ZoneInfo(partitions.timezone)))

    sessions = {session.date.isoformat() for session in feed_calendar(the_feed).sessions(start, end)}
    assert found == [key for key in partition_keys(start, end, Period.DAY) if key in sessions]


@pytest.mark.parametrize("period", [Period.WEEK, Period.MONTH, Period.YEAR])
def test_coarser_keys_are_those_of_the_domain(period: Period) -> None:
    partitions = partitions_for(feed(), period, date(2019, 3, 6), date(2024, 6, 28))

    found = keys(partitions, datetime(2024, 6, 28, 12, tzinfo=NEW_YORK))

    assert found == partition_keys(date(2019, 3, 6), date(2024, 6, 28), period)


@pytest.mark.parametrize(("hour", "minute"), [(0, 1), (9, 30), (16, 15), (23, 59)])
def test_today_is_a_partition_the_whole_day(hour: int, minute: int) -> None:
    partitions = partitions_for(feed(), Period.DAY, date(2024, 5, 1), date(2024, 5, 31))

    friday = keys(partitions, datetime(2024, 5, 31, hour, minute, tzinfo=NEW_YORK))

    assert friday[-2:] == ["2024-05-30", "2024-05-31"]


@pytest.mark.parametrize(
    ("period", "last"), [(Period.WEEK, "2024-05-27"), (Period.MONTH, "2024-05-01"), (Period.YEAR, "2024-01-01")]
)
def test_open_week_month_and_year_are_partitions(period: Period, last: str) -> None:
    partitions = partitions_for(feed(), period, date(2023, 5, 1), date(2024, 5, 29))

    assert keys(partitions, datetime(2024, 5, 29, 11, tzinfo=NEW_YORK))[-1] == last


def test_month_that_ends_on_a_friday_ends_there() -> None:
    days = partitions_for(feed(), Period.DAY, date(2024, 5, 1), date(2024, 6, 5))

    window = days.time_window_for_partition_key("2024-05-31")

    assert (window.start, window.end) == (
        datetime(2024, 5, 31, tzinfo=NEW_YORK),
        datetime(2024, 6, 1, tzinfo=NEW_YORK),
    )


def test_monday_holiday_is_no_partition() -> None:
    days = partitions_for(feed(), Period.DAY, date(2024, 5, 20), date(2024, 6, 5))

    found = keys(days, datetime(2024, 5, 29, 11, tzinfo=NEW_YORK))

    assert found[-5:] == ["2024-05-22", "2024-05-23", "2024-05-24", "2024-05-28", "2024-05-29"]


@pytest.mark.parametrize("change", ["2024-03-10", "2024-11-03"])
def test_weeks_around_a_clock_change_begin_on_monday(change: str) -> None:
    day = date.fromisoformat(change)
    weeks = partitions_for(feed(), Period.WEEK, date(2024, 2, 1), date(2024, 12, 1))

    found = keys(weeks, datetime(day.year, day.month, day.day, 23, tzinfo=NEW_YORK))

    assert date.fromisoformat(found[-1]).weekday() == 0
    assert (day - date.fromisoformat(found[-1])).days == 6


def test_session_that_opens_the_evening_before_has_its_partition_then() -> None:
    days = partitions_for(feed("CMES"), Period.DAY, date(2024, 5, 1), date(2024, 5, 31))

    thursday_evening = keys(days, datetime(2024, 5, 23, 18, tzinfo=CHICAGO))

    assert thursday_evening[-1] == "2024-05-24"


def test_utc_feeds_have_every_utc_day() -> None:
    days = partitions_for(feed("fx"), Period.DAY, date(2024, 5, 1), date(2024, 5, 6))

    found = keys(days, datetime(2024, 5, 6, 1, tzinfo=ZoneInfo("UTC")))

    assert days.timezone == "UTC"
    assert found == ["2024-05-01", "2024-05-02", "2024-05-03", "2024-05-04", "2024-05-05", "2024-05-06"]


def test_all_periods_of_a_feed_share_its_zone() -> None:
    partitions = feed_partitions(feed(), None, date(2024, 5, 31))

    assert list(partitions) == [Period.DAY, Period.WEEK, Period.MONTH]
    assert {each.timezone for each in partitions.values()} == {"America/New_York"}


@pytest.mark.parametrize(
    ("start", "earliest", "first"),
    [
        ("    start: 2013-10-01", None, date(2013, 10, 1)),
        ("    start: 2013-10-01", "2012-02-03", date(2012, 2, 3)),
        ("    start: 2013-10-01", "2014-02-03", date(2013, 10, 1)),
        ("", "2014-02-03", date(2014, 2, 3)),
        ("", None, date(2024, 1, 1)),
    ],
)
def test_partitions_begin_at_the_start_or_at_earlier_data(start: str, earliest: str | None, first: date) -> None:
    assert first_day(feed(more=start), earliest, date(2024, 5, 31)) == first
