"""Lines and bars as inline SVG that stretches to its box, with labels as text beside it that never stretch.

Pictures only: what is drawn is decided by who asks. Coordinates inside the SVG are percent of the box.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby

from marketdata_pipelines.quality.report.markup import (
    count_text,
    counted,
    day_text,
    joined,
    month_text,
    number_text,
    percent_text,
    score_text,
    text,
)
from marketdata_pipelines.quality.report.records import GapBin, Histogram, Score

# Where grades begin; drawn as lines behind the course of the score.
GRADES = (("A", 90.0), ("B", 70.0), ("C", 50.0), ("D", 30.0))
_LABELS = 7
# Of more values no points are drawn, and dates have no days.
_DOTTED, _DAILY = 60, 120
_HOUR = 60


def sparkline(values: Sequence[float | None], label: str) -> str:
    """The course of a score as one line, the last value as a point; the scale ends at 100."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low = min(*known, 99.0)
    points = _points(values, low - (100 - low) * 0.1, 100.0 + (100 - low) * 0.1)
    last = max(points, key=lambda point: point[0])
    return (
        f'<svg class="spark" role="img" aria-label="{text(label)}" viewBox="0 0 100 100" preserveAspectRatio="none">'
        f'<path class="line" d="{_line(values, points)}"/><path class="dot" d="M{_at(last)}h0"/></svg>'
    )


