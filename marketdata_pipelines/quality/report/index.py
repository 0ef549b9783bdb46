"""The list of a feed's quality reports: read from the heads of their pages, drawn as a page of its own."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from marketdata_pipelines.quality.report.headline import grade_class
from marketdata_pipelines.quality.report.markup import (
    NOTHING,
    count_text,
    counted,
    instant_text,
    joined,
    range_text,
    score_text,
    text,
)
from marketdata_pipelines.quality.report.page import page_text
from marketdata_pipelines.quality.report.tables import numbers, table

_COLUMNS = (
    ("Sessions", ""), ("Grade", ""), ("Score", "n"), ("Blocking", "n"), ("Warnings", "n"), ("Rejected rows", "n"),
    ("Withheld", "n"), ("Made (UTC)", ""),
)  # fmt: skip
_FACTS = re.compile(r'<meta name="marketdata-report" content="([^"]*)">')


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One report: its file name, its range, and its headline."""

    name: str
    start: date
    end: date
    score: float | None
    grade: str
    blocking: int
    warnings: int
    rejected: int
    withheld: int
    made_us: int


def read_entry(name: str, head: str) -> IndexEntry | None:
    """What the beginning of a page says of it; None where it is no report."""
    found = _FACTS.search(head)
    try:
        facts = json.loads(html.unescape(found.group(1))) if found else None
        if not facts:
            return None
        start, end = date.fromisoformat(facts.pop("start")), date.fromisoformat(facts.pop("end"))
        return IndexEntry(name, start, end, **facts)
    except (ValueError, KeyError, TypeError):
        return None


def render_index(feed: str, entries: Sequence[IndexEntry]) -> str:
    """The page; entries in the order given."""
    rows = joined(_row(entry) for entry in entries)
    table_text = table("Reports", _COLUMNS, rows)
    nothing = f'<p class="none">There are none yet; run: <code>marketdata quality {text(feed)} --report</code></p>'
    links = '<ul><li><a href="latest.html">The newest report</a></li></ul>' if entries else ""
    newest = f'<nav aria-label="Newest">{links}</nav>' if entries else ""
    body = (
        f'<header class="top"><p class="kicker">Quality reports</p><h1>{text(feed)}</h1>'
        f'<p class="soft">{counted(len(entries), "report")}, the newest first</p>{newest}</header>'
        f'<main id="main"><section aria-label="Reports">{table_text if entries else nothing}</section></main>'
    )
    return page_text(f"{feed}: quality reports", body)


def _row(entry: IndexEntry) -> str:
    letter = text(entry.grade) if entry.grade else NOTHING
    counts = map(count_text, (entry.blocking, entry.warnings, entry.rejected, entry.withheld))
    return (
        f'<tr><th scope="row"><a href="{text(entry.name)}">{range_text(entry.start, entry.end)}</a></th>'
        f'<td><span class="cell {grade_class(entry.grade)}">{letter}</span></td>'
        f"{numbers(score_text(entry.score), *counts)}"
        f"<td>{instant_text(entry.made_us // 60_000_000 * 60_000_000)}</td></tr>"
    )
