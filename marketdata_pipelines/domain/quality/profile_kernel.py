"""The compiled passes over bars that profiles are made of; the tables are made in `profiles`.

Which bars lie in a session's trading segments, and how many have room there, is decided here. Groups are runs of bars
of one symbol and session: group g is starts[g]:starts[g + 1].
"""

from typing import Any

import numba as nb
import numpy as np

from marketdata_pipelines.domain.quality.median_kernel import median, median_move

# Columns of the integer and float results.
EXPECTED, BARS, EXTENDED, GAPS, LONGEST, AT_CLOSE, FIRST, LAST, ZERO_VOLUME, UNCHANGED, UNKNOWN_VOLUME = range(11)
OPEN, HIGH, LOW, CLOSE, VOLUME, RETURN_SCALE, RANGE_SCALE, VOLUME_MEDIAN = range(8)
INT_COLUMNS, FLOAT_COLUMNS = 11, 8
NONE = -(2**63)
# Of a normal distribution the median of |x| is 1 / 1.4826 of its deviation.
MAD_SCALE = 1.4826
_MINUTE_US = 60_000_000
# Where the gap count stands inside a session: segment, first slot, slots, last slot filled, missing ones so far.
_SEGMENT, _BASE, _SLOTS, _FILLED, _MISSING = range(5)


@nb.njit(cache=True, nogil=True)
def first_slot(begins: Any, ts: Any, width: Any) -> Any:
    """The open of the first bar that overlaps a segment, where bars are in step with one that opens at `ts`."""
    return begins - (begins - ts) % width


