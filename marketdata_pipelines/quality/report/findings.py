"""The findings of a report as tables: by rule, and one by one, to be sorted and filtered."""

from collections.abc import Iterator, Sequence

from marketdata_pipelines.quality.report.markup import (
    attributes,
    count_text,
    counted,
    joined,
    named,
    number_text,
    text,
    visible,
)
from marketdata_pipelines.quality.report.places import commands, source, span
from marketdata_pipelines.quality.report.records import FeedFacts, FindingRow, ReportData, RuleCount
from marketdata_pipelines.quality.report.tables import numbers, table

_BY_RULE = (
    ("Severity", ""), ("Rule broken", ""), ("Dimension", ""), ("Findings", "n"), ("Symbols", "n"), ("Sessions", "n"),
    ("What should hold", ""),
)  # fmt: skip
_COLUMNS = (
    ("Severity", ""), ("Rule", ""), ("Symbol", ""), ("Session", ""), ("Time (UTC)", ""), ("Bars", "n"), ("Value", "n"),
    ("Limit", "n"), ("What was found", ""),
)  # fmt: skip


def findings_section(data: ReportData) -> str:
    """Both tables; a sentence where nothing was found."""
    head = '<section aria-labelledby="findings"><h2 id="findings">Findings</h2>'
    if not data.findings:
        return f'{head}<p class="none">No rule is broken.</p></section>'
    return f"{head}{_by_rule(data.rules)}{_one_by_one(data)}</section>"


def severity_mark(severity: str) -> str:
    """A severity as a small mark that is read as a word."""
    kind = severity if severity in ("block", "warn") else "other"
    return f'<span class="sev {kind}">{text(severity)}</span>'


def _by_rule(rules: Sequence[RuleCount]) -> str:
    rows = joined(
        f'<tr><td>{severity_mark(each.severity)}</td><th scope="row">{text(each.rule)}</th>'
        f"<td>{text(each.dimension)}</td>"
        f"{numbers(*map(count_text, (each.findings, each.symbols, each.sessions)))}"
        f'<td class="say">{text(each.text)}</td></tr>'
        for each in rules
    )
    return table("Findings by rule", _BY_RULE, rows, class_="stack by-rule") if rules else ""


def _one_by_one(data: ReportData) -> str:
    total, listed = data.blocking + data.warnings + data.replaced_findings, len(data.findings)
    shown = f"The {listed} most severe of {total:,}" if total > listed else counted(total, "finding")
    places = {id_of(chart.finding): number for number, chart in enumerate(data.charts)}
    rows = joined(_row(data.feed, finding, places.get(id_of(finding))) for finding in data.findings)
    return (
        f'<h3>One by one</h3><p class="soft">{shown}; blocking ones and the furthest beyond their limit first.</p>'
        f'<div class="tools" hidden>{_filters(data.findings)}<span id="found-count" role="status"></span></div>'
        f"{table('Findings one by one', _COLUMNS, rows, id_='found', class_='sortable stack', tall=True)}"
    )


def id_of(finding: FindingRow) -> tuple[str | None, int | None, int | None, object]:
    """What a chart and the findings it shows have in common."""
    return finding.symbol, finding.ts_us, finding.ts_last_us, finding.session_date


def _filters(findings: Sequence[FindingRow]) -> str:
    rules = sorted({finding.rule for finding in findings})
    severities = sorted({finding.severity for finding in findings})
    return (
        f'<span><label for="found-rule">Rule</label> <select id="found-rule">{joined(_options("all rules", rules))}'
        '</select></span><span><label for="found-severity">Severity</label> '
        f'<select id="found-severity">{joined(_options("all", severities))}</select></span>'
        '<span><label for="found-symbol">Symbol contains</label> '
        '<input type="search" id="found-symbol" autocomplete="off"></span>'
    )


def _options(every: str, names: Sequence[str]) -> Iterator[str]:
    yield f'<option value="">{every}</option>'
    for name in names:
        yield f"<option{attributes(value=name)}>{text(name)}</option>"


def _row(feed: FeedFacts, finding: FindingRow, chart: int | None) -> str:
    rule = text(finding.rule) if chart is None else f'<a href="#c{chart}">{text(finding.rule)}</a>'
    replaced = "" if finding.standing else ' <span class="tag">row replaced since</span>'
    lines = joined(f"<code>{text(line)}</code>" for line in commands(feed, finding))
    closer = f"<details><summary>Look closer</summary>{lines}</details>" if lines else ""
    place = f'<br><span class="source">{text(source(finding))}</span>' if finding.file else ""
    day = finding.session_date.isoformat() if finding.session_date else ""
    keys = attributes(
        data_rule=finding.rule, data_severity=finding.severity, data_symbol=visible(finding.symbol or "").lower()
    )
    who = f'<td class="one">{named(finding.symbol)}</td><td class="one">{day}</td>'
    times = f'<td class="one"{attributes(data_v=finding.ts_us)}>{text(span(finding))}</td>'
    return (
        f"<tr{keys}><td>{severity_mark(finding.severity)}</td><td>{rule}</td>{who}{times}"
        f"{_number(finding.bars)}{_number(finding.value)}{_number(finding.limit)}"
        f'<td class="say">{text(finding.message)}{replaced}{place}{closer}</td></tr>'
    )


def _number(value: float | int | None) -> str:
    shown = count_text(value) if isinstance(value, int) else number_text(value)
    return f'<td class="n"{attributes(data_v=value)}>{shown}</td>'
