"""Candlesticks with volume for a terminal, two steps a line."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.text import Text

from marketdata_pipelines.cli.terminal import readable

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
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    body_low: NDArray[np.float64]
    body_high: NDArray[np.float64]
    rising: NDArray[np.bool_]


def draw_candles(bars: pa.Table, *, width: int, height: int = 14) -> list[Text]:
    """Lines of a chart of the last bars that fit in `width`; bars of one symbol in order of time, at least one."""
    shown = bars.slice(max(bars.num_rows - (width - _AXIS_WIDTH), 0))
    opens, closes = (shown[name].to_numpy() for name in ("open", "close"))
    candles = _Candles(
        shown["low"].to_numpy(), shown["high"].to_numpy(), np.minimum(opens, closes), np.maximum(opens, closes),
        closes >= opens,
    )  # fmt: skip
    floor, top = float(candles.low.min()), float(candles.high.max())
    step = (top - floor) / (2 * height) or 1.0
    lines = [_price_line(candles, floor, step, row) for row in reversed(range(height))]
    volume = shown["volume"].fill_null(0.0).to_numpy()
    dates = [f"{moment:%Y-%m-%d}" for moment in shown["ts"].to_pylist()]
    return [*lines, _volume_line(volume, candles.rising), _date_line(dates)]


def _price_line(candles: _Candles, floor: float, step: float, row: int) -> Text:
    lower, upper = (_half(candles, floor + step * (2 * row + half), step) for half in (0, 1))
    # A price on every third line is enough to read the others.
    label = readable(round(floor + step * (2 * row + 1), 2)) if row % 3 == 0 else ""
    line = Text(f"{label:>{_AXIS_WIDTH - 2}} │" if label else " " * (_AXIS_WIDTH - 1) + "│", style=_FAINT)
    for at, key in enumerate(zip(upper.tolist(), lower.tolist(), strict=True)):
        line.append(_CELLS[key], style=_UP if candles.rising[at] else _DOWN)
    return line


def _half(candles: _Candles, price: float, step: float) -> NDArray[np.int64]:
    wick = (candles.low < price + step) & (candles.high >= price)
    # A body never vanishes: open and close may be the same price.
    body = (candles.body_low < price + step) & (candles.body_high >= price)
    return wick.astype(np.int64) + (wick & body)


def _volume_line(volume: NDArray[np.float64], rising: NDArray[np.bool_]) -> Text:
    line = Text(f"{'volume':>{_AXIS_WIDTH - 2}} │", style=_FAINT)
    eighths = np.ceil(volume / (volume.max() or 1.0) * 8).astype(int)
    for level, up in zip(eighths.tolist(), rising.tolist(), strict=True):
        line.append(_BLOCKS[level], style=_UP if up else _DOWN)
    return line


def _date_line(dates: Sequence[str]) -> Text:
    labels = "".join(f"{date:<{_LABEL_EVERY}}" for date in dates[::_LABEL_EVERY])
    return Text(" " * _AXIS_WIDTH + labels[: len(dates)], style=_FAINT)
