"""Returns and volumes beside those of the sessions before."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.quality.history import PastSessions
from marketdata_pipelines.domain.quality.openings import session_openings
from marketdata_pipelines.domain.quality.outliers import jump_outliers, opening_outliers, volume_outliers
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.quality_rows import (
    Row,
    finding,
    opening,
    profile,
    profile_table,
    quiet_sessions,
    session_day,
    suspect,
    suspect_table,
)

TODAY = session_day(0)
RETURNS, VOLUMES = QUALITY_RULE_BY_ID["return_outlier"], QUALITY_RULE_BY_ID["volume_spike"]
MINUTES, DAYS = make_feed(), make_feed(interval="1d")
QUIET = quiet_sessions("A")


def jumps(
    *rows: Row, today: Row | None = None, history: pa.Table = QUIET, told: tuple[Row, ...] = ()
) -> list[tuple[int, int, float]]:
    """(first minute, last minute, value) of the findings of minute bars."""
    profiles, suspects = profile_table([today or profile("A", TODAY)]), suspect_table(rows)
    past = PastSessions(profiles, history)
    openings = session_openings(past, profiles, suspects, None)
    found = jump_outliers(MINUTES, RETURNS, past, openings, suspects, told)
    return [(_minute(row["ts"]), _minute(row["ts_last"]), row["value"]) for row in found]


def moves(feed: Any, *rows: Row, history: pa.Table = QUIET, told: tuple[Row, ...] = ()) -> list[str]:
    """The session dates of the findings between sessions."""
    profiles = profile_table(rows)
    past = PastSessions(profiles, history)
    openings = session_openings(past, profiles, suspect_table(), None)
    found = opening_outliers(feed, RETURNS, past, openings, openings.opens < 0, told)
    return [str(row["session_date"]) for row in found]


def volumes(*rows: Row, today: Row | None = None, history: pa.Table = QUIET) -> list[tuple[float, float]]:
    """(value, limit) of the findings."""
    profiles = profile_table([today or profile("A", TODAY)])
    found = volume_outliers(VOLUMES, PastSessions(profiles, history), profiles, suspect_table(rows))
    return [(row["value"], row["limit"]) for row in found]


def _minute(moment: Any) -> int:
    return int((moment - opening(TODAY)) / timedelta(minutes=1))


def jump(minute: int, value: float, **changes: Any) -> Row:
    return suspect("jump", "A", TODAY, minute, value, **changes)


def test_a_jump_beyond_the_sessions_before_is_found_where_it_is() -> None:
    assert jumps(jump(100, 0.08), jump(200, 0.03)) == [(100, 100, 0.08)]


def test_a_wild_symbol_may_jump_further() -> None:
    assert jumps(jump(100, 0.08), history=quiet_sessions("A", return_scale=0.01)) == []


def test_a_cheap_price_may_move_by_its_tick() -> None:
    assert jumps(jump(100, 0.2), history=quiet_sessions("A", return_scale=0.0, high=0.06, low=0.05, close=0.05)) == []


def test_bars_that_are_far_between_may_move_further() -> None:
    thin = quiet_sessions("A", bars=60)

    assert jumps(jump(100, 0.08), history=thin) == []
    assert jumps(jump(100, 0.2), history=thin) == [(100, 100, 0.2)]
    assert jumps(jump(100, 0.2), history=quiet_sessions("A", bars=12)) == []


def test_the_move_from_the_session_before_is_none_within_this_one() -> None:
    today = profile("A", TODAY, open=50.0, close=50.0)
    # Bars of an hour: the first of the session, or one before it, is beside the last of the session before.
    early = jump(-60, 0.7)

    assert jumps(jump(0, 0.6931), today=today) == []
    assert jumps(early, today=today) == []
    assert jumps(early, today=profile("A", TODAY)) == [(-60, -60, 0.7)]


def test_a_way_out_and_the_way_back_are_one_finding_over_the_bars_away() -> None:
    assert jumps(jump(100, 2.3), jump(103, 2.29)) == [(100, 102, 2.3)]


def test_a_small_jump_hours_later_is_no_way_back() -> None:
    assert jumps(jump(100, 0.08), jump(250, 0.08)) == [(100, 100, 0.08), (250, 250, 0.08)]


def test_jumps_of_different_files_are_not_joined() -> None:
    found = jumps(jump(100, 2.3, standing=False, part="p1"), jump(101, 2.3, standing=False, part="p2"))

    assert found == [(100, 100, 2.3), (101, 101, 2.3)]


def test_a_first_bar_away_is_found_by_the_way_back() -> None:
    today = profile("A", TODAY, open=1000.0, close=100.2)

    first, last, value = jumps(jump(1, 2.3), today=today)[0]

    assert (first, last) == (0, 0)
    assert value == pytest.approx(2.3026, abs=1e-4)


def test_what_another_rule_tells_is_not_told_again() -> None:
    spike = finding("price_spike", "A", TODAY, ts=opening(TODAY) + timedelta(minutes=100))

    assert jumps(jump(100, 2.3), jump(101, 2.3), told=(spike,)) == []
    assert jumps(jump(101, 2.3), told=(spike,)) == []


@pytest.mark.parametrize(("sessions", "expected"), [(4, 0), (5, 1)])
def test_enough_sessions_before_are_needed(sessions: int, expected: int) -> None:
    assert len(jumps(jump(100, 1.0), history=quiet_sessions("A", first=-sessions, count=sessions))) == expected


def test_a_gap_between_sessions_is_news_until_it_is_out_of_all_proportion() -> None:
    assert moves(MINUTES, profile("A", TODAY, open=160.0, close=160.0)) == []
    assert moves(MINUTES, profile("A", TODAY, open=9000.0, close=9000.0)) == [str(TODAY)]


def test_a_daily_bar_is_beside_the_days_before() -> None:
    history = profile_table(profile("A", session_day(n), close=100.0 + n % 2) for n in range(-20, 0))
    calm = profile("A", TODAY, open=100.0, close=104.0)
    wild = profile("A", TODAY, open=100.0, close=190.0)

    assert moves(DAYS, calm, history=history) == []
    assert moves(DAYS, wild, history=history) == [str(TODAY)]


def test_the_day_after_a_wrong_one_is_not_wrong() -> None:
    rows = [profile("A", session_day(n), open=price, close=price) for n, price in enumerate([1.0, 100.0])]

    assert moves(DAYS, *rows) == [str(TODAY)]


def test_the_same_bar_is_not_told_twice() -> None:
    spike = finding("price_spike", "A", TODAY, ts=opening(TODAY))

    assert moves(DAYS, profile("A", TODAY, close=1000.0), told=(spike,)) == []


def test_a_bar_with_more_volume_than_whole_sessions_is_found() -> None:
    bulky = suspect("volume", "A", TODAY, 10, 1_500_000.0)

    # 20 / root of 390 times the greatest session but one.
    assert volumes(bulky)[0][1] == pytest.approx(1_012_739.4, abs=0.1)
    assert volumes(bulky | {"value": 900_000.0}) == []


def test_a_bar_of_few_may_hold_more_than_one_of_many() -> None:
    history = quiet_sessions("A", bars=4, expected=4)

    assert volumes(suspect("volume", "A", TODAY, 10, 9_000_000.0), history=history) == []
    assert volumes(suspect("volume", "A", TODAY, 10, 11_000_000.0), history=history) == [(11_000_000.0, 10_000_000.0)]


def test_a_session_in_another_unit_is_found_as_a_whole() -> None:
    assert volumes(today=profile("A", TODAY, volume=100_000_000.0)) == [(100_000_000.0, 20_000_000.0)]


def test_a_symbol_that_trades_now_and_then_has_no_proportion() -> None:
    assert volumes(suspect("volume", "A", TODAY, 10, 1e9), history=quiet_sessions("A", bars=40)) == []


def test_one_bad_session_does_not_hide_the_next() -> None:
    bad = profile_table([profile("A", session_day(-1), volume=1e9)])
    history = pa.concat_tables([quiet_sessions("A", count=19), bad])

    assert volumes(today=profile("A", TODAY, volume=1e9), history=history) == [(1e9, 20_000_000.0)]


def test_unknown_volume_is_none_too_many() -> None:
    assert volumes(today=profile("A", TODAY, volume=None)) == []
    assert volumes(today=profile("A", TODAY, volume=1e9), history=quiet_sessions("A", volume=None)) == []
