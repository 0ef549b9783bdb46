"""The list of quality rules: complete, told apart, and fit to be shown."""

import math
import re

import pytest

from marketdata_pipelines.domain.quality.records import Dimension, Level, Severity
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID, QUALITY_RULES, QualityRule
from marketdata_pipelines.domain.rules import RULE_BY_ID

rules = pytest.mark.parametrize("rule", QUALITY_RULES, ids=lambda rule: rule.id)


def test_every_id_is_there_once_and_is_no_row_rule() -> None:
    assert len(QUALITY_RULE_BY_ID) == len(QUALITY_RULES)
    assert not set(QUALITY_RULE_BY_ID) & set(RULE_BY_ID)


def test_every_dimension_has_a_rule() -> None:
    assert {rule.dimension for rule in QUALITY_RULES} == set(Dimension)


@rules
def test_a_rule_says_what_holds_in_a_sentence(rule: QualityRule) -> None:
    assert re.fullmatch(r"[a-z][a-z_]+", rule.id)
    assert rule.text[0].isupper() or rule.text.startswith("(")
    assert rule.text.endswith(".")
    assert rule.formula
    assert not rule.formula.endswith(".")


@rules
def test_a_rule_that_reads_earlier_sessions_only_warns(rule: QualityRule) -> None:
    assert not (rule.needs_history and rule.severity is Severity.BLOCK)


@rules
def test_a_basic_rule_blocks_and_a_statistical_one_warns(rule: QualityRule) -> None:
    assert rule.severity is (Severity.BLOCK if rule.level is Level.BASIC else Severity.WARN)


@rules
def test_limits_are_numbers_a_feed_could_give_itself(rule: QualityRule) -> None:
    assert all(0 <= value < math.inf for value in rule.limits.values())
    assert "severity" not in rule.limits
