"""The bars around a finding as inline SVG: candles over volume, what was found marked by place, shape and colour.

A candle that closed no lower than it opened is hollow, the others are filled.
"""

import math
from collections.abc import Iterator, Sequence

from marketdata_pipelines.quality.report.markup import (
    attributes,
    clock_text,
    counted,
    instant_argument,
    instant_text,
    joined,
    named,
    number_text,
    text,
    visible,
)
from marketdata_pipelines.quality.report.places import commands, when
from marketdata_pipelines.quality.report.records import Candle, FeedFacts, FindingChart

_WIDTH, _LEFT, _RIGHT = 400, 4, 62
_TOP, _PRICE_BOTTOM, _VOLUME_TOP, _VOLUME_BOTTOM, _HEIGHT = 16, 150, 160, 188, 206
_LABEL_GAP = 13


def charts(feed: FeedFacts, found: Sequence[FindingChart]) -> str:
    """A figure a chart, numbered `c0` on."""
    if not found:
        return ""
    figures = joined(_figure(feed, number, chart) for number, chart in enumerate(found))
    return (
        '<section aria-labelledby="bars"><h2 id="bars">Around the findings</h2>'
        '<p class="soft">Hollow candles closed no lower than they opened. <span class="key" aria-hidden="true">▼'
        "</span> marks the bars the finding is about; a dotted line, where bars are missing or a session begins.</p>"
        f'<div class="figures">{figures}</div></section>'
    )


def _figure(feed: FeedFacts, number: int, chart: FindingChart) -> str:
    finding = chart.finding
    also = f' <span class="soft">and {text(", ".join(chart.also))}</span>' if chart.also else ""
    lines = joined(f"<code>{text(line)}</code>" for line in commands(feed, finding))
    what = f"<b>{text(finding.rule)}</b> {named(finding.symbol)}{also}"
    return (
        f'<figure id="c{number}"><figcaption><p class="what">{what}</p>'
        f'<p class="soft">{text(when(finding))} UTC</p></figcaption>{_drawing(chart)}'
        f"<p>{text(finding.message)}</p><details><summary>Look closer</summary>{lines}</details></figure>"
    )


def _drawing(chart: FindingChart) -> str:
    candles = chart.candles
    low, high = min(each.low for each in candles), max(each.high for each in candles)
    logarithmic = low > 0 and high > 3 * low
    scale = _Scale(low, high, logarithmic)
    step = (_WIDTH - _LEFT - _RIGHT) / len(candles)
    parts = [*_bands(chart, step), *_labels(chart, scale), *_volumes(candles, step), *_bodies(chart, step, scale)]
    width = candles[0].bars
    several = f", each candle {width} bars" if width > 1 else ""
    prices = f"{number_text(low)} to {number_text(high)}{' on a logarithmic scale' if logarithmic else ''}"
    label = (
        f"{counted(sum(each.bars for each in candles), 'bar')} of {visible(chart.finding.symbol or '')} from "
        f"{instant_text(candles[0].ts_us)} to {instant_text(candles[-1].ts_us)} UTC{several}, prices {prices}; "
        f"{_marked_text(chart)}"
    )
    picture = attributes(class_="candles", role="img", aria_label=label)
    return f'<svg{picture} viewBox="0 0 {_WIDTH} {_HEIGHT}">{joined(parts)}</svg>'


class _Scale:
    """Prices to rows of the drawing."""

    def __init__(self, low: float, high: float, logarithmic: bool) -> None:
        self.logarithmic = logarithmic
        self._low, self._high = (math.log(low), math.log(high)) if logarithmic else (low, high)
        self.low, self.high = low, high

    def y(self, price: float) -> float:
        value = math.log(price) if self.logarithmic else price
        span = self._high - self._low
        share = (value - self._low) / span if span > 0 else 0.5
        return _PRICE_BOTTOM - share * (_PRICE_BOTTOM - _TOP)


def _bands(chart: FindingChart, step: float) -> Iterator[str]:
    """The marked stretches behind everything, and where time is left out."""
    start = None
    for at, marked in enumerate([*chart.marked, False]):
        if marked and start is None:
            start = at
        elif not marked and start is not None:
            yield _mark(_LEFT + start * step, (at - start) * step)
            start = None
    if not any(chart.marked):
        # Nothing is left of it: bars are missing here.
        before = sum(each.ts_us < (chart.finding.ts_us or 0) for each in chart.candles)
        yield _mark(_LEFT + before * step - 3, 6)
    lines = joined(f"M{_LEFT + at * step:.1f} {_TOP}V{_VOLUME_BOTTOM}" for at in chart.breaks)
    if lines:
        yield f'<path class="break" d="{lines}"/>'


