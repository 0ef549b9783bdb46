"""Why each rule is there."""

from dataclasses import replace

from marketdata_pipelines.domain.quality.rule_reasons import REASONS, reason_of
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID


def test_every_rule_has_a_reason_and_every_reason_a_rule() -> None:
    assert set(REASONS) == set(QUALITY_RULE_BY_ID)
    assert all(text.endswith(".") for text in REASONS.values())


def test_a_rules_own_words_come_first() -> None:
    rule = QUALITY_RULE_BY_ID["long_gap"]

    assert reason_of(rule) == REASONS["long_gap"]
    assert reason_of(replace(rule, why="Because.")) == "Because."
