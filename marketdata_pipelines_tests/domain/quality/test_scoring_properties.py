"""What holds for every score: bounds, and that more defects never raise one."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.records import Dimension
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.quality.scoring import score
from marketdata_pipelines_tests.domain.quality_rows import (
    Row,
    blocking,
    finding,
    finding_rows,
    profile,
    profile_table,
    session_day,
)

FEW = settings(phases=(Phase.explicit, Phase.generate), deadline=None, max_examples=60)
NUMBERS = [*(str(dimension) for dimension in Dimension), "score"]
REJECTED = ("rejected_validity", "rejected_consistency", "rejected_uniqueness", "rejected_timeliness")
RULES = ("price_spike", "stale_run", "label_shift", "time_shift", "long_gap", "tick_size", "zero_volume_move")
SYMBOLS, DAYS = ("A", "B", "C"), (session_day(0), session_day(1))


@st.composite
def profiles_of(draw: st.DrawFn) -> list[Row]:
    """Symbol-sessions of any completeness."""
    rows = []
    for symbol in draw(st.lists(st.sampled_from((*SYMBOLS, "")), min_size=1, max_size=4, unique=True)):
        for day in DAYS[: draw(st.integers(1, 2))]:
            bars = draw(st.integers(0, 390)) if symbol else 0
            gap = draw(st.integers(0, 390 - bars))
            rejected = {name: draw(st.integers(0, 40)) for name in REJECTED}
            volume = draw(st.sampled_from((None, 0.0, 1e6)))
            rows.append(profile(symbol, day, bars=bars, longest_gap=gap, volume=volume, **rejected))
    return rows


@st.composite
def findings_of(draw: st.DrawFn) -> Row:
    """A finding of any rule, of a symbol or of a whole session."""
    symbol, day = draw(st.sampled_from((*SYMBOLS, None))), draw(st.sampled_from((*DAYS, None)))
    row = finding(draw(st.sampled_from(RULES)), symbol, day, bars=draw(st.sampled_from((None, 0, 1, 30, 500))))
    return blocking(row) if draw(st.booleans()) else row


histories = st.integers(0, 8).flatmap(
    lambda sessions: st.lists(st.integers(1, 390), min_size=3 * sessions, max_size=3 * sessions).map(
        lambda counts: profile_table(
            profile(SYMBOLS[at % 3], session_day(-1 - at // 3), bars=bars) for at, bars in enumerate(counts)
        )
    )
)
profile_lists, finding_lists = profiles_of(), st.lists(findings_of(), max_size=5)


def by_key(profiles: list[Row], findings: list[Row], history: pa.Table, blocked: bool = False) -> dict[Any, Row]:
    table = score(QUALITY_RULE_BY_ID, profile_table(profiles), finding_rows(*findings), history, blocked)
    return {(row["symbol"], row["session_date"]): row for row in table.to_pylist()}


def assert_none_raised(before: dict[Any, Row], after: dict[Any, Row]) -> None:
    raised = {
        (key, name): (row[name], after[key][name])
        for key, row in before.items()
        for name in NUMBERS
        # Scores are rounded to two decimals.
        if after[key][name] > row[name] + 0.011
    }
    assert raised == {}


@FEW
@given(profile_lists, finding_lists, histories, st.booleans())
def test_scores_are_numbers_from_nought_to_a_hundred(
    profiles: list[Row], findings: list[Row], history: pa.Table, blocked: bool
) -> None:
    table = score(QUALITY_RULE_BY_ID, profile_table(profiles), finding_rows(*findings), history, blocked)

    for name in NUMBERS:
        assert table[name].null_count == 0
        assert pc.all(pc.and_(pc.greater_equal(table[name], 0.0), pc.less_equal(table[name], 100.0))).as_py()
    keys = list(zip(table["symbol"].to_pylist(), table["session_date"].to_pylist(), strict=True))
    assert keys == sorted(keys, key=lambda key: (key[0] is not None, key[0] or "", key[1]))
    assert len(set(keys)) == len(keys)


@FEW
@given(profile_lists, finding_lists, findings_of(), histories)
def test_one_more_finding_never_raises_a_score(
    profiles: list[Row], findings: list[Row], more: Row, history: pa.Table
) -> None:
    assert_none_raised(by_key(profiles, findings, history), by_key(profiles, [*findings, more], history))


@FEW
@given(profile_lists, finding_lists, histories, st.data())
def test_one_more_rejected_row_never_raises_a_score(
    profiles: list[Row], findings: list[Row], history: pa.Table, data: st.DataObject
) -> None:
    at, name = data.draw(st.integers(0, len(profiles) - 1)), data.draw(st.sampled_from(REJECTED))
    worse = list(profiles)
    worse[at] = worse[at] | {name: worse[at][name] + 1, "raw_rows": worse[at]["raw_rows"] + 1}

    assert_none_raised(by_key(profiles, findings, history), by_key(worse, findings, history))


@FEW
@given(profile_lists, finding_lists, histories, st.data())
def test_fewer_bars_never_raise_a_score(
    profiles: list[Row], findings: list[Row], history: pa.Table, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(profiles) - 1))
    lost = data.draw(st.integers(0, profiles[at]["bars"]))
    worse = list(profiles)
    left = {"bars": worse[at]["bars"] - lost, "raw_rows": worse[at]["raw_rows"] - lost}
    worse[at] = worse[at] | left | {"longest_gap": worse[at]["longest_gap"] + data.draw(st.integers(0, lost))}

    before, after = by_key(profiles, findings, history), by_key(worse, findings, history)

    # Later sessions are compared with this one, and may look better beside it.
    assert_none_raised({key: row for key, row in before.items() if key[1] <= worse[at]["session_date"]}, after)


@FEW
@given(profile_lists, finding_lists, histories)
def test_a_blocked_partition_never_scores_higher(profiles: list[Row], findings: list[Row], history: pa.Table) -> None:
    free, held = by_key(profiles, findings, history), by_key(profiles, findings, history, blocked=True)

    assert_none_raised(free, held)
    assert all(row["score"] < 30 for key, row in held.items() if key[0] is None)


@FEW
@given(profile_lists, finding_lists, histories, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    profiles: list[Row], findings: list[Row], history: pa.Table, random: Any
) -> None:
    mixed, told = random.sample(profiles, len(profiles)), random.sample(findings, len(findings))
    shuffled = history.take(pa.array(random.sample(range(history.num_rows), history.num_rows), pa.int64()))

    assert by_key(mixed, told, shuffled) == by_key(profiles, findings, history)
