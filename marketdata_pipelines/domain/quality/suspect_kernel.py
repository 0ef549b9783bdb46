"""The compiled pass that marks bars which stand out beside their own group; what they are is told in `suspects`."""

from typing import Any

import numba as nb
import numpy as np

MOVED, OPENED, WICKED, BULKY, WORTHLESS, REPEATED, REPEATED_VOLUME, APART = 1, 2, 4, 8, 16, 32, 64, 128


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
