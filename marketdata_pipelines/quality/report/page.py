"""One quality report as one HTML file: nothing in it is loaded from anywhere, and only its own script may run.

The same data give the same bytes. What the parts hold is in the modules beside this one.
"""

import base64
import hashlib
import json
from functools import lru_cache
from importlib.resources import files
from string import Template

from marketdata_pipelines.quality.report import plots
from marketdata_pipelines.quality.report.candles import charts
from marketdata_pipelines.quality.report.findings import findings_section
from marketdata_pipelines.quality.report.headline import dimensions, verdict
from marketdata_pipelines.quality.report.heat import heat_section
from marketdata_pipelines.quality.report.kept_out import rejected_section, withheld_section
from marketdata_pipelines.quality.report.markup import (
    count_text,
    counted,
    day_text,
    instant_text,
    joined,
    number_text,
    percent_text,
    range_text,
    safe_url,
    score_text,
    text,
)
from marketdata_pipelines.quality.report.records import Histogram, ReportData, Score
from marketdata_pipelines.quality.report.tables import numbers, table

_TREND = (("Session", ""), ("Score", "n"), ("Grade", ""), ("Bars", "n"), ("Rejected", "n"), ("Findings", "n"))
_ROOM = "marketdata_pipelines.quality.report"


def render_report(data: ReportData) -> str:
    """The whole page."""
    feed = data.feed
    when = range_text(data.start, data.end)
    about = ", ".join(
        part
        for part in (feed.description, f"{feed.interval} bars", f"calendar {feed.calendar}", "all times UTC")
        if part
    )
    sections = (
        verdict(data), withheld_section(data.withheld), dimensions(data), _trend_section(data), heat_section(data),
        findings_section(data), charts(feed, data.charts), _bars_section(data), rejected_section(data),
    )  # fmt: skip
    body = (
        f'<header class="top"><p class="kicker">Quality report</p><h1>{text(feed.name)}</h1>'
        f'<p class="when">{text(when)}</p><p class="soft">{text(about)}</p>{_links(data)}</header>'
        f'<main id="main">{joined(sections)}</main>{_about(data)}'
    )
    return page_text(f"{feed.name}, {when}: quality", body, facts=_facts(data))


def page_text(title: str, body: str, *, facts: str = "") -> str:
    """A page in the report's style around a body that is HTML; `facts` is what the list of reports reads of it."""
    script = _part("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Template(_part("page.html")).substitute(
        title=text(title), facts=text(facts), script_hash=f"sha256-{digest}", style=_part("report.css"), body=body,
        script=script,
    )  # fmt: skip


@lru_cache(maxsize=8)
def _part(name: str) -> str:
    return files(_ROOM).joinpath(name).read_text("utf-8")


def _facts(data: ReportData) -> str:
    """What a list of reports tells of this one, for `index.read_entry`."""
    score = data.score
    found: dict[str, object] = {
        "start": data.start.isoformat(),
        "end": data.end.isoformat(),
        "score": None if score is None else score.score,
        "grade": "" if score is None else score.grade,
        "blocking": data.blocking,
        "warnings": data.warnings,
        "rejected": data.rejections.rows,
        "withheld": len(data.withheld),
        "made_us": data.origin.made_us,
    }
    return json.dumps(found, separators=(",", ":"))


def _links(data: ReportData) -> str:
    found = (("All reports", "index.html"), ("Data Docs", data.origin.docs_url), ("Dagster run", data.origin.run_url))
    links = joined(f'<li><a href="{text(url)}">{name}</a></li>' for name, given in found if (url := safe_url(given)))
    return f'<nav aria-label="Elsewhere"><ul>{links}</ul></nav>'


def _trend_section(data: ReportData) -> str:
    first_inside = sum(score.end < data.start for score in data.trend)
    drawn = plots.trend(data.trend, first_inside)
    if not drawn:
        return ""
    rows = joined(_trend_row(score) for score in reversed(data.trend))
    return (
        f'<section aria-labelledby="trend"><h2 id="trend">Score over {counted(len(data.trend), "session")}</h2>{drawn}'
        f"<details><summary>As a table</summary>{table('Scores by session', _TREND, rows)}</details></section>"
    )


def _trend_row(score: Score) -> str:
    blocked = ' <span class="sev block">blocked</span>' if score.blocked else ""
    counts = map(count_text, (score.bars, score.rejected_rows, score.findings))
    return (
        f'<tr><th scope="row">{day_text(score.end)}</th>{numbers(score_text(score.score))}'
        f"<td>{text(score.grade)}{blocked}</td>{numbers(*counts)}</tr>"
    )


def _bars_section(data: ReportData) -> str:
    if not data.histograms and not data.gaps:
        return ""
    drawn = joined(_histogram(found) for found in data.histograms)
    return (
        '<section aria-labelledby="shape"><h2 id="shape">How the bars lie</h2>'
        f'<div class="pair">{drawn}</div>{_gaps(data)}</section>'
    )


def _histogram(found: Histogram) -> str:
    before = (
        f', <span class="key line"></span> the sessions before ({found.before_values:,})' if found.before_shares else ""
    )
    return (
        f'<div class="panel"><h3>{text(found.title)}</h3><p class="soft"><span class="key box"></span> this report '
        f"({found.values:,} bars){before}. Share of bars; in {text(found.axis)}, beyond the ends counted at them.</p>"
        f"{plots.histogram(found)}</div>"
    )


def _gaps(data: ReportData) -> str:
    if not data.gaps:
        return ""
    missing, expected = (sum(getattr(each, name) for each in data.gaps) for name in ("missing", "expected"))
    width = data.gaps[0].minutes
    head = '<div class="panel"><h3>Missing bars by time of day</h3>'
    if not missing:
        return (
            f'{head}<p class="none">Of {expected:,} bars that regular trading has room for none is missing.</p></div>'
        )
    return (
        f'{head}<p class="soft">{missing:,} of {expected:,} bars that regular trading has room for are missing '
        f"({percent_text(missing / expected)}), of symbols that have at least half of theirs; share by {width} min, "
        f"UTC.</p>{plots.gap_plot(data.gaps)}</div>"
    )


def _about(data: ReportData) -> str:
    origin, feed = data.origin, data.feed
    known = "nothing was taken in" if origin.known_at_us is None else f"{instant_text(origin.known_at_us)} UTC"
    sample = (
        "every symbol-session" if feed.sample is None else f"{number_text(100 * feed.sample)} % of the symbol-sessions"
    )
    facts = [
        ("Made", f"{instant_text(origin.made_us)} UTC"),
        ("Known at", known),
        ("Level", f"{feed.level}; statistics look at {sample}"),
        ("Times", "UTC; bars are named by their open, sessions by the exchange's date"),
        *((name.capitalize(), version) for name, version in origin.versions),
    ]
    rows = joined(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts)
    notes = joined(f"<li>{text(note)}</li>" for note in origin.notes)
    listed = f"<h3>Sampled or left out</h3><ul>{notes}</ul>" if notes else ""
    return f"<footer><h2>About this report</h2><dl>{rows}</dl>{listed}</footer>"
