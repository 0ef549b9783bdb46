"""What is due when: sessions, partitions and crons on the calendar's ordinary days."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.due import (
    PartitionState,
    deadline_us,
    due_crons,
    due_partitions,
    due_us,
    is_scheduled,
    is_taken_in,
    is_watched,
    longest_wait,
    newest_label_us,
    next_due,
    running_session,
    session_due_at,
    sessions_due,
    sessions_expected,
    view_cron,
)
from marketdata_pipelines.domain.feeds import ClosingAuction, Feed, PartitionBy, SourceKind, SourceSpec
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.domain.schedules import CADENCES_MINUTES, VIEW_MINUTES, Schedule
from marketdata_pipelines.domain.tables import VIEWS
from marketdata_pipelines_tests.builders import day, make_feed, us, utc

TODAY = date(2024, 7, 1)


def scheduled(calendar: str = "XNYS", interval: str = "1m", **changes: Any) -> Feed:
    schedule = changes.pop("schedule", Schedule())
    return replace(make_feed(calendar, interval, **changes), schedule=schedule)


def dates(feed: Feed, now: str) -> list[str]:
    return [session.date.isoformat() for session in sessions_due(feed, us(now))]


def test_a_session_is_due_its_delay_after_its_close() -> None:
    feed = scheduled()

    # 2024-07-02 closes at 16:00 New York, 20:00 UTC.
    assert dates(feed, "2024-07-02 20:14")[-1] == "2024-07-01"
    assert dates(feed, "2024-07-02 20:15")[-1] == "2024-07-02"


def test_a_closing_auction_with_a_bar_of_its_own_is_waited_for() -> None:
    (session,) = sessions_due(scheduled(), us("2024-07-02 20:15"))[-1:]

    feed = scheduled(closing_auction=ClosingAuction.OWN_BAR)

    assert utc(due_us(feed, session)) == "2024-07-02 20:16"


def test_a_deadline_is_later_than_the_asking() -> None:
    feed = scheduled()
    (session,) = sessions_due(feed, us("2024-07-02 20:15"))[-1:]

    assert utc(deadline_us(feed, session)) == "2024-07-02 22:00"
    assert sessions_expected(feed, us("2024-07-02 21:59"))[-1].date == day("2024-07-01")
    assert sessions_expected(feed, us("2024-07-02 22:00"))[-1].date == day("2024-07-02")


def test_a_tick_asks_for_no_more_sessions_than_it_catches_up_on() -> None:
    feed = scheduled(schedule=Schedule(catch_up_sessions=10))

    assert dates(feed, "2024-07-02 20:15") == [
        "2024-06-18", "2024-06-20", "2024-06-21", "2024-06-24", "2024-06-25", "2024-06-26", "2024-06-27",
        "2024-06-28", "2024-07-01", "2024-07-02",
    ]  # fmt: skip


def test_nothing_is_due_before_the_feeds_start() -> None:
    assert dates(scheduled(start=date(2024, 7, 1)), "2024-07-02 20:15") == ["2024-07-01", "2024-07-02"]
    assert dates(scheduled(start=date(2025, 1, 1)), "2024-07-02 20:15") == []


def test_the_running_session_is_open_until_it_is_due() -> None:
    feed = scheduled()

    assert running_session(feed, us("2024-07-02 13:29")) is None
    assert [running_session(feed, us(f"2024-07-02 {at}")) for at in ("13:30", "20:14")] == [
        sessions_due(feed, us("2024-07-02 20:15"))[-1]
    ] * 2
    assert running_session(feed, us("2024-07-02 20:15")) is None
    assert running_session(feed, us("2024-07-06 15:00")) is None


def test_round_the_clock_the_new_day_runs_while_the_old_one_is_waited_for() -> None:
    running = running_session(scheduled("24/7"), us("2024-07-02 00:05"))

    assert running is not None
    assert running.date == day("2024-07-02")


def test_only_the_minute_it_is_due_in_is_a_sessions_tick() -> None:
    feed = scheduled()

    assert session_due_at(feed, us("2024-07-02 20:14")) is None
    assert session_due_at(feed, us("2024-07-02 20:15")) == sessions_due(feed, us("2024-07-02 20:15"))[-1]
    assert session_due_at(feed, us("2024-07-02 20:16")) is None


def test_the_next_session_is_named_over_a_holiday() -> None:
    coming = next_due(scheduled(), us("2024-07-03 18:00"))

    assert coming is not None
    assert (coming[0].date, utc(coming[1])) == (day("2024-07-05"), "2024-07-05 20:15")


def test_a_partition_written_before_its_session_was_due_is_asked_for_again() -> None:
    feed = scheduled()
    (session,) = sessions_due(feed, us("2024-07-02 20:15"))[-1:]
    noon, early, due = us("2024-07-02 16:00"), us("2024-07-02 20:05"), us("2024-07-02 20:15")

    assert not is_taken_in(feed, session, None)
    assert not is_taken_in(feed, session, PartitionState(None, session.open))
    assert not is_taken_in(feed, session, PartitionState(noon, session.open))
    assert not is_taken_in(feed, session, PartitionState(early, session.open))
    assert is_taken_in(feed, session, PartitionState(due, session.open))


def test_a_year_written_without_the_sessions_bar_is_asked_for_again() -> None:
    feed = scheduled(interval="1d")
    (session,) = sessions_due(feed, us("2024-07-02 20:15"))[-1:]
    later = us("2024-07-02 21:00")

    assert not is_taken_in(feed, session, PartitionState(later, us("2024-07-01 00:00")))
    assert is_taken_in(feed, session, PartitionState(later, us("2024-07-02 00:00")))


def test_a_partition_that_a_check_blocks_waits_for_a_person() -> None:
    feed = scheduled()

    state = PartitionState(us("2024-07-02 20:20"), None, blocked=True)

    assert "2024-07-02" not in due_partitions(feed, us("2024-07-02 21:15"), {"2024-07-02": state})


@pytest.mark.parametrize(
    ("partition", "expected"),
    [
        (PartitionBy.DAY, ["2024-06-27", "2024-06-28", "2024-07-01", "2024-07-02"]),
        (PartitionBy.MONTH, ["2024-06-01", "2024-07-01"]),
        (PartitionBy.YEAR, ["2024-01-01"]),
    ],
)
def test_due_partitions_are_those_the_sessions_lie_in(partition: PartitionBy, expected: list[str]) -> None:
    feed = scheduled(partition=partition, schedule=Schedule(catch_up_sessions=4))

    assert due_partitions(feed, us("2024-07-02 20:15"), {}) == expected


def test_weekly_bars_are_due_once_their_week_is_over() -> None:
    feed = scheduled(interval="1w", schedule=Schedule(catch_up_sessions=3))

    # Good Friday closes the week of 2024-03-25 on a Thursday.
    assert dates(feed, "2024-04-04 21:00") == ["2024-03-15", "2024-03-22", "2024-03-28"]
    assert newest_label_us(feed, sessions_due(feed, us("2024-04-04 21:00"))[-1]) == us("2024-03-25 00:00")


def test_a_week_over_new_year_is_asked_for_where_its_label_lies() -> None:
    feed = scheduled(interval="1w", schedule=Schedule(catch_up_sessions=1))

    assert due_partitions(feed, us("2025-01-03 22:00"), {}) == ["2024-01-01"]


def test_crons_are_the_calendars_own_closes_and_one_an_hour() -> None:
    assert due_crons(scheduled(), TODAY) == ["15 13 * * 1,2,3,5", "15 16 * * 1-5", "15 * * * *"]
    assert due_crons(scheduled("24/7"), TODAY) == ["15 0 * * *", "15 * * * *"]
    assert due_crons(scheduled("XLON"), TODAY)[-2:] == ["45 16 * * 1-5", "45 * * * *"]


def test_every_session_of_a_year_is_due_at_one_of_the_crons() -> None:
    feed = scheduled("XLON", schedule=Schedule(after_close_minutes=40))

    hours = {tuple(map(int, cron.split()[:2])) for cron in due_crons(feed, TODAY)[:-1]}

    for session in sessions_due(replace(feed, schedule=Schedule(40, catch_up_sessions=260)), us("2025-01-02 00:00")):
        local = datetime.fromtimestamp((session.close // MINUTE_US + 40) * 60, ZoneInfo("Europe/London"))
        assert (local.minute, local.hour) in hours


def test_cadences_are_exact_crons() -> None:
    assert [view_cron(minutes) for minutes in (1, 5, 30, 60, 240, 1440)] == [
        "* * * * *", "*/5 * * * *", "*/30 * * * *", "0 * * * *", "0 */4 * * *", "0 0 * * *",
    ]  # fmt: skip
    assert all(60 % minutes == 0 or (minutes % 60 == 0 and 1440 % minutes == 0) for minutes in CADENCES_MINUTES)
    assert tuple(name for name, _ in VIEW_MINUTES) == VIEWS


def test_the_longest_wait_spans_the_longest_closure() -> None:
    assert longest_wait(scheduled("24/7")) == timedelta(days=1)
    assert timedelta(days=3) < longest_wait(scheduled()) < timedelta(days=5)
    assert longest_wait(scheduled("XTKS")) > timedelta(days=6)


def test_only_a_feed_with_a_schedule_is_expected_to_be_on_time() -> None:
    assert is_watched(scheduled())
    assert not is_watched(make_feed())
    assert not is_watched(scheduled(schedule=Schedule(enabled=False)))
    assert not is_scheduled(make_feed(source=SourceSpec(SourceKind.SAMPLE)))


@lru_cache(maxsize=8)
def closes(calendar: str) -> list[tuple[date, int]]:
    """(session date, close) straight from the calendars, without the code under test."""
    if calendar == "24/7":
        days = [date(2023, 6, 1) + timedelta(days=n) for n in range(900)]
        return [(each, us(f"{each + timedelta(days=1)} 00:00")) for each in days]
    import exchange_calendars

    schedule = exchange_calendars.get_calendar(calendar, start="2023-06-01").schedule
    return [(row.Index.date(), row.close.value // 1000) for row in schedule.itertuples()]


@given(
    calendar=st.sampled_from(["XNYS", "CMES", "XLON", "24/7"]),
    now=st.datetimes(datetime(2024, 1, 1), datetime(2025, 10, 1)),
    delay=st.integers(0, 600),
    catch_up=st.integers(1, 40),
    partition=st.sampled_from(list(PartitionBy)),
    data=st.data(),
)
def test_due_partitions_equal_a_search_through_the_calendar(
    calendar: str, now: datetime, delay: int, catch_up: int, partition: PartitionBy, data: st.DataObject
) -> None:
    schedule = Schedule(after_close_minutes=delay, late_after_minutes=delay + 1, catch_up_sessions=catch_up)
    feed = scheduled(calendar, partition=partition, schedule=schedule)
    now_us = us(now.replace(tzinfo=UTC).isoformat())
    closed = [(each, close) for each, close in closes(calendar) if close + delay * MINUTE_US <= now_us][-catch_up:]
    keys = sorted({partition_key(each, period_of(partition)) for each, _ in closed})
    written = data.draw(st.dictionaries(st.sampled_from(keys), st.integers(-2000, 2000)))
    states = {key: PartitionState(now_us + minutes * MINUTE_US, now_us) for key, minutes in written.items()}
    expected = {
        partition_key(each, period_of(partition))
        for each, close in closed
        for state in [states.get(partition_key(each, period_of(partition)))]
        if state is None or state.walked_us is None or state.walked_us < close + delay * MINUTE_US
    }

    assert due_partitions(feed, now_us, states) == sorted(expected)
