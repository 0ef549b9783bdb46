"""What is missing."""

from datetime import time

from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.gaps import GAP_SCHEMA, Gap, Span, find_gaps, gap_table
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines_tests.builders import LATER, bar, bar_table, column, day, make_feed, us, utc

Found = tuple[str, str, str, str, int, str]


def gaps(
    feed: Feed,
    moments: list[str],
    first: str,
    last: str | None = None,
    *,
    span: tuple[str, str] | None = None,
    known_at: int = LATER,
) -> list[Found]:
    """The gaps of symbol A, whose bars open at `moments`, in the sessions first..last."""
    sessions = feed_calendar(feed).sessions(day(first), day(last or first))
    bars = bar_table([bar("A", moment) for moment in moments])
    ends = span or (moments[0], moments[-1])
    found = find_gaps(feed, bars, sessions, {"A": Span(us(ends[0]), us(ends[1]))}, known_at)
    return [_text(gap) for gap in found]


def _text(gap: Gap) -> Found:
    return (
        gap.symbol,
        gap.session_date.isoformat(),
        utc(gap.first_missing),
        utc(gap.last_missing),
        gap.minutes,
        gap.kind.value,
    )


def every_minute(first: str, last: str, but: tuple[str, ...] = ()) -> list[str]:
    """UTC texts of every minute from first to last, both included, but some."""
    moments = [utc(at) for at in range(us(first), us(last) + 1, 60_000_000)]
    return [moment for moment in moments if moment not in but]


def test_a_whole_session_has_no_gap() -> None:
    assert gaps(make_feed(), every_minute("2024-03-08 14:30", "2024-03-08 20:59"), "2024-03-08") == []


def test_runs_of_missing_minutes_are_one_gap_each() -> None:
    lost = ("2024-03-08 14:30", "2024-03-08 15:00", "2024-03-08 15:01", "2024-03-08 20:59")
    moments = every_minute("2024-03-08 14:30", "2024-03-08 20:59", lost)

    assert gaps(make_feed(), moments, "2024-03-08") == [
        ("A", "2024-03-08", "2024-03-08 14:30", "2024-03-08 14:30", 1, "missing_minutes"),
        ("A", "2024-03-08", "2024-03-08 15:00", "2024-03-08 15:01", 2, "missing_minutes"),
        ("A", "2024-03-08", "2024-03-08 20:59", "2024-03-08 20:59", 1, "missing_minutes"),
    ]


def test_a_half_day_misses_nothing_after_its_close() -> None:
    moments = every_minute("2024-07-03 13:30", "2024-07-03 16:59")

    assert gaps(make_feed(), moments, "2024-07-03") == []


def test_the_lunch_break_is_no_gap() -> None:
    morning = every_minute("2024-03-08 01:30", "2024-03-08 03:58")
    moments = morning + every_minute("2024-03-08 05:01", "2024-03-08 07:59")

    assert gaps(make_feed("XHKG"), moments, "2024-03-08") == [
        ("A", "2024-03-08", "2024-03-08 03:59", "2024-03-08 03:59", 1, "missing_minutes"),
        ("A", "2024-03-08", "2024-03-08 05:00", "2024-03-08 05:00", 1, "missing_minutes"),
    ]


def test_a_session_without_any_bar_is_missing_whole() -> None:
    moments = ["2024-03-07 20:59", "2024-03-11 13:30"]

    found = gaps(make_feed(), moments, "2024-03-08")

    assert found == [("A", "2024-03-08", "2024-03-08 14:30", "2024-03-08 20:59", 390, "missing_session")]


def test_closed_days_are_never_gaps() -> None:
    assert gaps(make_feed(), ["2024-03-08 20:59", "2024-03-11 13:30"], "2024-03-09", "2024-03-10") == []


def test_sessions_before_the_first_and_after_the_last_bar_are_no_gaps() -> None:
    feed = make_feed()

    found = gaps(feed, every_minute("2024-03-08 14:30", "2024-03-08 20:59"), "2024-03-06", "2024-03-12")

    assert found == []


def test_minutes_before_the_first_bar_of_its_own_session_are_missing() -> None:
    moments = every_minute("2024-03-08 14:32", "2024-03-08 20:59")

    assert gaps(make_feed(), moments, "2024-03-08")[0][2:5] == ("2024-03-08 14:30", "2024-03-08 14:31", 2)


def test_a_utc_feed_is_clipped_to_the_first_and_last_bar() -> None:
    feed = make_feed("24/7")
    moments = ["2024-03-08 10:00", "2024-03-08 10:02"]

    assert gaps(feed, moments, "2024-03-07", "2024-03-09") == [
        ("A", "2024-03-08", "2024-03-08 10:01", "2024-03-08 10:01", 1, "missing_minutes")
    ]


