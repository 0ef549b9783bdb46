"""The log of quality events in the catalog."""

import sqlite3
import threading
from pathlib import Path

import pytest

from marketdata_pipelines.domain.quality.events import (
    QUALITY_EVENT_SCHEMA,
    FindingKey,
    QualityEvent,
    QualityEventKind,
    QualityState,
    SessionGrade,
    changes_between,
)
from marketdata_pipelines.stores.lake.quality_events import QualityEvents
from marketdata_pipelines_tests.builders import column, day, us

DATE, AT_US = "2024-03-08", us("2024-03-09 00:00")
FOUND = FindingKey(DATE, "bad_wick", "A")
GOOD = QualityState({DATE: SessionGrade(98.5, "A")})
BAD = QualityState({DATE: SessionGrade(41.0, "D")}, {FOUND: "a wick; of 8 %"}, "key_unique")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lake" / "catalog.sqlite"


def advance(log: QualityEvents, state: QualityState, feed: str = "shares", partition: str = DATE) -> list[QualityEvent]:
    return log.advance(feed, partition, AT_US, lambda before: (changes_between(before, state), state))


def test_a_log_that_was_never_written_is_empty(path: Path) -> None:
    log = QualityEvents(path)

    assert log.read().equals(QUALITY_EVENT_SCHEMA.empty_table())
    assert log.state("shares", DATE) == QualityState()
    assert not path.exists()


def test_a_catalog_of_before_has_no_events_until_its_first(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("create table stored (x text)")
    connection.close()
    log = QualityEvents(path)

    assert log.read("shares").num_rows == 0
    assert log.state("shares", DATE) == QualityState()
    assert len(advance(log, GOOD)) == 1


def test_events_are_kept_in_order_with_what_they_say(path: Path) -> None:
    log = QualityEvents(path)

    advance(log, GOOD)
    advance(log, BAD)

    events = QualityEvents(path).read("shares")
    assert events.schema == QUALITY_EVENT_SCHEMA
    assert column(events, "event") == ["graded", "grade_changed", "blocked", "finding_opened"]
    assert column(events, "seq") == [1, 2, 3, 4]
    assert events.to_pylist()[3] == {
        "seq": 4, "noted_at": events["noted_at"][3].as_py(), "feed": "shares", "partition": DATE,
        "session_date": day(DATE),
        "event": "finding_opened", "rule": "bad_wick", "symbol": "A", "detail": "a wick; of 8 %",
        "score_before": 98.5, "score_after": 41.0,
    }  # fmt: skip
    assert set(column(events, "noted_at")) == {"2024-03-09 00:00"}


def test_the_state_kept_is_the_state_told(path: Path) -> None:
    log = QualityEvents(path)

    advance(log, BAD)

    assert QualityEvents(path).state("shares", DATE) == BAD
    assert log.state("shares", "2024-03-11") == QualityState()
    assert advance(log, BAD) == []
    assert log.read().num_rows == 3


def test_events_are_read_by_feed_and_partition(path: Path) -> None:
    log = QualityEvents(path)
    for feed, partition in (("shares", DATE), ("shares", "2024-03-11"), ("coins", DATE)):
        advance(log, GOOD, feed, partition)

    assert log.read().num_rows == 3
    assert column(log.read("shares", start="2024-03-09"), "partition") == ["2024-03-11"]
    assert column(log.read(end="2024-03-10"), "feed") == ["shares", "coins"]


def test_events_that_no_verdict_made_are_only_added(path: Path) -> None:
    log = QualityEvents(path)
    repaired = QualityEvent(QualityEventKind.REPAIRED, day(DATE), symbol="A", detail="high and low exchanged")

    log.append("shares", DATE, AT_US, [repaired])
    log.append("shares", DATE, AT_US, [])

    assert column(log.read("shares"), "event") == ["repaired"]
    assert log.state("shares", DATE) == QualityState()


def test_what_fails_while_it_is_decided_leaves_the_log_as_it_was(path: Path) -> None:
    log = QualityEvents(path)
    advance(log, GOOD)

    def fail(before: QualityState) -> tuple[list[QualityEvent], QualityState]:
        raise ValueError(f"no verdict after {before.blocked_by}")

    with pytest.raises(ValueError, match="no verdict after None"):
        log.advance("shares", DATE, AT_US, fail)
    assert log.read().num_rows == 1
    assert len(advance(log, BAD)) == 3


def test_several_judges_at_once_tell_nothing_twice(path: Path) -> None:
    log = QualityEvents(path)
    start = threading.Barrier(4)

    def judge() -> None:
        start.wait(30)
        for number in range(10):
            advance(log, BAD, partition=f"2024-03-{number + 10}")

    judges = [threading.Thread(target=judge) for _ in range(4)]
    for each in judges:
        each.start()
    for each in judges:
        each.join(60)

    assert log.read().num_rows == 30
    assert sorted(set(column(log.read(), "seq"))) == list(range(1, 31))
