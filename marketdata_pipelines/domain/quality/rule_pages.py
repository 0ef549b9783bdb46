"""The page of all rules as Markdown, made from the lists the rules live in: `rules` and `rules`.

It says nothing that is not in these lists; `docs/QUALITY_RULES.md` is this text.
"""

from collections.abc import Iterable, Iterator, Sequence

from marketdata_pipelines.domain.quality.records import Dimension, Level, Severity
from marketdata_pipelines.domain.quality.rule_dimensions import ROW_DIMENSION
from marketdata_pipelines.domain.quality.rule_reasons import reason_of
from marketdata_pipelines.domain.quality.rules import QUALITY_RULES, QualityRule
from marketdata_pipelines.domain.quality.rules import Scope as QualityScope
from marketdata_pipelines.domain.rules import RULES, Rule, Scope

_HEAD = """\
# Quality rules

<!-- Made by `marketdata quality --rules`. Change the rules, then write this file anew. -->

A rule says what holds for good data; what breaks it is a finding. **Row rules** judge each row as it is taken in and
keep bad ones out, with their reason and place. **Quality rules** judge what was let in, and how much of it came:
`block` withholds everything downstream of the partition, `warn` is told and scored.
`marketdata quality FEED --findings` lists findings, `marketdata rejected FEED --findings` the source rows behind them.
"""

_SETTINGS = """\
## How a feed changes them

In `feeds.yaml`, below the feed; everything is optional:

```yaml
quality:
  level: standard            # none, basic, standard, strict or custom
  rules:
    long_gap: {severity: block, most: 30}
    tick_size: {severity: off}
  sample: 0.2                # share of the symbols that warnings look at; blocking rules see every row
  compare_with: [other_feed]
```

A rule that is named is on, whatever the level. Limits that are left out keep their defaults. A rule marked *history*
reads earlier sessions, which may be walked later: it can warn, never block.
"""

_ROWS = """\
A row that breaks one of these is rejected. `superseded` and `deleted` are no defects: a later file replaced the row.
"""
_LEVELS = {
    Level.NONE: "nothing but row rules; no scores",
    Level.BASIC: "the rules that bars must keep to be bars at all",
    Level.STANDARD: "basic, and the statistical ones; the default",
    Level.STRICT: "as standard, and every rule without history blocks",
    Level.CUSTOM: "only the rules a feed names",
}
_DIMENSIONS = {
    Dimension.COMPLETENESS: "is everything there that should be",
    Dimension.ACCURACY: "are the values those that traded",
    Dimension.CONSISTENCY: "do values agree with each other, with other bars, with other sources",
    Dimension.VALIDITY: "is each value of the kind it must be",
    Dimension.TIMELINESS: "is it of the time it says, and was it there in time",
    Dimension.UNIQUENESS: "is everything there once",
}
_SCOPES = {
    QualityScope.BAR: "each bar",
    QualityScope.SYMBOL_SESSION: "each symbol on each session date",
    QualityScope.PARTITION: "each partition as a whole",
    QualityScope.FEEDS: "two feeds side by side",
}


def rules_page() -> str:
    """Every rule that judges data, as one Markdown page that ends with a newline.

    Quality rules with dimension, severity, level, scope, formula, limits and defect kinds; row rules with dimension;
    then those about whole files.
    """
    parts = [
        _HEAD,
        "## Words\n",
        _table(("dimension", "it asks"), ((str(each), text) for each, text in _DIMENSIONS.items())),
        _table(("level", "what is looked at"), ((str(each), text) for each, text in _LEVELS.items())),
        _SETTINGS,
        "## Quality rules\n",
        _overview(QUALITY_RULES),
        *(_section(rule) for rule in QUALITY_RULES),
        "## Row rules\n",
        _ROWS,
        _table(("rule", "dimension", "rejected because", "defect kinds"), _row_rules()),
        "## Rules about whole files\n",
        _table(("rule", "then the file is", "because", "defect kinds"), _file_rules()),
    ]
    return "\n".join(parts)


def _overview(rules: Sequence[QualityRule]) -> str:
    head = ("rule", "dimension", "severity", "level", "asked of")
    return _table(
        head, ((f"[{r.id}](#{r.id})", str(r.dimension), _severity(r), str(r.level), str(r.scope)) for r in rules)
    )


def _section(rule: QualityRule) -> str:
    lines = [f"### {rule.id}", "", rule.text]
    reason = reason_of(rule)
    if reason:
        lines[-1] += f" {reason}"
    history = ", reads earlier sessions (history)" if rule.needs_history else ""
    facts = [
        f"- {rule.dimension}, {_severity(rule)}, from level {rule.level} on, asked of {_SCOPES[rule.scope]}{history}",
        f"- holds where: `{rule.formula}`",
    ]
    if rule.limits:
        limits = ", ".join(f"{name}: {_number(value)}" for name, value in rule.limits.items())
        facts.append(f"- limits and their defaults, in `feeds.yaml`: `quality: {{rules: {{{rule.id}: {{{limits}}}}}}}`")
    if rule.kinds:
        facts.append(f"- finds: {', '.join(rule.kinds)}")
    return "\n".join([*lines, "", *facts, ""])


def _severity(rule: QualityRule) -> str:
    return "blocks" if rule.severity is Severity.BLOCK else "warns"


def _row_rules() -> Iterator[tuple[str, ...]]:
    for rule in RULES:
        if rule.scope is Scope.ROW:
            dimension = ROW_DIMENSION.get(rule.id)
            yield rule.id, str(dimension) if dimension is not None else "", rule.text, _kinds(rule)


def _file_rules() -> Iterator[tuple[str, ...]]:
    for rule in RULES:
        if rule.scope is not Scope.ROW:
            outcome = "refused" if rule.scope is Scope.FILE else "taken in, and told"
            yield rule.id, outcome, rule.text, _kinds(rule)


def _kinds(rule: Rule) -> str:
    return ", ".join(rule.kinds)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _number(value: float) -> str:
    return f"{value:g}"
