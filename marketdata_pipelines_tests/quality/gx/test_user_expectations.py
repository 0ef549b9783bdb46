"""Great Expectations' own expectations over a partition's rows: what holds, what does not, what says nothing."""

from typing import Any

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.quality.records import Severity
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.quality.expectations import UserExpectation
from marketdata_pipelines.quality.gx.user_expectations import check_expectations, run_expectations
from marketdata_pipelines.quality.suites.records import RuleOutcome
from marketdata_pipelines.quality.suites.table_suites import suite_of
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.quality.suites.bars_of import good_bars, with_value

BETWEEN = "expect_column_values_to_be_between"
# What holds for the bars of `good_bars`, and beside it what does not.
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (BETWEEN, {"column": "close", "min_value": 90, "max_value": 110}, {"column": "close", "max_value": 100}),
    (
        BETWEEN,
        {"column": "ts", "min_value": "2024-01-01T00:00:00+00:00"},
        {"column": "ts", "max_value": "2024-01-01T00:00:00+00:00"},
    ),
    (
        BETWEEN,
        {"column": "session_date", "min_value": "2024-03-08"},
        {"column": "session_date", "min_value": "2024-03-09"},
    ),
    ("expect_column_values_to_not_be_null", {"column": "close"}, {"column": "vwap"}),
    ("expect_column_values_to_be_null", {"column": "vwap"}, {"column": "close"}),
    (
        "expect_column_values_to_be_in_set",
        {"column": "symbol", "value_set": ["AAA", "BBB"]},
        {"column": "symbol", "value_set": ["AAA"]},
    ),
    (
        "expect_column_distinct_values_to_equal_set",
        {"column": "symbol", "value_set": ["AAA", "BBB"]},
        {"column": "symbol", "value_set": ["B"]},
    ),
    ("expect_column_values_to_match_regex", {"column": "symbol", "regex": "A|B"}, {"column": "symbol", "regex": "^A"}),
    (
        "expect_column_values_to_not_match_regex",
        {"column": "symbol", "regex": "C"},
        {"column": "symbol", "regex": "B$"},
    ),
    (
        "expect_column_values_to_match_like_pattern",
        {"column": "symbol", "like_pattern": "___"},
        {"column": "symbol", "like_pattern": "A%"},
    ),
    (
        "expect_column_proportion_of_unique_values_to_be_between",
        {"column": "ts", "min_value": 0.5},
        {"column": "ts", "max_value": 0.4},
    ),
    (
        "expect_compound_columns_to_be_unique",
        {"column_list": ["symbol", "ts"]},
        {"column_list": ["symbol", "session_date"]},
    ),
    (
        "expect_column_mean_to_be_between",
        {"column": "volume", "min_value": 109, "max_value": 110},
        {"column": "volume", "max_value": 100},
    ),
    (
        "expect_column_median_to_be_between",
        {"column": "volume", "min_value": 109, "max_value": 110},
        {"column": "volume", "max_value": 100},
    ),
    (
        "expect_column_stdev_to_be_between",
        {"column": "volume", "min_value": 5, "max_value": 6},
        {"column": "volume", "max_value": 1},
    ),
    (
        "expect_column_sum_to_be_between",
        {"column": "volume", "min_value": 4380, "max_value": 4380},
        {"column": "volume", "max_value": 1},
    ),
    ("expect_column_max_to_be_between", {"column": "high", "max_value": 110}, {"column": "high", "max_value": 100}),
    (
        "expect_column_quantile_values_to_be_between",
        {"column": "volume", "quantile_ranges": {"quantiles": [0.1, 0.9], "value_ranges": [[100, 102], [116, 119]]}},
        {"column": "volume", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 1]]}},
    ),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "high", "column_B": "low"},
        {"column_A": "low", "column_B": "high"},
    ),
    (
        "expect_column_unique_value_count_to_be_between",
        {"column": "symbol", "min_value": 2},
        {"column": "symbol", "min_value": 3},
    ),
    (
        "expect_column_value_lengths_to_be_between",
        {"column": "symbol", "max_value": 3},
        {"column": "symbol", "min_value": 4},
    ),
    ("expect_table_row_count_to_be_between", {"min_value": 40, "max_value": 40}, {"min_value": 41}),
    ("expect_table_column_count_to_equal", {"value": 12}, {"value": 11}),
    (
        "expect_table_columns_to_match_set",
        {"column_set": ["symbol", "ts"], "exact_match": False},
        {"column_set": ["symbol"]},
    ),
    (
        "unexpected_rows_expectation",
        {"unexpected_rows_query": "select * from {batch} where high < low"},
        {"unexpected_rows_query": "select * from {batch} where high > low"},
    ),
]


