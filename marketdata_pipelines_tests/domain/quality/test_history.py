"""The sessions before, as windows and robust summaries."""

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.quality.history import WINDOW, PastSessions, medians, second_greatest, usual_bars
from marketdata_pipelines_tests.domain.quality_rows import profile, profile_table, quiet_sessions, session_day

TODAY = session_day(0)


def past_of(profiles: pa.Table, history: pa.Table) -> PastSessions:
    return PastSessions(profiles, history)


def test_a_window_ends_right_before_its_session() -> None:
    history = profile_table(profile("A", session_day(n), close=100.0 + n) for n in range(-3, 0))
    past = past_of(profile_table([profile("A", TODAY, close=7.0)]), history)

    window = past.before("close", past.codes, past.dates)

    assert window[0, -3:].tolist() == [97.0, 98.0, 99.0]
    assert np.isnan(window[0, :-3]).all()


def test_a_session_of_the_same_partition_is_history_of_the_next() -> None:
    profiles = profile_table(profile("A", session_day(n), close=100.0 + n) for n in range(3))
    past = past_of(profiles, quiet_sessions(count=0))

    last = past.before("close", past.codes, past.dates)[:, -1]

    assert np.isnan(last[0])
    assert last[1:].tolist() == [100.0, 101.0]


def test_no_more_sessions_before_are_looked_at_than_the_window_has() -> None:
    past = past_of(profile_table([profile("A", TODAY)]), quiet_sessions("A", first=-40, count=40))

    window = past.before("bars", past.codes, past.dates)

    assert window.shape == (1, WINDOW)
    assert np.isfinite(window).all()


def test_history_of_the_day_itself_or_later_is_left_out() -> None:
    history = profile_table([profile("A", TODAY, close=5.0), profile("A", session_day(1), close=6.0)])
    past = past_of(profile_table([profile("A", TODAY)]), history)

    assert np.isnan(past.before("close", past.codes, past.dates)).all()
    assert past.days.tolist() == past.dates.tolist()


def test_a_session_without_bars_is_no_session_of_the_symbol() -> None:
    history = profile_table([profile("A", session_day(-2)), profile("A", session_day(-1), bars=0)])
    past = past_of(profile_table([profile("A", TODAY)]), history)

    assert usual_bars(past, past.codes, past.dates).sessions.tolist() == [1]


def test_rows_nobody_knows_the_symbol_of_are_left_out() -> None:
    past = past_of(profile_table([profile("", TODAY), profile("A", TODAY)]), quiet_sessions("", "A"))

    assert past.rows.tolist() == [1]
    assert [past.names[code] for code in past.codes] == ["A"]


def test_a_symbol_that_never_occurs_has_no_past() -> None:
    past = past_of(profile_table([profile("A", TODAY)]), quiet_sessions("A"))
    unknown = past.positions(pa.array(["B"]))

    assert unknown.tolist() == [-1]
    assert np.isnan(past.before("close", unknown, past.dates)).all()


def test_the_last_close_is_of_the_last_session_the_symbol_was_there() -> None:
    history = profile_table(
        [
            profile("A", session_day(-3), close=10.0),
            profile("A", session_day(-2), close=11.0),
            profile("B", session_day(-1)),
        ]
    )
    past = past_of(profile_table([profile("A", TODAY)]), history)

    close, day, earlier = past.last_closes(past.codes, past.dates)

    assert close.tolist() == [11.0]
    assert (past.dates - day).tolist() == [(TODAY - session_day(-2)).days]
    assert earlier.tolist() == [10.0]


def test_without_a_past_there_is_no_close_before() -> None:
    past = past_of(profile_table([profile("A", TODAY)]), quiet_sessions(count=0))

    close, day, earlier = past.last_closes(past.codes, past.dates)

    assert np.isnan(close).all()
    assert np.isnan(earlier).all()
    assert day.tolist() == [-1]


def test_usual_bars_are_a_share_of_what_the_calendar_has_room_for() -> None:
    history = quiet_sessions("A", bars=195)
    past = past_of(profile_table([profile("A", TODAY, expected=210)]), history)

    usual = usual_bars(past, past.codes, past.dates)

    assert usual.share.tolist() == [0.5]
    # Chance alone: sqrt(0.5 x 0.5 / 390).
    assert usual.spread[0] == pytest.approx(0.02532, abs=1e-5)
    assert usual.sessions.tolist() == [WINDOW]


def test_moves_leap_over_sessions_without_the_symbol() -> None:
    history = profile_table(
        [
            profile("A", session_day(-3), close=100.0),
            profile("B", session_day(-2)),
            profile("A", session_day(-1), close=110.0),
        ]
    )
    past = past_of(profile_table([profile("A", TODAY)]), history)

    moves = past.moves_before(past.codes, past.dates)[0]

    assert moves[-1] == pytest.approx(np.log(1.1))
    assert np.isnan(moves[-2])


def test_medians_pass_over_unknown_values() -> None:
    values = np.array([[1.0, np.nan, 3.0, 2.0], [np.nan] * 4, [4.0, 1.0, np.nan, np.nan]])

    found = medians(values)

    assert found[[0, 2]].tolist() == [2.0, 2.5]
    assert np.isnan(found[1])


def test_the_second_greatest_needs_two() -> None:
    found = second_greatest(np.array([[5.0, 9.0, 7.0], [np.nan, 3.0, np.nan]]))

    assert found[0] == 7.0
    assert np.isnan(found[1])


def test_symbols_without_a_profile_can_be_among_the_names() -> None:
    past = PastSessions(profile_table([profile("B", TODAY)]), quiet_sessions("C"), ["A", "B"])

    assert past.names == ["A", "B", "C"]
    assert past.codes.tolist() == [1]
