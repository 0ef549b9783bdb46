"""How a delimited text file is laid out: its separator, where its header is, how many fields a row has.

Decided on the file's first lines alone, so that planning and reading agree. What the columns mean is in
`columns` and `positions`.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.files import columns, numbers, times

WHITESPACE = " "
HEAD_LINES = 64
_DELIMITERS = ("\t", ";", "|", ",")


@dataclass(frozen=True, slots=True)
class TextLayout:
    """Where the data of a text file starts and what a row looks like.

    `skip` counts the physical lines before the first data line; `names` is None without a header;
    `width` is the number of fields of a row; `header_cells` are the header's cells as written.
    """

    skip: int
    names: tuple[str, ...] | None
    width: int
    header_cells: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """What the columns are called: header names, or 1-based positions."""
        return self.names if self.names is not None else tuple(str(index + 1) for index in range(self.width))


def check_delimiter(delimiter: str) -> str:
    """A pinned separator as one character; `tab` and `\\t` name the tab.

    Errors: SettingsInvalid when it is none.
    """
    named = {"tab": "\t", "\\t": "\t", "space": WHITESPACE}.get(delimiter, delimiter)
    if len(named) != 1 or not named.isascii() or named in '"\r\n\0':
        raise SettingsInvalid(
            f"delimiter {delimiter!r} cannot separate fields; give one character like ',' ';' or '\\t'"
        )
    return named


def check_decimal(decimal: str) -> str:
    """A pinned decimal sign.

    Errors: SettingsInvalid when it is neither point nor comma.
    """
    if decimal not in (".", ","):
        raise SettingsInvalid(f"decimal {decimal!r} is no decimal sign; give '.' or ','")
    return decimal


def split_fields(line: str, delimiter: str) -> list[str] | None:
    """The fields of one physical line; None when a quote is opened and not closed in it."""
    if delimiter == WHITESPACE:
        return line.split()
    if '"' not in line:
        return line.split(delimiter)
    if line.count('"') % 2:
        return None
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return None


def guess_delimiter(lines: Sequence[str]) -> str | None:
    """The separator most lines agree on; None when no separator makes two fields of most lines.

    A tab, `;` or `|` that is consistent wins over commas, which may be decimal commas.
    """
    sample = [line for line in lines if line.strip()][:HEAD_LINES]
    best, best_score = None, 0.0
    for rank, delimiter in enumerate((*_DELIMITERS, WHITESPACE)):
        counts = Counter(len(fields) for line in sample if (fields := split_fields(line, delimiter)) is not None)
        counts.pop(1, None)
        counts.pop(0, None)
        if not counts:
            continue
        fields_in_row, agreeing = counts.most_common(1)[0]
        share = agreeing / len(sample)
        score = share + (0.2 if rank < 3 and share > 0.6 else 0.0) + min(fields_in_row, 20) * 1e-4
        if delimiter == WHITESPACE and fields_in_row < 3:
            continue
        # A date and a time with a blank between must not beat a separator that is there.
        if score > best_score and not (delimiter == WHITESPACE and best_score > 0.5):
            best, best_score = delimiter, score
    return best


def lay_out(lines: Sequence[str], delimiter: str, header: bool | None) -> TextLayout:
    """Find the header and the width of a row among a file's first lines.

    Lines before the header (a vendor's address, comments) are skipped. `header` None: recognise it.
    """
    rows = [split_fields(line, delimiter) or [] for line in lines[:HEAD_LINES]]
    filled = [index for index, row in enumerate(rows) if any(cell.strip() for cell in row)]
    if not filled:
        return TextLayout(len(rows), None, 0, ())
    at = _header_at(rows, filled, header)
    if at is None:
        width = _data_width(rows, filled) or len(rows[filled[0]])
        return TextLayout(filled[0] if _is_comment(rows[filled[0]]) else 0, None, width, ())
    names = tuple(_clean(cell) for cell in rows[at])
    below = [index for index in filled if index > at]
    return TextLayout(at + 1, *_fit(names, rows, below), tuple(rows[at]))


def _header_at(rows: list[list[str]], filled: list[int], header: bool | None) -> int | None:
    if header is False:
        return None
    for index in filled[:12]:
        if columns.is_header(rows[index]) and not _looks_like_data(rows[index]):
            return index
    if header or not any(_looks_like_data(rows[index]) for index in filled[:1]):
        return next((index for index in filled if not _is_comment(rows[index])), filled[0])
    return None


def _fit(names: tuple[str, ...], rows: list[list[str]], below: list[int]) -> tuple[tuple[str, ...], int]:
    """Names and width where every row has one field more or less than the header.

    A trailing separator on the rows, or on the header, is an empty column; a row with one field more that is
    not empty has an unnamed index column first, as R writes it.
    """
    width = _data_width(rows, below)
    if width == len(names) + 1:
        trailing = sum(1 for index in below if len(rows[index]) == width and not rows[index][-1].strip())
        named = (*names, "") if trailing * 2 > len(below) else ("", *names)
        return named, width
    if width == len(names) - 1 and not names[-1]:
        return names[:-1], width
    return names, len(names)


def _data_width(rows: list[list[str]], among: list[int]) -> int | None:
    """The number of fields four rows in five agree on."""
    counts = Counter(len(rows[index]) for index in among)
    if not counts:
        return None
    width, agreeing = counts.most_common(1)[0]
    return width if agreeing >= 0.8 * len(among) else None


def _looks_like_data(row: list[str]) -> bool:
    values = [cell.strip() for cell in row if cell.strip()]
    measured = sum(1 for cell in values if numbers.is_number(cell) or times.is_time(cell))
    return measured >= 2 and measured * 2 >= len(values)


def _is_comment(row: list[str]) -> bool:
    return bool(row) and row[0].lstrip().startswith(("#", "//"))


def _clean(cell: str) -> str:
    return re.sub(r"\s+", " ", cell.replace("\ufeff", "")).strip()
