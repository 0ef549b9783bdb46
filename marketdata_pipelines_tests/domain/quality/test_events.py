"""Which events lead from one verdict on a partition to the next."""

from typing import Any

import pyarrow as pa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.events import (
    FindingKey,
    QualityEvent,
    QualityState,
    SessionGrade,
    changes_between,
    state_of,
)
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, SCORE_SCHEMA
from marketdata_pipelines_tests.builders import day

DATE = "2024-03-08"


def scores(score: float = 99.0, grade: str = "A", *, blocked: bool = False) -> pa.Table:
    total = {"symbol": None, "session_date": day(DATE), "score": score, "grade": grade, "blocked": blocked}
    return pa.Table.from_pylist([total, {**total, "symbol": "A", "score": 1.0, "grade": "F"}], schema=SCORE_SCHEMA)


def finding(rule: str = "bad_wick", symbol: str | None = "A", **changes: Any) -> dict[str, Any]:
    row = {"rule": rule, "severity": "warn", "symbol": symbol, "session_date": day(DATE), "message": "a wick"}
    return row | {"standing": True} | changes


def findings(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=FINDING_SCHEMA)


def told(before: QualityState, after: QualityState) -> list[tuple[Any, ...]]:
    return [_short(event) for event in changes_between(before, after)]


def _short(event: QualityEvent) -> tuple[Any, ...]:
    return str(event.event), event.rule, event.symbol, event.detail, event.score_before, event.score_after


def test_a_first_verdict_grades_the_session_and_opens_its_findings() -> None:
    after = state_of(scores(80.0, "B"), findings(finding(), finding("long_gap", None, message="a gap")))

    assert told(QualityState(), after) == [
        ("graded", None, None, "B", None, 80.0),
        ("finding_opened", "bad_wick", "A", "a wick", None, 80.0),
        ("finding_opened", "long_gap", None, "a gap", None, 80.0),
    ]


def test_the_same_verdict_again_is_no_event() -> None:
    state = state_of(scores(), findings(finding()))

    assert told(state, state_of(scores(), findings(finding()))) == []


def test_another_score_of_the_same_grade_and_other_words_are_no_event() -> None:
    before = state_of(scores(99.0), findings(finding()))

    assert told(before, state_of(scores(95.0), findings(finding(message="a longer wick")))) == []


def test_a_grade_that_changes_has_both_scores() -> None:
    before, after = state_of(scores(99.0, "A"), findings(finding())), state_of(scores(60.0, "C"), findings())

    assert told(before, after) == [
        ("grade_changed", None, None, "A → C", 99.0, 60.0),
        ("finding_resolved", "bad_wick", "A", "a wick", 99.0, 60.0),
    ]


def test_a_partition_is_blocked_once_and_unblocked_once() -> None:
    rule = finding("key_unique", severity="block", message="twice")
    fine, blocked = state_of(scores(), findings()), state_of(scores(blocked=True), findings(rule))

    assert [row[:2] for row in told(fine, blocked)] == [("blocked", None), ("finding_opened", "key_unique")]
    assert [row[3] for row in told(fine, blocked)] == ["key_unique", "twice"]
    assert [row[0] for row in told(blocked, fine)] == ["unblocked", "finding_resolved"]


def test_several_findings_of_one_rule_and_symbol_in_a_session_are_one() -> None:
    state = state_of(scores(), findings(finding(), finding(message="another"), finding(symbol="B")))

    assert [(row[2], row[3]) for row in told(QualityState(), state)[1:]] == [
        ("A", "a wick (and 1 more)"),
        ("B", "a wick"),
    ]


def test_findings_about_rows_that_no_longer_stand_are_left_out() -> None:
    assert state_of(scores(), findings(finding(standing=False))).findings == {}


def test_a_finding_about_a_whole_partition_has_no_date() -> None:
    (event,) = changes_between(QualityState(), state_of(scores().slice(0, 0), findings(finding(session_date=None))))

    assert (event.session_date, event.score_before, event.score_after) == (None, None, None)


_states = st.builds(
    QualityState,
    grades=st.dictionaries(
        st.sampled_from([DATE, "2024-03-11"]), st.builds(SessionGrade, st.floats(0, 100), st.sampled_from("ABF"))
    ),
    findings=st.dictionaries(
        st.builds(FindingKey, st.sampled_from([DATE, ""]), st.sampled_from(["x", "y"]), st.sampled_from(["", "A"])),
        st.just("words"),
    ),
    blocked_by=st.one_of(st.none(), st.just("rule")),
)


@settings(max_examples=50, phases=(Phase.explicit, Phase.generate))
@given(_states, _states)
def test_what_is_open_follows_from_the_events(before: QualityState, after: QualityState) -> None:
    events = changes_between(before, after)

    still_open = {(key.session_date, key.rule, key.symbol) for key in before.findings}
    for event in events:
        key = (event.session_date.isoformat() if event.session_date else "", event.rule or "", event.symbol or "")
        if event.event == "finding_opened":
            assert key not in still_open
            still_open.add(key)
        if event.event == "finding_resolved":
            still_open.remove(key)
    assert still_open == {(key.session_date, key.rule, key.symbol) for key in after.findings}
    assert changes_between(after, after) == []
