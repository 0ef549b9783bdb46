"""Sessions with too few bars, and symbols that are gone."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.feeds import AssetClass
from marketdata_pipelines.domain.quality.absences import breaks_off, incomplete_sessions, missing_symbols
from marketdata_pipelines.domain.quality.history import PastSessions
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.quality_rows import (
    opening,
    profile,
    profile_table,
    quiet_sessions,
    session_day,
)

TODAY = session_day(0)
INCOMPLETE, MISSING = QUALITY_RULE_BY_ID["incomplete_session"], QUALITY_RULE_BY_ID["missing_symbol"]


def short(profiles: pa.Table, history: pa.Table) -> list[str]:
    past = PastSessions(profiles, history)
    found = incomplete_sessions(INCOMPLETE, past, profiles, np.zeros(len(past.codes), bool))
    return [row["symbol"] for row in found]


def gone(profiles: pa.Table, history: pa.Table, asset_class: AssetClass = AssetClass.EQUITY) -> list[str]:
    feed = replace(make_feed(), asset_class=asset_class)
    found = missing_symbols(feed, MISSING, PastSessions(profiles, history), profiles)
    return [f"{row['symbol']} {row['session_date']}" for row in found]


def test_half_a_session_of_a_liquid_symbol_is_incomplete() -> None:
    profiles = profile_table([profile("A", TODAY, bars=195), profile("B", TODAY, bars=389)])
    past = PastSessions(profiles, quiet_sessions("A", "B"))

    found = incomplete_sessions(INCOMPLETE, past, profiles, np.zeros(2, bool))

    assert [(row["symbol"], row["value"], row["limit"], row["bars"]) for row in found] == [("A", 195.0, 312.0, 195)]
    assert found[0]["message"] == "195 bars where 390 are usual"


def test_a_half_day_with_all_its_bars_is_complete() -> None:
    assert short(profile_table([profile("A", TODAY, bars=210, expected=210)]), quiet_sessions("A")) == []


def test_a_symbol_that_trades_now_and_then_may_trade_less() -> None:
    thin = quiet_sessions("A", bars=40)

    assert short(profile_table([profile("A", TODAY, bars=22)]), thin) == []


def test_a_symbol_of_few_bars_is_not_asked() -> None:
    assert short(profile_table([profile("A", TODAY, bars=1)]), quiet_sessions("A", bars=29)) == []


def test_a_symbol_whose_bars_vary_widely_is_not_taken_to_task() -> None:
    counts = [30, 350, 60, 300, 120, 200, 380, 45, 90, 260]
    history = profile_table(profile("A", session_day(n - 10), bars=bars) for n, bars in enumerate(counts))

    assert short(profile_table([profile("A", TODAY, bars=35)]), history) == []


@pytest.mark.parametrize(("sessions", "expected"), [(4, []), (5, ["A"])])
def test_nothing_is_usual_before_enough_sessions(sessions: int, expected: list[str]) -> None:
    history = quiet_sessions("A", first=-sessions, count=sessions)

    assert short(profile_table([profile("A", TODAY, bars=100)]), history) == expected


def test_a_session_with_a_better_explanation_is_not_told() -> None:
    profiles = profile_table([profile("A", TODAY, bars=10)])
    past = PastSessions(profiles, quiet_sessions("A"))

    assert incomplete_sessions(INCOMPLETE, past, profiles, np.ones(1, bool)) == []


@pytest.mark.parametrize(
    ("calendar", "minutes", "bars", "expected"),
    [
        ("24/7", 300, 300, True),
        ("24/7", 300, 100, False),
        ("24/7", 1000, 1000, False),
        ("XNYS", 300, 300, False),
    ],
)
def test_a_utc_day_in_which_a_file_ends_is_not_incomplete(
    calendar: str, minutes: int, bars: int, expected: bool
) -> None:
    midnight = opening(TODAY).replace(hour=0, minute=0)
    times = {
        "session_open": midnight,
        "session_close": midnight + timedelta(days=1),
        "last_ts": midnight + timedelta(minutes=minutes - 1),
    }
    profiles = profile_table([profile("A", TODAY, expected=1440, bars=bars, **times)])

    found = breaks_off(make_feed(calendar), PastSessions(profiles, quiet_sessions("A")), profiles)

    assert found.tolist() == [expected]


def test_a_symbol_that_vanishes_is_told_once() -> None:
    profiles = profile_table(profile("B", session_day(n)) for n in range(3))

    assert gone(profiles, quiet_sessions("A", "B")) == [f"A {TODAY}"]


def test_a_symbol_that_comes_and_goes_is_not_missed() -> None:
    now_and_then = profile_table(profile("A", session_day(n)) for n in range(-19, 0, 2))

    assert gone(profile_table([profile("B", TODAY)]), pa.concat_tables([now_and_then, quiet_sessions("B")])) == []


def test_a_symbol_of_which_only_rejected_rows_came_is_missing() -> None:
    profiles = profile_table([profile("A", TODAY, bars=0, rejected_validity=9), profile("B", TODAY)])

    assert gone(profiles, quiet_sessions("A", "B")) == [f"A {TODAY}"]


def test_a_contract_that_ends_is_not_missing() -> None:
    profiles, history = profile_table([profile("B", TODAY)]), quiet_sessions("A", "B")

    assert gone(profiles, history, AssetClass.FUTURE) == []
    assert gone(profiles, history, AssetClass.ETF) == [f"A {TODAY}"]


def test_after_a_long_pause_nothing_is_missing() -> None:
    assert gone(profile_table([profile("B", session_day(60))]), quiet_sessions("A")) == []


def test_few_sessions_before_miss_nothing() -> None:
    assert gone(profile_table([profile("B", TODAY)]), quiet_sessions("A", first=-4, count=4)) == []