@nb.njit(cache=True, nogil=True)
def count_slots(base: Any, ends: Any, width: Any, horizon: Any) -> Any:
    """How many bars from `base` on begin before `ends` and are complete at `horizon`."""
    room = -((base - ends) // width)
    known = (horizon - base) // width
    if known < room:
        room = known
    return room if room > 0 else 0


@nb.njit(cache=True, nogil=True)
def _enter(state: Any, result: Any, begins: Any, ends: Any, ts: Any, width: Any, horizon: Any) -> None:
    k = state[_SEGMENT]
    state[_BASE] = first_slot(begins[k], ts, width)
    state[_SLOTS] = count_slots(state[_BASE], ends[k], width, horizon)
    state[_FILLED] = -1
    result[EXPECTED] += state[_SLOTS]


@nb.njit(cache=True, nogil=True)
def _leave(state: Any, result: Any, begins: Any, ends: Any, width: Any, horizon: Any, from_epoch: Any) -> None:
    k = state[_SEGMENT]
    if state[_SLOTS] < 0:
        _enter(state, result, begins, ends, 0 if from_epoch else begins[k], width, horizon)
    if state[_SLOTS] - 1 > state[_FILLED]:
        state[_MISSING] += state[_SLOTS] - 1 - state[_FILLED]
    state[_SEGMENT] += 1
    state[_SLOTS] = -1


@nb.njit(cache=True, nogil=True)
def _end_gap(state: Any, result: Any) -> None:
    if state[_MISSING] > 0:
        result[GAPS] += 1
        result[LONGEST] = max(result[LONGEST], state[_MISSING])
        state[_MISSING] = 0


@nb.njit(cache=True, nogil=True)
def count_places(
    starts: Any, ts: Any, session: Any, offsets: Any, begins: Any, ends: Any, closes: Any, width: Any, horizon: Any,
    from_epoch: Any, inside: Any, ints: Any,
) -> None:  # fmt: skip
    """Tell which bars are inside a trading segment, and count places: expected, bars, extended, gaps, at_close.

    Shape:   `session`: each group's session or -1; its segments are offsets[s]:offsets[s + 1], its close closes[s].
             A group without bars has its whole session missing.
    Bounds:  a bar is inside a segment that it overlaps; segments and `horizon` end exclusively.
    """
    state = np.zeros(5, np.int64)
    for g in range(len(starts) - 1):
        s, result = session[g], ints[g]
        state[:] = 0
        stop = 0
        if s >= 0:
            state[_SEGMENT], stop = offsets[s], offsets[s + 1]
        state[_SLOTS] = -1
        following, until = NONE, NONE
        for i in range(starts[g], starts[g + 1]):
            if s >= 0 and ts[i] == closes[s]:
                result[AT_CLOSE] = 1
            # Most bars follow the one before in the same segment: then nothing is missing and nothing to divide.
            if ts[i] == following and ts[i] < until:
                state[_FILLED] += 1
                inside[i] = True
                result[BARS] += 1
                following += width
                continue
            while state[_SEGMENT] < stop and ts[i] >= ends[state[_SEGMENT]]:
                _leave(state, result, begins, ends, width, horizon, from_epoch)
            k = state[_SEGMENT]
            # Bars of a minute or less belong where they open, coarser ones to what they overlap.
            if k >= stop or ts[i] + (width if width > _MINUTE_US else 1) <= begins[k]:
                result[EXTENDED] += 1
                continue
            if state[_SLOTS] < 0:
                _enter(state, result, begins, ends, ts[i], width, horizon)
            slot = (ts[i] - state[_BASE]) // width
            if slot > state[_FILLED]:
                state[_MISSING] += slot - state[_FILLED] - 1
                state[_FILLED] = slot
            _end_gap(state, result)
            inside[i] = True
            result[BARS] += 1
            following, until = ts[i] + width, ends[k]
        while state[_SEGMENT] < stop:
            _leave(state, result, begins, ends, width, horizon, from_epoch)
        _end_gap(state, result)


@nb.njit(cache=True, nogil=True)
def measure_groups(
    starts: Any, ts: Any, o: Any, h: Any, l: Any, c: Any, v: Any, inside: Any, ints: Any, floats: Any  # noqa: E741
) -> None:  # fmt: skip
    """Measure the prices, volumes and robust scales of each group's bars that are inside."""
    most = 0
    for g in range(len(starts) - 1):
        most = max(most, starts[g + 1] - starts[g])
    ratios, apart, ranges, volumes = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    for g in range(len(starts) - 1):
        first, last, moved, ranged, known, zeros, unchanged, unknown = -1, -1, 0, 0, 0, 0, 0, 0
        high, low, total, before = -np.inf, np.inf, 0.0, np.nan
        for i in range(starts[g], starts[g + 1]):
            if not inside[i]:
                continue
            close = c[i]
            if first < 0:
                first = i
            elif close > 0 and before > 0:
                # Prices that are not positive have no ratio.
                ratios[moved] = close / before
                apart[moved] = (max(close, before) - min(close, before)) / min(close, before)
                moved += 1
            unchanged += o[i] == before and h[i] == before and l[i] == before and close == before
            high, low = max(high, h[i]), min(low, l[i])
            if close != 0:
                ranges[ranged] = (h[i] - l[i]) / abs(close)
                ranged += 1
            if np.isnan(v[i]):
                unknown += 1
            else:
                total += v[i]
                zeros += v[i] == 0
                volumes[known] = v[i]
                known += 1
            last, before = i, close
        floats[g, HIGH], floats[g, LOW] = (high, low) if high >= low else (np.nan, np.nan)
        floats[g, RANGE_SCALE] = median(ranges[:ranged])
        floats[g, VOLUME_MEDIAN] = median(volumes[:known])
        floats[g, RETURN_SCALE] = MAD_SCALE * median_move(ratios[:moved], apart[:moved], ranges)
        ints[g, ZERO_VOLUME], ints[g, UNCHANGED], ints[g, UNKNOWN_VOLUME] = zeros, unchanged, unknown
        ints[g, FIRST], ints[g, LAST] = (ts[first], ts[last]) if first >= 0 else (NONE, NONE)
        floats[g, OPEN], floats[g, CLOSE] = (o[first], c[last]) if first >= 0 else (np.nan, np.nan)
        floats[g, VOLUME] = total if first >= 0 and unknown == 0 else np.nan
