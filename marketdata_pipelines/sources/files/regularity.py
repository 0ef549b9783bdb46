"""Telling which lines of a block are regular: parsed at once by a vectorised parser, safely.

The others (wrong number of fields, odd quotes, NUL, invalid text, too long) are read one by one (`oddlines`).
"""

import numpy as np

from marketdata_pipelines.sources.files.lines import LONGEST_LINE, LineBlock

_QUOTE = 34
_REPLACEMENT = "\ufffd".encode()


def regular_lines(block: LineBlock, delimiter: str, width: int, *, transcoded: bool) -> np.ndarray:
    """One flag a line: `width` fields, sound quotes, valid UTF-8, no NUL, not longer than 64 KiB, not blank."""
    lengths = block.ends - block.starts
    found: np.ndarray = (lengths > 0) & (lengths <= LONGEST_LINE)
    if block.data.isspace():
        return np.zeros(len(lengths), bool)
    array = np.frombuffer(block.data, np.uint8)
    separators = np.flatnonzero(array == ord(delimiter))
    if b'"' in block.data:
        quotes = np.flatnonzero(array == _QUOTE)
        found &= _sound_quotes(array, block, quotes, ord(delimiter))
        separators = separators[~_inside_quotes(block, quotes, separators)]
    found &= _counts(block, separators, width - 1) == width - 1
    if b"\0" in block.data:
        found &= _counts(block, np.flatnonzero(array == 0), 0) == 0
    if not block.data.isascii():
        found &= _valid_text(block, array, transcoded=transcoded)
    return found


def _counts(block: LineBlock, positions: np.ndarray, usual: int) -> np.ndarray:
    """How many of the sorted positions lie in each line."""
    lines = len(block.starts)
    if usual and len(positions) == usual * lines:
        # Every line has the usual number when its first and its last one lie inside it.
        grid = positions.reshape(lines, usual)
        if (grid[:, 0] >= block.starts).all() and (grid[:, -1] < block.ends).all():
            return np.full(lines, usual)
    return np.searchsorted(positions, block.ends) - np.searchsorted(positions, block.starts)


def _inside_quotes(block: LineBlock, quotes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    line = np.searchsorted(block.starts, positions, "right") - 1
    before: np.ndarray = np.searchsorted(quotes, positions) - np.searchsorted(quotes, block.starts)[line]
    inside: np.ndarray = before % 2 == 1
    return inside


def _sound_quotes(array: np.ndarray, block: LineBlock, quotes: np.ndarray, delimiter: int) -> np.ndarray:
    """Lines whose quotes each open right after a separator and close right before one, without quotes inside."""
    first = np.searchsorted(quotes, block.starts)
    count = np.searchsorted(quotes, block.ends) - first
    line = np.searchsorted(block.starts, quotes, "right") - 1
    opening = (np.arange(len(quotes)) - first[line]) % 2 == 0
    at_start = (quotes == block.starts[line]) | (array[np.maximum(quotes - 1, 0)] == delimiter)
    at_end = (quotes == block.ends[line] - 1) | (array[np.minimum(quotes + 1, len(array) - 1)] == delimiter)
    unsound = np.where(opening, ~at_start, ~at_end)
    found: np.ndarray = count % 2 == 0
    found[line[unsound]] = False
    return found


def _valid_text(block: LineBlock, array: np.ndarray, *, transcoded: bool) -> np.ndarray:
    found = np.ones(len(block.starts), bool)
    try:
        block.data.decode("utf-8")
        if not (transcoded and _REPLACEMENT in block.data):
            return found
    except UnicodeDecodeError:
        pass
    high = np.flatnonzero(array >= 128)
    for index in np.unique(np.searchsorted(block.starts, high, "right") - 1).tolist():
        found[index] = is_valid_text(block.line(index), transcoded=transcoded)
    return found


def is_valid_text(line: bytes, *, transcoded: bool) -> bool:
    """Whether a line is UTF-8, and was valid in the file's own encoding where it was converted."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not (transcoded and _REPLACEMENT in line)
