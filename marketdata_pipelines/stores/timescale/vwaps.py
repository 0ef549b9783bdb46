"""A vwap as the store keeps it, one double: ticks where it is decimal, else the vwap itself; the value tells which.

A stored double that is a whole number is ticks, and the vwap is stored / 10**scale as the division of two doubles; any
other is the vwap. Scale 0 keeps every vwap as it is. Every vwap comes back bit for bit, here and in PostgreSQL. Ticks
are doubles whose last bits are zeros: the columnstore needs a third of the space for them. Columns are numpy; NaN is
an unknown vwap and stays so.
"""

import numpy as np
from numpy.typing import NDArray

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.ticks import MAX_SCALE, Floats, Ints, Scales

# The scale of a run without any vwap: every one will do.
ANY_SCALE = -1
_EXACT = float(2**53)
_POWERS = 10.0 ** np.arange(MAX_SCALE + 1)
_SAMPLE = 32
# About the bits of a value in the columnstore, which keeps what differs from the one before (decisions/0045).
_TICK_BITS, _BITS_A_DECIMAL = 4.0, 3.4
_PLAIN_BITS, _UNLIKE_BITS = 49.0, 68.0


def vwap_scales(values: Floats, starts: Ints) -> Scales:
    """The scale by which each run of rows is likely to take the least space, told by some of its values.

    Shape:   N values; `starts` the first row of each of M runs, increasing from 0, none empty; returns M scales 0..9,
             ANY_SCALE where no value is known.
    """
    known = np.flatnonzero(~np.isnan(values))
    first = np.searchsorted(known, starts)
    counts = np.diff(np.append(first, len(known)))
    some = np.flatnonzero(counts)
    scales = np.full(len(starts), ANY_SCALE, np.int16)
    if len(some):
        found = values[known]
        chosen = _cheapest(*_sampled(found, first[some], counts[some]))
        largest = np.maximum.reduceat(np.abs(found), first[some])
        scales[some] = np.where(_is_clear(largest, chosen), chosen, 0)
    return scales


def suits(values: Floats, scale: int, wanted: int) -> bool:
    """Whether `scale` keeps as many of the values in ticks as `wanted`, the cheapest, does."""
    if wanted in (ANY_SCALE, scale):
        return True
    if scale < wanted:
        return False
    known = values[~np.isnan(values)]
    if not _is_clear(np.abs(known).max(initial=0.0), scale):
        return False
    return bool(np.count_nonzero(_ticks(known, scale)[1]) >= np.count_nonzero(_ticks(known, wanted)[1]))


def to_stored(values: Floats, scale: int | Scales) -> Floats:
    """vwaps as they are stored, at one scale or each at its own.

    Errors: StoreError for a vwap that is a whole number and no ticks of its scale: it would be taken for ticks.
    """
    stored, exact = _ticks(values, scale)
    others = np.flatnonzero(~exact)
    plain = values[others]
    stored[others] = plain
    unclear = others[plain == np.trunc(plain)]
    if len(unclear):
        at = int(unclear[0])
        own = int(np.broadcast_to(scale, len(values))[at])
        raise StoreError(
            f"vwap {float(values[at])!r} in row {at} is no whole number of ticks of 10^-{own}; "
            "give its symbol a series of scale 0"
        )
    return stored


def from_stored(stored: Floats, scale: int | Scales) -> Floats:
    """The vwaps that were stored, bit for bit."""
    values: Floats = np.where(stored == np.trunc(stored), stored / _POWERS[scale], stored)
    return values


def _ticks(values: Floats, scale: int | Scales) -> tuple[Floats, NDArray[np.bool_]]:
    """The nearest whole numbers of ticks, and which of them are exactly their values."""
    powers = _POWERS[scale]
    with np.errstate(over="ignore", invalid="ignore"):
        ticks = values * powers
        np.rint(ticks, out=ticks)
        return ticks, ticks / powers == values


def _is_clear(largest: Floats, scale: int | Scales) -> NDArray[np.bool_]:
    """Whether no value up to these can be a whole number and yet not be ticks."""
    with np.errstate(over="ignore"):
        clear: NDArray[np.bool_] = largest * _POWERS[scale] < _EXACT
    return clear


def _sampled(values: Floats, first: Ints, counts: Ints) -> tuple[Floats, Ints]:
    """At most _SAMPLE values of each run, evenly over it, and how many of each."""
    sizes = np.minimum(counts, _SAMPLE)
    run = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(run)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return values[first[run] + within * counts[run] // sizes[run]], sizes


def _cheapest(values: Floats, sizes: Ints) -> Scales:
    """The scale of the fewest bits for each run of values."""
    starts = np.cumsum(sizes) - sizes
    best, least = np.zeros(len(sizes), np.int16), np.full(len(sizes), _PLAIN_BITS)
    for scale in range(MAX_SCALE + 1):
        share = np.add.reduceat(_ticks(values, scale)[1].astype(np.float64), starts) / sizes
        # A value takes few bits where it and the one before are ticks.
        pairs = share**2
        bits = pairs * (_TICK_BITS + _BITS_A_DECIMAL * scale) + (1 - pairs) * _UNLIKE_BITS
        better = bits < least
        best[better], least[better] = scale, bits[better]
        if (share == 1).all():
            break
    return best
