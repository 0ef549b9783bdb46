"""Recognising the columns of a file without a header by what their cells hold.

Names are not used here (see `columns`); a column is called by its 1-based position.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pyarrow as pa

from marketdata_pipelines.sources.files import times
from marketdata_pipelines.sources.files.epochs import epoch_unit
from marketdata_pipelines.sources.files.numbers import parse_numbers

_FEWEST_ROWS_OF_ORDER = 0.9
# The usual order first: it also wins where every bar is flat and all orders fit.
_ORDERS = (
    *((0, 1, 2, 3), (2, 1, 0, 3), (3, 1, 0, 2), (0, 3, 2, 1), (0, 2, 3, 1)),
    *(order for order in permutations(range(4)) if order[0] < order[3]),
)
# Binance's klines: open time, prices, volume, close time, quote volume, trades, taker volumes, unused.
_KLINES = {"ts": "1", "open": "2", "high": "3", "low": "4", "close": "5", "volume": "6", "trade_count": "9"}


@dataclass(frozen=True, slots=True)
class _Typed:
    times: list[int]
    clocks: list[int]
    numbers: list[int]
    texts: list[int]


def guess_positions(samples: Sequence[Sequence[str]], decimal: str) -> Mapping[str, str] | None:
    """Field -> 1-based position (`1+2` for date and time) from a sample of each column's cells.

    Prices are the four neighbouring numeric columns of which one is always the highest and one the lowest;
    without them a price and an amount make trades. None when no time or no prices are found.
    """
    typed = _types(samples, decimal)
    if not typed.times:
        return None
    first = typed.times[0]
    if len(samples) == 12 and typed.times[:2] == [0, 6] and 8 in typed.numbers:
        return dict(_KLINES)
    fields = {"ts": str(first + 1)}
    if first + 1 in typed.clocks and not any(times.has_date(cell) for cell in samples[first][:50]):
        fields["ts"] = f"{first + 1}+{first + 2}"
    symbols = [index for index in typed.texts if index < 4]
    if symbols:
        fields["symbol"] = str(symbols[0] + 1)
    values = {index: parse_numbers(pa.array(samples[index], pa.string()), decimal).values for index in typed.numbers}
    window = _price_window(typed.numbers, values)
    if window is None:
        return _trade_positions(fields, typed, values)
    for field, index in zip(("open", "high", "low", "close"), window, strict=True):
        fields[field] = str(index + 1)
    after = [index for index in typed.numbers if index > max(window)]
    if after:
        fields["volume"] = str(after[0] + 1)
    return fields


def _types(samples: Sequence[Sequence[str]], decimal: str) -> _Typed:
    found = _Typed([], [], [], [])
    for index, column in enumerate(samples):
        cells = [cell.strip() for cell in column if cell.strip()]
        if not cells:
            continue
        clocks = sum(times.is_clock(cell) for cell in cells)
        written = sum(times.is_time(cell) for cell in cells) - clocks
        epochs = sum(
            cell.split(".")[0].isdecimal() and epoch_unit(int(cell.split(".")[0][:19])) is not None for cell in cells
        )
        parsed = parse_numbers(pa.array(cells, pa.string()), decimal)
        numeric = len(cells) - int((parsed.bad | parsed.missing).sum())
        half = len(cells) / 2
        if clocks > half or (numeric > half and index - 1 in found.times and _is_digit_clock(cells)):
            found.clocks.append(index)
        elif written > half or (epochs > half and _is_steady(cells)):
            found.times.append(index)
        elif numeric > half:
            found.numbers.append(index)
        else:
            found.texts.append(index)
    return found


def _is_digit_clock(cells: list[str]) -> bool:
    """Times of day in digits alone (0930, 093000), next to a date."""
    whole = [int(cell) for cell in cells if cell.isdecimal() and len(cell) in (4, 6)]
    return len(whole) > 0.9 * len(cells) and all(value // 100 % 100 < 60 and value % 100 < 60 for value in whole)


def _is_steady(cells: list[str]) -> bool:
    """Epochs of one file lie close together; large volumes do not."""
    values = np.array([float(cell) for cell in cells if cell.replace(".", "", 1).isdecimal()])
    return bool(len(values)) and bool(np.median(np.abs(values - np.median(values))) < 0.05 * np.median(values))


def _price_window(numbers: list[int], values: Mapping[int, np.ndarray]) -> tuple[int, int, int, int] | None:
    for at in range(len(numbers) - 3):
        window = numbers[at : at + 4]
        matrix = np.stack([values[index] for index in window])
        complete = matrix[:, np.isfinite(matrix).all(axis=0)]
        if not complete.shape[1]:
            continue
        top, bottom = complete.max(axis=0), complete.min(axis=0)
        # Four prices of one bar are of one size: a row's number or a volume among them is not.
        if np.median(bottom) <= 0.2 * np.median(top):
            continue
        for opening, high, low, closing in _ORDERS:
            fits = (complete[high] == top) & (complete[low] == bottom)
            if fits.mean() >= _FEWEST_ROWS_OF_ORDER:
                return window[opening], window[high], window[low], window[closing]
    return None


def _is_counter(values: np.ndarray) -> bool:
    """Whole numbers that only grow are trade ids."""
    return len(values) > 2 and bool((values == np.floor(values)).all()) and bool((np.diff(values) > 0).all())


def _trade_positions(
    fields: dict[str, str], typed: _Typed, values: Mapping[int, np.ndarray]
) -> Mapping[str, str] | None:
    numbers = [index for index in typed.numbers if not _is_counter(values[index])]
    after = [index for index in numbers if index > typed.times[0]]
    if len(after) < 2:
        after = numbers
    if not 2 <= len(after) <= 4:
        return None
    return {**fields, "price": str(after[0] + 1), "size": str(after[1] + 1)}