def trend(scores: Sequence[Score], first_inside: int) -> str:
    """The total score of each session, the range of the report set off, grades as lines, blocked sessions marked."""
    values = [score.score for score in scores]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low = max(min(0.0, min(known)), (min(min(known), 88.0) - 4) // 10 * 10)
    points = dict(zip(_positions(values), _points(values, low, 101.0), strict=True))
    step = 100 / len(values)
    left = first_inside * step
    inside = f'<rect class="inside" x="{left:.2f}" y="0" width="{100 - left:.2f}" height="100"/>'
    lines = joined(f'<path class="grid" d="M0 {_y(at, low, 101.0):.2f}H100"/>' for _, at in GRADES if at > low)
    dots = joined(f"M{_at(point)}h0" for point in points.values()) if len(values) <= _DOTTED else ""
    marks = joined(_blocked_mark(points[at]) for at, score in enumerate(scores) if score.blocked and at in points)
    label = (
        f"Score of {counted(len(values), 'session')}, from {score_text(min(known))} to {score_text(max(known))}, "
        f"last {score_text(known[-1])}"
    )
    names = joined(
        f'<span style="top:{_y(at, low, 101.0):.2f}%">{name} {at:.0f}</span>' for name, at in GRADES if at > low
    )
    svg = (
        f'{inside}{lines}<path class="line" d="{_line(values, list(points.values()))}"/><path class="dot" d="{dots}"/>'
    )
    return _plot(svg, label, names, _session_labels(scores), marks)


def histogram(found: Histogram) -> str:
    """Shares of the range as filled bars, those of before as a line over them."""
    top = max(*found.shares, *(found.before_shares or (0.0,))) or 1.0
    width = 100 / len(found.shares)
    bars = joined(
        f"M{at * width:.2f} 100V{100 - 96 * share / top:.2f}h{width * 0.88:.2f}V100z"
        for at, share in enumerate(found.shares)
        if share
    )
    before = ""
    if found.before_shares is not None:
        steps = joined(f"V{100 - 96 * share / top:.2f}h{width:.2f}" for share in found.before_shares)
        before = f'<path class="before" d="M0 100{steps}V100"/>'
    peak = max(range(len(found.shares)), key=lambda at: found.shares[at])
    label = (
        f"{found.title}: {counted(found.values, 'value')}, most of them around "
        f"{_edge(found, (found.edges[peak] + found.edges[peak + 1]) / 2)}"
    )
    edges = (found.edges[0], found.edges[0] / 2, 0.0, found.edges[-1] / 2, found.edges[-1])
    marks = [(100 * (edge - found.edges[0]) / (found.edges[-1] - found.edges[0]), _edge(found, edge)) for edge in edges]
    names = f'<span style="top:{100 - 96:.2f}%">{percent_text(top)}</span>'
    return _plot(f'<path class="bars" d="{bars}"/>{before}', label, names, marks)


def gap_plot(bins: Sequence[GapBin]) -> str:
    """The share of missing bars by time of the UTC day."""
    shares = [each.missing / each.expected if each.expected else 0.0 for each in bins]
    top = max([*shares, 0.001])
    width = 100 / len(bins)
    bars = joined(
        f"M{at * width:.2f} 100V{100 - 96 * share / top:.2f}h{width * 0.88:.2f}V100z"
        for at, share in enumerate(shares)
        if share
    )
    first, last = bins[0].start_minute, bins[-1].start_minute + bins[-1].minutes
    spacing = next(hours for hours in (1, 2, 3, 4, 6) if (last - first) / (hours * _HOUR) <= _LABELS + 2 or hours == 6)
    times = [minute for minute in range(0, 24 * _HOUR + 1, spacing * _HOUR) if first <= minute <= last]
    marks = [
        (100 * (minute - first) / (last - first), f"{minute // _HOUR:02d}:{minute % _HOUR:02d}") for minute in times
    ]
    missing, expected = sum(each.missing for each in bins), sum(each.expected for each in bins)
    worst = bins[max(range(len(bins)), key=lambda at: shares[at])]
    label = f"{counted(missing, 'bar')} missing of {count_text(expected)}"
    if missing:
        label += f"; most from {worst.start_minute // _HOUR:02d}:{worst.start_minute % _HOUR:02d} UTC"
    names = f'<span style="top:{100 - 96:.2f}%">{percent_text(top)}</span>'
    return _plot(f'<path class="bars" d="{bars}"/>', label, names, marks)


def _plot(svg: str, label: str, names: str, marks: Sequence[tuple[float, str]], over: str = "") -> str:
    # Counted from the last: on a narrow page every other one is left out.
    ticks = joined(_tick(at, name, len(marks) - 1 - position) for position, (at, name) in enumerate(marks))
    return (
        f'<div class="plot"><div class="yaxis" aria-hidden="true">{names}</div><div class="area">'
        f'<svg role="img" aria-label="{text(label)}" viewBox="0 0 100 100" preserveAspectRatio="none">{svg}</svg>{over}'
        f'</div><div class="xaxis" aria-hidden="true">{ticks}</div></div>'
    )


def _tick(at: float, name: str, position: int) -> str:
    side = "first" if at < 1.5 else "last" if at > 98.5 else "middle"
    side += " odd" if position % 2 else ""
    return f'<span class="{side}" style="left:{at:.2f}%">{text(name)}</span>'


def _session_labels(scores: Sequence[Score]) -> list[tuple[float, str]]:
    count = len(scores)
    every = -(-count // _LABELS)
    shown = [at for at in range(count) if (count - 1 - at) % every == 0]
    name = month_text if count > _DAILY else _short_day
    return [(100 * (at + 0.5) / count, name(scores[at].end)) for at in shown]


def _short_day(day: date) -> str:
    """`5 Jan`."""
    return day_text(day)[4:-5]


def _blocked_mark(point: tuple[float, float]) -> str:
    return f'<span class="blocked" style="left:{point[0]:.2f}%;top:{point[1]:.2f}%" aria-hidden="true">✕</span>'


def _positions(values: Sequence[float | None]) -> list[int]:
    return [at for at, value in enumerate(values) if value is not None]


def _points(values: Sequence[float | None], low: float, high: float) -> list[tuple[float, float]]:
    """Where known values lie in the box, each in the middle of its share of the width."""
    count = len(values)
    return [(100 * (at + 0.5) / count, _y(value, low, high)) for at, value in enumerate(values) if value is not None]


def _y(value: float, low: float, high: float) -> float:
    return 100 * (high - value) / (high - low)


def _line(values: Sequence[float | None], points: Sequence[tuple[float, float]]) -> str:
    """A path through neighbouring values; it is interrupted where there are none."""
    pieces = []
    for _, run in _runs(_positions(values)):
        pieces.append("M" + "L".join(_at(points[place]) for place in run))
    return joined(pieces)


def _runs(positions: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """The places of positions that follow each other without a gap."""
    for key, group in groupby(enumerate(positions), key=lambda pair: pair[1] - pair[0]):
        yield key, [place for place, _ in group]


def _at(point: tuple[float, float]) -> str:
    return f"{point[0]:.2f} {point[1]:.2f}"


def _edge(found: Histogram, value: float) -> str:
    if found.axis == "percent":
        return f"{number_text(round(value, 3))} %"
    return f"{2.0**value:.3g}×"
