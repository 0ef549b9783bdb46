"""When a series leaves a contract: each rule on sessions written out, and what no session may change."""

from collections.abc import Mapping
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.contracts import ContractMonth
from marketdata_pipelines.domain.rolls import (
    ContractDay,
    Roll,
    RollCause,
    RollPlan,
    RollPolicy,
    RollRule,
    Sessions,
    due_dates,
    plan_rolls,
)
from marketdata_pipelines.domain.trading_days import TradingDays
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines_tests.builders import day

DEC, MAR, JUN = ContractMonth(2013, 12), ContractMonth(2014, 3), ContractMonth(2014, 6)
CHAIN = (DEC, MAR, JUN)
WEEKDAYS = TradingDays([])
MONDAY = date(2013, 12, 2)
NO_EXPIRY: dict[ContractMonth, date | None] = dict.fromkeys(CHAIN)
Volumes = Mapping[ContractMonth, float | None]


def _sessions(*volumes: Volumes | None) -> Sessions:
    """Consecutive weekdays from Monday the 2nd; None is a session without any bar."""
    made, at = {}, MONDAY
    for bars in volumes:
        if bars is not None:
            made[at] = {month: ContractDay(100.0, volume) for month, volume in bars.items()}
        at = WEEKDAYS.after(at)
    return made


def _plan(sessions: Sessions, policy: RollPolicy, expiries: dict[ContractMonth, date | None]) -> RollPlan:
    return plan_rolls(sessions, WEEKDAYS, due_dates(expiries, policy, WEEKDAYS), policy)


def _by_volume(*volumes: Volumes | None, sessions: int = 1) -> list[tuple[str, str, int, str]]:
    plan = _plan(_sessions(*volumes), RollPolicy(sessions_exceeded=sessions), NO_EXPIRY)
    return [(str(r.from_month), str(r.to_month), r.roll_date.day, r.cause.value) for r in plan.rolls]


def test_volume_rolls_at_the_session_after_the_one_that_exceeded() -> None:
    assert _by_volume({DEC: 10, MAR: 9}, {DEC: 5, MAR: 6}, {DEC: 1, MAR: 9}) == [("2013-12", "2014-03", 4, "volume")]


def test_equal_volume_does_not_exceed() -> None:
    assert _by_volume({DEC: 10, MAR: 10}, {DEC: 10, MAR: 10}) == []


def test_a_roll_decided_by_the_last_session_is_for_the_next_one() -> None:
    plan = _plan(_sessions({DEC: 10, MAR: 9}, {DEC: 5, MAR: 6}), RollPolicy(), NO_EXPIRY)

    assert plan.rolls == (Roll(DEC, MAR, day("2013-12-04"), RollCause.VOLUME, day("2013-12-03")),)


def test_a_roll_decided_on_friday_is_for_monday() -> None:
    assert _by_volume(*[{DEC: 2, MAR: 1}] * 4, {DEC: 1, MAR: 2}) == [("2013-12", "2014-03", 9, "volume")]


def test_volume_must_exceed_as_often_in_a_row_as_asked() -> None:
    ahead: Volumes = {DEC: 1, MAR: 2}
    behind: Volumes = {DEC: 2, MAR: 1}

    assert _by_volume(ahead, behind, ahead, ahead, behind, sessions=2) == [("2013-12", "2014-03", 6, "volume")]


def test_sessions_without_any_bar_do_not_interrupt_the_row() -> None:
    ahead: Volumes = {DEC: 1, MAR: 2}

    assert _by_volume(ahead, None, None, ahead, sessions=2) == [("2013-12", "2014-03", 6, "volume")]


def test_a_series_never_rolls_back() -> None:
    assert _by_volume({DEC: 1, MAR: 2}, {DEC: 9, MAR: 2}, {DEC: 9, MAR: 2}) == [("2013-12", "2014-03", 3, "volume")]


def test_the_busiest_later_contract_is_taken_and_months_between_are_left_out() -> None:
    assert _by_volume({DEC: 5, MAR: 6, JUN: 7}, {JUN: 7}) == [("2013-12", "2014-06", 3, "volume")]


def test_of_equally_busy_contracts_the_nearer_is_taken() -> None:
    assert _by_volume({DEC: 5, MAR: 7, JUN: 7}) == [("2013-12", "2014-03", 3, "volume")]


