"""When markets trade."""

from datetime import date, time

import pytest

from marketdata_pipelines.domain.feeds import CalendarSpec
from marketdata_pipelines.domain.sessions import Calendar, open_calendar, utc_days
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines_tests.builders import CME_BREAK, day, utc


def hours(calendar: Calendar, first: str, last: str) -> dict[str, list[tuple[str, str]]]:
    """Segments by session date, as UTC texts."""
    sessions = calendar.sessions(day(first), day(last))
    return {s.date.isoformat(): [(utc(begins), utc(ends)) for begins, ends in s.segments] for s in sessions}


def test_new_york_opens_an_hour_earlier_in_utc_after_the_spring_clock_change() -> None:
    found = hours(open_calendar(CalendarSpec("XNYS")), "2024-03-08", "2024-03-11")

    assert found == {
        "2024-03-08": [("2024-03-08 14:30", "2024-03-08 21:00")],
        "2024-03-11": [("2024-03-11 13:30", "2024-03-11 20:00")],
    }


def test_new_york_opens_an_hour_later_in_utc_after_the_autumn_clock_change() -> None:
    found = hours(open_calendar(CalendarSpec("XNYS")), "2024-11-01", "2024-11-04")

    assert found == {
        "2024-11-01": [("2024-11-01 13:30", "2024-11-01 20:00")],
        "2024-11-04": [("2024-11-04 14:30", "2024-11-04 21:00")],
    }


def test_half_day_closes_early_and_holiday_has_no_session() -> None:
    found = hours(open_calendar(CalendarSpec("XNYS")), "2024-07-03", "2024-07-05")

    assert found["2024-07-03"] == [("2024-07-03 13:30", "2024-07-03 17:00")]
    assert list(found) == ["2024-07-03", "2024-07-05"]


def test_lunch_break_parts_a_session() -> None:
    session = open_calendar(CalendarSpec("XHKG")).sessions(day("2024-03-08"), day("2024-03-08"))[0]

    assert [(utc(a), utc(b)) for a, b in session.segments] == [
        ("2024-03-08 01:30", "2024-03-08 04:00"),
        ("2024-03-08 05:00", "2024-03-08 08:00"),
    ]
    assert session.minutes == 330


def test_overlaid_break_closes_the_last_hour_of_every_session() -> None:
    found = hours(open_calendar(CalendarSpec("CMES", breaks=CME_BREAK)), "2024-07-03", "2024-07-05")

    assert found == {
        "2024-07-03": [("2024-07-02 22:00", "2024-07-03 21:00")],
        "2024-07-04": [("2024-07-03 22:00", "2024-07-04 17:00")],
        "2024-07-05": [("2024-07-04 22:00", "2024-07-05 21:00")],
    }


def test_overlaid_break_in_the_middle_parts_the_session() -> None:
    spec = CalendarSpec("XNYS", breaks=((time(12), time(13)),))

    found = hours(open_calendar(spec), "2024-03-08", "2024-03-08")

    assert found["2024-03-08"] == [
        ("2024-03-08 14:30", "2024-03-08 17:00"),
        ("2024-03-08 18:00", "2024-03-08 21:00"),
    ]


def test_overlaid_break_over_midnight_is_one_pause() -> None:
    spec = CalendarSpec("24/7", breaks=((time(23, 30), time(0, 30)),))

    found = hours(open_calendar(spec), "2024-03-08", "2024-03-08")

    assert found["2024-03-08"] == [("2024-03-08 00:30", "2024-03-08 23:30")]


def test_extra_closure_removes_a_session() -> None:
    spec = CalendarSpec("XNYS", closed=(date(2025, 1, 9),))

    assert list(hours(open_calendar(spec), "2025-01-08", "2025-01-10")) == ["2025-01-08", "2025-01-10"]


