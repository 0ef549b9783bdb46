"""What a feed says about its quality: the level, changed rules, sampling, and feeds to compare with.

Which rules there are is in `rules`; here is which of them a feed asks for, with which severity and limits.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from marketdata_pipelines.domain.quality.records import Level, Severity
from marketdata_pipelines.domain.quality.rules import QUALITY_RULES, QualityRule

_RANK = {Level.NONE: 0, Level.BASIC: 1, Level.STANDARD: 2, Level.STRICT: 3}


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """A rule as a feed wants it. `severity` None: as declared; `limits` replace those of the same name."""

    rule: str
    severity: Severity | None = None
    limits: tuple[tuple[str, float], ...] = ()
    off: bool = False


@dataclass(frozen=True, slots=True)
class QualitySpec:
    """A feed's `quality`. `sample`: the share of symbol-sessions that statistics look at, None: all.

    `compare_with` names feeds that declare the same instruments: of the same interval, or daily bars of these minutes.
    """

    level: Level = Level.STANDARD
    rules: tuple[RuleSetting, ...] = ()
    sample: float | None = None
    compare_with: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """12 hex digits that change when anything changes that verdicts depend on."""
        said: list[object] = [self.level, self.sample, self.compare_with]
        said += [[s.rule, s.severity, sorted(s.limits), s.off] for s in sorted(self.rules, key=lambda s: s.rule)]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]


def active_rules(spec: QualitySpec) -> Mapping[str, QualityRule]:
    """The rules a feed asks for, by id, with its own severities and limits.

    `custom` has the rules that are named and no others. `strict` lets every rule block that can: what a walk in any
    order decides must not depend on what was walked before.
    """
    settings = {setting.rule: setting for setting in spec.rules}
    found = {}
    for rule in QUALITY_RULES:
        setting = settings.get(rule.id, RuleSetting(rule.id))
        if setting.off or not _is_asked(rule, spec.level, rule.id in settings):
            continue
        strict = spec.level is Level.STRICT and rule.can_block
        severity = setting.severity or (Severity.BLOCK if strict else rule.severity)
        found[rule.id] = replace(rule, severity=severity, limits={**rule.limits, **dict(setting.limits)})
    return found


def _is_asked(rule: QualityRule, level: Level, named: bool) -> bool:
    if level is Level.CUSTOM:
        return named
    return named or _RANK[rule.level] <= _RANK[level]
