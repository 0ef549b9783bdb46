"""What a new verdict on a partition adds to the log."""

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.quality.events import QualityEvent, QualityEventKind
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, SCORE_SCHEMA
from marketdata_pipelines.pipeline.quality.events import Verdict, note_changes, note_repair, quality_events
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import column, day, us

KEY, FIRST_US, LATER_US = "2024-03-08", us("2024-03-09 00:00"), us("2024-03-10 00:00")


def verdict(score: float, grade: str, *rules: str) -> Verdict:
    total = {"symbol": None, "session_date": day(KEY), "score": score, "grade": grade, "blocked": False}
    rows = [
        {"rule": rule, "severity": "warn", "symbol": "A", "session_date": day(KEY), "message": rule, "standing": True}
        for rule in rules
    ]
    return pa.Table.from_pylist([total], schema=SCORE_SCHEMA), pa.Table.from_pylist(rows, schema=FINDING_SCHEMA)


GOOD, BAD = verdict(99.0, "A"), verdict(60.0, "C", "bad_wick")


def noted(lake: Lake) -> list[str]:
    return column(quality_events(lake, "shares"), "event")


def test_each_verdict_adds_what_it_changed(lake: Lake) -> None:
    note_changes(lake, "shares", KEY, None, GOOD, at_us=FIRST_US)
    note_changes(lake, "shares", KEY, GOOD, BAD, at_us=LATER_US)
    made = note_changes(lake, "shares", KEY, BAD, GOOD, at_us=LATER_US)

    assert noted(lake) == ["graded", "grade_changed", "finding_opened", "grade_changed", "finding_resolved"]
    assert [str(event.event) for event in made] == ["grade_changed", "finding_resolved"]
    assert column(quality_events(lake), "noted_at")[0] == "2024-03-09 00:00"


def test_walking_again_without_change_adds_nothing(lake: Lake) -> None:
    note_changes(lake, "shares", KEY, None, BAD, at_us=FIRST_US)

    for before in (None, GOOD, BAD):
        assert note_changes(lake, "shares", KEY, before, BAD, at_us=LATER_US) == []
    assert noted(lake) == ["graded", "finding_opened"]


def test_a_kill_between_storing_a_verdict_and_noting_it_loses_nothing(lake: Lake) -> None:
    # The tables are there, the log knows nothing of them; then the partition is judged again.
    note_changes(lake, "shares", KEY, BAD, BAD, at_us=LATER_US)
    assert noted(lake) == ["graded", "finding_opened"]

    # As before a later one: what was stored is GOOD, what was told is BAD.
    note_changes(lake, "shares", KEY, GOOD, GOOD, at_us=LATER_US)
    assert noted(lake)[2:] == ["grade_changed", "finding_resolved"]


def test_a_partition_judged_before_there_was_a_log_is_told_from_its_stored_verdict(lake: Lake) -> None:
    note_changes(lake, "shares", KEY, GOOD, BAD, at_us=FIRST_US)

    events = quality_events(lake, "shares")
    assert column(events, "event") == ["grade_changed", "finding_opened"]
    assert (column(events, "score_before"), column(events, "score_after")) == ([99.0, 99.0], [60.0, 60.0])


def test_a_score_that_moves_within_its_grade_is_the_score_before_of_the_next_change(lake: Lake) -> None:
    for before, after in ((None, GOOD), (GOOD, verdict(92.0, "A")), (verdict(92.0, "A"), BAD)):
        note_changes(lake, "shares", KEY, before, after, at_us=FIRST_US)

    assert column(quality_events(lake, "shares"), "score_before") == [None, 92.0, 92.0]


def test_a_repair_is_noted_by_hand_and_nothing_else_is(lake: Lake) -> None:
    note_repair(lake, "shares", KEY, QualityEvent(QualityEventKind.REPAIRED, detail="scaled"), at_us=FIRST_US)

    assert noted(lake) == ["repaired"]
    with pytest.raises(ValueError, match="graded is not noted by hand"):
        note_repair(lake, "shares", KEY, QualityEvent(QualityEventKind.GRADED), at_us=FIRST_US)