def test_overlays_have_a_version_of_their_own() -> None:
    plain = open_calendar(CalendarSpec("CMES")).version
    broken = open_calendar(CalendarSpec("CMES", breaks=CME_BREAK)).version

    assert plain.startswith("CMES-")
    assert broken.startswith(plain + "+")
    assert broken != open_calendar(CalendarSpec("CMES", closed=(date(2024, 1, 2),))).version


def test_sydney_opens_on_the_utc_day_before() -> None:
    found = hours(open_calendar(CalendarSpec("XASX")), "2024-03-08", "2024-03-08")

    assert found == {"2024-03-08": [("2024-03-07 23:00", "2024-03-08 05:00")]}


def test_riyadh_trades_on_sundays_and_not_on_fridays() -> None:
    found = hours(open_calendar(CalendarSpec("XSAU")), "2024-03-07", "2024-03-10")

    assert list(found) == ["2024-03-07", "2024-03-10"]


def test_fx_runs_from_sunday_to_friday_five_in_the_afternoon_new_york() -> None:
    found = hours(open_calendar(CalendarSpec("fx")), "2024-03-08", "2024-03-11")

    assert found == {
        "2024-03-08": [("2024-03-07 22:00", "2024-03-08 22:00")],
        "2024-03-11": [("2024-03-10 21:00", "2024-03-11 21:00")],
    }


def test_utc_days_of_fx_end_on_friday_and_begin_on_sunday_evening() -> None:
    found = hours(utc_days(CalendarSpec("fx")), "2024-03-07", "2024-03-11")

    assert found == {
        "2024-03-07": [("2024-03-07 00:00", "2024-03-08 00:00")],
        "2024-03-08": [("2024-03-08 00:00", "2024-03-08 22:00")],
        "2024-03-10": [("2024-03-10 21:00", "2024-03-11 00:00")],
        "2024-03-11": [("2024-03-11 00:00", "2024-03-12 00:00")],
    }


def test_utc_days_keep_the_breaks_of_the_market() -> None:
    found = hours(utc_days(CalendarSpec("CMES", breaks=CME_BREAK)), "2024-07-03", "2024-07-03")

    assert found["2024-07-03"] == [("2024-07-03 00:00", "2024-07-03 21:00"), ("2024-07-03 22:00", "2024-07-04 00:00")]


def test_round_the_clock_market_has_every_day_whole() -> None:
    found = hours(open_calendar(CalendarSpec("24/7")), "2024-02-28", "2024-03-01")

    assert list(found) == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert found["2024-02-29"] == [("2024-02-29 00:00", "2024-03-01 00:00")]


def test_usual_close_is_the_close_of_most_sessions() -> None:
    assert open_calendar(CalendarSpec("XNYS")).usual_close() == time(16)
    assert open_calendar(CalendarSpec("CMES", breaks=CME_BREAK)).usual_close() == time(16)
    assert open_calendar(CalendarSpec("fx")).usual_close() == time(17)


def test_usual_close_of_an_overlaid_young_calendar() -> None:
    # XSAU's sessions are known from 2021 on.
    spec = CalendarSpec("XSAU", closed=(date(2024, 3, 7),))

    assert open_calendar(spec).usual_close() == open_calendar(CalendarSpec("XSAU")).usual_close()


def test_unknown_calendar_names_the_known_ones() -> None:
    with pytest.raises(SettingsInvalid, match=r"calendar 'XNYX' is unknown; use 24/7, fx or one of: .*XNYS"):
        open_calendar(CalendarSpec("XNYX"))


def test_calendar_that_cannot_be_opened_is_a_setting_to_mend() -> None:
    # Listed by exchange_calendars without hours of its own.
    with pytest.raises(SettingsInvalid, match="calendar 'XBSE' cannot be opened"):
        open_calendar(CalendarSpec("XBSE"))


def test_no_session_is_asked_for() -> None:
    assert open_calendar(CalendarSpec("XNYS")).sessions(day("2024-03-09"), day("2024-03-10")) == []
    assert utc_days(CalendarSpec("XNYS")).sessions(day("2024-03-09"), day("2024-03-10")) == []
