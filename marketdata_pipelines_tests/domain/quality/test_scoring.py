"""Scores of symbol-sessions, of sessions, and of feeds."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from marketdata_pipelines.domain.quality.records import SCORE_SCHEMA, Dimension
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.quality.scoring import BLOCKED_CAP, WEIGHTS, feed_score, score
from marketdata_pipelines_tests.domain.quality_rows import (
    Row,
    blocking,
    finding,
    finding_rows,
    profile,
    profile_table,
    quiet_sessions,
    session_day,
)

TODAY = session_day(0)
NONE = quiet_sessions(count=0)
DIMENSIONS = [str(dimension) for dimension in Dimension]


def scores(
    *profiles: Row, findings: tuple[Row, ...] = (), history: pa.Table = NONE, blocked: bool = False
) -> dict[str | None, dict[str, Any]]:
    """The scores of today by symbol, the total under None."""
    table = score(QUALITY_RULE_BY_ID, profile_table(profiles), finding_rows(*findings), history, blocked)
    assert table.schema == SCORE_SCHEMA
    return {row["symbol"]: row for row in table.to_pylist() if row["session_date"] == TODAY}


def test_the_weights_add_up() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    assert set(WEIGHTS) == set(Dimension)


@pytest.mark.parametrize("history", [NONE, quiet_sessions("A", "B")])
def test_clean_sessions_score_a_hundred(history: pa.Table) -> None:
    found = scores(profile("A", TODAY), profile("B", TODAY), history=history)

    assert list(found) == [None, "A", "B"]
    for row in found.values():
        assert [row[name] for name in (*DIMENSIONS, "score")] == [100.0] * 7
        assert (row["quality"], row["grade"], row["blocked"], row["findings"]) == ("Excellent", "A", False, 0)
    assert (found[None]["bars"], found[None]["expected"], found[None]["raw_rows"]) == (780, 780, 780)


def test_a_symbol_that_trades_now_and_then_is_compared_with_itself() -> None:
    thin = profile("A", TODAY, bars=36, gaps=30, longest_gap=40)

    found = scores(thin, history=quiet_sessions("A", bars=40))

    assert found["A"]["score"] == 100.0


def test_half_of_the_usual_bars_are_half_complete() -> None:
    found = scores(profile("A", TODAY, bars=195, longest_gap=195), history=quiet_sessions("A"))

    # Two spreads of one bar in 390 are tolerated.
    assert found["A"]["completeness"] == pytest.approx(50.0, abs=0.5)
    assert found["A"]["score"] == pytest.approx(70.0, abs=0.5)


def test_without_a_past_the_longest_gap_counts() -> None:
    found = scores(profile("A", TODAY, bars=195, longest_gap=195), profile("B", TODAY, bars=40, longest_gap=39))

    assert found["A"]["completeness"] == 75.0
    assert found["B"]["completeness"] == 99.0


def test_a_symbol_without_any_bar_scores_nothing() -> None:
    found = scores(profile("A", TODAY, bars=0, rejected_validity=390))

    assert (found["A"]["completeness"], found["A"]["validity"], found["A"]["score"]) == (0.0, 0.0, 0.0)
    assert (found["A"]["grade"], found["A"]["rejected_rows"]) == ("F", 390)


def test_a_missing_symbol_has_a_row_and_is_in_the_total() -> None:
    gone = finding("missing_symbol", "B", TODAY, bars=0)

    found = scores(profile("A", TODAY), findings=(gone,), history=quiet_sessions("A", "B"))

    assert (found["B"]["completeness"], found["B"]["score"], found["B"]["bars"]) == (0.0, 0.0, 0)
    assert found[None]["completeness"] == 50.0


@pytest.mark.parametrize("dimension", ["validity", "consistency", "uniqueness", "timeliness"])
def test_rejected_rows_count_in_their_dimension(dimension: str) -> None:
    found = scores(
        profile("A", TODAY, bars=351, **{f"rejected_{dimension}": 39}), history=quiet_sessions("A", bars=351)
    )

    assert {name: found["A"][name] for name in DIMENSIONS} == dict.fromkeys(DIMENSIONS, 100.0) | {dimension: 90.0}
    # The worst dimension allows 40 + 0.6 x 90 at most.
    assert found["A"]["score"] == 94.0
    assert found["A"]["rejected_rows"] == 39


def test_rows_nobody_knows_the_symbol_of_count_in_the_total_only() -> None:
    found = scores(profile("A", TODAY), profile("", TODAY, bars=0, expected=0, rejected_validity=390))

    assert list(found) == [None, "A"]
    assert found["A"]["validity"] == 100.0
    assert (found[None]["validity"], found[None]["rejected_rows"]) == (50.0, 390)


def test_a_finding_takes_from_its_dimension_by_what_it_concerns() -> None:
    spike, shift = finding("price_spike", "A", TODAY), finding("time_shift", "B", TODAY, bars=390)

    found = scores(profile("A", TODAY), profile("B", TODAY), findings=(spike, shift))

    assert found["A"]["accuracy"] == pytest.approx(79.74)
    assert (found["A"]["quality"], found["A"]["findings"]) == ("Good", 1)
    assert found["B"]["timeliness"] == 0.0
    assert (found["B"]["score"], found["B"]["quality"]) == (40.0, "Poor")
    assert found[None]["accuracy"] == pytest.approx(89.87)
    assert found[None]["findings"] == 2


def test_a_finding_about_the_whole_session_takes_from_the_total_only() -> None:
    found = scores(profile("A", TODAY), findings=(finding("label_shift", None, TODAY),))

    assert found["A"]["score"] == 100.0
    assert found[None]["consistency"] == pytest.approx(79.74)


def test_a_finding_without_a_date_is_about_every_session() -> None:
    profiles = profile_table([profile("A", TODAY), profile("A", session_day(1))])
    findings = finding_rows(finding("row_count", None, None, bars=None))

    totals = score(QUALITY_RULE_BY_ID, profiles, findings, NONE, False).filter(pc.field("symbol").is_null())

    assert totals["findings"].to_pylist() == [1, 1]
    assert totals["blocked"].to_pylist() == [True, True]


def test_a_blocking_finding_caps_its_symbol_and_the_total() -> None:
    broken = blocking(finding("price_spike", "A", TODAY))

    found = scores(profile("A", TODAY), profile("B", TODAY), findings=(broken,), blocked=True)

    assert (found["A"]["score"], found["A"]["grade"]) == (BLOCKED_CAP, "F")
    assert (found["B"]["score"], found["B"]["blocked"]) == (100.0, True)
    assert (found[None]["score"], found[None]["quality"]) == (BLOCKED_CAP, "Unacceptable")


def test_rows_that_others_replaced_count_for_nothing() -> None:
    found = scores(profile("A", TODAY), findings=(finding("price_spike", "A", TODAY, standing=False),))

    assert (found["A"]["score"], found["A"]["findings"]) == (100.0, 0)


def test_a_partition_that_is_blocked_without_any_bar_still_has_a_total() -> None:
    found = scores(findings=(finding("row_count", None, TODAY, bars=None),), blocked=True)

    assert list(found) == [None]
    assert (found[None]["score"], found[None]["bars"], found[None]["grade"]) == (0.0, 0, "F")


def test_nothing_gives_no_scores() -> None:
    assert score(QUALITY_RULE_BY_ID, profile_table([]), finding_rows(), NONE, False).num_rows == 0


def test_a_feed_weighs_its_sessions_by_the_bars_there_was_room_for() -> None:
    profiles = profile_table(
        [profile("A", TODAY), profile("A", session_day(1), bars=105, expected=210, longest_gap=105)]
    )
    table = score(QUALITY_RULE_BY_ID, profiles, finding_rows(finding("price_spike", "A", TODAY)), NONE, False)

    found = feed_score(table)

    assert found is not None
    assert (found.sessions, found.bars, found.findings, found.blocked_sessions) == (2, 495, 1, 0)
    # 390 bars at 40 + 0.6 x 79.74 and 210 bars at 40 + 0.6 x 75.
    assert found.score == pytest.approx((390 * 87.85 + 210 * 85.0) / 600, abs=0.01)
    assert found.dimensions[Dimension.COMPLETENESS] == pytest.approx((390 * 100 + 210 * 75) / 600, abs=0.01)
    assert found.grade == "B"


def test_a_feed_without_totals_has_no_score() -> None:
    assert feed_score(SCORE_SCHEMA.empty_table()) is None
