"""What is measured of bars before anything is judged: returns, leaps, wicks, ranges, beside their session's own scale.

The rules' quantities as far as one session tells them; a limit is judged by the rules' own modules.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Below this a scale says that prices hardly move at all; nothing is measured in it.
_LEAST_SCALE = 1e-6


@dataclass(frozen=True, slots=True)
class BarMeasures:
    """Of N bars sorted by (symbol, ts); NaN where there is nothing to measure.

    `returns` ln(close / close before); `ranges` (high - low) / close; `leaps` the lesser of a leap away from both
    neighbours and back; `wicks` the longer wick / close; `leap_scales` and `wick_scales` the same in the session's
    return and range scales, `return_scales` |return| in the session's return scale.
    """

    returns: Floats
    ranges: Floats
    leaps: Floats
    wicks: Floats
    return_scales: Floats
    leap_scales: Floats
    wick_scales: Floats


def measure_bars(bars: pa.Table, profiles: pa.Table, *, within_sessions: bool) -> BarMeasures:
    """Measure bars (BAR_SCHEMA sorted by (symbol, ts)) beside their profiles (PROFILE_SCHEMA).

    `within_sessions`: a session's first bar has no return; else returns go from session to session, as of daily bars.
    """
    numbers, names = symbol_codes(bars["symbol"])
    codes, days = numbers.astype(np.int64), int_values(bars["session_date"])
    opens, highs, lows, closes = (float_values(bars[name]) for name in PRICES)
    fresh = np.ones(len(codes), bool)
    fresh[1:] = codes[1:] != codes[:-1]
    if within_sessions:
        fresh[1:] |= days[1:] != days[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = _known(np.where(fresh, np.nan, np.log(closes / np.concatenate(([np.nan], closes[:-1])))))
        ranges = _known((highs - lows) / np.abs(closes))
        tops, bottoms = highs - np.maximum(opens, closes), np.minimum(opens, closes) - lows
        wicks = _known(np.maximum(tops, bottoms) / np.abs(closes))
        following = np.concatenate((returns[1:], [np.nan])) if len(returns) else returns
        leaps = np.where(returns * following < 0, np.minimum(np.abs(returns), np.abs(following)), 0.0)
        leaps = np.where(np.isnan(returns) | np.isnan(following), np.nan, leaps)
        return_scale, range_scale = _scales(codes, names, days, profiles)
        return BarMeasures(
            returns, ranges, leaps, wicks,
            np.abs(returns) / return_scale, leaps / return_scale, wicks / range_scale,
        )  # fmt: skip


def longest_standstill(bars: pa.Table) -> int:
    """The greatest number of bars in a row of one symbol-session whose four prices all are one price that stays."""
    if not bars.num_rows:
        return 0
    codes, _ = symbol_codes(bars["symbol"])
    days = int_values(bars["session_date"])
    opens, highs, lows, closes = (float_values(bars[name]) for name in PRICES)
    flat = (opens == closes) & (highs == lows) & (opens == highs)
    goes_on = np.zeros(len(codes), bool)
    goes_on[1:] = flat[1:] & flat[:-1] & (closes[1:] == closes[:-1])
    goes_on[1:] &= (codes[1:] == codes[:-1]) & (days[1:] == days[:-1])
    begins = np.flatnonzero(~goes_on)
    lengths = np.diff(np.append(begins, len(codes)))
    return int(np.where(flat[begins], lengths, 0).max())


def _scales(codes: Ints, names: list[str], days: Ints, profiles: pa.Table) -> tuple[Floats, Floats]:
    """Each bar's return and range scale; NaN where its session has none to speak of."""
    own, symbols = symbol_codes(profiles["symbol"])
    rank = {name: at for at, name in enumerate(names)}
    known = np.array([rank.get(symbol, -1) for symbol in symbols], np.int64)
    keys = _keys(known[own] if len(known) else own.astype(np.int64), int_values(profiles["session_date"]))
    order = np.argsort(keys, kind="stable")
    wanted = _keys(codes, days)
    if not len(keys):
        return np.full(len(codes), np.nan), np.full(len(codes), np.nan)
    at = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
    found = keys[at] == wanted
    scales = (float_values(profiles[name])[at] for name in ("return_scale", "range_scale"))
    first, second = (np.where(found & (scale > _LEAST_SCALE), scale, np.nan) for scale in scales)
    return first, second


def _keys(codes: Ints, days: Ints) -> Ints:
    return codes << 32 | days


def _known(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
