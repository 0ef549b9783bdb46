"""A sketch of bars as a picture in Markdown: closes or candles over volume, drawn by hand as SVG.

Dagster's page shows Markdown of fewer than 1,000 characters at once and hides longer ones behind a link, and it shows
images in `data:` addresses; so a plot is that short. Nothing is fetched and no plotting library is loaded. The colours
can be told apart on the light and the dark theme: a picture is not told which one is on.
"""

from datetime import time
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from marketdata_pipelines.domain.sketch import FEW, POINTS, Floats, Sketch

SHOWN_AT_ONCE = 999
_WIDTH = 8 * POINTS
_MARGIN = 52
_PRICE_TOP, _PRICE_BOTTOM = 6, 68
_VOLUME_TOP, _VOLUME_BOTTOM = 74, 98
_LONGEST_SYMBOL = 24
# Inside `<…>` Markdown and data addresses take these as they are.
_AS_IT_IS = " !$&'()*+,-./:;=?@_~"

Rows = NDArray[np.int64]


def plot_markdown(sketch: Sketch) -> str:
    """The picture, and under it a line that says what it shows; at most SHOWN_AT_ONCE characters."""
    drawn = _candles(sketch) if sketch.bars <= FEW else _closes(sketch)
    whole = _markdown(sketch, [*drawn, _volumes(sketch)])
    # The wildest prices take the room of the volume.
    return whole if len(whole) <= SHOWN_AT_ONCE else _markdown(sketch, drawn)


def _markdown(sketch: Sketch, drawn: list[str]) -> str:
    low, high = _span(sketch)
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='-{_MARGIN} 0 {_WIDTH + _MARGIN} 99' "
        f"width='{_WIDTH + _MARGIN}' font-family='sans-serif' font-size='11' fill='gray'>{''.join(drawn)}"
        f"<text x='-{_MARGIN}' y='{_PRICE_TOP + 4}'>{high:.6g}</text>"
        f"<text x='-{_MARGIN}' y='{_PRICE_BOTTOM + 4}'>{low:.6g}</text></svg>"
    )
    return f"![{_symbol(sketch)}](<data:image/svg+xml,{quote(svg, safe=_AS_IT_IS)}>)\n\n{_caption(sketch)}"


def _caption(sketch: Sketch) -> str:
    first, last = sketch.first_ts, sketch.last_ts
    if (first.time(), last.time()) == (time(), time()):
        when = f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    else:
        until = f"{last:%H:%M}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M}"
        when = f"{first:%Y-%m-%d %H:%M} to {until} UTC"
    what = "most traded of " + f"{sketch.symbols:,} symbols" if sketch.symbols > 1 else "the only symbol"
    start, end = sketch.opens[0], sketch.closes[-1]
    change = f", {end / start - 1:+.2%}" if start > 0 and end > 0 else ""
    return f"**{_symbol(sketch)}** ({what}): {start:.6g} to {end:.6g}{change}, {sketch.bars:,} bars, {when}"


def _symbol(sketch: Sketch) -> str:
    """The symbol as text that Markdown leaves alone."""
    name = "".join(character if character.isprintable() else " " for character in sketch.symbol)
    name = name if len(name) <= _LONGEST_SYMBOL else f"{name[: _LONGEST_SYMBOL - 1]}…"
    return "".join(f"\\{character}" if character in r"\`*_[]<>|&!~#" else character for character in name)


def _span(sketch: Sketch) -> tuple[float, float]:
    """What the lowest and the highest row of the price stand for."""
    return float(np.nanmin(sketch.lows)), float(np.nanmax(sketch.highs))


def _rows(sketch: Sketch, prices: Floats) -> Rows:
    """Picture rows of prices; a course without change runs through the middle."""
    low, high = _span(sketch)
    share = (prices - low) / (high - low) if high > low else np.where(np.isfinite(prices), 0.5, np.nan)
    return np.rint(np.nan_to_num(_PRICE_BOTTOM - share * (_PRICE_BOTTOM - _PRICE_TOP))).astype(np.int64)


def _closes(sketch: Sketch) -> list[str]:
    """The closes as one line; it leads straight over buckets without bars."""
    rows, step = _rows(sketch, sketch.closes), _WIDTH // len(sketch.closes)
    steps, before = "", (0, 0)
    for position in np.flatnonzero(np.isfinite(sketch.closes)):
        x, y = int(position) * step + step // 2, int(rows[position])
        steps += f"M{x} {y}l" if not steps else f" {x - before[0]}{_signed(y - before[1])}"
        before = (x, y)
    return [f"<path fill='none' stroke='steelblue' stroke-width='1.5' d='{steps.replace('l ', 'l')}'/>"]


def _candles(sketch: Sketch) -> list[str]:
    """A wick and a body for each bar: blue where it closed no lower than it opened, else orange."""
    step = _WIDTH // len(sketch.closes)
    opens, highs, lows, closes = (
        _rows(sketch, prices) for prices in (sketch.opens, sketch.highs, sketch.lows, sketch.closes)
    )
    wicks, bodies = "", {"steelblue": "", "darkorange": ""}
    for position in range(len(closes)):
        x = position * step + step // 2
        wicks += f"M{x} {highs[position]}V{lows[position]}"
        # A bar that closed where it opened still shows.
        end = closes[position] + (opens[position] == closes[position])
        colour = "steelblue" if sketch.closes[position] >= sketch.opens[position] else "darkorange"
        bodies[colour] += f"M{x} {opens[position]}V{end}"
    width = min(step - 2, 12)
    return [
        f"<path stroke='gray' d='{wicks}'/>",
        *(f"<path stroke='{colour}' stroke-width='{width}' d='{body}'/>" for colour, body in bodies.items() if body),
    ]


def _volumes(sketch: Sketch) -> str:
    """The volume of each bucket as a bar, side by side; an unknown volume has none."""
    known = np.nan_to_num(sketch.volumes)
    if known.max() <= 0:
        return ""
    step = _WIDTH // len(known)
    tops = np.rint(_VOLUME_BOTTOM - known / known.max() * (_VOLUME_BOTTOM - _VOLUME_TOP)).astype(np.int64)
    path, before, width = f"M0 {_VOLUME_BOTTOM}", _VOLUME_BOTTOM, 0
    for top in [*tops.tolist(), _VOLUME_BOTTOM]:
        if top != before:
            path += (f"h{width}" if width else "") + f"V{top}"
            before, width = top, 0
        width += step
    return f"<path opacity='.5' d='{path}'/>"


def _signed(value: int) -> str:
    """A number after another: its minus parts them, else a blank."""
    return str(value) if value < 0 else f" {value}"
