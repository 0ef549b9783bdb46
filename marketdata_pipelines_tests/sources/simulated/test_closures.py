"""Times for rows that should not be there."""

from datetime import UTC, date, datetime, time

import pytest

from marketdata_pipelines.domain.feeds import Anchor
from marketdata_pipelines.sources.simulated.closures import closed_instants
from marketdata_pipelines.sources.simulated.market import session_of
from marketdata_pipelines_tests.sources.simulated.feeds import CME_BREAK, simulated_feed

FRIDAY = date(2024, 3, 8)


def closed(calendar: str = "XNYS", interval: str = "1m", **options: object) -> list[datetime]:
    feed = simulated_feed(calendar, interval, **options)  # type: ignore[arg-type]
    session = session_of(feed, FRIDAY)
    assert session is not None
    return [datetime.fromtimestamp(us / 1e6, UTC) for us in closed_instants(feed, session)]


def test_the_half_hour_before_the_open_is_closed_without_extended_hours() -> None:
    assert closed()[0] == datetime(2024, 3, 8, 14, 0, tzinfo=UTC)


def test_extended_hours_are_not_closed() -> None:
    found = closed(extended_hours=(time(4), time(20)))

    # 04:00 and 20:00 New York are 09:00Z and 01:00Z.
    assert found[0] == datetime(2024, 3, 8, 8, 30, tzinfo=UTC)
    assert all(1 <= moment.hour < 9 for moment in found)


def test_the_daily_break_of_a_future_is_closed() -> None:
    assert datetime(2024, 3, 7, 22, 30, tzinfo=UTC) in closed("CMES", breaks=CME_BREAK)


def test_coarse_bars_overlap_no_session() -> None:
    found = closed(interval="4h")

    assert datetime(2024, 3, 8, 12, 0, tzinfo=UTC) not in found
    assert datetime(2024, 3, 8, 8, 0, tzinfo=UTC) in found


def test_daily_bars_are_given_closed_dates() -> None:
    assert sorted(f"{moment:%Y-%m-%d}" for moment in closed(interval="1d")) == [
        "2024-03-03",
        "2024-03-09",
        "2024-03-10",
    ]


def test_a_market_that_never_closes_has_none() -> None:
    assert closed("24/7", anchor=Anchor.SESSION) == []


@pytest.mark.parametrize("calendar", ["XNYS", "XTKS", "CMES", "XLON", "fx"])
def test_every_other_market_closes_some_time(calendar: str) -> None:
    assert closed(calendar, anchor=Anchor.SESSION)
