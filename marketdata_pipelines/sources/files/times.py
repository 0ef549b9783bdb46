"""Recognising how a file writes its times, from a sample of its cells.

Reading whole columns is in `timestamps`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from marketdata_pipelines.sources.files.epochs import epoch_unit
from marketdata_pipelines.sources.files.layouts import (
    WrittenTimes,
    layout_of,
    layout_pattern,
    prefix_pattern,
    read_written,
)
from marketdata_pipelines.sources.files.numbers import NULL_TEXTS

ISO = "iso"
_DATES = (
    *("%Y/%m/%d", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m.%d.%Y", "%m-%d-%Y", "%d-%m-%Y"),
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%m-%d-%y", "%d-%m-%y", "%Y%m%d", "%Y-%m-%d"),
    *("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%b %d %Y", "%Y-%b-%d", "%d-%b-%y", "%d%b%Y"),
)
_CLOCKS = (
    *("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H%M", "%H%M%S", "%H%M%S%f"),
    *("%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p", "%H"),
)
_JOINTS = (" ", "T", ", ", "", "-")
_TIME_LIKE = re.compile(
    r"^(?:[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}|[0-9]{1,2}:[0-9]{2}"
    r"|[0-9]{1,2}[- ]?[A-Za-z]{3}[- ]?[0-9]{2,4}|[A-Z][a-z]{2,8} [0-9]{1,2},? [0-9]{4}"
    r"|[0-9]{8}[ T]?[0-9]{4,6}\b|(?:19|20)[0-9]{6}$)"
)
_FEWEST_READ = 0.3


@dataclass(frozen=True, slots=True)
class TimeGuess:
    """`time_format`: `iso`, `epoch_s|ms|us|ns` or a strptime format. `aware`: most cells carry a zone or are epochs."""

    time_format: str
    aware: bool


def is_time(cell: str) -> bool:
    """Whether a cell looks like a written date, time or both (an epoch is only a number)."""
    return bool(_TIME_LIKE.match(cell.strip()))


def is_clock(cell: str) -> bool:
    """Whether a cell is a time of day without a date."""
    return bool(re.match(r"^[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?: ?[AaPp][Mm])?$", cell.strip()))


def has_date(cell: str) -> bool:
    """Whether a cell holds a whole date and a time of day."""
    text = cell.strip()
    return is_time(text) and len(text) > 10 and not is_clock(text)


def guess_format(cells: Sequence[str]) -> TimeGuess | None:
    """The format that reads most of the cells; None when no format reads three in ten.

    Day before month or after: a number over 12 decides; else the reading under which the times move least.
    """
    sample = [cell.strip() for cell in cells if cell.strip() not in NULL_TEXTS]
    if not sample:
        return None
    column = pa.array(sample, pa.string())
    best: tuple[float, float, int] | None = None
    found: TimeGuess | None = None
    for rank, time_format in enumerate(_candidates(sample)):
        read = read_written(column, time_format, 1)
        good = int(read.readable.sum())
        score = (-float(good), _movement(read), rank)
        if good and (best is None or score < best):
            best, found = score, TimeGuess(time_format, bool(2 * read.aware.sum() > good))
    epoch, share = _epoch_format(sample)
    if epoch is not None and (best is None or share * len(sample) > -best[0]):
        return TimeGuess(epoch, True) if share >= _FEWEST_READ else None
    return found if best is not None and -best[0] >= _FEWEST_READ * len(sample) else None


def join_padded(time_format: str) -> int:
    """How many digits a time of day in digits alone has in this format; 0 when it is written otherwise."""
    if time_format.endswith("%H%M%S"):
        return 6
    return 4 if time_format.endswith("%H%M") else 0


def _candidates(sample: list[str]) -> list[str]:
    layouts = [layout for layout, _ in Counter(layout_of(cell) for cell in sample).most_common(6)]
    found = [ISO] if any(layout_pattern(ISO).match(layout) for layout in layouts) else []
    for date in _DATES:
        rests = {layout[match.end() :] for layout in layouts if (match := prefix_pattern(date).match(layout))}
        if not rests:
            continue
        for clock in _CLOCKS:
            for joint in _JOINTS if clock else ("",):
                candidate = date + joint + clock
                # Dates with dashes and the year first are ISO, unless a month or day lacks its zero.
                if any(layout_pattern(joint + clock).match(rest) for rest in rests):
                    found.append(candidate)
    return found


def _movement(read: WrittenTimes) -> float:
    values = read.values[read.readable]
    return float(np.abs(np.diff(values)).sum(dtype=float)) if len(values) > 1 else 0.0


def _epoch_format(sample: list[str]) -> tuple[str | None, float]:
    units = Counter(
        unit
        for cell in sample
        if re.fullmatch(r"[0-9]{1,19}(?:\.[0-9]*)?", cell) and (unit := epoch_unit(int(cell.split(".")[0]))) is not None
    )
    if not units:
        return None, 0.0
    unit, count = units.most_common(1)[0]
    return unit, count / len(sample)