def _mark(x: float, width: float) -> str:
    """A band from top to bottom with a flag above it."""
    height = _VOLUME_BOTTOM - _TOP + 6
    return (
        f'<rect class="band" x="{x:.1f}" y="{_TOP - 6}" width="{width:.1f}" height="{height}"/>'
        f'<path class="flag" d="M{x + width / 2 - 5:.1f} 1h10l-5 8z"/>'
    )


def _bodies(chart: FindingChart, step: float, scale: _Scale) -> Iterator[str]:
    """All wicks and bodies as few paths: hollow, filled, and both for the marked ones."""
    paths: dict[str, list[str]] = {"wick": [], "up": [], "down": [], "wick hit": [], "up hit": [], "down hit": []}
    width = max(min(step * 0.7, 9.0), 1.0)
    for at, (each, marked) in enumerate(zip(chart.candles, chart.marked, strict=True)):
        x = _LEFT + (at + 0.5) * step
        top, bottom = scale.y(max(each.open, each.close)), scale.y(min(each.open, each.close))
        bottom = max(bottom, top + 0.8)
        hit = " hit" if marked else ""
        paths["wick" + hit].append(
            f"M{x:.1f} {scale.y(each.high):.1f}V{top:.1f}M{x:.1f} {bottom:.1f}V{scale.y(each.low):.1f}"
        )
        body = f"M{x - width / 2:.1f} {top:.1f}h{width:.1f}V{bottom:.1f}h-{width:.1f}z"
        paths[("up" if each.close >= each.open else "down") + hit].append(body)
    for name, drawn in paths.items():
        if drawn:
            yield f'<path class="{name}" d="{joined(drawn)}"/>'


def _volumes(candles: Sequence[Candle], step: float) -> Iterator[str]:
    most = max((each.volume or 0.0 for each in candles), default=0.0)
    if most <= 0:
        return
    height = _VOLUME_BOTTOM - _VOLUME_TOP
    width, base = step * 0.7, _VOLUME_BOTTOM
    bars = joined(
        f"M{_LEFT + (at + 0.15) * step:.1f} {base}v-{each.volume / most * height:.1f}h{width:.1f}V{base}z"
        for at, each in enumerate(candles)
        if each.volume
    )
    yield f'<path class="volume" d="{bars}"/>'


def _labels(chart: FindingChart, scale: _Scale) -> Iterator[str]:
    """The highest and lowest price, the usual one between them, and the first and last time."""
    x = _WIDTH - _RIGHT + 6
    closes = sorted(each.close for each in chart.candles)
    rows = [(scale.y(scale.high), scale.high), (scale.y(scale.low), scale.low)]
    usual = closes[len(closes) // 2]
    if all(abs(scale.y(usual) - y) >= _LABEL_GAP for y, _ in rows):
        rows.append((scale.y(usual), usual))
    if scale.high == scale.low:
        rows = rows[:1]
    for y, price in rows:
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
        yield f'<text x="{x}" y="{y + 3.5:.1f}">{number_text(price)}</text>'
    first, last = chart.candles[0].ts_us, chart.candles[-1].ts_us
    yield f'<text x="{_LEFT}" y="{_HEIGHT - 4}">{_time(first, last)}</text>'
    yield f'<text class="end" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}">{_time(last, first)}</text>'


def _time(us: int, other_us: int) -> str:
    """The time of day, with its date where the drawing holds several days; daily bars have a date only."""
    day, moment = instant_argument(us)[:10], clock_text(us)
    if day == instant_argument(other_us)[:10]:
        return moment
    return day if moment == clock_text(other_us) == "00:00" else f"{day[5:]} {moment}"


def _marked_text(chart: FindingChart) -> str:
    marked = [each for each, is_marked in zip(chart.candles, chart.marked, strict=True) if is_marked]
    if not marked:
        return "nothing is left of what was found"
    first, last = instant_text(marked[0].ts_us), instant_text(marked[-1].ts_us)
    return f"marked: {first}" if first == last else f"marked: {first} to {last}"
