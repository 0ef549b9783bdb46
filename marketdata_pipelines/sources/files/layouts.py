"""Reading columns of written dates and times, vectorised: rows of one layout are parsed as a digit matrix.

A layout is the text with every digit replaced by `0`. A format (`iso` or a strptime format) is a regular
expression over layouts. Zones by name, epochs and guessing a format are elsewhere (`zones`, `epochs`, `times`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.sources.files.arrays import Column

_ZONE = r"(?: ?(?P<Z>Z|z|UTC|GMT)?(?P<z>[+-]00(?::?00)?)?)"
_ISO = re.compile(
    r"^(?P<Y>0000)-(?P<m>00)-(?P<d>00)(?:[T ](?P<H>00)(?::(?P<M>00)(?::(?P<S>00)(?:[.,](?P<f>0+))?)?)?)?" + _ZONE + "$"
    r"|^(?P<Y2>0000)(?P<m2>00)(?P<d2>00)T(?P<H2>00)(?P<M2>00)(?:(?P<S2>00)(?:\.(?P<f2>0+))?)?(?P<Z2>Z)?$"
)
_TOKENS = {
    "Y": "(?P<Y>0{4})",
    "y": "(?P<y>00)",
    "m": "(?P<m>0{1,2})",
    "d": "(?P<d>0{1,2})",
    "H": "(?P<H>0{1,2})",
    "I": "(?P<H>0{1,2})",
    "M": "(?P<M>0{1,2})",
    "S": "(?P<S>0{1,2})",
    "f": "(?P<f>0{1,9})",
    "b": "(?P<b>[A-Za-z]{3,9})",
    "B": "(?P<b>[A-Za-z]{3,9})",
    "p": "(?P<p>[AaPp][Mm])",
}
_MONTHS = {"janfebmaraprmayjunjulaugsepoctnovdec"[3 * at : 3 * at + 3]: at + 1 for at in range(12)}
_MOST_LAYOUTS = 400
_LONGEST = 48


@dataclass(frozen=True, slots=True)
class WrittenTimes:
    """A column of times as written, one entry a row.

    `values`: wall clock, or UTC where `aware`, in ticks since 1970 (`ticks_per_second` of the reading);
    undefined where not `readable`. `dated`: a date without time of day.
    """

    values: np.ndarray
    readable: np.ndarray
    aware: np.ndarray
    dated: np.ndarray


def layout_of(text: str) -> str:
    """The text with every digit as `0`."""
    return re.sub("[0-9]", "0", text)


@lru_cache(maxsize=256)
def layout_pattern(time_format: str) -> re.Pattern[str]:
    """The layouts a format covers; a number next to another is fixed to its full width."""
    if time_format == "iso":
        return _ISO
    return re.compile("^" + _expression(time_format) + _ZONE + "$")


def unknown_tokens(time_format: str) -> list[str]:
    """The parts of a strptime format that cannot be read; none of them for `iso`."""
    found = re.findall(r"%.|%$", time_format)
    return [part for part in found if part[1:] not in _TOKENS and part not in ("%z", "%Z")]


@lru_cache(maxsize=64)
def prefix_pattern(time_format: str) -> re.Pattern[str]:
    """The layouts that begin with a format."""
    return re.compile("^" + _expression(time_format))


def _expression(time_format: str) -> str:
    parts = re.findall(r"%.|[^%]+|%$", time_format)
    found = ""
    for index, part in enumerate(parts):
        token = _TOKENS.get(part[1:]) if part.startswith("%") else None
        if token is None:
            found += "" if part in ("%z", "%Z") else re.escape(layout_of(part))
            continue
        beside = (index and parts[index - 1].startswith("%")) or (index + 1 < len(parts) and parts[index + 1][0] == "%")
        found += token.replace("0{1,2}", "00") if beside and part != "%f" and "%p" not in parts else token
    return found


def read_written(column: Column, time_format: str, ticks_per_second: int) -> WrittenTimes:
    """Read a string column in one format; nulls and texts that do not fit are not readable."""
    text = pc.utf8_trim_whitespace(column.cast(pa.string())).fill_null("")
    count = len(text)
    found = WrittenTimes(np.zeros(count, np.int64), *(np.zeros(count, bool) for _ in range(3)))
    pattern = layout_pattern(time_format)
    for indices, matrix, layout in _layout_groups(text):
        match = pattern.match(layout)
        if match is None:
            continue
        slots = {name.rstrip("2"): match.span(name) for name, piece in match.groupdict().items() if piece}
        values, good = _read_group(matrix, layout, slots, ticks_per_second)
        found.values[indices], found.readable[indices] = values, good
        found.aware[indices] = "Z" in slots or "z" in slots
        found.dated[indices] = "H" not in slots
    return found


def _layout_groups(text: Column) -> Iterator[tuple[np.ndarray | slice, np.ndarray, str]]:
    """Rows of one layout at a time: their indices, their bytes as an (n, width) matrix, and the layout."""
    buffers: list[Any] = text.buffers()
    offsets = np.frombuffer(buffers[1], np.int32)[text.offset : text.offset + len(text) + 1].astype(np.int64)
    data = np.frombuffer(buffers[2] or b"", np.uint8)
    lengths = np.diff(offsets)
    groups = 0
    for width in np.unique(lengths).tolist():
        if not 0 < width <= _LONGEST:
            continue
        whole = bool((lengths == width).all())
        indices = np.arange(len(lengths)) if whole else np.flatnonzero(lengths == width)
        if whole:
            matrix = data[offsets[0] : offsets[-1]].reshape(-1, width)
        else:
            matrix = data[offsets[indices][:, None] + np.arange(width)]
        while len(indices) and groups < _MOST_LAYOUTS:
            groups += 1
            same, layout = _same_layout(matrix)
            if layout is None:
                indices, matrix = indices[~same], matrix[~same]
                continue
            if same.all():
                yield indices, matrix, layout
                break
            yield indices[same], matrix[same], layout
            indices, matrix = indices[~same], matrix[~same]


def _same_layout(matrix: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Which rows have the first row's layout, and that layout; None when it is not ASCII."""
    first = matrix[0]
    is_digit = (first >= 48) & (first <= 57)
    same = np.ones(len(matrix), bool)
    for position in range(matrix.shape[1]):
        cells = matrix[:, position]
        same &= (cells - np.uint8(48) <= 9) if is_digit[position] else (cells == first[position])
    text = bytes(np.where(is_digit, np.uint8(48), first)).decode("latin-1")
    return same, text if text.isascii() else None


