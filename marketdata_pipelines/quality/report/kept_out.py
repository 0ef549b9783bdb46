"""What was kept out, as parts of the page: withheld partitions with their reasons, and rejected rows by rule."""

from collections.abc import Sequence

from marketdata_pipelines.quality.report.markup import (
    command,
    count_text,
    counted,
    instant_text,
    joined,
    named,
    text,
)
from marketdata_pipelines.quality.report.records import RejectedExample, RejectedRule, ReportData, Withheld
from marketdata_pipelines.quality.report.tables import table

_COLUMNS = (("File", ""), ("Line", "n"), ("Symbol", ""), ("Time (UTC)", ""), ("Row as it stands there", ""))


def withheld_section(found: Sequence[Withheld]) -> str:
    """Each partition that serves nothing or has no verdict, why, and the command that goes on from there."""
    if not found:
        return ""
    items = joined(
        f'<li><b>{text(each.partition)}</b> <span class="sev block">{text(each.state)}</span> {text(each.reason)}'
        f"<code>{text(each.command)}</code></li>"
        for each in found
    )
    return (
        '<section aria-labelledby="withheld" class="withheld"><h2 id="withheld">Withheld partitions</h2>'
        '<p class="soft">Nothing downstream of a blocked partition is served; its neighbours are.</p>'
        f"<ul>{items}</ul></section>"
    )


def rejected_section(data: ReportData) -> str:
    """How many rows each rule kept out, with the first of them as they stand in their source."""
    found = data.rejections
    head = '<section aria-labelledby="rejected"><h2 id="rejected">Rejected rows</h2>'
    replaced = f" {counted(found.replaced, 'good row')} gave way to a later ingest." if found.replaced else ""
    if not found.rows:
        return f'{head}<p class="none">Every row was accepted.{replaced}</p></section>'
    line = command(
        "marketdata", "rejected", data.feed.name, "--start", data.start.isoformat(), "--end", data.end.isoformat()
    )
    rules = joined(_rule(rule) for rule in found.rules)
    return (
        f'{head}<p class="soft">{counted(found.rows, "row")} kept out, with their reasons.{replaced} A row that breaks '
        f"several rules counts for each.</p>{rules}<code>{text(line)}</code></section>"
    )


def _rule(rule: RejectedRule) -> str:
    rows = joined(_example(example) for example in rule.examples)
    because = f' <span class="soft">{text(rule.text)}</span>' if rule.text else ""
    head = f'<h3><span class="count">{count_text(rule.rows)}</span> {text(rule.rule)}{because}</h3>'
    return head + table(f"First rows of {rule.rule}", _COLUMNS, rows, class_="rows stack")


def _example(example: RejectedExample) -> str:
    line = example.line if example.line is not None else example.row
    when = instant_text(example.ts_us) if example.ts_us is not None else ""
    symbol = "" if example.symbol is None else named(example.symbol)
    original = (
        f"<code>{text(example.original)}</code>" if example.original is not None else '<i class="soft">not kept</i>'
    )
    return (
        f'<tr><td class="source">{text(example.file)}</td><td class="n">{count_text(line)}</td><td>{symbol}</td>'
        f"<td>{when}</td><td>{original}</td></tr>"
    )
