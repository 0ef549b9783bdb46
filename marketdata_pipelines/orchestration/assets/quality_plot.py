"""A feed's scores over its sessions as a picture in Markdown, drawn by hand as SVG within what Dagster shows at once.

Plots of bars are in `plots`, whose limits on length and colour hold here too.
"""

from collections.abc import Sequence
from urllib.parse import quote

from marketdata_pipelines.orchestration.assets.plots import SHOWN_AT_ONCE
from marketdata_pipelines.pipeline.quality.headlines import SessionScore

_LEFT, _WIDTH, _TOP, _BOTTOM = 24, 480, 8, 96
# The lower bounds of the grades A to D would crowd it; half-way and the best grade are enough to read by.
_LINES = (50, 90)
_AS_IT_IS = " !$&'()*+,-./:;=?@_~"


def trend_markdown(sessions: Sequence[SessionScore]) -> str:
    """The totals as a line from 0 to 100, blocked sessions marked, and under it a line that says what it shows.

    Shape: sessions oldest first, at least one; at most 30 fit the length Dagster shows without a click.
    """
    last = len(sessions) - 1
    points = [
        (round(position * _WIDTH / last) if last else _WIDTH // 2, _row(session.score))
        for position, session in enumerate(sessions)
    ]
    rules = "".join(
        f"<path stroke='gray' opacity='.4' d='M0 {y}H{_WIDTH}'/><text x='-{_LEFT}' y='{y + 4}'>{at}</text>"
        for at, y in ((at, _row(at)) for at in _LINES)
    )
    line = " ".join(f"{x} {y}" for x, y in points)
    dots = [point for point, session in zip(points, sessions, strict=True) if session.blocked] + points[-1:] * (
        not last
    )
    marks = "".join(f"<circle cx='{x}' cy='{y}' r='4' fill='darkorange'/>" for x, y in dots)
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='-{_LEFT} 0 {_WIDTH + _LEFT + 6} 104' "
        f"width='{_WIDTH + _LEFT + 6}' font-family='sans-serif' font-size='11' fill='gray'>{rules}"
        f"<polyline points='{line}' fill='none' stroke='steelblue' stroke-width='2'/>@</svg>"
    )
    whole = _markdown(svg.replace("@", marks), sessions)
    # Where most sessions are blocked their marks take the room; the line below counts them.
    return whole if len(whole) <= SHOWN_AT_ONCE else _markdown(svg.replace("@", ""), sessions)


def _markdown(svg: str, sessions: Sequence[SessionScore]) -> str:
    return f"![scores](<data:image/svg+xml,{quote(svg, safe=_AS_IT_IS)}>)\n\n{_caption(sessions)}"


def _caption(sessions: Sequence[SessionScore]) -> str:
    first, last = sessions[0], sessions[-1]
    blocked = sum(session.blocked for session in sessions)
    told = f", {blocked} blocked (orange)" if blocked else ""
    span = f"{first.session} to {last.session}" if len(sessions) > 1 else str(last.session)
    counted = f"{len(sessions)} sessions" if len(sessions) > 1 else "1 session"
    lowest = min(sessions, key=lambda session: session.score)
    return (
        f"**{last.grade}** ({last.level}): {last.score:.1f} of 100; lowest {lowest.score:.1f} on {lowest.session}; "
        f"{counted}, {span}{told}"
    )


def _row(score: float) -> int:
    return round(_BOTTOM - min(max(score, 0.0), 100.0) / 100 * (_BOTTOM - _TOP))
