"""Candlesticks with volume for a terminal, two steps a line."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.text import Text

from marketdata_pipelines.cli.terminal import readable

Halves = NDArray[np.int64]
_UP, _DOWN, _FAINT = "green", "red", "dim"
# By what the upper and lower half of a cell show: 0 nothing, 1 the wick, 2 the body.
_CELLS = {
    (0, 0): " ", (0, 1): "╷", (0, 2): "╻", (1, 0): "╵", (1, 1): "│", (1, 2): "╽", (2, 0): "╹", (2, 1): "╿", (2, 2): "┃",
}  # fmt: skip
_BLOCKS = " ▁▂▃▄▅▆▇█"
_AXIS_WIDTH = 10
_LABEL_EVERY = 24


@dataclass(frozen=True, slots=True)
class _Candles:
    """Bars in half lines: the first and last half line, counted from the chart's floor, of wick and body."""

    wick: tuple[Halves, Halves]
    body: tuple[Halves, Halves]
    rising: NDArray[np.bool_]


def draw_candles(bars: pa.Table, *, width: int, height: int = 14) -> list[Text]:
    """Lines of a chart of the last bars that fit in `width`; bars of one symbol in order of time, at least one."""
    shown = bars.slice(max(bars.num_rows - (width - _AXIS_WIDTH), 0))
    opens, high, low, closes = (shown[name].to_numpy() for name in ("open", "high", "low", "close"))
    floor = float(low.min())
    step = (float(high.max()) - floor) / (2 * height) or 1.0
    candles = _Candles(
        _halves((low - floor) / step, (high - floor) / step, 2 * height),
        _halves((np.minimum(opens, closes) - floor) / step, (np.maximum(opens, closes) - floor) / step, 2 * height),
        closes >= opens,
    )
    lines = [_price_line(candles, floor + step * (2 * row + 1), row) for row in reversed(range(height))]
    volume = shown["volume"].fill_null(0.0).to_numpy()
    dates = [f"{moment:%Y-%m-%d}" for moment in shown["ts"].to_pylist()]
    return [*lines, _volume_line(volume, candles.rising), _date_line(dates)]


def _halves(low: NDArray[np.float64], high: NDArray[np.float64], count: int) -> tuple[Halves, Halves]:
    first = np.clip(np.floor(low).astype(np.int64), 0, count - 1)
    # Something is drawn even where low and high are the same price.
    return first, np.maximum(np.ceil(high).astype(np.int64) - 1, first)


def _price_line(candles: _Candles, price: float, row: int) -> Text:
    # A price on every third line is enough to read the others.
    label = readable(round(price, 2)) if row % 3 == 0 else ""
    line = Text(f"{label:>{_AXIS_WIDTH - 2}} │", style=_FAINT)
    upper, lower = _shown(candles, 2 * row + 1), _shown(candles, 2 * row)
    for cell, rising in zip(zip(upper, lower, strict=True), candles.rising.tolist(), strict=True):
        line.append(_CELLS[cell], style=_UP if rising else _DOWN)
    return line


def _shown(candles: _Candles, half: int) -> list[int]:
    wick, body = ((first <= half) & (half <= last) for first, last in (candles.wick, candles.body))
    found: list[int] = (wick.astype(np.int64) + (wick & body)).tolist()
    return found


def _volume_line(volume: NDArray[np.float64], rising: NDArray[np.bool_]) -> Text:
    line = Text(f"{'volume':>{_AXIS_WIDTH - 2}} │", style=_FAINT)
    eighths = np.ceil(volume / (volume.max() or 1.0) * 8).astype(int)
    for level, up in zip(eighths.tolist(), rising.tolist(), strict=True):
        line.append(_BLOCKS[level], style=_UP if up else _DOWN)
    return line


def _date_line(dates: Sequence[str]) -> Text:
    labels = "".join(f"{date:<{_LABEL_EVERY}}" for date in dates[::_LABEL_EVERY])
    return Text(" " * _AXIS_WIDTH + labels[: len(dates)], style=_FAINT)