def test_a_utc_day_without_a_bar_is_missing_whole_though_the_next_begins_at_midnight() -> None:
    feed = make_feed("24/7")

    found = gaps(feed, ["2024-03-07 23:59", "2024-03-09 00:00"], "2024-03-08")

    assert found == [("A", "2024-03-08", "2024-03-08 00:00", "2024-03-08 23:59", 1440, "missing_day")]


def test_a_session_that_ends_where_the_next_begins_is_missing_whole() -> None:
    feed = make_feed("fx", anchor=Anchor.SESSION)

    found = gaps(feed, ["2024-03-06 21:59", "2024-03-07 22:00"], "2024-03-07")

    assert found == [("A", "2024-03-07", "2024-03-06 22:00", "2024-03-07 21:59", 1440, "missing_session")]


def test_a_closing_auction_of_its_own_is_a_bar_of_its_session() -> None:
    feed = make_feed(closing_auction=ClosingAuction.OWN_BAR)

    found = gaps(feed, ["2024-03-08 21:00"], "2024-03-08")

    assert found == [("A", "2024-03-08", "2024-03-08 14:30", "2024-03-08 20:59", 390, "missing_minutes")]


def test_minutes_that_could_not_be_known_yet_are_not_missing() -> None:
    feed = make_feed()
    moments = ["2024-03-08 14:30"]

    found = gaps(feed, moments, "2024-03-08", span=(moments[0], "2024-03-08 20:59"), known_at=us("2024-03-08 14:33"))

    assert [gap[2:5] for gap in found] == [("2024-03-08 14:31", "2024-03-08 14:32", 2)]


def test_a_weekend_of_fx_is_no_gap() -> None:
    feed = make_feed("fx")
    friday = every_minute("2024-03-08 21:58", "2024-03-08 21:59")
    moments = friday + every_minute("2024-03-10 21:00", "2024-03-10 21:02")

    assert gaps(feed, moments, "2024-03-08", "2024-03-10") == []


def test_an_overlaid_break_is_no_gap_for_a_utc_feed() -> None:
    feed = make_feed("CMES", anchor=Anchor.UTC, breaks=((time(16), time(17)),))
    before = every_minute("2024-03-07 21:58", "2024-03-07 21:59")
    moments = before + every_minute("2024-03-07 23:00", "2024-03-07 23:02")

    assert gaps(feed, moments, "2024-03-07") == []


def test_an_hourly_bar_covers_its_sixty_minutes() -> None:
    feed = make_feed(interval="1h")
    moments = ["2024-03-08 14:00", "2024-03-08 15:00", "2024-03-08 17:00", "2024-03-08 18:00", "2024-03-08 19:00",
               "2024-03-08 20:00"]  # fmt: skip

    assert gaps(feed, moments, "2024-03-08") == [
        ("A", "2024-03-08", "2024-03-08 16:00", "2024-03-08 16:59", 60, "missing_minutes")
    ]


def test_a_second_covers_its_minute() -> None:
    feed = make_feed(interval="1s")
    moments = [f"{minute}:07" for minute in every_minute("2024-03-08 14:30", "2024-03-08 20:59", ("2024-03-08 14:31",))]

    assert [gap[2:5] for gap in gaps(feed, moments, "2024-03-08")] == [("2024-03-08 14:31", "2024-03-08 14:31", 1)]


def test_a_daily_feed_misses_sessions_only() -> None:
    feed = make_feed(interval="1d")

    found = gaps(feed, ["2024-03-07 00:00", "2024-03-11 00:00"], "2024-03-06", "2024-03-12")

    assert [gap[1:] for gap in found] == [
        ("2024-03-08", "2024-03-08 14:30", "2024-03-08 20:59", 390, "missing_session")
    ]


def test_a_daily_feed_of_sydney_has_its_bars_on_local_dates() -> None:
    feed = make_feed("XASX", "1d")

    assert gaps(feed, ["2024-03-07 00:00", "2024-03-08 00:00"], "2024-03-07", "2024-03-08") == []


def test_symbols_are_judged_apart_and_sorted() -> None:
    feed = make_feed()
    sessions = feed_calendar(feed).sessions(day("2024-03-08"), day("2024-03-08"))
    bars = bar_table([bar("A", moment) for moment in every_minute("2024-03-08 14:30", "2024-03-08 20:59")])
    span = Span(us("2024-03-07 14:30"), us("2024-03-11 14:30"))

    found = find_gaps(feed, bars, sessions, {"C": span, "A": span, "B": span}, LATER)

    assert [(gap.symbol, gap.minutes) for gap in found] == [("B", 390), ("C", 390)]


def test_gaps_as_a_table() -> None:
    feed = make_feed()
    sessions = feed_calendar(feed).sessions(day("2024-03-08"), day("2024-03-08"))
    found = find_gaps(feed, bar_table([]), sessions, {"A": Span(0, LATER)}, LATER)

    assert column(gap_table(found), "last_missing") == ["2024-03-08 20:59"]
    assert gap_table([]).schema == GAP_SCHEMA
