"""Finding rows whose day and month are in another order than in the rest of the file.

Only rows that fall out of the file's own order as read, and fit into it when swapped, are named: unsorted
and reverse-sorted files are left alone.
"""

import numpy as np

from marketdata_pipelines.sources.files.arrays import Column
from marketdata_pipelines.sources.files.layouts import read_written

_SECONDS_PER_DAY = 86_400
_SMALLEST_IN_ORDER = 0.8
_NEAR_DAYS = 7
# A shuffled file has no order to fall out of; asking it costs time that grows with its dates.
_FEWEST_RUNS_OF_DISORDER = 1000


def has_day_order(time_format: str) -> bool:
    """Whether a format holds day and month as numbers with the year after them."""
    return "%m" in time_format and "%d" in time_format and not time_format.startswith("%Y")


def swapped_rows(text: Column, time_format: str, symbols: np.ndarray) -> np.ndarray:
    """Which rows read in their place only with day and month exchanged.

    Shape: one flag a row of `text`, in file order; `symbols` are codes, each symbol has an order of its own.
    """
    found = np.zeros(len(text), bool)
    read = read_written(text, time_format, 1)
    days = np.where(read.readable, read.values // _SECONDS_PER_DAY, 0)
    order = np.argsort(symbols, kind="stable")
    order = order[read.readable[order]]
    if not _breaks_order(days[order], symbols[order]):
        return found
    other = read_written(text, _exchanged(time_format), 1)
    swapped_days = np.where(other.readable, other.values // _SECONDS_PER_DAY, days)
    edges = np.flatnonzero(np.diff(symbols[order])) + 1
    for rows in np.split(order, edges):
        found[rows[_misplaced(days[rows], swapped_days[rows])]] = True
    return found


def _exchanged(time_format: str) -> str:
    return time_format.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")


def _breaks_order(days: np.ndarray, symbols: np.ndarray) -> bool:
    same = symbols[1:] == symbols[:-1]
    steps = np.diff(days)
    return bool((same & (steps < 0)).any() and (same & (steps > 0)).any())


def _misplaced(days: np.ndarray, swapped: np.ndarray) -> np.ndarray:
    """Flags of one symbol's rows. Works on runs of one date, which are few."""
    starts = np.concatenate(([0], np.flatnonzero(np.diff(days)) + 1))
    lengths = np.diff(np.append(starts, len(days)))
    run_days, run_swapped = days[starts], swapped[starts]
    steps = np.diff(run_days)
    if len(steps) > _FEWEST_RUNS_OF_DISORDER and 0.3 < (steps < 0).mean() < 0.7:
        return np.zeros(len(days), bool)
    if lengths[np.append(np.diff(run_days) < 0, False)].sum() > lengths[np.append(np.diff(run_days) > 0, False)].sum():
        flags = _misplaced_runs(run_days[::-1], run_swapped[::-1], lengths[::-1])[::-1]
    else:
        flags = _misplaced_runs(run_days, run_swapped, lengths)
    return np.repeat(flags, lengths)


def _misplaced_runs(days: np.ndarray, swapped: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    in_order = _longest_increasing(days, lengths)
    flags = np.zeros(len(days), bool)
    if lengths[in_order].sum() < _SMALLEST_IN_ORDER * lengths.sum():
        return flags
    kept = np.flatnonzero(in_order)
    candidates = np.flatnonzero(~in_order & (days != swapped))
    after = np.searchsorted(kept, candidates)
    for run, position in zip(candidates.tolist(), after.tolist(), strict=True):
        low = int(days[kept[position - 1]]) if position else int(days[kept[0]]) - _NEAR_DAYS
        high = int(days[kept[position]]) if position < len(kept) else int(days[kept[-1]]) + _NEAR_DAYS
        flags[run] = low <= swapped[run] <= high and not low <= days[run] <= high
    return flags


def _longest_increasing(days: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Flags of the runs of a heaviest non-decreasing subsequence (by rows), in O(n log n)."""
    ranks = np.unique(days, return_inverse=True)[1]
    size = int(ranks.max()) + 1
    tree, holder = [0] * (size + 1), [-1] * (size + 1)
    total, before = [0] * len(days), [-1] * len(days)
    for run, (rank, weight) in enumerate(zip(ranks.tolist(), lengths.tolist(), strict=True)):
        best, at, index = 0, -1, rank + 1
        while index:
            if tree[index] > best:
                best, at = tree[index], holder[index]
            index &= index - 1
        total[run], before[run] = best + weight, at
        index = rank + 1
        while index <= size:
            if total[run] > tree[index]:
                tree[index], holder[index] = total[run], run
            index += index & -index
    flags = np.zeros(len(days), bool)
    run = max(range(len(days)), key=total.__getitem__)
    while run >= 0:
        flags[run] = True
        run = before[run]
    return flags