def _read_group(
    matrix: np.ndarray, layout: str, slots: dict[str, tuple[int, int]], ticks_per_second: int
) -> tuple[np.ndarray, np.ndarray]:
    def number(name: str, default: int = 0) -> np.ndarray | int:
        return _digits(matrix, *slots[name]) if name in slots else default

    year = number("Y") if "Y" in slots else _full_year(number("y"))
    month = _MONTHS.get(layout[slots["b"][0] : slots["b"][1]][:3].lower(), 0) if "b" in slots else number("m")
    days, good = days_since_epoch(year, month, number("d"))
    hour, minute, second = number("H"), number("M"), number("S")
    if "p" in slots:
        afternoon = layout[slots["p"][0]] in "Pp"
        good &= (hour >= 1) & (hour <= 12)
        hour = hour % 12 + 12 * afternoon
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    if "z" in slots:
        seconds, inside = _shift(matrix, layout, slots["z"], seconds)
        good &= inside
    largest = np.iinfo(np.int64).max // ticks_per_second - 1
    good &= np.abs(seconds) <= largest
    values = np.where(good, seconds, 0) * ticks_per_second
    if "f" in slots:
        values += _fraction(matrix, slots["f"], ticks_per_second)
    return values, good


def days_since_epoch(
    year: np.ndarray | int, month: np.ndarray | int, day: np.ndarray | int
) -> tuple[np.ndarray, np.ndarray]:
    """Days since 1970-01-01 of civil dates, and which of them exist (years 1 to 9999)."""
    year, month, day = np.broadcast_arrays(
        np.asarray(year, np.int64), np.asarray(month, np.int64), np.asarray(day, np.int64)
    )
    good = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0)
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    good &= day <= after - first
    return first + day - 1, good


def _digits(matrix: np.ndarray, start: int, end: int) -> np.ndarray:
    found: np.ndarray = np.zeros(len(matrix), np.int64)
    for position in range(start, end):
        found = found * 10 + (matrix[:, position] - np.uint8(48))
    return found


def _full_year(two_digits: np.ndarray | int) -> np.ndarray:
    value = np.asarray(two_digits, np.int64)
    return np.where(value >= 69, 1900 + value, 2000 + value)


def _fraction(matrix: np.ndarray, span: tuple[int, int], ticks_per_second: int) -> np.ndarray:
    """A fraction of a second in ticks; digits beyond the tick are cut off."""
    start, end = span
    end = min(end, start + 18)
    return (
        _digits(matrix, start, end) * ticks_per_second // 10 ** (end - start)
        if end - start <= 9
        else (_digits(matrix, start, start + 9) * ticks_per_second // 10**9)
    )


def _shift(
    matrix: np.ndarray, layout: str, span: tuple[int, int], seconds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """UTC seconds of wall seconds with a written offset."""
    start, end = span
    hours = _digits(matrix, start + 1, start + 3)
    minutes = _digits(matrix, end - 2, end) if end - start > 3 else np.zeros(len(matrix), np.int64)
    offset = hours * 3600 + minutes * 60
    shifted: np.ndarray = seconds - offset if layout[start] == "+" else seconds + offset
    return shifted, (hours <= 15) & (minutes <= 59)
