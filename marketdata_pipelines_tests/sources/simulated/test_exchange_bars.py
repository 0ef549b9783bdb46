"""What the simulated exchange has to serve."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.intervals import Interval, parse_interval
from marketdata_pipelines.sources.simulated.bars import simulate_bars
from marketdata_pipelines.sources.simulated.exchange_bars import (
    Corrections,
    Listing,
    page_of,
    unfinished_rows,
    window_rows,
)
from marketdata_pipelines_tests.builders import day, us, utc

LISTING = Listing(symbols=("A", "B"), seed=5)
MINUTE, DAILY = parse_interval("1m"), parse_interval("1d")
LATER = us("2025-01-01 00:00")


def times(rows: list[dict[str, object]]) -> list[str]:
    return sorted({utc(int(str(row["ts"]))) for row in rows})


def test_the_exchange_has_the_bars_of_the_simulated_market() -> None:
    rows = window_rows(LISTING, MINUTE, ("A", "B"), us("2024-07-03 00:00"), us("2024-07-04 00:00"), LATER)
    market = simulate_bars(LISTING.feed(MINUTE), day("2024-07-03"))

    assert len(rows) == market.num_rows
    assert sum(row["volume"] for row in rows) == sum(market["volume"].to_pylist())
    assert [(row["ts"], row["symbol"]) for row in rows] == sorted((row["ts"], row["symbol"]) for row in rows)


def test_a_window_s_end_is_excluded_and_nothing_is_from_later_than_now() -> None:
    def asked(start: str, end: str, now: int = LATER) -> list[str]:
        return times(window_rows(LISTING, MINUTE, ("A",), us(start), us(end), now))

    found = asked("2024-07-01 13:30", "2024-07-01 13:33")
    running = asked("2024-07-01 13:00", "2024-07-02 00:00", us("2024-07-01 13:32:59"))

    assert found == ["2024-07-01 13:30", "2024-07-01 13:31", "2024-07-01 13:32"]
    assert running == ["2024-07-01 13:30", "2024-07-01 13:31"]


def test_a_day_s_bar_is_there_once_its_session_is_over() -> None:
    def asked(now: str) -> list[str]:
        return times(window_rows(LISTING, DAILY, ("A",), us("2024-07-01 00:00"), us("2024-07-04 00:00"), us(now)))

    assert asked("2024-07-03 16:59") == ["2024-07-01 00:00", "2024-07-02 00:00"]
    assert asked("2024-07-03 17:00") == ["2024-07-01 00:00", "2024-07-02 00:00", "2024-07-03 00:00"]


@pytest.mark.parametrize(
    ("width", "now", "expected"),
    [
        (MINUTE, "2024-07-01 13:32:30", ["2024-07-01 13:32"]),
        (MINUTE, "2024-07-01 12:00", []),
        (DAILY, "2024-07-01 15:00", ["2024-07-01 00:00"]),
        (DAILY, "2024-07-01 12:00", []),
    ],
)
def test_the_candle_of_this_moment_is_not_what_it_is_going_to_be(
    width: Interval, now: str, expected: list[str]
) -> None:
    rows = unfinished_rows(LISTING, width, ("A", "B"), us(now))
    whole = window_rows(LISTING, width, ("A", "B"), us("2024-07-01 00:00"), us("2024-07-02 00:00"), LATER)

    assert times(rows) == expected
    assert not [row for row in rows if row in whole]


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ABC")), unique=True), st.integers(1, 5))
def test_pages_in_order_are_everything_once(places: list[tuple[int, str]], limit: int) -> None:
    rows = [{"ts": ts, "symbol": symbol} for ts, symbol in sorted(places)]
    found, after = [], None

    while True:
        page, after = page_of(rows, after, limit)
        found += page
        if after is None:
            break

    assert found == rows


def test_corrections_change_and_withdraw_bars() -> None:
    corrections = Corrections({("A", 1): {"close": 2.0}, ("A", 2): None})

    told = corrections.apply([{"symbol": "A", "ts": ts, "close": 1.0} for ts in (1, 2, 3)])

    assert [(row["ts"], row["close"]) for row in told] == [(1, 2.0), (3, 1.0)]
