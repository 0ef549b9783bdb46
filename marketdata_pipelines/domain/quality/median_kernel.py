"""Compiled medians of small groups, found by selection; they reorder the values they are given.

What is measured by them is in `profile_kernel`.
"""

from typing import Any

import numba as nb
import numpy as np

# How far |ln(a / b)| as computed may be from what max(a, b) / min(a, b) - 1 says: its own share, and the quotient's
# last bit. Both are generous.
_RELATIVE, _ABSOLUTE = 1e-9, 1e-15


@nb.njit(cache=True, nogil=True)
def median(values: Any) -> Any:
    """The median, NaN of none. Reorders `values`."""
    count = len(values)
    if count == 0:
        return np.nan
    upper = select(values, count >> 1)
    if count & 1:
        return upper
    return (greatest(values, count >> 1) + upper) / 2


@nb.njit(cache=True, nogil=True)
def select(values: Any, k: Any) -> Any:
    """The k-th smallest value, counted from 0; afterwards it stands at k, with none greater before it."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot = _pivot(values, low, high)
        # Without a branch in the loop: half of the guesses would be wrong.
        stop = low
        for at in range(low, high):
            value = values[at]
            values[at] = values[stop]
            values[stop] = value
            stop += value < pivot
        values[high] = values[stop]
        values[stop] = pivot
        if k < stop:
            high = stop - 1
        elif k == stop:
            break
        else:
            # Where hardly any is below the pivot many may be equal to it.
            low = stop + 1 if stop - low > (high - low) >> 3 else _past_equals(values, stop, high)
            if k < low:
                break
    return values[k]


@nb.njit(cache=True, nogil=True)
def greatest(values: Any, count: Any) -> Any:
    """The greatest of the first `count` values; of at least one."""
    found = values[0]
    for at in range(1, count):
        found = max(found, values[at])
    return found


@nb.njit(cache=True, nogil=True)
def median_move(ratios: Any, apart: Any, scratch: Any) -> Any:
    """The median of |ln| of ratios, to the last bit as if all logarithms were taken; NaN of none.

    Shape: `apart` is max(a, b) / min(a, b) - 1 of each ratio a / b, in the same order; `scratch` has room for as many.
    """
    count = len(ratios)
    if count == 0:
        return np.nan
    half = count >> 1
    for at in range(count):
        scratch[at] = apart[at]
    upper = select(scratch[:count], half)
    lower = upper if count & 1 else greatest(scratch[:count], half)
    # Only those that may be in the middle need their logarithm.
    least, most = lower * (1 - _RELATIVE) - _ABSOLUTE, upper * (1 + _RELATIVE) + _ABSOLUTE
    below, near = 0, 0
    for at in range(count):
        below += apart[at] < least
        if least <= apart[at] <= most:
            scratch[near] = abs(np.log(ratios[at]))
            near += 1
    upper = select(scratch[:near], half - below)
    if count & 1:
        return upper
    return (greatest(scratch[:near], half - below) + upper) / 2


@nb.njit(cache=True, nogil=True)
def _pivot(values: Any, low: Any, high: Any) -> Any:
    """Takes the middle one of three values, whose place the last one gets."""
    middle = (low + high) >> 1
    a, b, c = values[low], values[middle], values[high]
    if (a < b) == (b < c):
        values[middle] = c
        return b
    if (b < a) == (a < c):
        values[low] = c
        return a
    return c


@nb.njit(cache=True, nogil=True)
def _past_equals(values: Any, first: Any, last: Any) -> Any:
    """Puts what equals values[first] right behind it, of first..last with none smaller; where those end."""
    pivot, stop = values[first], first + 1
    for at in range(first + 1, last + 1):
        value = values[at]
        values[at] = values[stop]
        values[stop] = value
        stop += not value > pivot
    return stop
