"""The map of symbols by sessions: a letter a cell, coloured, the worst symbols first; a filter finds the others."""

import json
from collections.abc import Sequence
from datetime import date
from itertools import groupby

from marketdata_pipelines.quality.report.headline import grade_class
from marketdata_pipelines.quality.report.markup import (
    NOTHING,
    count_text,
    counted,
    day_text,
    joined,
    month_text,
    named,
    score_text,
    text,
)
from marketdata_pipelines.quality.report.records import HeatMap, HeatRow, ReportData

# Rows on the page at once; the others are there as data for the filter.
SHOWN = 60


def heat_section(data: ReportData) -> str:
    """The map with its filter; empty where nothing was scored."""
    heat = data.heat
    if heat is None:
        return ""
    rows = joined(_row(row) for row in heat.rows[:SHOWN])
    count = len(heat.rows)
    shown = f"the {SHOWN} worst of {count_text(count)}" if count > SHOWN else counted(count, "symbol")
    return (
        '<section aria-labelledby="map"><h2 id="map">Symbols by session</h2>'
        f'<p class="soft">{shown.capitalize() if shown[0].isalpha() else shown}, worst of this report first. '
        f"{_legend()}</p>"
        '<div class="tools" hidden><span><label for="map-filter">Symbol contains</label> '
        '<input type="search" id="map-filter" autocomplete="off"></span><span><input type="checkbox" id="map-scores"> '
        '<label for="map-scores">Scores in place of letters</label></span>'
        '<span id="map-count" role="status"></span></div>'
        '<div class="scroll" role="region" aria-label="Map of symbols by session" tabindex="0"><table class="map">'
        f"{_head(heat.sessions, data.start)}<tbody>{_row(heat.whole, 'Whole feed')}</tbody>"
        f'<tbody id="heat-rows">{rows}</tbody></table></div>'
        f'<script type="application/json" id="heat-data">{_data(heat)}</script></section>'
    )


def json_text(value: object) -> str:
    """JSON that can stand inside a script element, whatever its texts hold."""
    plain = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _legend() -> str:
    letters = joined(f'<span class="cell {grade_class(letter)}">{letter}</span> ' for letter in "ABCDF")
    return f'<span class="legend">{letters}<span class="cell g0">{NOTHING}</span> not scored</span>'


def _head(sessions: Sequence[date], start: date) -> str:
    months = joined(_month(month, len(list(days))) for month, days in groupby(sessions, month_text))
    days = joined(f'<th scope="col" title="{day_text(day)}"{_of_report(day, start)}>{day.day}</th>' for day in sessions)
    return f'<thead><tr><td></td>{months}</tr><tr><th scope="col">Symbol</th>{days}</tr></thead>'


def _month(month: str, days: int) -> str:
    """The head of a month; over few days its name alone, so that they are no wider than others."""
    name = month if days >= 3 else f'<abbr title="{month}">{month.split()[0]}</abbr>'
    return f'<th scope="colgroup" colspan="{days}">{name}</th>'


def _of_report(day: date, start: date) -> str:
    return ' class="now"' if day >= start else ""


def _row(row: HeatRow, name: str | None = None) -> str:
    cells = joined(_cell(score, grade) for score, grade in zip(row.scores, row.grades, strict=True))
    return f'<tr><th scope="row">{text(name) if name else named(row.symbol)}</th>{cells}</tr>'


def _cell(score: float | None, grade: str) -> str:
    if score is None:
        return f'<td class="g0">{NOTHING}</td>'
    return f'<td class="{grade_class(grade)}" title="{score_text(score)}">{text(grade)}</td>'


def _data(heat: HeatMap) -> str:
    """The symbols, and for each a letter a session (` `: not scored) and the scores times ten."""
    rows = [
        [
            row.symbol,
            "".join(
                grade[:1] or " " if score is not None else " "
                for score, grade in zip(row.scores, row.grades, strict=True)
            ),
            [None if score is None else int(score * 10 + 1e-6) for score in row.scores],
        ]
        for row in heat.rows
    ]
    return json_text({"shown": SHOWN, "rows": rows})
