"""Bars of two feeds compared: what is a dispute, and what is none."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.comparing import AGREEMENT_SCHEMA
from marketdata_pipelines.domain.quality.disputes import DISPUTE_SCHEMA
from marketdata_pipelines.domain.quality.scales import Ratio
from marketdata_pipelines_tests.builders import Row, bar, bar_table, column
from marketdata_pipelines_tests.domain.dispute_rows import (
    changed,
    compare_daily,
    compared,
    daily,
    scaled,
    session,
    told,
)


def test_feeds_that_say_the_same_have_no_dispute() -> None:
    found = compared(session(), session())

    assert found.disputes.equals(DISPUTE_SCHEMA.empty_table())
    assert found.agreement.schema == AGREEMENT_SCHEMA
    assert found.agreement.drop_columns(["session_date"]).to_pylist() == [
        {"symbol": "A", "compared": 390, "own_bars": 390, "other_bars": 390, "agreeing": 390, "own_wrong": 0.0,
         "other_wrong": 0.0}
    ]  # fmt: skip


def test_a_price_beyond_the_tolerance_is_told_with_both_values_and_who_is_likelier_right() -> None:
    found = compared(session(), changed(session(), {10: {"close": 103.0, "high": 103.0}}))

    assert told(found) == [
        ("A", "2024-03-08 14:40", "close", 1, "own", "neighbours"),
        ("A", "2024-03-08 14:40", "high", 1, "own", "neighbours"),
    ]
    row = found.disputes.to_pylist()[0]
    assert (row["value"], row["other_value"], row["other_feed"], row["timeframe"]) == (100.05, 103.0, "b", "1m")
    assert row["difference"] == pytest.approx((100.05 - 103.0) / 103.0)
    assert column(found.agreement, "agreeing") == [389]
    assert column(found.agreement, "other_wrong") == [1.0]


def test_a_price_within_the_tolerance_is_no_dispute() -> None:
    assert told(compared(session(), changed(session(), {10: {"close": 100.4, "high": 100.5}}))) == []


def test_prices_of_a_cheap_share_one_tick_apart_are_no_dispute() -> None:
    own, other = ([bar("A", f"2024-03-08 14:{30 + at}", 0.5 + at / 100) for at in range(20)] for _ in range(2))

    # One cent is two percent here.
    assert told(compared(own, changed(other, {5: {"low": 0.54, "open": 0.54}}))) == []
    assert [row[2] for row in told(compared(own, changed(other, {5: {"low": 0.53}})))] == ["low"]


def test_the_side_that_leaps_away_is_likelier_wrong() -> None:
    wrong = changed(session(), {100: {"open": 1000.0, "high": 1000.0, "low": 1000.0, "close": 1000.0}})

    assert {row[4] for row in told(compared(wrong, session()))} == {"other"}
    assert {row[4] for row in told(compared(session(), wrong))} == {"own"}


def test_a_third_feed_decides_who_is_likelier_right() -> None:
    # Beside its neighbours the other side looks better.
    own = changed(session(), {50: {"close": 99.0, "low": 99.0}})

    found = compared(own, session(), thirds=(bar_table(own),))

    assert told(found) == [
        ("A", "2024-03-08 15:20", "close", 1, "own", "third"),
        ("A", "2024-03-08 15:20", "low", 1, "own", "third"),
    ]
    assert [row[4] for row in told(compared(own, session()))] == ["other", "other"]


def test_two_against_two_leaves_it_to_the_neighbours() -> None:
    own = changed(session(), {50: {"close": 99.0, "low": 99.0}})

    found = compared(own, session(), thirds=(bar_table(own), bar_table(session())))

    assert [row[4:] for row in told(found)] == [("other", "neighbours"), ("other", "neighbours")]


def test_a_bar_that_one_side_lacks_is_a_dispute_where_it_has_bars_around() -> None:
    found = compared(session(), changed(session(), dict.fromkeys((20, 21, 22, 40))))

    assert told(found) == [
        ("A", "2024-03-08 14:50", "bar", 3, "own", "neighbours"),
        ("A", "2024-03-08 15:10", "bar", 1, "own", "neighbours"),
    ]
    assert column(found.disputes, "ts_last") == ["2024-03-08 14:52", "2024-03-08 15:10"]
    assert column(found.disputes, "other_value") == [None, None]
    assert column(found.agreement, "other_bars") == [386]


def test_a_bar_that_only_the_other_side_has_speaks_for_the_other_side() -> None:
    found = compared(changed(session(), {7: None}), session())

    assert told(found) == [("A", "2024-03-08 14:37", "bar", 1, "other", "neighbours")]
    assert column(found.disputes, "value") == [None]


def test_a_third_feed_without_the_bar_speaks_against_it() -> None:
    without = changed(session(), {7: None})

    found = compared(session(), without, thirds=(bar_table(without),))

    assert [row[4:] for row in told(found)] == [("other", "third")]


def test_bars_before_the_first_and_after_the_last_of_the_other_side_are_no_dispute() -> None:
    assert told(compared(session(), session()[30:-30])) == []
    assert told(compared(session()[30:-30], session())) == []


def test_a_bar_in_which_nothing_was_traded_is_not_missed() -> None:
    own = changed(session(), {20: {"volume": 0.0}, 21: {"volume": None}})

    assert [row[1] for row in told(compared(own, changed(session(), dict.fromkeys((20, 21)))))] == ["2024-03-08 14:51"]


def test_symbols_that_only_one_side_has_and_other_sessions_hours_are_left_out() -> None:
    early = bar_table(session("A", 5, start="2024-03-08 12:00"))
    early = early.set_column(early.column_names.index("regular"), "regular", pa.array([False] * 5))
    own = pa.concat_tables([bar_table(session("A")), bar_table(session("B"))]).unify_dictionaries()
    other = pa.concat_tables([early, bar_table(session("A")), bar_table(session("C"))]).unify_dictionaries()

    found = compared(own, other)

    assert told(found) == []
    assert column(found.agreement, "symbol") == ["A"]


def test_a_volume_beyond_the_tolerance_is_a_dispute_and_an_unknown_one_is_not() -> None:
    found = compared(
        session(), changed(session(), {10: {"volume": 900.0}, 11: {"volume": None}, 12: {"volume": 117.0}})
    )

    assert told(found) == [("A", "2024-03-08 14:40", "volume", 1, "own", "neighbours")]


def test_volumes_that_differ_throughout_are_one_dispute_and_cost_no_agreement() -> None:
    found = compared(session(), scaled(session(), 1.0, volume=3.0))

    assert told(found) == [("A", "2024-03-08 14:30", "volume", 390, "unknown", "none")]
    assert column(found.disputes, "difference") == [pytest.approx(-2 / 3)]
    assert column(found.agreement, "agreeing") == [390]


def test_one_constant_ratio_of_prices_is_one_dispute_of_the_scale() -> None:
    found = compared(session(price=700.0), scaled(session(price=700.0), 1 / 7, volume=7.0))

    assert told(found) == [("A", "2024-03-08 14:30", "scale", 390, "unknown", "none")]
    assert column(found.disputes, "begins") == [True]
    assert column(found.agreement, "agreeing") == [390]


def test_a_false_price_inside_another_scale_is_told_too() -> None:
    other = changed(scaled(session(price=700.0), 1 / 7), {99: {"close": 90.0, "low": 90.0}})

    found = compared(session(price=700.0), other)

    assert told(found) == [
        ("A", "2024-03-08 14:30", "scale", 390, "unknown", "none"),
        ("A", "2024-03-08 16:09", "close", 1, "own", "neighbours"),
        ("A", "2024-03-08 16:09", "low", 1, "own", "neighbours"),
    ]


def test_a_scale_that_was_so_in_the_session_before_does_not_begin_again() -> None:
    before = {"A": Ratio(price=float(np.log(7.0)), volume=float(np.log(1 / 7)))}

    found = compared(session(price=700.0), scaled(session(price=700.0), 1 / 7, volume=7.0), before=before)

    assert column(found.disputes, "begins") == [False]


def test_volumes_that_differed_in_the_session_before_do_not_begin_again() -> None:
    more, less = scaled(session(), 1.0, volume=3.0), scaled(session(), 1.0, volume=0.2)

    def begins(other: list[Row], before: float) -> list[bool]:
        return column(compared(session(), other, before={"A": Ratio(0.0, before)}).disputes, "begins")

    assert begins(more, float(np.log(1 / 2))) == [False]
    # Then this side said more, or about as much.
    assert begins(more, float(np.log(2))) == [True]
    assert begins(less, float(np.log(1.1))) == [True]


def test_a_volume_of_one_daily_bar_that_differs_day_after_day_begins_once() -> None:
    one, other = daily([100.0]), daily([100.0], volume=2e6)

    assert column(compare_daily(one, other).disputes, "begins") == [True]
    assert column(compare_daily(one, other, before={"A": Ratio(0.0, -0.7)}).disputes, "begins") == [False]
    # A year in which one day's volume differs is another thing.
    whole = daily([100.0, 101.0, 102.0, 103.0])
    odd = pa.concat_tables([daily([100.0, 101.0]), daily([102.0], start="2024-03-06", volume=9e6), whole.slice(3)])
    found = compare_daily(whole, odd.unify_dictionaries(), before={"A": Ratio(0.0, -0.7)})
    assert column(found.disputes, "begins") == [True]


def test_volumes_of_several_sessions_begin_once_and_again_after_one_that_agrees() -> None:
    starts = [f"2024-03-0{number} 14:30" for number in (4, 5, 6, 7)]
    own = [row for start in starts for row in session(count=30, start=start)]
    other = [
        row
        for start, factor in zip(starts, (3.0, 3.0, 1.0, 3.0), strict=True)
        for row in scaled(session(count=30, start=start), 1.0, volume=factor)
    ]

    found = compared(own, other)

    assert column(found.disputes, "ts") == [starts[0], starts[1], starts[3]]
    assert column(found.disputes, "begins") == [True, False, True]


def test_daily_bars_of_two_scales_are_one_dispute_a_stretch() -> None:
    raw = [700.0, 707.0, 693.0, 700.0, 100.0, 101.0, 99.0]
    adjusted = [close / 7 if close > 500 else close for close in raw]

    found = compare_daily(daily(raw), daily(adjusted))

    assert told(found) == [("A", "2024-03-04 00:00", "scale", 4, "unknown", "none")]


def test_a_daily_bar_alone_is_on_another_scale_when_all_its_prices_have_a_splits_ratio() -> None:
    assert [row[2] for row in told(compare_daily(daily([700.0]), daily([100.0])))] == ["scale"]
    # Neither a split's ratio, nor that of the session before.
    assert [row[2] for row in told(compare_daily(daily([700.0]), daily([610.0])))] == ["close", "high", "low", "open"]
    known = {"A": Ratio(float(np.log(700 / 610)), None)}
    assert [row[2] for row in told(compare_daily(daily([700.0]), daily([610.0]), before=known))] == ["scale"]


def test_a_session_one_daily_feed_lacks_between_others_is_a_dispute() -> None:
    own = daily([100.0, 101.0, 102.0, 101.0, 100.0])

    found = compare_daily(own, own.filter(pa.array([True, True, False, True, False])))

    assert told(found) == [("A", "2024-03-06 00:00", "bar", 1, "own", "neighbours")]


def test_most_bars_of_a_session_disputed_without_one_ratio_are_told_once_a_field() -> None:
    other = changed(session(), {at: {"close": 100.0 + at, "high": 101.0 + at} for at in range(20, 300)})

    found = compared(session(), other)

    assert [(row[2], row[3]) for row in told(found)] == [("close", 280), ("high", 280)]
    assert column(found.agreement, "agreeing") == [110]


def test_prices_at_and_below_zero_are_compared() -> None:
    own = [bar("CL", f"2024-03-08 14:{30 + at}", price) for at, price in enumerate([1.0, 0.0, -1.0, -37.6, -2.0])]

    found = compared(own, changed(own, {3: {"low": -40.3}, 1: {"open": 0.0}}))

    assert [(row[1], row[2]) for row in told(found)] == [("2024-03-08 14:33", "low")]


def test_nothing_to_compare_gives_nothing() -> None:
    for found in (compared([], []), compared(session(), []), compared(session("A"), session("B"))):
        assert found.disputes.num_rows == 0
        assert found.agreement.num_rows == 0


@settings(max_examples=25, phases=(Phase.explicit, Phase.generate))
@given(
    st.dictionaries(
        st.integers(0, 59),
        st.one_of(
            st.none(),
            st.fixed_dictionaries({"close": st.floats(50, 200), "high": st.just(210.0), "low": st.just(40.0)}),
            st.fixed_dictionaries({"volume": st.one_of(st.none(), st.floats(0, 1e6))}),
        ),
        max_size=12,
    )
)
def test_both_feeds_tell_the_same_disputes_with_the_sides_exchanged(places: dict[int, dict[str, float] | None]) -> None:
    one, two = session(count=60), changed(session(count=60), places)

    here, there = compared(one, two), compared(two, one)

    assert column(here.disputes, "ts") == column(there.disputes, "ts")
    assert column(here.disputes, "value") == column(there.disputes, "other_value")
    turned = {"own": "other", "other": "own", "unknown": "unknown"}
    assert [turned[side] for side in column(here.disputes, "likelier")] == column(there.disputes, "likelier")
    assert column(here.agreement, "own_wrong") == column(there.agreement, "other_wrong")
    numbers = here.disputes.select(["value", "other_value", "difference"])
    assert all(np.isfinite(numbers[name].drop_null().to_numpy()).all() for name in numbers.column_names)


def test_bars_that_are_not_final_are_left_out() -> None:
    own = daily([100.0, 101.0, 102.0])
    other = daily([100.0, 101.0, 50.0]).append_column("is_final", pa.array([True, True, False]))

    assert told(compare_daily(own, other)) == []
