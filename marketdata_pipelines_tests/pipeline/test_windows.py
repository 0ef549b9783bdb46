"""Which windows a vendor is asked for."""

from datetime import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import ClosingAuction, Feed, PartitionBy
from marketdata_pipelines.pipeline.windows import Window, finished, joined_requests, partition_units, wanted_windows
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import CME_BREAK, ints, make_feed, us, utc

DAY_US = 86_400_000_000
SETTLED = us("2025-06-01 00:00")


def spans(feed: Feed, key: str) -> list[tuple[str, str]]:
    return [(utc(unit.start_us), utc(unit.end_us)) for unit in partition_units(feed, key)]


def asked(lake: Lake, feed: Feed, keys: list[str], now: str) -> list[tuple[str, str, bool]]:
    windows = wanted_windows(lake, feed, keys, us(now))
    return [(utc(window.start_us), utc(window.end_us), window.settled) for window in windows]


@pytest.mark.parametrize(
    ("feed", "key", "expected"),
    [
        (make_feed(), "2024-07-03", [("2024-07-03 13:30", "2024-07-03 17:00")]),
        (make_feed(), "2024-07-04", []),
        (
            make_feed(extended_hours=(time(4), time(20))),
            "2024-07-03",
            [("2024-07-03 08:00", "2024-07-03 21:00")],
        ),
        # The day the clocks changed, a Monday after it.
        (make_feed(), "2024-11-04", [("2024-11-04 14:30", "2024-11-04 21:00")]),
        (make_feed("24/7"), "2024-02-29", [("2024-02-29 00:00", "2024-03-01 00:00")]),
        # The futures' session begins on the evening before.
        (make_feed("CMES", breaks=CME_BREAK), "2024-07-01", [("2024-06-30 22:00", "2024-07-01 21:00")]),
        (make_feed(interval="1d", partition=PartitionBy.MONTH), "2024-02-01", None),
    ],
)
def test_a_partition_is_its_sessions(feed: Feed, key: str, expected: list[tuple[str, str]] | None) -> None:
    if expected is None:
        assert len(spans(feed, key)) == 20
        assert spans(feed, key)[0] == ("2024-02-01 00:00", "2024-02-02 00:00")
    else:
        assert spans(feed, key) == expected


def test_a_coarse_bar_is_asked_for_in_one_session_only() -> None:
    # With a session a day and no pause, an hour that ends when the next one opens is the earlier one's.
    evening = partition_units(make_feed("CMES", "30m"), "2024-07-02")[0]
    morning = partition_units(make_feed("XNYS", "1h", partition=PartitionBy.DAY), "2024-07-02")[0]

    assert utc(evening.start_us) == "2024-07-01 22:00"
    assert morning.start_us == us("2024-07-02 12:30") + 1


def test_the_bar_at_the_close_is_asked_for_where_it_counts() -> None:
    (unit,) = partition_units(make_feed(closing_auction=ClosingAuction.OWN_BAR), "2024-07-03")

    assert unit.end_us == us("2024-07-03 17:00") + 1
    assert unit.over_us == us("2024-07-03 17:01")


def test_a_daily_bar_is_over_with_its_session_and_a_weekly_one_with_its_week() -> None:
    day = partition_units(make_feed(interval="1d"), "2024-01-01")[0]
    week = [
        unit
        for unit in partition_units(make_feed(interval="1w"), "2024-01-01")
        if utc(unit.start_us)[:10] == "2024-07-01"
    ]

    assert utc(day.over_us) == "2024-01-02 21:00"
    assert utc(week[0].over_us) == "2024-07-08 00:00"


def test_only_what_is_over_or_running_is_asked_for(lake: Lake) -> None:
    feed = make_feed()

    assert asked(lake, feed, ["2024-07-02", "2024-07-03", "2024-07-05"], "2024-07-03 14:07:40") == [
        ("2024-07-02 13:30", "2024-07-02 20:00", True), ("2024-07-03 13:30", "2024-07-03 14:07", False),
    ]  # fmt: skip
    assert asked(lake, feed, ["2024-07-03"], "2024-07-03 13:30:59") == []
    assert asked(lake, feed, ["2024-07-03"], "2024-07-03 17:00") == [("2024-07-03 13:30", "2024-07-03 17:00", True)]


def test_days_that_are_not_over_have_no_daily_bar(lake: Lake) -> None:
    feed = make_feed(interval="1d")

    windows = asked(lake, feed, ["2024-01-01"], "2024-07-03 16:59")

    assert windows == [("2024-01-02 00:00", "2024-07-03 00:00", True)]


def test_neighbours_are_asked_for_together_and_others_are_not(lake: Lake) -> None:
    feed = make_feed()
    # Wednesday and Friday are neighbours, with a holiday between; Monday and Wednesday are not.
    windows = wanted_windows(lake, feed, ["2024-07-01", "2024-07-03", "2024-07-05", "2024-07-08"], SETTLED)

    def grouped(days: float) -> list[list[str]]:
        return [[w.partition[-2:] for w in request] for request in joined_requests(feed, windows, int(days * DAY_US))]

    assert grouped(30) == [["01"], ["03", "05", "08"]]
    assert grouped(3) == [["01"], ["03", "05"], ["08"]]
    assert grouped(0.1) == [["01"], ["03"], ["05"], ["08"]]


@settings(max_examples=50)
@given(
    interval=st.sampled_from(["1m", "5m", "1h", "1d"]),
    calendar=st.sampled_from(["XNYS", "24/7", "CMES", "fx"]),
    now=st.integers(us("2024-02-25 00:00"), us("2024-03-20 00:00")),
)
def test_windows_are_disjoint_ordered_and_never_beyond_now(interval: str, calendar: str, now: int) -> None:
    feed = make_feed(calendar, interval)
    keys = {"1m": ["2024-03-01", "2024-03-08", "2024-03-11"], "5m": ["2024-03-08"], "1h": ["2024-02-01", "2024-03-01"]}

    windows = wanted_windows(_NoLake(), feed, keys.get(interval, ["2024-01-01"]), now)  # type: ignore[arg-type]

    ends = [0, *(window.end_us for window in windows)]
    assert all(before <= window.start_us for before, window in zip(ends, windows, strict=False))
    assert all(window.start_us < window.end_us for window in windows)
    assert all(_last_asked(feed, window) <= now for window in windows)


class _NoLake:
    """Nothing was pulled yet."""

    class catalog:  # noqa: N801
        @staticmethod
        def standing_parts(feed: str, keys: list[str]) -> list[object]:
            return []


def _last_asked(feed: Feed, window: Window) -> int:
    return window.start_us if not feed.interval.is_intraday else window.end_us - (1 if window.settled else 0)


def test_a_bar_is_finished_when_its_time_is_over() -> None:
    minute, day = make_feed(), make_feed(interval="1d")
    close = us("2024-07-03 17:00")

    assert finished(minute, ints(us("2024-07-03 16:59")), close).tolist() == [True]
    assert finished(minute, ints(us("2024-07-03 16:59")), close - 1).tolist() == [False]
    # A half-day's bar is over at 13:00 New York; a day without session when it is past.
    days = ints(us("2024-07-03 00:00"), us("2024-07-04 00:00"))
    assert finished(day, days, close).tolist() == [True, False]
    assert finished(day, days, us("2024-07-05 00:00")).tolist() == [True, True]
    assert finished(day, ints(), close).tolist() == []
