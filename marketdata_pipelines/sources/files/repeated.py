"""Deciding which of its two occurrences a wall-clock time of a repeated autumn hour is.

The file's order tells: a symbol's local times increase through the first pass of the hour, fall back once,
and increase through the second. With one pass only, or several falls, nothing is decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_HALF_DAY_SECONDS = 43_200


@dataclass(frozen=True, slots=True)
class RepeatedRows:
    """Rows of repeated hours in file order: symbol, wall time and both instants, in ticks."""

    symbols: Sequence[str | None]
    wall: np.ndarray
    first: np.ndarray
    second: np.ndarray


def resolve_repeated(
    rows: RepeatedRows, ticks_per_second: int, *, equal_restarts: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The instant of each row and whether it is certain.

    `equal_restarts`: a wall time that comes again is the second pass (bars of an hour or more, of which each
    pass holds one); in finer data it is a duplicate.
    """
    values, certain = rows.first.copy(), np.zeros(len(rows.wall), bool)
    # Half a day before or after reaches no other transition.
    nights = (rows.first // (ticks_per_second * _HALF_DAY_SECONDS)).tolist()
    groups: dict[tuple[str | None, int], list[int]] = {}
    for index, (symbol, night) in enumerate(zip(rows.symbols, nights, strict=True)):
        groups.setdefault((symbol, night), []).append(index)
    for members in groups.values():
        indices = np.array(members)
        steps = np.diff(rows.wall[indices])
        falls = np.flatnonzero(steps <= 0 if equal_restarts else steps < 0)
        if len(falls) == 1:
            after = indices[int(falls[0]) + 1 :]
            values[after] = rows.second[after]
            certain[indices] = True
    return values, certain