def expectation(
    kind: str, kwargs: dict[str, Any], level: str = "critical", table: str = "validated_bars"
) -> UserExpectation:
    severity = Severity.BLOCK if level == "critical" else Severity.WARN
    return UserExpectation("mine.yaml", "[0].", table, kind, kwargs, severity, level)


def run(rows: pa.Table, *expectations: UserExpectation) -> list[RuleOutcome]:
    return list(run_expectations("mine", "validated_bars", expectations, rows).rules)


def test_what_holds_passes_and_what_does_not_fails() -> None:
    good = [expectation(kind, kwargs) for kind, kwargs, _ in CASES]
    bad = [expectation(kind, kwargs) for kind, _, kwargs in CASES]
    check_expectations([*good, *bad], suite_of(make_feed(), "validated_bars"))

    outcomes = run(good_bars(), *good, *bad)

    held = {rule.rule: rule.message for rule in outcomes[: len(good)] if not rule.passed}
    broken = {rule.rule: rule.message for rule in outcomes[len(good) :] if rule.passed}
    assert (held, broken) == ({}, {})
    assert all(rule.violations is not None for rule in outcomes)


def test_severity_decides_what_blocks() -> None:
    wrong = {"column": "close", "max_value": 1}

    found = run_expectations(
        "mine", "validated_bars", [expectation(BETWEEN, wrong), expectation(BETWEEN, wrong, "warning")], good_bars()
    )

    assert [rule.rule for rule in found.blocked] == [f"{BETWEEN}(close)"]
    assert [rule.rule for rule in found.warned] == [f"{BETWEEN}(close)#2"]
    assert [each["success"] for each in found.result["results"]] == [False, False]


@pytest.mark.parametrize("kind", sorted({kind for kind, *_ in CASES}))
def test_no_expectation_passes_on_no_rows(kind: str) -> None:
    kwargs = next(kwargs for each, kwargs, _ in CASES if each == kind)

    [outcome] = run(good_bars().slice(0, 0), expectation(kind, kwargs))

    assert not outcome.passed


@pytest.mark.parametrize(
    ("value", "told"), [(float("nan"), "1 values of close are NaN or infinite"), (float("inf"), "infinite")]
)
def test_what_is_no_number_does_not_pass(value: float, told: str) -> None:
    rows = with_value(good_bars(), 3, "close", value)

    [outcome] = run(rows, expectation(BETWEEN, {"column": "close", "min_value": 0}))

    assert not outcome.passed
    assert told in outcome.message


def test_a_column_of_nulls_does_not_pass() -> None:
    [outcome] = run(good_bars(), expectation(BETWEEN, {"column": "vwap", "min_value": 0}))

    assert (outcome.passed, outcome.message) == (False, "every value of vwap is null: there was nothing to look at")


def test_what_raises_does_not_pass_and_says_why() -> None:
    broken, fine = (
        expectation("unexpected_rows_expectation", {"unexpected_rows_query": "select nothing from {batch}"}),
        CASES[0],
    )

    found = run(good_bars(), broken, expectation(fine[0], fine[1]))

    assert [rule.passed for rule in found] == [False, True]
    assert found[0].violations is None
    assert "not evaluated" in found[0].message


@pytest.mark.parametrize(
    ("kind", "kwargs", "told"),
    [
        (
            "expect_column_values_to_be_betwen",
            {},
            r"mine.yaml: \[0\]\.type 'expect_column_values_to_be_betwen' is unknown .* expect_column_values_to_be_b",
        ),
        (BETWEEN, {"min_value": 0}, r"mine.yaml: \[0\]\.kwargs\.column is wrong: field required"),
        (BETWEEN, {"column": "close", "minimum": 0}, r"mine.yaml: \[0\]\.kwargs\.minimum is wrong: extra fields"),
        (BETWEEN, {"column": "close"}, r"mine.yaml: \[0\]\.kwargs is wrong"),
        (BETWEEN, {"column": "close", "min_value": [1]}, r"mine.yaml: \[0\]\.kwargs\.min_value is wrong"),
        (
            BETWEEN,
            {"column": "price", "min_value": 0},
            r"mine.yaml: \[0\]\.kwargs\.column 'price' is no column of validated_bars",
        ),
        (
            "expect_compound_columns_to_be_unique",
            {"column_list": ["symbol", "tz"]},
            r"kwargs\.column_list 'tz' is no column",
        ),
    ],
)
def test_a_broken_expectation_is_named_with_its_key(kind: str, kwargs: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told):
        check_expectations([expectation(kind, kwargs)], suite_of(make_feed(), "validated_bars"))