def test_a_missing_bar_is_no_zero_volume_until_it_lasts() -> None:
    gap: Volumes = {MAR: 2}

    assert _by_volume({DEC: 9, MAR: 2}, gap, gap, gap, gap, {DEC: 9, MAR: 2}, gap) == []
    assert _by_volume({DEC: 9, MAR: 2}, gap, gap, gap, gap, gap) == [("2013-12", "2014-03", 10, "silence")]


def test_an_unknown_volume_decides_nothing() -> None:
    assert _by_volume({DEC: None, MAR: 2}, {DEC: 3, MAR: None}) == []


def test_a_volume_of_zero_is_known() -> None:
    assert _by_volume({DEC: 0, MAR: 2}) == [("2013-12", "2014-03", 3, "volume")]


def test_a_session_that_is_not_over_decides_nothing() -> None:
    sessions = {MONDAY: {DEC: ContractDay(100, 1), MAR: ContractDay(100, 2, is_final=False)}}
    before = {MONDAY - timedelta(days=3): {DEC: ContractDay(100, 3), MAR: ContractDay(100, 2)}}

    assert _plan({**before, **sessions}, RollPolicy(), NO_EXPIRY).rolls == ()


def test_expiry_forces_a_roll_at_its_own_session() -> None:
    expiries = {DEC: day("2013-12-04"), MAR: None, JUN: None}
    held: Volumes = {DEC: 9, MAR: 2, JUN: 3}

    plan = _plan(_sessions(held, held, held, held), RollPolicy(), expiries)

    assert plan.rolls == (Roll(DEC, JUN, day("2013-12-04"), RollCause.EXPIRY, day("2013-12-03")),)


def test_an_expiry_that_is_no_session_counts_as_the_one_before() -> None:
    expiries = {DEC: day("2013-12-08"), MAR: None, JUN: None}

    plan = _plan(_sessions(*[{DEC: 9.0, MAR: 2.0}] * 6), RollPolicy(), expiries)

    assert [roll.roll_date for roll in plan.rolls] == [day("2013-12-06")]


def test_a_contract_that_trades_only_after_the_other_expired_is_taken_at_its_first_bar() -> None:
    expiries = {DEC: day("2013-12-03"), MAR: None, JUN: None}

    plan = _plan(_sessions({DEC: 9}, {DEC: 9}, None, None, {MAR: 2}, {MAR: 2}), RollPolicy(), expiries)

    assert plan.rolls == (Roll(DEC, MAR, day("2013-12-06"), RollCause.EXPIRY, day("2013-12-03")),)


def test_the_calendar_rule_counts_sessions_before_expiry() -> None:
    policy = RollPolicy(RollRule.CALENDAR, sessions_before_expiry=6)
    expiries = {DEC: day("2013-12-20"), MAR: day("2014-03-21"), JUN: None}
    sessions = _sessions(*[{DEC: 1.0, MAR: 9.0}] * 14)

    plan = _plan(sessions, policy, expiries)

    assert plan.rolls == (Roll(DEC, MAR, day("2013-12-12"), RollCause.CALENDAR, day("2013-12-11")),)


def test_the_calendar_rule_rolls_on_its_date_also_where_no_bar_is() -> None:
    policy = RollPolicy(RollRule.CALENDAR, sessions_before_expiry=0)
    expiries = {DEC: day("2013-12-04"), MAR: day("2014-03-21"), JUN: None}

    plan = _plan(_sessions({DEC: 1, MAR: 1}, None, None, None, {MAR: 1}), policy, expiries)

    assert plan.rolls == (Roll(DEC, MAR, day("2013-12-04"), RollCause.CALENDAR, MONDAY),)


def test_a_series_begins_with_the_nearest_contract_that_is_not_due() -> None:
    policy = RollPolicy(RollRule.CALENDAR, sessions_before_expiry=6)
    expiries = {DEC: day("2013-12-06"), MAR: day("2014-03-21"), JUN: None}

    plan = _plan(_sessions({DEC: 1, MAR: 9, JUN: 1}), policy, expiries)

    assert plan == RollPlan(MAR, ())


def test_the_calendar_rule_refuses_contracts_without_an_expiry_but_the_last() -> None:
    policy = RollPolicy(RollRule.CALENDAR)

    with pytest.raises(SettingsInvalid, match=r"needs the expiry of 2014-03, .* or roll by volume"):
        due_dates({DEC: day("2013-12-20"), MAR: None, JUN: None}, policy, WEEKDAYS)

    assert due_dates({DEC: day("2013-12-20"), MAR: None}, policy, WEEKDAYS)[MAR] is None


