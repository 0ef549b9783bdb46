"""Limits that data suggest."""

import numpy as np
import yaml

from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.quality.statistics import ColumnStatistics
from marketdata_pipelines.domain.quality.suggestions import settings_snippet, suggest_limits


def of(values: np.ndarray) -> ColumnStatistics:
    found = ColumnStatistics()
    found.add(values)
    return found


def test_a_limit_is_the_far_quantile_with_a_margin_rounded_up() -> None:
    (found,) = suggest_limits({"wicks": of(np.linspace(0, 0.02, 100_001))}, standstill=0)

    assert (found.rule, found.limit, found.value) == ("bad_wick", "floor", 0.03)
    assert found.default == QUALITY_RULE_BY_ID["bad_wick"].limits["floor"]
    assert found.why == "99.99% of 100,001 wicks are up to 0.02; times 1.5"


def test_of_a_few_thousand_values_the_greatest_counts() -> None:
    values = np.append(np.full(1_999, 0.001), 0.04)

    (found,) = suggest_limits({"wicks": of(values)}, standstill=0)

    assert (found.value, found.why) == (0.06, "all of 2,000 wicks are up to 0.04; times 1.5")


def test_too_few_values_suggest_nothing() -> None:
    assert suggest_limits({"wicks": of(np.full(999, 0.01))}, standstill=1) == []


def test_the_snippet_is_yaml_that_names_rules_and_limits_there_are() -> None:
    measured = {name: of(np.linspace(0, 3, 5_000)) for name in ("leaps", "leap_scales", "wick_scales", "longest_gap")}

    read = yaml.safe_load(settings_snippet("shares", suggest_limits(measured, standstill=12)))

    rules = read["feeds"]["shares"]["quality"]["rules"]
    assert set(rules) == {"price_spike", "bad_wick", "long_gap", "stale_run"}
    assert rules["stale_run"] == {"least": 18}
    assert all(set(limits) <= set(QUALITY_RULE_BY_ID[rule].limits) for rule, limits in rules.items())


def test_no_suggestions_give_no_snippet() -> None:
    assert settings_snippet("shares", []) == ""
