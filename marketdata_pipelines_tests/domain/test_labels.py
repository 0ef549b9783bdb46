"""Buckets of several days."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import Anchor
from marketdata_pipelines.domain.labels import bucket_days, day_buckets
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines_tests.builders import day, make_feed, utc

XNYS_DAYS = st.dates(date(1990, 1, 1), date(2025, 12, 31))


def span(calendar: str, moment: str, timeframe: str) -> tuple[str, str]:
    first, last = bucket_days(make_feed(calendar), day(moment), timeframe)
    return first.isoformat(), last.isoformat()


def test_pairs_of_sessions_count_from_the_first_session_of_1998() -> None:
    assert span("XNYS", "1998-01-02", "2d") == ("1998-01-02", "1998-01-05")
    assert span("XNYS", "1998-01-05", "2d") == ("1998-01-02", "1998-01-05")
    assert span("XNYS", "1998-01-06", "2d") == ("1998-01-06", "1998-01-07")
    assert span("XNYS", "1997-12-31", "2d") == ("1997-12-30", "1997-12-31")


def test_pairs_count_from_a_calendars_first_session_after_1998() -> None:
    first = feed_calendar(make_feed("XHKG")).sessions(day("1998-01-02"), day("1998-01-10"))[0].date

    assert span("XHKG", first.isoformat(), "2d")[0] == first.isoformat()


@given(XNYS_DAYS)
def test_a_pair_is_two_consecutive_sessions(moment: date) -> None:
    feed = make_feed()
    if not feed_calendar(feed).sessions(moment, moment):
        return

    first, last = bucket_days(feed, moment, "2d")

    assert first <= moment <= last
    assert [s.date for s in feed_calendar(feed).sessions(first, last)] == [first, last]
    assert bucket_days(feed, first, "2d") == bucket_days(feed, last, "2d") == (first, last)


@given(XNYS_DAYS, st.sampled_from(["2d", "1w", "1M"]))
def test_days_of_utc_buckets_follow_each_other_without_holes(moment: date, timeframe: str) -> None:
    feed = make_feed("24/7")

    first, last = bucket_days(feed, moment, timeframe)

    assert first <= moment <= last
    assert bucket_days(feed, last + timedelta(days=1), timeframe)[0] == last + timedelta(days=1)


def test_utc_pairs_count_from_1970() -> None:
    assert span("24/7", "1970-01-02", "2d") == ("1970-01-01", "1970-01-02")
    assert span("24/7", "2024-03-07", "2d") == ("2024-03-06", "2024-03-07")
    assert span("24/7", "1969-12-31", "2d") == ("1969-12-30", "1969-12-31")


def test_weeks_are_iso_weeks_also_over_the_new_year() -> None:
    assert span("XNYS", "2024-12-31", "1w") == ("2024-12-30", "2025-01-05")
    assert span("XSAU", "2024-03-10", "1w") == ("2024-03-04", "2024-03-10")


def test_months_are_calendar_months() -> None:
    assert span("XNYS", "2024-02-29", "1M") == ("2024-02-01", "2024-02-29")


def test_a_bucket_is_complete_at_the_close_of_its_last_session() -> None:
    feed = make_feed()
    days = np.array([(day(text) - EPOCH).days for text in ("2024-03-28", "2024-04-01")])

    group, labels, ends = day_buckets(feed, days, "1M")

    assert group.tolist() == [0, 1]
    assert [str(np.datetime64(int(label), "D")) for label in labels] == ["2024-03-01", "2024-04-01"]
    # Good Friday was the 29th: March ended with Thursday's close.
    assert [utc(int(end)) for end in ends] == ["2024-03-28 20:00", "2024-04-30 20:00"]


@pytest.mark.parametrize(("timeframe", "end"), [("1w", "2024-03-11 00:00"), ("1M", "2024-04-01 00:00")])
def test_a_utc_bucket_is_complete_at_midnight(timeframe: str, end: str) -> None:
    feed = make_feed(anchor=Anchor.UTC)

    _, _, ends = day_buckets(feed, np.array([(day("2024-03-08") - EPOCH).days]), timeframe)

    assert [utc(int(us)) for us in ends] == [end]


def test_days_in_any_order_keep_their_places() -> None:
    days = np.array([(day(text) - EPOCH).days for text in ("2024-03-11", "2024-03-04", "2024-03-12")])

    group, labels, _ = day_buckets(make_feed(), days, "1w")

    assert group.tolist() == [1, 0, 1]
    assert len(labels) == 2


def test_no_days_have_no_buckets() -> None:
    group, labels, ends = day_buckets(make_feed(), np.zeros(0, np.int64), "1w")

    assert (len(group), len(labels), len(ends)) == (0, 0, 0)
