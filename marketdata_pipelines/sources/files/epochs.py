"""Times written as numbers since 1970: which unit they are in, and which rows are in another.

A unit is told by magnitude: seconds of the years 1973 to 5138 have 9 to 11 digits, milliseconds three more …
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.sources.files.arrays import Column

PER_SECOND = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}
_SMALLEST_SECONDS = 10**8
_LARGEST_SECONDS = 10**11
_WRITTEN = r"^(?P<whole>[+-]?[0-9]{1,19})(?:\.(?P<part>[0-9]{0,18}))?$"


@dataclass(frozen=True, slots=True)
class EpochTimes:
    """Epochs as ticks since 1970, one entry a row; undefined where not `readable`.

    `other_unit`: a number that is a time in another unit than the column's.
    """

    values: np.ndarray
    readable: np.ndarray
    other_unit: np.ndarray


def epoch_unit(value: int) -> str | None:
    """The unit a whole number is an epoch in, or None when it is none of the years 1973 to 5138."""
    for name, per_second in PER_SECOND.items():
        if _SMALLEST_SECONDS * per_second <= value < _LARGEST_SECONDS * per_second:
            return name
    return None


def read_epochs(column: Column, unit: str, ticks_per_second: int, *, early: bool) -> EpochTimes:
    """Read whole or fractional epochs of one unit, from numbers or text.

    `early`: values before 1973 are times too (daily bars); else they are not readable.
    """
    whole, part_ns, present = _split(column)
    per_second = PER_SECOND[unit]
    floor = -_LARGEST_SECONDS * per_second if early else _SMALLEST_SECONDS * per_second
    ceiling = _LARGEST_SECONDS * per_second
    right = present & (whole >= floor) & ((whole < ceiling) if ceiling < 1 << 63 else True)
    other = np.zeros(len(whole), bool)
    for name, factor in PER_SECOND.items():
        if name != unit:
            low, high = _SMALLEST_SECONDS * factor, min(_LARGEST_SECONDS * factor, (1 << 63) - 1)
            other |= present & ~right & (whole >= low) & (whole < high)
    kept = np.where(right, whole, 0)
    if ticks_per_second >= per_second:
        factor = ticks_per_second // per_second
        right &= np.abs(kept) < (1 << 63) // factor - 1
        values = np.where(right, kept, 0) * factor + part_ns * factor // 10**9
    else:
        values = kept // (per_second // ticks_per_second)
    return EpochTimes(values, right, other)


def _split(column: Column) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whole part, fraction in billionths, and where there is a number at all."""
    kind = column.type
    if pa.types.is_integer(kind):
        present = column.is_valid().to_numpy(zero_copy_only=False)
        if pa.types.is_uint64(kind):
            column = pc.if_else(pc.less(column, 1 << 63), column, pa.scalar(None, kind))
            present = column.is_valid().to_numpy(zero_copy_only=False)
        whole = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        return whole, np.zeros(len(whole), np.int64), present
    if pa.types.is_floating(kind):
        numbers = column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
        present = np.isfinite(numbers) & (np.abs(numbers) < 9e18)
        kept = np.where(present, numbers, 0.0)
        floor = np.floor(kept)
        # A double carries about 16 digits: what is below a microsecond of a second is noise.
        part = np.minimum(np.round((kept - floor) * 1e6), 999_999).astype(np.int64) * 1000
        return floor.astype(np.int64), part, present
    pieces = pc.extract_regex(pc.utf8_trim_whitespace(column.cast(pa.string())), _WRITTEN)
    whole_text = pc.struct_field(pieces, "whole")
    part_text = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.struct_field(pieces, "part"), 9, "0"), 0, 9)
    # Nineteen digits can lie beyond 64 bits; compared as text of equal length that shows.
    too_large = pc.and_(pc.equal(pc.utf8_length(whole_text), 19), pc.greater(whole_text, str((1 << 63) - 1)))
    signed = pc.starts_with(whole_text, "+")
    whole_text = pc.if_else(pc.or_(too_large, signed), pa.scalar(None, pa.string()), whole_text)
    present = whole_text.is_valid().to_numpy(zero_copy_only=False)
    whole = whole_text.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    part = pc.if_else(pc.equal(part_text, ""), "0", part_text).cast(pa.int64()).fill_null(0)
    return whole, part.to_numpy(zero_copy_only=False), present
