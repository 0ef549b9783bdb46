"""Counting in trading days, inside and beyond what a calendar covers."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.trading_days import TradingDays
from marketdata_pipelines_tests.builders import day

# A week with a holiday on Wednesday, and the Monday after it.
DAYS = TradingDays([day(f"2013-12-{number:02d}") for number in (9, 10, 12, 13, 16)])


def test_a_holiday_inside_is_no_trading_day_and_beyond_every_weekday_is() -> None:
    assert DAYS.is_one(day("2013-12-10"))
    assert not DAYS.is_one(day("2013-12-11"))
    assert DAYS.is_one(day("2013-12-25"))
    assert not DAYS.is_one(day("2013-12-28"))


def test_counting_steps_over_holidays_and_weekends() -> None:
    assert DAYS.after(day("2013-12-10")) == day("2013-12-12")
    assert DAYS.after(day("2013-12-16")) == day("2013-12-17")
    assert DAYS.until(day("2013-12-11")) == day("2013-12-10")
    assert DAYS.until(day("2013-12-15")) == day("2013-12-13")
    assert DAYS.before(day("2013-12-13"), 2) == day("2013-12-10")
    assert DAYS.before(day("2013-12-09"), 1) == day("2013-12-06")
    assert DAYS.before(day("2013-12-10"), 0) == day("2013-12-10")


def test_days_between_include_both_ends() -> None:
    assert DAYS.between(day("2013-12-10"), day("2013-12-12")) == [day("2013-12-10"), day("2013-12-12")]
    assert DAYS.between(day("2013-12-13"), day("2013-12-18")) == [day(f"2013-12-{n}") for n in (13, 16, 17, 18)]


def test_without_any_day_weekdays_count() -> None:
    assert TradingDays([]).between(day("2013-12-13"), day("2013-12-16")) == [day("2013-12-13"), day("2013-12-16")]


@given(st.sets(st.dates(date(2020, 1, 1), date(2020, 3, 1))), st.dates(date(2019, 12, 1), date(2020, 4, 1)))
def test_the_day_before_the_next_is_the_last_until_today(dates: set[date], today: date) -> None:
    days = TradingDays(dates)

    following = days.after(today)

    assert following > today
    assert days.is_one(following)
    assert days.before(following, 1) == days.until(today)
    assert not any(days.is_one(today + timedelta(days=n)) for n in range(1, (following - today).days))
