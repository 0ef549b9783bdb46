"""The head of a report: the grade, what it is made of, what changed, and each dimension with its course."""

from collections.abc import Iterator

from marketdata_pipelines.domain.quality.records import Dimension
from marketdata_pipelines.quality.report.markup import (
    change_text,
    count_text,
    counted,
    day_text,
    joined,
    named,
    percent_text,
    range_text,
    score_text,
    text,
)
from marketdata_pipelines.quality.report.plots import sparkline
from marketdata_pipelines.quality.report.records import ReportData, Score, Topic

# What each dimension asks, as a reader would.
QUESTIONS = {
    Dimension.COMPLETENESS: "Is everything there?",
    Dimension.ACCURACY: "Are the prices believable?",
    Dimension.CONSISTENCY: "Do the numbers agree?",
    Dimension.VALIDITY: "Is each value allowed?",
    Dimension.TIMELINESS: "Does each bar lie in its time?",
    Dimension.UNIQUENESS: "Is each bar there once?",
}


def verdict(data: ReportData) -> str:
    """The grade with its score, the figures it rests on, and what changed."""
    return (
        f'<section class="verdict" aria-label="Verdict">{_grade(data)}<dl class="facts">{joined(_facts(data))}</dl>'
        f"{_changes(data)}{_moves(data)}</section>"
    )


def dimensions(data: ReportData) -> str:
    """A card a dimension: score, change, and its course over the sessions of the trend."""
    if data.score is None:
        return ""
    cards = joined(_card(data, dimension, data.score.of(dimension)) for dimension in Dimension)
    return (
        '<section aria-labelledby="dimensions"><h2 id="dimensions">Six dimensions</h2>'
        f'<ul class="cards">{cards}</ul></section>'
    )


def grade_class(grade: str) -> str:
    """The class that colours a grade."""
    return f"g{grade}" if len(grade) == 1 and grade in "ABCDEF" else "g0"


def _grade(data: ReportData) -> str:
    score = data.score
    if score is None:
        return (
            '<div class="grade"><span class="letter g0" aria-hidden="true">?</span><p class="score">Not judged</p>'
            '<p class="soft">No session of this range has scores.</p></div>'
        )
    moved = _moved(score.score, data.change.before.score if data.change else None)
    blocked = f'<p class="flag">{counted(score.blocked, "blocked session")}</p>' if score.blocked else ""
    letter = f'<span class="letter {grade_class(score.grade)}" aria-hidden="true">{text(score.grade)}</span>'
    return (
        f'<div class="grade">{letter}<p class="score">'
        f'<span class="sr">Grade {text(score.grade)}, score </span>{score_text(score.score)}'
        f'<small> of 100</small></p><p class="level">{text(score.quality)}</p>{moved}{blocked}</div>'
    )


def _moved(now: float | None, before: float | None) -> str:
    if now is None or before is None:
        return ""
    change = round(now - before, 1)
    if not change:
        return '<p class="moved">unchanged</p>'
    arrow, word = ("▲", "up") if change > 0 else ("▼", "down")
    return f'<p class="moved {word}"><span aria-hidden="true">{arrow}</span> {change_text(change)}</p>'


def _facts(data: ReportData) -> Iterator[str]:
    score = data.score
    if score is not None:
        of = f" of {count_text(score.expected)} expected" if score.expected else ""
        yield _fact("Bars", count_text(score.bars), of.strip())
    sessions = f"on {counted(score.sessions, 'session')}" if score and score.sessions > 1 else ""
    yield _fact("Symbols", count_text(data.symbols), sessions)
    replaced = f", {count_text(data.replaced_findings)} more on replaced rows" if data.replaced_findings else ""
    found = data.blocking + data.warnings
    kinds = f"{count_text(data.blocking)} blocking" if data.blocking else "none of them blocks" if found else ""
    yield _fact("Findings", count_text(found), kinds + replaced)
    raw = score.raw_rows if score else 0
    share = f"{percent_text(data.rejections.rows / raw)} of {counted(raw, 'raw row')}" if raw else ""
    yield _fact("Rejected rows", count_text(data.rejections.rows), share)
    if data.withheld:
        yield _fact("Withheld", counted(len(data.withheld), "partition"), "see below")


def _fact(name: str, value: str, more: str) -> str:
    small = f" <small>{text(more)}</small>" if more else ""
    return f"<div><dt>{text(name)}</dt><dd>{value}{small}</dd></div>"


def _changes(data: ReportData) -> str:
    if data.change is None or data.score is None:
        nothing = "There is no session before to compare with."
        return f'<div class="changes"><h2>What changed</h2><p class="soft">{nothing}</p></div>'
    now, before = data.score, data.change.before
    each = "" if now.sessions == before.sessions == 1 else " a session"
    lines = [
        _line("Grade", text(before.grade or "none"), text(now.grade or "none")),
        _line("Score", score_text(before.score), score_text(now.score)),
        _line(f"Bars{each}", _per_session(before.bars, before), _per_session(now.bars, now)),
        _line(f"Rejected rows{each}", _per_session(before.rejected_rows, before), _per_session(now.rejected_rows, now)),
    ]
    return (
        f'<div class="changes"><h2>{_since(before)}</h2><table class="plain"><thead><tr><td></td>'
        f'<th scope="col">then</th><th scope="col">now</th></tr></thead><tbody>{joined(lines)}</tbody></table></div>'
    )


def _moves(data: ReportData) -> str:
    """Which findings came and which went."""
    if data.change is None:
        return ""
    opened = _topics("New", data.change.opened_count, data.change.opened)
    return f'<div class="moves">{opened}{_topics("Gone", data.change.resolved_count, data.change.resolved)}</div>'


def _since(before: Score) -> str:
    if before.sessions == 1:
        return f"Since {day_text(before.end)}"
    return f"Since the {before.sessions} sessions before <small>{range_text(before.start, before.end)}</small>"


def _per_session(count: int, score: Score) -> str:
    return count_text(round(count / score.sessions))


def _line(name: str, then: str, now: str) -> str:
    same = ' class="same"' if then == now else ""
    return f'<tr{same}><th scope="row">{name}</th><td>{then}</td><td>{now}</td></tr>'


def _topics(title: str, count: int, topics: tuple[Topic, ...]) -> str:
    if not count:
        return f'<div class="topics"><p><b>{title}</b> <span class="soft">no finding</span></p></div>'
    shown = joined(f"<li>{text(topic.rule)} {named(topic.symbol)}</li>" for topic in topics)
    more = f"<li>and {count_text(count - len(topics))} more</li>" if count > len(topics) else ""
    head = f"<p><b>{title}</b> {counted(count, 'finding')}</p>"
    return f'<div class="topics">{head}<ul class="tags">{shown}{more}</ul></div>'


def _card(data: ReportData, dimension: Dimension, score: float | None) -> str:
    before = data.change.before.of(dimension) if data.change else None
    course = [each.of(dimension) for each in data.trend]
    known = [value for value in course if value is not None]
    label = f"{dimension} over {counted(len(course), 'session')}, lowest {score_text(min(known, default=None))}"
    return (
        f'<li class="card"><h3>{dimension.value.capitalize()}</h3><p class="score">{score_text(score)}</p>'
        f'{_moved(score, before)}{sparkline(course, label)}<p class="soft">{QUESTIONS[dimension]}</p></li>'
    )
