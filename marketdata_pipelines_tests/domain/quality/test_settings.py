"""Which rules a feed asks for, by its level and its own words."""

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.records import Level, Severity
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID, QUALITY_RULES
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting, active_rules

_IDS = st.sampled_from([rule.id for rule in QUALITY_RULES])


def test_each_level_holds_those_before_it() -> None:
    none, basic, standard, strict = (
        active_rules(QualitySpec(level)) for level in (Level.NONE, Level.BASIC, Level.STANDARD, Level.STRICT)
    )

    assert not none
    assert set(basic) < set(standard) <= set(strict)
    assert {rule.level for rule in basic.values()} == {Level.BASIC}


def test_the_standard_level_leaves_every_rule_as_it_is_declared() -> None:
    assert active_rules(QualitySpec()) == dict(QUALITY_RULE_BY_ID)


def test_strict_lets_every_rule_block_that_reads_its_partition_only() -> None:
    found = active_rules(QualitySpec(Level.STRICT))

    blocking = {name for name, rule in found.items() if rule.severity is Severity.BLOCK}
    assert {"price_spike", "bad_wick", "stale_run", "long_gap", "time_shift", "tick_size", "ohlc_relations"} <= blocking
    assert not blocking & {"missing_symbol", "return_outlier", "source_dispute", "daily_differs"}


def test_a_severity_that_is_named_wins_over_strict() -> None:
    spec = QualitySpec(Level.STRICT, (RuleSetting("long_gap", Severity.WARN),))

    assert active_rules(spec)["long_gap"].severity is Severity.WARN


def test_custom_has_the_rules_that_are_named_and_no_others() -> None:
    spec = QualitySpec(Level.CUSTOM, (RuleSetting("long_gap"), RuleSetting("tick_size", off=True)))

    assert set(active_rules(spec)) == {"long_gap"}


def test_a_named_rule_is_on_below_its_level() -> None:
    spec = QualitySpec(Level.BASIC, (RuleSetting("long_gap"),))

    assert "long_gap" in active_rules(spec)
    assert "market_gap" not in active_rules(spec)


def test_limits_replace_those_of_the_same_name_only() -> None:
    spec = QualitySpec(rules=(RuleSetting("long_gap", limits=(("most", 99.0),)),))

    found = active_rules(spec)["long_gap"]
    declared = QUALITY_RULE_BY_ID["long_gap"]
    assert found == replace(declared, limits={**declared.limits, "most": 99.0})
    assert declared.limits["most"] != 99.0


@given(st.lists(st.tuples(_IDS, st.booleans()), max_size=6, unique_by=lambda pair: pair[0]), st.randoms())
@settings(max_examples=30, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_the_version_is_that_of_what_is_said_not_of_its_order(rules: list[tuple[str, bool]], random: object) -> None:
    said = [RuleSetting(rule, off=off) for rule, off in rules]
    shuffled = list(said)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert QualitySpec(rules=tuple(said)).version == QualitySpec(rules=tuple(shuffled)).version


@pytest.mark.parametrize(
    "changed",
    [
        QualitySpec(Level.STRICT),
        QualitySpec(sample=0.5),
        QualitySpec(compare_with=("other",)),
        QualitySpec(rules=(RuleSetting("long_gap", Severity.BLOCK),)),
        QualitySpec(rules=(RuleSetting("long_gap", limits=(("most", 20.0),)),)),
        QualitySpec(rules=(RuleSetting("long_gap", off=True),)),
    ],
)
def test_anything_that_verdicts_depend_on_changes_the_version(changed: QualitySpec) -> None:
    assert changed.version != QualitySpec().version
