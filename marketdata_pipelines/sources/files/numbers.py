"""Numbers written as text: what counts as one, what counts as none, and reading whole columns of them."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.sources.files.arrays import Column, is_null, to_flags

NULL_TEXTS = (
    *("", "null", "NULL", "Null", "none", "None", "NONE", "nil", "n/a", "N/A", "na", "NA", "#N/A", "#NA", "\\N"),
    *("-", "--", "?", "#N/A N/A", "<NA>", "undefined"),
)
_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?$"
_NOT_FINITE = r"^[+-]?(?:nan|inf|infinity)$"
_INTEGER = r"^[+-]?[0-9]+(?:\.0*)?$"
_GROUPED = r"^[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?$"
_CURRENCY = r"^[$€£]"
_PLAIN = re.compile(_NUMBER)


@dataclass(frozen=True, slots=True)
class ParsedNumbers:
    """A column of numbers: `values` float64 (NaN where `missing` or `bad`), one entry a row.

    `missing`: nothing or a null marker was written; `bad`: something that is no number was.
    """

    values: np.ndarray
    missing: np.ndarray
    bad: np.ndarray


def is_number(cell: str) -> bool:
    """Whether a cell is a plain number, with decimal point or decimal comma."""
    text = cell.strip()
    return bool(_PLAIN.match(text) or _PLAIN.match(text.replace(",", ".", 1)) or re.match(_GROUPED, text))


def parse_numbers(column: Column, decimal: str = ".") -> ParsedNumbers:
    """Read a column of any Arrow type as float64.

    Text: plain decimals and exponents only. Thousands separators and a currency sign are read when more than
    half of the column's values carry them, else they are bad. Decimals go through text, which is exact.
    """
    kind = column.type
    if pa.types.is_null(kind):
        nothing = np.ones(len(column), bool)
        return ParsedNumbers(np.full(len(column), np.nan), nothing, ~nothing)
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return _typed(column)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        column = as_text(column)
    return _from_text(column, decimal)


def as_text(column: Column) -> Column:
    """Any column as plain strings, lists joined by `;`; what Arrow cannot write as text goes through Python."""
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_list(column.type):
        joined: Column = pc.binary_join(column, ";")
        return joined
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())


def not_integer_text(column: Column) -> np.ndarray:
    """Which texts are written with a fraction or an exponent (`12.0` counts as an integer)."""
    trimmed = pc.utf8_trim_whitespace(column)
    return ~to_flags(pc.match_substring_regex(trimmed, _INTEGER))


def _typed(column: Column) -> ParsedNumbers:
    missing = is_null(column)
    values = column.cast(pa.float64(), safe=False)
    filled = values.fill_null(np.nan) if column.null_count else values
    return ParsedNumbers(filled.to_numpy(zero_copy_only=False), missing, np.zeros(len(column), bool))


def _from_text(column: Column, decimal: str) -> ParsedNumbers:
    text = pc.utf8_trim_whitespace(column.cast(pa.string())).fill_null("")
    missing = to_flags(pc.is_in(text, pa.array(NULL_TEXTS)))
    text = pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), text)
    if decimal == ",":
        # A point would be a thousands separator: read as decimal it changes the value a thousandfold.
        text = pc.replace_substring(pc.replace_substring(text, ".", "!"), ",", ".")
    nothing = np.zeros(len(column), bool)
    try:
        values = text.cast(pa.float64())
        if not _has_hex(text):
            return ParsedNumbers(values.fill_null(np.nan).to_numpy(zero_copy_only=False), missing, nothing)
    except pa.ArrowInvalid:
        pass
    if decimal == ".":
        text = _without_signs(text, len(column) - int(missing.sum()))
    good = to_flags(pc.match_substring_regex(text, _NUMBER))
    good |= to_flags(pc.match_substring_regex(text, _NOT_FINITE, ignore_case=True))
    kept = pc.if_else(pa.array(good), pc.utf8_ltrim(text, "+"), pa.scalar(None, pa.string()))
    values = kept.cast(pa.float64())
    return ParsedNumbers(values.fill_null(np.nan).to_numpy(zero_copy_only=False), missing, ~good & ~missing)


def _has_hex(text: Column) -> bool:
    return bool(pc.any(pc.match_substring(text, "x", ignore_case=True)).as_py())


def _without_signs(text: Column, present: int) -> Column:
    """Drop currency signs and thousands separators where the column as a whole is written with them."""
    priced = 2 * int(to_flags(pc.match_substring_regex(text, _CURRENCY)).sum()) > present
    if priced:
        text = pc.replace_substring_regex(text, _CURRENCY, "")
    grouped = to_flags(pc.match_substring_regex(text, _GROUPED))
    if priced or 2 * int(grouped.sum()) > present:
        text = pc.if_else(pa.array(grouped), pc.replace_substring(text, ",", ""), text)
    return text
