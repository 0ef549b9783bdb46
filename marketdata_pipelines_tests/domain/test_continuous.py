"""Splicing contracts: who is in force when, the prices that meet at a roll, and what adjustment keeps."""

import math
from datetime import date, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.continuous import (
    Adjust,
    Holding,
    OnMissing,
    RollPrices,
    adjusted,
    amounts,
    holdings,
    roll_prices,
    series_name,
)
from marketdata_pipelines.domain.contracts import ContractMonth
from marketdata_pipelines.domain.rolls import ContractDay, Roll, RollCause, RollPlan, RollPolicy, RollRule, plan_rolls
from marketdata_pipelines.domain.trading_days import TradingDays
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines_tests.builders import bar, bar_table, column, day

DEC, MAR, JUN, SEP = (ContractMonth(2013, 12), *(ContractMonth(2014, month) for month in (3, 6, 9)))
MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (day(f"2013-12-{number:02d}") for number in (9, 10, 11, 12))
ROLL = Roll(DEC, MAR, THURSDAY, RollCause.VOLUME, WEDNESDAY)
EXACT = RollPrices(WEDNESDAY, 100.0, 98.0, is_exact=True)
OLD = RollPrices(MONDAY, 100.0, 98.0)


def _close(price: float) -> ContractDay:
    return ContractDay(price, 1.0)


def test_a_series_is_named_by_root_rule_and_rank() -> None:
    assert [series_name("ES", rule, 1) for rule in RollRule] == ["ES.c.1", "ES.v.1", "ES.n.1"]


def test_holdings_follow_one_another_without_a_day_between() -> None:
    plan = RollPlan(DEC, (ROLL, Roll(MAR, JUN, day("2014-03-13"), RollCause.VOLUME, None)))

    held = holdings(plan, [DEC, MAR, JUN], 0, MONDAY)

    assert [(each.month, each.start, each.end) for each in held] == [
        (DEC, MONDAY, WEDNESDAY),
        (MAR, THURSDAY, day("2014-03-12")),
        (JUN, day("2014-03-13"), None),
    ]
    assert [each.roll for each in held] == [None, *plan.rolls]


def test_the_second_contract_is_the_next_of_the_chain_and_rolls_with_the_first() -> None:
    plan = RollPlan(DEC, (ROLL, Roll(MAR, JUN, day("2014-03-13"), RollCause.VOLUME, None)))

    held = holdings(plan, [DEC, MAR, JUN], 1, MONDAY)

    assert held == [
        Holding(MAR, MONDAY, WEDNESDAY),
        Holding(JUN, THURSDAY, day("2014-03-12"), Roll(MAR, JUN, THURSDAY, RollCause.VOLUME, WEDNESDAY)),
    ]
    assert holdings(RollPlan(JUN, ()), [DEC, MAR, JUN], 1, MONDAY) == []


def test_other_ranks_are_refused() -> None:
    with pytest.raises(SettingsInvalid, match="rank is 2; allowed: 0, 1"):
        holdings(RollPlan(DEC, ()), [DEC, MAR, JUN], 2, MONDAY)


def test_a_rolls_prices_are_both_closes_of_the_session_before_it() -> None:
    sessions = {
        TUESDAY: {DEC: _close(1.0), MAR: _close(2.0)},
        WEDNESDAY: {DEC: _close(100.0), MAR: _close(98.0)},
        THURSDAY: {DEC: _close(3.0), MAR: _close(4.0)},
    }

    found = roll_prices(sessions, ROLL)

    assert found == EXACT
    assert (found.difference, found.ratio) == (-2.0, 0.98)


def test_prices_meet_also_where_nobody_traded_right_before_the_roll() -> None:
    sessions = {MONDAY: {DEC: _close(100.0), MAR: _close(98.0)}, WEDNESDAY: {MAR: _close(97.0)}}

    assert roll_prices(sessions, ROLL) == RollPrices(MONDAY, 100.0, 98.0, is_exact=True)


def test_prices_do_not_meet_where_the_old_contract_traded_on_alone() -> None:
    sessions = {MONDAY: {DEC: _close(100.0), MAR: _close(98.0)}, WEDNESDAY: {DEC: _close(101.0)}}

    assert roll_prices(sessions, ROLL) == OLD
    assert roll_prices({WEDNESDAY: {DEC: _close(101.0)}}, ROLL) == RollPrices()


def test_a_session_that_is_not_over_has_no_close() -> None:
    sessions = {
        TUESDAY: {DEC: _close(100.0), MAR: _close(98.0)},
        WEDNESDAY: {DEC: ContractDay(1.0, 1.0, is_final=False), MAR: ContractDay(2.0, 1.0, is_final=False)},
    }

    assert roll_prices(sessions, ROLL).closes_on == TUESDAY


def test_prices_not_above_zero_have_a_difference_and_no_ratio() -> None:
    found = RollPrices(WEDNESDAY, -37.63, 20.43, is_exact=True)

    assert found.difference == pytest.approx(58.06)
    assert found.ratio is None
    assert (RollPrices().difference, RollPrices().ratio) == (None, None)


HELD = [
    Holding(DEC, MONDAY, WEDNESDAY),
    Holding(MAR, THURSDAY, day("2014-03-12"), ROLL),
    Holding(JUN, day("2014-03-13"), None, Roll(MAR, JUN, day("2014-03-13"), RollCause.VOLUME, None)),
]


def test_earlier_contracts_take_every_later_roll_and_the_last_keeps_its_prices() -> None:
    prices = [RollPrices(), EXACT, RollPrices(day("2014-03-12"), 50.0, 51.0, is_exact=True)]

    assert amounts(HELD, prices, Adjust.DIFFERENCE, OnMissing.ERROR) == [-1.0, 1.0, 0.0]
    assert amounts(HELD, prices, Adjust.RATIO, OnMissing.ERROR) == pytest.approx([0.9996, 1.02, 1.0])
    assert amounts(HELD, prices, Adjust.NONE, OnMissing.ERROR) == [0.0, 0.0, 0.0]


