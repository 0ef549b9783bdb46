"""Which rows faults hit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.sources.simulated.choosing import choose_rows
from marketdata_pipelines.sources.simulated.rates import FAULT_KINDS, GAP, FaultRate

ROWS = np.tile(np.arange(5), 200)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**60), rate=st.sampled_from((0.001, 0.02, 1, 7)))
def test_no_row_carries_two_faults(seed: int, rate: float) -> None:
    choices = choose_rows(seed, 738_000, tuple(FaultRate(kind, rate) for kind in FAULT_KINDS), ROWS)

    touched = [row for choice in choices for row in (choice.position, *choice.removed)]
    assert len(touched) == len(set(touched))


def test_a_count_is_met_exactly() -> None:
    choices = choose_rows(1, 738_000, (FaultRate("zero_price", 12), FaultRate(GAP, 3)), ROWS)

    assert [choice.kind for choice in choices].count("zero_price") == 12
    assert [choice.kind for choice in choices].count(GAP) == 3


def test_a_share_of_rows_is_met_nearly() -> None:
    choices = choose_rows(1, 738_000, (FaultRate("zero_price", 0.05),), np.zeros(100_000, np.int64))

    assert 4_700 < len(choices) < 5_300


def test_a_count_beyond_the_rows_takes_them_all() -> None:
    assert len(choose_rows(1, 738_000, (FaultRate("zero_price", 5_000),), ROWS)) == 1_000


def test_a_gap_lies_inside_its_symbols_day() -> None:
    choices = choose_rows(3, 738_000, (FaultRate(GAP, 5),), ROWS)

    for choice in choices:
        own = np.flatnonzero(np.equal(ROWS, ROWS[choice.position]))
        assert 5 <= len(choice.removed) <= 40
        assert own[0] < choice.removed[0]
        assert choice.removed[-1] < choice.position <= own[-1]
        assert set(ROWS[list(choice.removed)]) == {ROWS[choice.position]}


def test_a_kinds_rows_do_not_depend_on_the_other_kinds() -> None:
    alone = choose_rows(3, 738_000, (FaultRate("zero_price", 5),), ROWS)
    among = choose_rows(3, 738_000, (FaultRate("zero_price", 5), FaultRate("dup_exact", 5)), ROWS)

    assert alone == [choice for choice in among if choice.kind == "zero_price"]
