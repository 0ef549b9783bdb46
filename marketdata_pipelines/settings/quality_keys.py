"""Reads a feed's `quality`: level, rules, sampling, and the feeds to compare with."""

from marketdata_pipelines.domain.quality.records import Level, Severity
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID, QualityRule
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting
from marketdata_pipelines.settings.nodes import Node


def read_quality(node: Node) -> QualitySpec:
    """What a feed says about its quality.

    Errors: SettingsInvalid naming the line, for levels, rules, severities and limits there are not.
    """
    node.check_keys(("level", "rules", "sample", "compare_with"))
    level, rules, sample, others = (node.get(key) for key in ("level", "rules", "sample", "compare_with"))
    return QualitySpec(
        level=Level.STANDARD if level is None else level.choice(Level),
        rules=() if rules is None else tuple(_setting(name, each) for name, each in rules.items()),
        sample=None if sample is None else sample.read(_share),
        compare_with=() if others is None else others.texts(),
    )


def _setting(name: str, node: Node) -> RuleSetting:
    rule = QUALITY_RULE_BY_ID.get(name)
    if rule is None:
        raise node.fail(f"is no quality rule; use one of: {', '.join(QUALITY_RULE_BY_ID)}")
    node.check_keys(("severity", *rule.limits))
    severity = node.get("severity")
    chosen = None if severity is None else severity.read(_severity)
    if severity is not None and chosen == Severity.BLOCK and not rule.can_block:
        raise severity.fail(
            "cannot be block: the rule reads more than its partition, such as earlier sessions, which may be walked "
            "later than this one; use warn or off"
        )
    return RuleSetting(
        rule=name,
        severity=Severity(chosen) if chosen not in (None, "off") else None,
        limits=_limits(rule, node),
        off=chosen == "off",
    )


def _limits(rule: QualityRule, node: Node) -> tuple[tuple[str, float], ...]:
    found = ((name, node.get(name)) for name in rule.limits)
    return tuple((name, each.read(_number)) for name, each in found if each is not None)


def _severity(text: str) -> str:
    if text not in ("block", "warn", "off"):
        raise ValueError(f"{text!r} is no severity; use block, warn or off")
    return text


def _number(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(f"{text!r} is no limit; use a number of 0 or more")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise ValueError(f"{text!r} is no share; use a number above 0, up to 1")
    return value