def test_prices_that_do_not_meet_are_refused_kept_or_taken_as_told() -> None:
    with pytest.raises(SettingsInvalid, match=r"from 2013-12 to 2014-03 on 2013-12-12 .* the last are of 2013-12-09"):
        amounts(HELD[:2], [RollPrices(), OLD], Adjust.RATIO, OnMissing.ERROR)
    assert amounts(HELD[:2], [RollPrices(), OLD], Adjust.RATIO, OnMissing.KEEP) == [1.0, 1.0]
    assert amounts(HELD[:2], [RollPrices(), OLD], Adjust.RATIO, OnMissing.LAST) == [0.98, 1.0]
    assert amounts(HELD[:2], [RollPrices(), OLD], Adjust.DIFFERENCE, OnMissing.LAST) == [-2.0, 0.0]


@pytest.mark.parametrize("on_missing", [OnMissing.ERROR, OnMissing.LAST])
def test_a_roll_without_any_common_close_can_only_be_kept(on_missing: OnMissing) -> None:
    with pytest.raises(SettingsInvalid, match="no session before it with a close of both; --on-missing keep"):
        amounts(HELD[:2], [RollPrices(), RollPrices()], Adjust.DIFFERENCE, on_missing)


def test_a_ratio_of_prices_not_above_zero_is_refused() -> None:
    below = RollPrices(WEDNESDAY, -37.63, 20.43, is_exact=True)

    with pytest.raises(SettingsInvalid, match=r"not above zero .* adjust by difference"):
        amounts(HELD[:2], [RollPrices(), below], Adjust.RATIO, OnMissing.ERROR)
    assert amounts(HELD[:2], [RollPrices(), below], Adjust.DIFFERENCE, OnMissing.ERROR) == [pytest.approx(58.06), 0.0]


def test_adjustment_moves_prices_and_leaves_volume() -> None:
    bars = bar_table([bar("A", "2013-12-09 15:00", 100.0, vwap=100.5), bar("A", "2013-12-09 15:01", 101.0)])

    moved, scaled = adjusted(bars, -2.0, Adjust.DIFFERENCE), adjusted(bars, 0.5, Adjust.RATIO)

    assert [column(moved, name) for name in ("open", "close", "vwap")] == [[98.0, 99.0], [98.0, 99.0], [98.5, None]]
    assert [column(scaled, name) for name in ("high", "low", "vwap")] == [[50.0, 50.5], [50.0, 50.5], [50.25, None]]
    assert column(moved, "volume") == column(scaled, "volume") == [100.0, 100.0]


def test_an_unadjusted_table_is_the_same_one() -> None:
    bars: pa.Table = bar_table([bar("A", "2013-12-09 15:00", 100.0)])

    assert adjusted(bars, 5.0, Adjust.NONE) is bars
    assert adjusted(bars, 1.0, Adjust.RATIO) is bars
    assert adjusted(bars, 0.0, Adjust.DIFFERENCE) is bars


_MONTHS = (DEC, MAR, JUN, SEP)
_FULL = st.fixed_dictionaries(
    {month: st.builds(ContractDay, st.floats(1, 1000), st.integers(1, 9).map(float)) for month in _MONTHS}
)
Spliced = list[tuple[date, ContractMonth, float]]


def _closes(sessions: dict[date, dict[ContractMonth, ContractDay]], rank: int, adjust: Adjust) -> Spliced:
    """Each session, the contract of a rank, and its adjusted close."""
    plan = plan_rolls(sessions, TradingDays([]), dict.fromkeys(_MONTHS), RollPolicy())
    held = holdings(plan, _MONTHS, rank, min(sessions))
    prices = [roll_prices(sessions, each.roll) if each.roll else RollPrices() for each in held]
    made: Spliced = []
    for each, amount in zip(held, amounts(held, prices, adjust, OnMissing.ERROR), strict=True):
        for at in sorted(sessions):
            if each.start <= at <= (each.end or date.max):
                close = sessions[at][each.month].close
                made.append((at, each.month, close * amount if adjust is Adjust.RATIO else close + amount))
    return made


_SESSIONS = st.lists(_FULL, min_size=2, max_size=12).map(
    lambda found: dict(zip(TradingDays([]).between(MONDAY, MONDAY + timedelta(days=20)), found, strict=False))
)


@given(_SESSIONS, st.sampled_from([0, 1]))
def test_adjusted_changes_are_those_of_the_contract_that_is_held(
    sessions: dict[date, dict[ContractMonth, ContractDay]], rank: int
) -> None:
    by_ratio, by_difference = (_closes(sessions, rank, adjust) for adjust in (Adjust.RATIO, Adjust.DIFFERENCE))

    for spliced in (by_ratio, by_difference):
        for (before, _, earlier), (now, month, later) in pairwise(spliced):
            own = sessions[before][month].close, sessions[now][month].close
            if spliced is by_ratio:
                assert math.isclose(later / earlier, own[1] / own[0], rel_tol=1e-9)
            else:
                assert math.isclose(later - earlier, own[1] - own[0], rel_tol=1e-9, abs_tol=1e-8)


@given(_SESSIONS)
def test_ranks_are_never_the_same_contract_on_a_day(sessions: dict[date, dict[ContractMonth, ContractDay]]) -> None:
    first, second = ({at: month for at, month, _ in _closes(sessions, rank, Adjust.NONE)} for rank in (0, 1))

    assert set(first) == set(sessions)
    assert all(first[at] < month for at, month in second.items())
