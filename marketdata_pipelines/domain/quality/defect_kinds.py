"""Which kinds of defects every rule names, row and quality rules together; labelled files are scored by it."""

from marketdata_pipelines.domain.quality.rules import QUALITY_RULES
from marketdata_pipelines.domain.rules import defect_kinds


def quality_kinds() -> dict[str, list[str]]:
    """{quality rule id: defect kinds it names}."""
    return {rule.id: list(rule.kinds) for rule in QUALITY_RULES if rule.kinds}


def named_kinds() -> dict[str, list[str]]:
    """{rule id: defect kinds it names} of row rules, rules about whole files, and quality rules."""
    return {**defect_kinds(), **quality_kinds()}
