"""Sessions' openings beside the closes before them."""

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.quality.history import PastSessions
from marketdata_pipelines.domain.quality.openings import Openings, session_openings
from marketdata_pipelines_tests.domain.action_rows import actions, dividend, split
from marketdata_pipelines_tests.domain.quality_rows import (
    opening,
    profile,
    profile_table,
    quiet_sessions,
    session_day,
    suspect,
    suspect_table,
)

TODAY = session_day(0)
SPLIT_TODAY = split(TODAY.isoformat(), 4.0)


def openings_of(
    profiles: pa.Table, history: pa.Table, known: pa.Table | None = None, suspects: pa.Table | None = None
) -> Openings:
    past = PastSessions(profiles, history)
    return session_openings(past, profiles, suspect_table() if suspects is None else suspects, known)


def test_an_opening_is_compared_with_the_close_before() -> None:
    found = openings_of(profile_table([profile("A", TODAY, open=110.0)]), quiet_sessions("A"))

    assert np.exp(found.moves(found.opens)) == pytest.approx([1.1])


def test_a_known_split_is_applied_to_the_close_before() -> None:
    profiles = profile_table([profile("A", TODAY, open=25.0)])

    found = openings_of(profiles, quiet_sessions("A"), actions(SPLIT_TODAY))

    assert found.before.tolist() == pytest.approx([25.0])
    assert found.raw.tolist() == [100.0]


def test_a_split_of_another_symbol_or_day_is_not_applied() -> None:
    profiles = profile_table([profile("A", TODAY, open=25.0)])
    known = actions(SPLIT_TODAY | {"symbol": "B"}, split("2024-03-05", 4.0), split("2024-03-01", 2.0))

    assert openings_of(profiles, quiet_sessions("A"), known).before.tolist() == [100.0]


def test_a_split_in_a_pause_of_the_symbol_is_applied() -> None:
    profiles = profile_table([profile("A", session_day(2), open=25.0)])

    assert openings_of(profiles, quiet_sessions("A"), actions(SPLIT_TODAY)).before.tolist() == pytest.approx([25.0])


def test_what_is_paid_out_lowers_the_close_before() -> None:
    profiles = profile_table([profile("A", TODAY)])

    found = openings_of(profiles, quiet_sessions("A"), actions(dividend(TODAY.isoformat(), 30.0)))

    assert found.before.tolist() == pytest.approx([70.0])


def test_after_a_long_pause_nothing_is_a_move() -> None:
    found = openings_of(profile_table([profile("A", session_day(12), open=200.0)]), quiet_sessions("A"))

    assert np.isnan(found.moves(found.opens)).all()


@pytest.mark.parametrize("price", [0.0, -37.63, float("nan")])
def test_prices_that_have_no_ratio_are_no_move(price: float) -> None:
    found = openings_of(profile_table([profile("A", TODAY, open=price)]), quiet_sessions("A"))

    assert np.isnan(found.moves(found.opens)).all()


def test_a_move_back_to_where_it_was_before_is_known_as_such() -> None:
    odd = profile_table([profile("A", session_day(-1), close=1000.0)])
    history = pa.concat_tables([quiet_sessions("A", count=19), odd])

    found = openings_of(profile_table([profile("A", TODAY, open=101.0)]), history)

    assert found.returns(found.moves(found.opens)).tolist() == [True]


def test_the_place_of_an_opening_is_that_of_pass_one() -> None:
    profiles = profile_table([profile("A", TODAY), profile("B", TODAY)])
    known = suspect_table([suspect("opening_jump", "B", TODAY, 0, 100.0, line=77)])

    found = openings_of(profiles, quiet_sessions("A", "B"), suspects=known)

    assert found.place(0)["ts"] == opening(TODAY)
    assert found.place(0).get("line") is None
    assert found.place(1)["line"] == 77


def test_an_opening_of_a_superseded_file_is_one_of_its_own() -> None:
    known = suspect_table([suspect("opening_jump", "A", TODAY, 0, 14.0, standing=False, file="old.csv")])

    found = openings_of(profile_table([profile("A", TODAY)]), quiet_sessions("A"), suspects=known)

    assert found.opens.tolist() == [100.0, 14.0]
    assert np.isnan(found.closes[1])
    assert found.place(1)["file"] == "old.csv"
