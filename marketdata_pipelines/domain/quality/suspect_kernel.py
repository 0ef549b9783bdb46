"""The compiled passes that mark bars which stand out, find instants and tell order; what it means is in `suspects`."""

from typing import Any

import numba as nb
import numpy as np

MOVED, OPENED, WICKED, BULKY, WORTHLESS, REPEATED, REPEATED_VOLUME, APART = 1, 2, 4, 8, 16, 32, 64, 128
# Columns of what is found off the tick: how many bars of a group, the rows of the first and the last.
OFF_BARS, OFF_FIRST, OFF_LAST = range(3)
OFF_COLUMNS = 3
# Of a tick: fractions such as 1/128 are written with four decimals. Of great quotients doubles tell less.
_TICK_SLACK, _GREAT_SLACK = 0.02, 1e-12


@nb.njit(cache=True, nogil=True)
def mark_bars(
    starts: Any, o: Any, h: Any, l: Any, c: Any, v: Any,  # noqa: E741
    move_limit: Any, wick_limit: Any, volume_limit: Any, apart_limit: Any, marks: Any,
) -> None:  # fmt: skip
    """Mark each bar beside the limits of its group and the bar before it.

    Shape:   N bars in groups starts[g]:starts[g + 1]; limits one a group; `marks` N bytes, zero before.
    Units:   limits of moves are |ln| of a ratio, of wicks a share of the price, of volumes base units.
    """
    for g in range(len(starts) - 1):
        up = np.exp(move_limit[g])
        apart = np.exp(apart_limit)
        wick, bulky = wick_limit[g], volume_limit[g]
        for i in range(starts[g], starts[g + 1]):
            mark = 0
            top, bottom = (o[i], c[i]) if o[i] > c[i] else (c[i], o[i])
            reach = max(h[i] - top, bottom - l[i])
            # Beside the greater of the two, lest a close that is off makes an ordinary reach look large.
            if reach > wick * max(abs(top), abs(bottom)) and reach > 0:
                mark |= WICKED
            if v[i] > bulky:
                mark |= BULKY
            if v[i] == 0 and h[i] > l[i]:
                mark |= WORTHLESS
            # Prices that are not positive have no ratio.
            if bottom > 0 and top > apart * bottom:
                mark |= APART
            if i > starts[g]:
                before = c[i - 1]
                if before > 0 and bottom > 0:
                    if c[i] > up * before or before > up * c[i]:
                        mark |= MOVED
                    if o[i] > up * before or before > up * o[i]:
                        mark |= OPENED
                if c[i] == before and o[i] == o[i - 1] and h[i] == h[i - 1] and l[i] == l[i - 1]:
                    mark |= REPEATED
                    if v[i] == v[i - 1] or (np.isnan(v[i]) and np.isnan(v[i - 1])):
                        mark |= REPEATED_VOLUME
            marks[i] = mark


@nb.njit(cache=True, nogil=True)
def find_instants(ts: Any, begins: Any, ends: Any, wanted: Any, rows: Any) -> None:
    """The row of each wanted instant: the first in begins[n]:ends[n], where `ts` increases, that is not before it."""
    for n in range(len(wanted)):
        low, high = begins[n], ends[n]
        while low < high:
            middle = (low + high) >> 1
            if ts[middle] < wanted[n]:
                low = middle + 1
            else:
                high = middle
        rows[n] = low


@nb.njit(cache=True, nogil=True)
def all_stand_in_order(codes: Any, ts: Any, mask: Any, missing: Any) -> Any:
    """Whether all rows are readable, broke no rule (`mask` 0) and increase by (code, ts)."""
    for i in range(len(ts)):
        if mask[i] != 0 or codes[i] < 0 or ts[i] == missing:
            return False
        if i > 0 and (codes[i] < codes[i - 1] or (codes[i] == codes[i - 1] and ts[i] <= ts[i - 1])):
            return False
    return True


@nb.njit(cache=True, nogil=True)
def find_off_ticks(
    starts: Any, ticks: Any, o: Any, h: Any, l: Any, c: Any, found: Any, prices: Any  # noqa: E741
) -> None:  # fmt: skip
    """Of each group with a tick above 0: how many bars have a price between ticks, which, and the first such price."""
    for g in range(len(starts) - 1):
        tick = ticks[g]
        if not tick > 0:
            continue
        for i in range(starts[g], starts[g + 1]):
            price = np.nan
            if _is_off(c[i], tick):
                price = c[i]
            elif _is_off(o[i], tick):
                price = o[i]
            elif _is_off(h[i], tick):
                price = h[i]
            elif _is_off(l[i], tick):
                price = l[i]
            else:
                continue
            if found[g, OFF_BARS] == 0:
                found[g, OFF_FIRST], prices[g] = i, price
            found[g, OFF_BARS] += 1
            found[g, OFF_LAST] = i


@nb.njit(cache=True, nogil=True)
def _is_off(price: Any, tick: Any) -> Any:
    count = price / tick
    return abs(count - np.rint(count)) > max(_TICK_SLACK, abs(count) * _GREAT_SLACK)
