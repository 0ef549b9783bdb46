"""Bars of a partition as arrays, grouped by what they are compared with, and what the finders of suspects hand out.

Bars finer than an hour are compared within their symbol-session, coarser ones within their symbol's bars of the
partition: seven bars of one day say little about each other.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.domain.intervals import HOUR_US
from marketdata_pipelines.domain.quality import profile_kernel as kernel
from marketdata_pipelines.domain.quality.profiles import group_starts

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_AROUND = 10


@dataclass(frozen=True, slots=True)
class Suspects:
    """Suspicions of one kind: positions of their first and last bars, how far they stand out, beside what."""

    kind: str
    first: Ints
    last: Ints
    bars: Ints
    value: Floats
    scale: Floats


@dataclass(frozen=True, slots=True)
class GroupedBars:
    """Bars sorted by (code, ts); group g is starts[g]:starts[g + 1], with the robust scales of its bars (NaN: unknown).

    `is_fine`: groups are symbol-sessions, else symbols.
    """

    codes: NDArray[np.int32]
    symbols: list[str]
    days: Ints
    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    starts: Ints
    return_scale: Floats
    range_scale: Floats
    volume_median: Floats
    is_fine: bool
    width_us: int

    def groups_of(self, rows: Ints) -> Ints:
        """The group of each row."""
        return np.searchsorted(self.starts, rows, "right") - 1

    def moves(self, rows: Ints) -> Floats:
        """ln(close / close before) of rows that are not the first of their group; NaN where a price is not positive."""
        now, before = self.close[rows], self.close[rows - 1]
        return log_ratio(now, before)

    def near_moves(self, rows: Ints) -> Floats:
        """The robust scale of moves around each row, its own and the one after left out; NaN where there are none."""
        at = rows[:, None] + np.array([n for n in range(-_AROUND, _AROUND + 2) if n not in (0, 1)])
        group = self.groups_of(rows)
        inside = (at > self.starts[group][:, None]) & (at < self.starts[group + 1][:, None])
        safe = np.where(inside, at, 1)
        values = np.abs(self.moves(safe)) if len(self.close) > 1 else np.full(at.shape, np.nan)
        return kernel.MAD_SCALE * masked_median(values, inside & np.isfinite(values))

    def near_ranges(self, rows: Ints) -> Floats:
        """The median of (high - low) / close around each row, its own left out; NaN where there are none."""
        at = rows[:, None] + np.array([n for n in range(-_AROUND, _AROUND + 1) if n])
        group = self.groups_of(rows)
        inside = (at >= self.starts[group][:, None]) & (at < self.starts[group + 1][:, None])
        safe = np.where(inside, at, 0)
        return masked_median(relative(self.high[safe] - self.low[safe], self.close[safe]), inside)


def group_bars(feed: Feed, bars: pa.Table, profiles: pa.Table) -> GroupedBars:
    """Group BAR_SCHEMA rows sorted by (symbol, ts); `profiles` holds those of their symbol-sessions."""
    codes, symbols = symbol_codes(bars["symbol"])
    days = int_values(bars["session_date"])
    is_fine = feed.interval.is_intraday and feed.interval.us < HOUR_US
    starts = group_starts(codes, days if is_fine else np.zeros(len(codes), np.int64))
    opened, high, low, close = (float_values(bars[name]) for name in PRICES)
    volume = float_values(bars["volume"])
    if is_fine:
        scales = _profiled(codes, symbols, days, starts, profiles)
    else:
        scales = _measured(starts, high, low, close, volume)
    return GroupedBars(
        codes, symbols, days, int_values(bars["ts"]), opened, high, low, close, volume, starts, *scales, is_fine,
        feed.interval.us,
    )  # fmt: skip


def profile_rows(codes: NDArray[np.int32], symbols: list[str], days: Ints, profiles: pa.Table) -> Ints:
    """The row of `profiles` of each (code, day), -1 where there is none."""
    theirs, names = symbol_codes(profiles["symbol"])
    rank = {symbol: code for code, symbol in enumerate(symbols)}
    ours = np.array([rank.get(name, -1) for name in names] + [-1], np.int64)[theirs]
    key = ours << 32 | int_values(profiles["session_date"])
    order = np.argsort(key, kind="stable")
    wanted = codes.astype(np.int64) << 32 | days
    at = np.minimum(np.searchsorted(key[order], wanted), max(len(key) - 1, 0))
    if not len(key):
        return np.full(len(wanted), -1, np.int64)
    return np.where(key[order][at] == wanted, order[at], -1)


def masked_median(values: Floats, valid: NDArray[np.bool_]) -> Floats:
    """The median of each row's valid values, NaN where it has none."""
    ordered = np.sort(np.where(valid, values, np.inf), axis=1)
    count = valid.sum(axis=1)
    rows, most = np.arange(len(values)), values.shape[1] - 1
    low = ordered[rows, np.maximum((count - 1) // 2, 0)]
    high = ordered[rows, np.minimum(count // 2, most)]
    known = count > 0
    middle = np.full(len(values), np.nan)
    middle[known] = (low[known] + high[known]) / 2
    return middle


def log_ratio(values: Floats, others: Floats) -> Floats:
    """ln(values / others), NaN where one is not positive."""
    good = (values > 0) & (others > 0)
    return np.where(good, np.log(np.where(good, values, 1.0) / np.where(good, others, 1.0)), np.nan)


def relative(values: Floats, prices: Floats) -> Floats:
    """Values as a share of prices, 0 where the price is 0."""
    return values / np.where(prices == 0, np.inf, np.abs(prices))


def _profiled(
    codes: NDArray[np.int32], symbols: list[str], days: Ints, starts: Ints, profiles: pa.Table
) -> tuple[Floats, Floats, Floats]:
    first = starts[:-1]
    rows = profile_rows(codes[first], symbols, days[first], profiles)
    found = []
    for name in ("return_scale", "range_scale", "volume_median"):
        values = np.append(float_values(profiles[name]), np.nan)
        found.append(values[rows])
    return found[0], found[1], found[2]


def _measured(starts: Ints, high: Floats, low: Floats, close: Floats, volume: Floats) -> tuple[Floats, Floats, Floats]:
    inside = np.ones(len(close), np.bool_)
    count = len(starts) - 1
    ints = np.zeros((count, kernel.INT_COLUMNS), np.int64)
    floats = np.zeros((count, kernel.FLOAT_COLUMNS))
    kernel.measure_groups(starts, np.zeros(len(close), np.int64), close, high, low, close, volume, inside, ints, floats)
    return floats[:, kernel.RETURN_SCALE], floats[:, kernel.RANGE_SCALE], floats[:, kernel.VOLUME_MEDIAN]