def test_open_interest_decides_by_itself() -> None:
    sessions = {
        MONDAY: {DEC: ContractDay(100, 1, open_interest=9), MAR: ContractDay(100, 9, open_interest=8)},
        day("2013-12-03"): {DEC: ContractDay(100, 9, open_interest=7), MAR: ContractDay(100, 1, open_interest=8)},
    }

    plan = _plan(sessions, RollPolicy(RollRule.OPEN_INTEREST), NO_EXPIRY)

    assert plan.rolls == (Roll(DEC, MAR, day("2013-12-04"), RollCause.OPEN_INTEREST, day("2013-12-03")),)


def test_a_rule_without_anything_to_compare_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="needs a table of symbol, session_date and open_interest"):
        _plan(_sessions({DEC: 1, MAR: 2}), RollPolicy(RollRule.OPEN_INTEREST), NO_EXPIRY)
    with pytest.raises(SettingsInvalid, match="none is known of these contracts; roll by calendar"):
        _plan(_sessions({DEC: None, MAR: None}), RollPolicy(), NO_EXPIRY)
    with pytest.raises(SettingsInvalid, match="no sessions"):
        _plan({}, RollPolicy(), NO_EXPIRY)


def test_a_policy_refuses_numbers_that_make_no_sense() -> None:
    with pytest.raises(SettingsInvalid, match="give 1 or more"):
        RollPolicy(sessions_exceeded=0)
    with pytest.raises(SettingsInvalid, match="give 0 or more"):
        RollPolicy(RollRule.CALENDAR, sessions_before_expiry=-1)


_MONTHS = tuple(ContractMonth(2013 + n // 4, n % 4 * 3 + 3) for n in range(3, 8))
_BARS = st.dictionaries(
    st.sampled_from(_MONTHS), st.builds(ContractDay, st.just(100.0), st.none() | st.integers(0, 4)), max_size=5
)


@st.composite
def _histories(draw: st.DrawFn) -> tuple[Sessions, dict[ContractMonth, date | None], RollPolicy]:
    days = [day for day in WEEKDAYS.between(MONDAY, MONDAY + timedelta(days=60)) if draw(st.integers(0, 3))]
    sessions = {day: bars for day in days if (bars := draw(_BARS))}
    expiries: dict[ContractMonth, date | None] = {}
    at = MONDAY
    for month in _MONTHS:
        at += timedelta(days=draw(st.integers(1, 25)))
        expiries[month] = at
    rule = draw(st.sampled_from([RollRule.CALENDAR, RollRule.VOLUME]))
    if rule is RollRule.VOLUME and draw(st.booleans()):
        expiries = dict.fromkeys(expiries)
    return sessions, expiries, RollPolicy(rule, draw(st.integers(0, 8)), draw(st.integers(1, 3)))


def _known(sessions: Sessions) -> bool:
    return any(found.volume is not None for bars in sessions.values() for found in bars.values())


@given(_histories())
def test_a_series_only_rolls_forward_and_never_holds_a_contract_from_its_due_day_on(
    history: tuple[Sessions, dict[ContractMonth, date | None], RollPolicy],
) -> None:
    sessions, expiries, policy = history
    if not _known(sessions):
        return

    plan = _plan(sessions, policy, expiries)
    due = due_dates(expiries, policy, WEEKDAYS)

    held = [plan.first, *(roll.to_month for roll in plan.rolls)]
    dates = [roll.roll_date for roll in plan.rolls]
    assert held == sorted(set(held))
    assert dates == sorted(set(dates))
    assert [roll.from_month for roll in plan.rolls] == held[:-1]
    for roll in plan.rolls:
        to_due = due[roll.to_month]
        assert to_due is None or to_due > roll.roll_date
        assert roll.decided_on is None or roll.decided_on < roll.roll_date


@given(_histories(), st.integers(0, 60))
def test_what_comes_later_never_changes_a_roll(
    history: tuple[Sessions, dict[ContractMonth, date | None], RollPolicy], cut: int
) -> None:
    sessions, expiries, policy = history
    last = MONDAY + timedelta(days=cut)
    early = {day: bars for day, bars in sessions.items() if day <= last}
    if not _known(early):
        return

    whole, part = _plan(sessions, policy, expiries), _plan(early, policy, expiries)

    pending = WEEKDAYS.after(max(early))
    assert part.first == whole.first
    assert part.rolls == tuple(roll for roll in whole.rolls if roll.roll_date <= pending)[: len(part.rolls)]
    assert len(part.rolls) >= len([roll for roll in whole.rolls if roll.roll_date < pending])
