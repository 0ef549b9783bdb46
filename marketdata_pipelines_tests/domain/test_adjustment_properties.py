"""What holds of adjusted bars whatever the actions are."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.adjustment import Adjustment, adjust_bars
from marketdata_pipelines_tests.builders import column, day
from marketdata_pipelines_tests.domain.action_rows import FAR, FIRST, actions, bars, dividend, split

SPLIT, TOTAL = Adjustment.SPLIT, Adjustment.TOTAL

told_actions = st.lists(
    st.one_of(
        st.builds(
            lambda offset, ratio: {"kind": "split", "ex_date": FIRST + timedelta(days=offset), "ratio": ratio},
            st.integers(0, 30),
            st.sampled_from([2.0, 7.0, 1.5, 0.1, 1 / 3]),
        ),
        st.builds(
            lambda offset, amount: {
                "kind": "cash_dividend", "ex_date": FIRST + timedelta(days=offset), "amount": amount,
                "reference_close": 100.0,
            },
            st.integers(0, 30),
            st.floats(0.01, 99.0),
        ),
    ),
    max_size=8,
)  # fmt: skip
anchors = st.integers(-5, 40).map(lambda offset: FIRST + timedelta(days=offset))
MONTH = [FIRST + timedelta(days=offset) for offset in range(-3, 35)]


@given(told_actions, anchors, st.integers(0, len(MONTH)), st.sampled_from([SPLIT, TOTAL]))
def test_asking_for_a_part_of_the_range_gives_the_same_bits(
    told: list[dict[str, Any]], anchor: date, cut: int, adjustment: Adjustment
) -> None:
    whole, _ = adjust_bars(bars(MONTH), actions(*told), adjustment, anchor)
    pieces = [adjust_bars(bars(days), actions(*told), adjustment, anchor)[0] for days in (MONTH[:cut], MONTH[cut:])]

    assert pa.concat_tables(pieces).combine_chunks().equals(whole.combine_chunks())


@given(told_actions, st.randoms(use_true_random=False))
def test_the_order_of_actions_and_of_bars_plays_no_part(told: list[dict[str, Any]], random: Any) -> None:
    shuffled = list(told)
    random.shuffle(shuffled)
    backwards = pa.array(range(len(MONTH) - 1, -1, -1))

    one, _ = adjust_bars(bars(MONTH), actions(*told), TOTAL, FAR)
    other, _ = adjust_bars(bars(MONTH).take(backwards), actions(*shuffled), TOTAL, FAR)

    assert one.combine_chunks().equals(other.take(backwards).combine_chunks())


@given(told_actions, anchors)
def test_value_traded_is_the_same_before_and_after_splits(told: list[dict[str, Any]], anchor: date) -> None:
    found, _ = adjust_bars(bars(MONTH), actions(*told), SPLIT, anchor)

    value = np.array(column(found, "close")) * np.array(column(found, "volume"))
    assert value == pytest.approx(np.full(len(MONTH), 100_000.0), rel=1e-12)


@given(told_actions, st.integers(1, 30), st.sampled_from([2.0, 7.0, 0.1]))
def test_moving_the_anchor_over_a_split_divides_everything_before_by_its_ratio(
    told: list[dict[str, Any]], offset: int, ratio: float
) -> None:
    ex_date = FIRST + timedelta(days=offset)
    rows = [row for row in told if row["ex_date"] < ex_date]
    table = actions(*rows, {"kind": "split", "ex_date": ex_date, "ratio": ratio})

    before, _ = adjust_bars(bars(MONTH), table, TOTAL, ex_date - timedelta(days=1))
    after, _ = adjust_bars(bars(MONTH), table, TOTAL, ex_date)

    scale = np.array([1 / ratio if own < ex_date else 1.0 for own in MONTH])
    assert column(after, "close") == pytest.approx((np.array(column(before, "close")) * scale).tolist(), rel=1e-12)


@given(st.floats(1.0, 1000.0), st.floats(1.0, 1000.0), st.sampled_from([2.0, 7.0, 0.1]), st.floats(0.0, 0.5))
def test_the_adjusted_return_over_an_ex_date_is_what_a_holder_earned(
    before: float, after: float, ratio: float, paid_share: float
) -> None:
    amount = max(before * paid_share, 1e-6)
    days = [day("2024-03-07"), day("2024-03-08")]
    raw = bars(days).set_column(5, "close", pa.array([before, after]))
    told = actions(split("2024-03-08", ratio), dividend("2024-03-08", amount, before))

    found, _ = adjust_bars(raw, told, TOTAL, FAR)

    # One share bought at the close before became `ratio` shares; what it cost was less the amount paid out.
    closes = column(found, "close")
    assert closes[1] / closes[0] == pytest.approx(after * ratio / (before - amount), rel=1e-9)
