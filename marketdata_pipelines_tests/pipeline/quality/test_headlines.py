from datetime import date
from pathlib import Path

import pytest

from marketdata_pipelines.pipeline.quality.headlines import recent_sessions, scores_of, session_scores, worst_symbols
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.verdict_tables import score_row, score_table


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    for number in range(4, 9):
        day = date(2024, 3, number)
        scores = score_table(score_row("AAA", 60, day), score_row(None, 60 + number, day, blocked=number == 5))
        lake.store("shares", [TableWrite("quality_scores", day.isoformat(), scores, "x")], {})
    return lake


def test_the_newest_sessions_come_oldest_first(lake: Lake) -> None:
    found = recent_sessions(lake, "shares", 3)

    assert [(each.session.day, each.score) for each in found] == [(6, 66), (7, 67), (8, 68)]
    assert [each.blocked for each in recent_sessions(lake, "shares")] == [False, True, False, False, False]


def test_a_feed_without_scores_has_no_sessions(lake: Lake) -> None:
    assert recent_sessions(lake, "others") == []
    assert scores_of(lake, "others", []).num_rows == 0


def test_a_partition_of_many_sessions_gives_the_newest_of_them(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [score_row(None, 90 + number, date(2024, 3, number)) for number in range(4, 9)]
    lake.store("days", [TableWrite("quality_scores", "2024-01-01", score_table(*rows), "x")], {})

    found = recent_sessions(lake, "days", 2)

    assert [(each.partition, each.session.day) for each in found] == [("2024-01-01", 7), ("2024-01-01", 8)]


def test_a_total_says_what_its_row_says() -> None:
    total = score_row(None, 71.5, timeliness=None, findings=4, rejected_rows=9, blocked=True)

    (session,) = session_scores("2024-03-08", score_table(score_row("AAA"), total))

    assert (session.grade, session.level, session.score) == ("B", "Good", 71.5)
    assert (session.findings, session.rejected_rows, session.bars, session.blocked) == (4, 9, 390, True)
    assert "timeliness" not in session.dimensions
    assert session.dimensions["accuracy"] == 71.5


def test_the_worst_symbols_come_first_and_clean_ones_not_at_all() -> None:
    rows = [score_row("DDD", 80), score_row("AAA", 80), score_row("BBB", 100), score_row("CCC", 40)]
    scores = score_table(*rows, score_row(None, 20))

    assert [(each.symbol, each.score) for each in worst_symbols(scores, 2)] == [("CCC", 40), ("AAA", 80)]
    assert [each.symbol for each in worst_symbols(scores, 9)] == ["CCC", "AAA", "DDD"]
    assert worst_symbols(score_table(), 9) == []
