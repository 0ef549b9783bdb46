"""Prices and volumes as whole ticks: which scale holds them exactly, and the way there and back.

A value is ticks / 10**scale, as the division of two doubles; a scale is taken only where that gives every value back
bit for bit, here and in PostgreSQL (`ticks::float8 / 10^scale`). Columns are numpy; a NaN is an unknown value.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.errors import StoreError

MAX_SCALE = 9
# What stands for an unknown value among ticks; no exact value has so many.
UNKNOWN_TICKS = np.int64(np.iinfo(np.int64).min)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Scales = NDArray[np.int16]
_EXACT = float(2**53)
_POWERS = 10.0 ** np.arange(MAX_SCALE + 1)
_SAMPLE = 512


def decimal_scale(values: Floats) -> int | None:
    """The smallest scale 0..9 at which every value is a whole number of ticks below 2^53, exactly; None: there is none.

    Unknown values (NaN) fit every scale; infinities and the negative zero fit none.
    """
    # A few values rule out most scales.
    step = max(len(values) // _SAMPLE, 1)
    start = _first_scale(values[::step], 0)
    return start if step == 1 or start is None else _first_scale(values, start)


def group_scales(columns: Sequence[Floats], starts: Ints) -> Scales:
    """The smallest exact scale of each run of rows, for several columns at once (a symbol's open, high, low, close).

    Shape:   columns of N rows; `starts` the first row of each of M runs, increasing from 0, none empty; returns M
             scales, -1 where no scale is exact.
    """
    if not len(starts):
        return np.zeros(0, np.int16)
    lengths = np.diff(np.append(starts, len(columns[0])))
    # A few values of each run rule out most scales.
    few = np.stack((starts, starts + lengths // 2, starts + lengths - 1), axis=1)
    least = _smallest_scales([values[few.ravel()] for values in columns], np.full_like(lengths, few.shape[1]), 0)
    return _smallest_scales(list(columns), lengths, least)


def _smallest_scales(columns: list[Floats], lengths: Ints, least: int | Scales) -> Scales:
    """As `group_scales`, for runs of these lengths; each needs so many decimals at `least`, or fits none (-1)."""
    scales, least = np.full(len(lengths), -1, np.int16), np.broadcast_to(least, len(lengths))
    left = np.flatnonzero(least >= 0)
    for scale in range(MAX_SCALE + 1):
        tried = left[least[left] <= scale]
        if not len(tried):
            continue
        rows: NDArray[np.bool_] | slice = slice(None)
        if len(tried) < len(lengths):
            chosen = np.zeros(len(lengths), bool)
            chosen[tried] = True
            rows = np.repeat(chosen, lengths)
        exact = np.logical_and.reduce([_exact_rows(values[rows], scale) for values in columns])
        counts = lengths[tried]
        fits = np.logical_and.reduceat(exact, np.cumsum(counts) - counts)
        scales[tried[fits]] = scale
        left = left[scales[left] < 0]
    return scales


def to_ticks(values: Floats, scale: int | Scales) -> Ints:
    """Values as ticks of one scale, or each of its own; NaN becomes UNKNOWN_TICKS.

    Errors: StoreError naming the first value that its scale does not hold exactly.
    """
    powers = _powers(scale)
    unknown = np.isnan(values)
    scaled, exact = _scaled(values, powers)
    exact |= unknown
    if not exact.all():
        at = int(np.argmin(exact))
        own = int(np.broadcast_to(scale, len(values))[at])
        raise StoreError(
            f"{float(values[at])!r} in row {at} is no whole number of ticks of 10^-{own}; "
            "keep the feed's values as doubles, or take the scale of all of its values"
        )
    ticks = np.where(unknown, 0.0, scaled).astype(np.int64)
    ticks[unknown] = UNKNOWN_TICKS
    return ticks


def from_ticks(ticks: Ints, scale: int | Scales) -> Floats:
    """The values that ticks were made from, bit for bit; UNKNOWN_TICKS becomes NaN."""
    unknown = ticks == UNKNOWN_TICKS
    values: Floats = ticks / _powers(scale)
    if unknown.any():
        values[unknown] = np.nan
    return values


def ticks_array(ticks: Ints) -> pa.Array:
    """Ticks as an int64 column, unknown ones null."""
    unknown = ticks == UNKNOWN_TICKS
    return pa.array(ticks, mask=unknown if unknown.any() else None)


def _first_scale(values: Floats, start: int) -> int | None:
    return next((scale for scale in range(start, MAX_SCALE + 1) if _exact_rows(values, scale).all()), None)


def _exact_rows(values: Floats, scale: int) -> NDArray[np.bool_]:
    return _scaled(values, _powers(scale))[1] | np.isnan(values)


def _scaled(values: Floats, powers: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The nearest whole numbers of ticks, and which of them are exactly their values."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(values * powers)
        exact = (np.abs(scaled) < _EXACT) & _same_bits(scaled / powers, values)
        # So close to 2^53 the product may be off by one.
        doubtful = np.flatnonzero(~exact & (np.abs(scaled) > _EXACT / 8) & (np.abs(scaled) <= _EXACT))
    for step in (-1.0, 1.0) if len(doubtful) else ():
        ticks, own = scaled[doubtful] + step, np.broadcast_to(powers, len(values))[doubtful]
        found = (np.abs(ticks) < _EXACT) & _same_bits(ticks / own, values[doubtful])
        scaled[doubtful[found]] = ticks[found]
        exact[doubtful[found]] = True
        doubtful = doubtful[~found]
    return scaled, exact


def _same_bits(found: Floats, values: Floats) -> NDArray[np.bool_]:
    # Ticks have no negative zero: what -0.0 comes back as is 0.0, which is equal but not the same.
    same: NDArray[np.bool_] = (found == values) & ~((values == 0) & np.signbit(values))
    return same


def _powers(scale: int | Scales) -> Floats:
    return np.asarray(_POWERS[scale])
