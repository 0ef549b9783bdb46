"""Findings as rows."""

import pytest

from marketdata_pipelines.domain.quality.finding_rows import (
    count_text,
    finding_row,
    finding_table,
    percent,
    sorted_findings,
)
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines_tests.builders import column
from marketdata_pipelines_tests.domain.quality_rows import finding, finding_rows, opening, session_day, suspect

RULE = QUALITY_RULE_BY_ID["return_outlier"]


def test_a_finding_takes_its_place_from_a_suspect_and_the_rest_from_its_rule() -> None:
    place = suspect("jump", "A", session_day(0), 5, 0.1, standing=False)

    found = finding_table([finding_row(RULE, place, 0.1, 0.05, "moved")])

    assert found.schema == FINDING_SCHEMA
    assert found.to_pylist() == [
        {
            "rule": "return_outlier",
            "dimension": "accuracy",
            "severity": "warn",
            "symbol": "A",
            "session_date": session_day(0),
            "ts": place["ts"],
            "ts_last": place["ts"],
            "bars": 1,
            "value": 0.1,
            "limit": 0.05,
            "message": "moved",
            "file": "a.csv",
            "line": 7,
            "row": 6,
            "part": "part-1",
            "standing": False,
        }
    ]


def test_what_is_not_said_is_null_and_the_finding_stands() -> None:
    found = finding_table([finding_row(RULE, {"symbol": None}, 1.0, 0.0, "")]).to_pylist()[0]

    assert (found["symbol"], found["ts"], found["file"], found["standing"]) == (None, None, None, True)


def test_whole_sessions_come_before_single_bars() -> None:
    day = session_day(0)
    rows = [
        finding("price_spike", "B", day, ts=opening(day)),
        finding("long_gap", "A", day, ts=opening(day)),
        finding("bad_wick", "A", day, ts=opening(day)),
        finding("missing_symbol", "A", day),
        finding("market_gap", None, day),
    ]

    found = sorted_findings(finding_rows(*rows))

    assert column(found, "rule") == ["market_gap", "missing_symbol", "bad_wick", "long_gap", "price_spike"]


@pytest.mark.parametrize(
    ("move", "text"), [(0.05, "5.1%"), (-0.05, "5.1%"), (2.302585, "10 times"), (6.907755, "1,000 times")]
)
def test_moves_are_percentages_until_they_are_factors(move: float, text: str) -> None:
    assert percent(move) == text


@pytest.mark.parametrize(("count", "text"), [(1234567.0, "1,234,567"), (3.0, "3"), (0.25, "0.25")])
def test_volumes_may_be_fractions(count: float, text: str) -> None:
    assert count_text(count) == text
