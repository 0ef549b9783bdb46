"""Notes what a new verdict changed about a partition, in the log of quality events."""

import pyarrow as pa

from marketdata_pipelines.domain.quality.events import (
    QualityEvent,
    QualityEventKind,
    QualityState,
    changes_between,
    state_of,
)
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.quality_events import QualityEvents

# Scores and findings.
Verdict = tuple[pa.Table, pa.Table]


def note_changes(
    lake: Lake, feed: str, key: str, before: Verdict | None, after: Verdict, *, at_us: int
) -> list[QualityEvent]:
    """Append what a new verdict on a partition changed; returns it.

    Shape:   verdicts are scores (SCORE_SCHEMA) and findings (FINDING_SCHEMA); `at_us` is now, UTC microseconds.
    Before:  what the log has told so far; only of a partition it has told nothing about, the verdict that was stored.
    Again:   a verdict noted twice, by two processes at once, or once more after a kill tells nothing twice and loses
             nothing.
    """
    now, log = state_of(*after), QualityEvents(lake.layout.catalog)
    if now == log.state(feed, key) and now != QualityState():
        return []

    def decide(told: QualityState) -> tuple[list[QualityEvent], QualityState]:
        known = told
        if told == QualityState() and before is not None and state_of(*before) != now:
            known = state_of(*before)
        return changes_between(known, now), now

    return log.advance(feed, key, at_us, decide)


def note_repair(lake: Lake, feed: str, key: str, repair: QualityEvent, at_us: int) -> None:
    """Append that somebody repaired something of a partition.

    Errors: ValueError for another kind of event.
    """
    if repair.event is not QualityEventKind.REPAIRED:
        raise ValueError(f"{repair.event} is not noted by hand; give a {QualityEventKind.REPAIRED}")
    QualityEvents(lake.layout.catalog).append(feed, key, at_us, [repair])


def quality_events(lake: Lake, feed: str | None = None, start: str = "", end: str = "9999-99-99") -> pa.Table:
    """The events of one feed, or of all (QUALITY_EVENT_SCHEMA), of partitions with a key in start..end."""
    return QualityEvents(lake.layout.catalog).read(feed, start, end)
