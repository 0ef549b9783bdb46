"""What happened to the quality of partitions: the words of the log, and which events a new verdict makes.

A state is what the log has told so far. Where events are kept is in `stores`; nothing here knows the time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import TS


class QualityEventKind(StrEnum):
    """What happened: to a session's grade, to a partition, to a finding, or by somebody's hand."""

    GRADED = "graded"
    GRADE_CHANGED = "grade_changed"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    FINDING_OPENED = "finding_opened"
    FINDING_RESOLVED = "finding_resolved"
    REPAIRED = "repaired"


# One row an event, in the order they were noted. `noted_at` is when a verdict was reached, UTC; `partition` is the
# feed's own.
QUALITY_EVENT_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("noted_at", TS),
        ("feed", pa.string()),
        ("partition", pa.string()),
        ("session_date", pa.date32()),
        ("event", pa.string()),
        ("rule", pa.string()),
        ("symbol", pa.string()),
        ("detail", pa.string()),
        ("score_before", pa.float64()),
        ("score_after", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class QualityEvent:
    """One event of a partition. Scores are those of the whole session, 0 to 100."""

    event: QualityEventKind
    session_date: date | None = None
    rule: str | None = None
    symbol: str | None = None
    detail: str = ""
    score_before: float | None = None
    score_after: float | None = None


@dataclass(frozen=True, order=True, slots=True)
class FindingKey:
    """What makes two findings the same one: a rule broken by a symbol ("" for all) in a session."""

    session_date: str
    rule: str
    symbol: str


@dataclass(frozen=True, slots=True)
class SessionGrade:
    """A session's total score and grade."""

    score: float | None
    grade: str


@dataclass(frozen=True, slots=True)
class QualityState:
    """What a partition's verdict is: grades by ISO session date, open findings with their words, and by which rules it
    is blocked (None: it is not)."""

    grades: Mapping[str, SessionGrade] = field(default_factory=dict)
    findings: Mapping[FindingKey, str] = field(default_factory=dict)
    blocked_by: str | None = None


def state_of(scores: pa.Table, findings: pa.Table) -> QualityState:
    """The verdict that a partition's tables say (SCORE_SCHEMA, FINDING_SCHEMA).

    Grades are those of whole sessions (symbol null). Findings about rows that no longer stand are no one's.
    """
    total = scores.filter(pc.is_null(scores["symbol"]))
    grades = {
        row["session_date"].isoformat(): SessionGrade(row["score"], row["grade"])
        for row in total.select(["session_date", "score", "grade"]).to_pylist()
    }
    columns = ["session_date", "rule", "symbol", "message", "severity"]
    open_findings: dict[FindingKey, str] = {}
    more: dict[FindingKey, int] = {}
    blocking = set()
    for row in findings.filter(findings["standing"]).select(columns).to_pylist():
        day = "" if row["session_date"] is None else row["session_date"].isoformat()
        key = FindingKey(day, row["rule"], row["symbol"] or "")
        open_findings.setdefault(key, row["message"] or "")
        more[key] = more.get(key, -1) + 1
        blocking |= {row["rule"]} if row["severity"] == "block" else set()
    told = {key: f"{text} (and {more[key]} more)" if more[key] else text for key, text in open_findings.items()}
    is_blocked = bool(pc.any(scores["blocked"]).as_py())
    return QualityState(grades, told, ", ".join(sorted(blocking)) if is_blocked else None)


def changes_between(before: QualityState, after: QualityState) -> list[QualityEvent]:
    """The events that lead from one state to the next, in a fixed order; none between equal ones.

    A finding whose words alone change is the same finding; a score that changes within its grade is no event.
    """
    return [*_grading(before, after), *_blocking(before, after), *_findings(before, after)]


def _grading(before: QualityState, after: QualityState) -> Iterable[QualityEvent]:
    for day, now in sorted(after.grades.items()):
        was = before.grades.get(day)
        if was is not None and was.grade == now.grade:
            continue
        yield QualityEvent(
            QualityEventKind.GRADED if was is None else QualityEventKind.GRADE_CHANGED,
            session_date=date.fromisoformat(day),
            detail=now.grade if was is None else f"{was.grade} → {now.grade}",
            score_before=None if was is None else was.score,
            score_after=now.score,
        )


def _blocking(before: QualityState, after: QualityState) -> Iterable[QualityEvent]:
    if before.blocked_by is None and after.blocked_by is not None:
        yield QualityEvent(QualityEventKind.BLOCKED, detail=after.blocked_by)
    if before.blocked_by is not None and after.blocked_by is None:
        yield QualityEvent(QualityEventKind.UNBLOCKED, detail=before.blocked_by)


def _findings(before: QualityState, after: QualityState) -> Iterable[QualityEvent]:
    opened = sorted(after.findings.keys() - before.findings.keys())
    resolved = sorted(before.findings.keys() - after.findings.keys())
    for event, keys, state in (
        (QualityEventKind.FINDING_OPENED, opened, after),
        (QualityEventKind.FINDING_RESOLVED, resolved, before),
    ):
        for key in keys:
            was, now = before.grades.get(key.session_date), after.grades.get(key.session_date)
            yield QualityEvent(
                event,
                session_date=date.fromisoformat(key.session_date) if key.session_date else None,
                rule=key.rule,
                symbol=key.symbol or None,
                detail=state.findings[key],
                score_before=None if was is None else was.score,
                score_after=None if now is None else now.score,
            )
