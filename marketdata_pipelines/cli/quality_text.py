"""A feed's quality for people: headline, dimensions, what was found, rejected and blocked, and where reports are."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from marketdata_pipelines.cli.consoles import counted, output, plain
from marketdata_pipelines.domain.quality.records import Dimension
from marketdata_pipelines.serving.quality_summary import DayScore, QualitySummary, RuleCount

_FILE_WIDTH = 160
_SHOWN = 15
_LONGEST = 90
# Lists begin with these columns.
_ORDER = (
    "symbol", "session_date", "dimension", "score", "grade", "quality", "rule", "severity", "ts", "ts_last", "bars",
    "message", "file", "line",
)  # fmt: skip
_LEFT_OUT = ("expected",)
_SCORES = frozenset({*map(str, Dimension), "score", "latest", "worst", "worst_symbol_score"})
_STYLES = {"A": "bold green", "B": "green", "C": "yellow", "D": "red", "F": "bold red"}


def print_summary(summary: QualitySummary, places: Mapping[str, Path]) -> None:
    """Print a summary to standard output; `places` are the reports there are, by name."""
    _print(summary, places, output())


def summary_text(summary: QualitySummary, places: Mapping[str, Path]) -> str:
    """The same as plain text."""
    text = io.StringIO()
    _print(summary, places, Console(file=text, width=_FILE_WIDTH, highlight=False))
    return text.getvalue()


def for_people(found: pa.Table) -> pa.Table:
    """A list as people read it: what matters first, scores with one digit, without what says nothing to them."""
    names = [name for name in _ORDER if name in found.column_names]
    shown = found.select(names + [name for name in found.column_names if name not in (*names, *_LEFT_OUT)])
    for name in _SCORES & set(shown.column_names):
        texts = pa.array([_score(value) for value in shown[name].to_pylist()], pa.string())
        shown = shown.set_column(shown.column_names.index(name), name, texts)
    return shown


def _print(summary: QualitySummary, places: Mapping[str, Path], console: Console) -> None:
    for line in _headline(summary):
        console.print(line, soft_wrap=True)
    console.print(_dimensions(summary))
    for title, grid in _tables(summary):
        console.print()
        console.print(plain(title, "bold"), soft_wrap=True)
        if grid is not None:
            console.print(grid)
    console.print()
    for line in _endings(summary, places):
        console.print(line, soft_wrap=True)


def _headline(summary: QualitySummary) -> Iterator[Text]:
    style = _STYLES.get(summary.grade or "", "bold")
    yield Text.assemble(
        (f"{summary.feed}  ", "bold"),
        (f"{summary.grade or '–'}  {_score(summary.score)}  {summary.level or ''}", style),
    )
    dates = str(summary.last) if summary.first == summary.last else f"{summary.first} to {summary.last}"
    rejected = f"{summary.rejected_rows:,} of {counted(summary.raw_rows, 'row')} rejected"
    symbols = counted(summary.symbols, "symbol")
    yield plain(
        f"{dates}: {counted(summary.sessions, 'session')}, {symbols}, {counted(summary.bars, 'bar')}, {rejected}; "
        f"level {summary.checked}"
    )
    yield plain(_since(summary))


def _since(summary: QualitySummary) -> str:
    latest, before = summary.latest, summary.before
    said = f"latest session {latest.session}: {_graded(latest)}"
    if before is None:
        return f"{said}, the first one scored"
    moved = _moved(latest.score, before.score) or "unchanged"
    return f"{said}, {moved} since {before.session} ({_graded(before)})"


def _graded(day: DayScore) -> str:
    return f"{day.grade or '–'} {_score(day.score)}"


def _dimensions(summary: QualitySummary) -> Table:
    grid = _grid("dimension", ">score", ">latest", ">change")
    for name, score in summary.dimensions.items():
        latest = summary.latest.dimensions.get(name)
        before = summary.before.dimensions.get(name) if summary.before is not None else None
        grid.add_row(name, _score(score), _score(latest), _moved(latest, before))
    return grid


def _tables(summary: QualitySummary) -> Iterator[tuple[str, Table | None]]:
    if summary.blocked:
        blocked = [(each.partition, each.reason) for each in summary.blocked]
        yield f"Blocked: {counted(len(blocked), 'partition')}", _rows(("partition", "reason"), blocked)
    title = f"Findings: {sum(each.findings for each in summary.rules):,}"
    if summary.superseded_findings:
        title += f" ({summary.superseded_findings:,} more in rows that other files replaced)"
    yield title, _findings(summary.rules) if summary.rules else None
    if summary.rejected:
        rejected = [(each.rule, f"{each.rows:,}", _place(each.file, each.line)) for each in summary.rejected]
        yield "Rejected rows", _rows(("rule", ">rows", "for example"), rejected)


def _findings(rules: Sequence[RuleCount]) -> Table:
    head = ("rule", "severity", "dimension", ">findings", ">symbols", ">sessions", "first")
    return _rows(head, [_finding(each) for each in rules])


def _finding(each: RuleCount) -> tuple[str, ...]:
    counts = (f"{count:,}" for count in (each.findings, each.symbols, each.sessions))
    return (each.rule, each.severity, each.dimension, *counts, _first(each))


def _first(each: RuleCount) -> str:
    where = f"{each.first_symbol} " if each.first_symbol else ""
    told = f"{where}{each.first_at.replace('T', ' ')}: {each.first_message}"
    return told if len(told) <= _LONGEST else told[: _LONGEST - 1] + "…"


def _endings(summary: QualitySummary, places: Mapping[str, Path]) -> Iterator[Text]:
    feed, span = summary.feed, f"--start {summary.first} --end {summary.last}"
    if summary.rules:
        yield plain(f"each finding: marketdata quality {feed} {span} --findings", "dim")
        yield plain(f"the rows behind: marketdata rejected {feed} {span} --findings", "dim")
    if summary.disputes:
        yield plain(
            f"{counted(summary.disputes, 'dispute')} with other feeds: marketdata disputes {feed} {span}", "dim"
        )
    for name, path in places.items():
        yield plain(f"{name}: {path}", "dim")
    if not places:
        yield plain(f"no report yet: marketdata quality {feed} --report", "dim")


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table of the first rows, and how many more there are."""
    grid = _grid(*head)
    for row in rows[:_SHOWN]:
        grid.add_row(*[plain(cell) for cell in row])
    if len(rows) > _SHOWN:
        grid.add_row(plain(f"… {len(rows) - _SHOWN:,} more: --json", "dim"))
    return grid


def _grid(*head: str) -> Table:
    """A table; a name that begins with > is aligned to the right."""
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name in head:
        grid.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    return grid


def _place(file: str | None, line: int | None) -> str:
    if file is None:
        return ""
    return file if line is None else f"{file} line {line:,}"


def _score(value: float | None) -> str:
    return "–" if value is None else f"{_shown(value):.1f}"


def _moved(now: float | None, before: float | None) -> str:
    """The difference between what is shown of two scores; empty where there is none."""
    change = 0.0 if now is None or before is None else _shown(now) - _shown(before)
    return f"{change:+.1f}" if abs(change) > 0.01 else ""


def _shown(value: float) -> float:
    # Rounded down: only what is perfect may look so.
    return math.floor(value * 10 + 1e-9) / 10
