"""The page about scores says what the code does."""

import re
from pathlib import Path

import pytest

from marketdata_pipelines.domain.quality.grades import LEAST, Grade, Quality
from marketdata_pipelines.domain.quality.history import WINDOW
from marketdata_pipelines.domain.quality.records import Severity
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.quality.score_rows import COST
from marketdata_pipelines.domain.quality.scoring import BLOCKED_CAP, RUINED_LEAVES, WEIGHTS, score
from marketdata_pipelines_tests.domain.quality_rows import finding, finding_rows, profile, profile_table, session_day

PAGE = (Path(__file__).parents[3] / "docs" / "QUALITY_SCORES.md").read_text("utf-8")


def test_the_weights_on_the_page_are_those_of_the_code() -> None:
    on_page = {name: float(weight) for name, weight in re.findall(r"^\| (\w+) \| (0\.\d+) \|", PAGE, re.MULTILINE)}

    assert on_page == {str(dimension): weight for dimension, weight in WEIGHTS.items()}


def test_the_levels_on_the_page_are_those_of_the_code() -> None:
    named = zip(LEAST, Quality, Grade, strict=False)
    rows = [f"| {least:g} or more | {quality} | {grade} |" for least, quality, grade in named]

    assert all(row in PAGE for row in [*rows, f"| less | {Quality.UNACCEPTABLE} | {Grade.F} |"])


def test_the_numbers_on_the_page_are_those_of_the_code() -> None:
    sessions = QUALITY_RULE_BY_ID["incomplete_session"].limits["sessions"]

    assert f"{COST[Severity.WARN]:g} for one that warns, {COST[Severity.BLOCK]:g} for one that blocks" in PAGE
    assert f"{RUINED_LEAVES:g} + {1 - RUINED_LEAVES / 100:g} x the worst dimension" in PAGE
    assert f"caps it at {BLOCKED_CAP:g}" in PAGE
    assert f"the last {WINDOW} sessions" in PAGE
    assert sessions == 5
    assert "Before five sessions are known" in PAGE


def test_the_example_on_the_page_is_right() -> None:
    spike = finding_rows(finding("price_spike", "A", session_day(0)))

    rows = score(QUALITY_RULE_BY_ID, profile_table([profile("A", session_day(0))]), spike, profile_table([]), False)

    row = rows.to_pylist()[1]
    assert (row["accuracy"], row["score"]) == (pytest.approx(79.7, abs=0.05), pytest.approx(87.8, abs=0.05))
    assert (row["quality"], row["grade"]) == ("Good", "B")
