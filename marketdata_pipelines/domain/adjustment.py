"""Adjusting bars for corporate actions, on reading: what is stored stays as traded.

How much one action weighs is in `action_weights`; which actions stand is decided in `actions`. Imports no
kernels, so that a question for a few bars stays quick.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.action_weights import (
    EPOCH,
    UNAPPLIED_SCHEMA,
    ActionWeights,
    day_numbers,
    days_of_places,
    places,
    symbol_numbers,
    symbol_positions,
    symbols_of_places,
    weigh_actions,
)
from marketdata_pipelines.domain.actions import ActionKind
from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.errors import SchemaMismatch

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Adjustment(StrEnum):
    """raw: as traded; split: for changes of the number of shares; total: for what was paid out as well."""

    RAW = "raw"
    SPLIT = "split"
    TOTAL = "total"


_SHARES = (ActionKind.SPLIT, ActionKind.STOCK_DIVIDEND)
_PAID = (ActionKind.CASH_DIVIDEND, ActionKind.SPIN_OFF, ActionKind.FACTOR)
COUNTED_KINDS = {Adjustment.RAW: (), Adjustment.SPLIT: _SHARES, Adjustment.TOTAL: (*_SHARES, *_PAID)}

# A session's own bars are complete within a day of its label, and two hours more where extended hours run past
# midnight UTC. The earliest close on the day after, in Auckland, is later than that.
_LONGEST_SESSION_US = 26 * 3_600_000_000
_DAY_US = 86_400_000_000


class FactorStep(NamedTuple):
    """From `from_date` (None: the beginning) until the next step: prices times one factor, volumes the other."""

    from_date: date | None
    price_factor: float
    volume_factor: float


@dataclass(frozen=True, slots=True)
class _Steps:
    """The factors of several symbols as one step function over ordered places (see `action_weights.places`).

    `shares[i]` and `cash[i]` hold for a symbol's days before place `i`, from its place before that on.
    """

    places: Ints
    shares: Floats
    cash: Floats

    def at(self, codes: Ints, days: Ints) -> tuple[Floats, Floats]:
        """Share ratio and price factor of each (symbol code, day)."""
        index = np.searchsorted(self.places, places(codes, days), "right")
        owners = np.append(symbols_of_places(self.places), -2)
        index[owners[index] != codes] = len(self.places)
        return np.append(self.shares, 1.0)[index], np.append(self.cash, 1.0)[index]


def adjust_bars(
    bars: pa.Table,
    actions: pa.Table,
    adjustment: Adjustment,
    anchor: date,
    closes: pa.Table | None = None,
    *,
    key: str = "symbol",
) -> tuple[pa.Table, pa.Table]:
    """Bars as if every action until `anchor` had happened before them.

    Shape:   bars with `key`, `session_date` and any of open, high, low, close, vwap, notional, volume (BAR_SCHEMA,
             AGGREGATE_SCHEMA, rows as users see them), in any order; actions of ACTION_SCHEMA. Returns the bars with
             the same columns, rows and types, and the actions behind the first bar that could not be applied
             (UNAPPLIED_SCHEMA).
    Bounds:  a bar is changed by the actions with session_date < ex_date <= anchor. Nothing about a bar depends on
             which other bars are asked for.
    Units:   splits and stock dividends divide prices and multiply volume, notional stays; the rest of `total`
             multiplies prices and notional, volume stays: vwap = notional / volume holds. Nothing is rounded, counts
             stay, null stays null, and bars without a later action keep their bits.
    Closes:  raw daily closes (`key`, session_date, close) for cash amounts whose action names no reference close.
    Key:     the column that actions' `symbol` is compared with; give `instrument_id` where it holds such ids.
    Buckets: a bucket of several days (2d, 1w, 1M) with an ex date inside mixes prices of two scales: leave it out
             and combine it anew from adjusted 1d bars. `spans_action` tells which.
    Errors:  SchemaMismatch where `key` or session_date is missing.
    """
    _check(bars, key)
    codes, names = symbol_numbers(bars[key])
    counted = _counted(actions, names, adjustment, anchor)
    # An action before the first bar changes none, and what it lacks is nobody's concern.
    counted = counted.filter(pc.greater(counted["ex_date"], pc.min(bars["session_date"])))
    if not counted.num_rows:
        return bars, pa.Table.from_batches([], UNAPPLIED_SCHEMA)
    weights, unapplied = weigh_actions(counted, names, closes, key)
    shares, cash = _row_factors(_steps(weights), codes, day_numbers(bars["session_date"]))
    return _scaled(bars, shares, cash), unapplied


def spans_action(
    bars: pa.Table,
    actions: pa.Table,
    adjustment: Adjustment = Adjustment.TOTAL,
    anchor: date | None = None,
    *,
    key: str = "symbol",
) -> NDArray[np.bool_]:
    """Which bars cover days on both sides of an ex date, so that no one factor fits them.

    Shape:   as `adjust_bars`, with ts and ts_close; returns one flag a row.
    Bounds:  intraday and 1d bars never do: they lie in one session. At the edges of a bucket's days (a Monday without
             session, the day after a close) a row may be flagged needlessly, never left out.
    """
    _check(bars, key)
    flags = np.zeros(bars.num_rows, bool)
    begins, ends = _instants(bars["ts"]), _instants(bars["ts_close"])
    rows = np.flatnonzero(ends - begins > _LONGEST_SESSION_US)
    codes, names = symbol_numbers(bars[key])
    counted = _counted(actions, names, adjustment, anchor)
    if not len(rows) or not counted.num_rows:
        return flags
    found = np.sort(places(symbol_positions(counted["symbol"], names), day_numbers(counted["ex_date"])))
    first = places(codes[rows], day_numbers(bars["session_date"])[rows])
    last = places(codes[rows], (ends[rows] - 1) // _DAY_US)
    flags[rows] = np.searchsorted(found, last, "right") > np.searchsorted(found, first, "right")
    return flags


def adjustment_factors(
    actions: pa.Table, symbol: str, adjustment: Adjustment, anchor: date, closes: pa.Table | None = None
) -> list[FactorStep]:
    """The factors of one symbol in order of time, for showing; the last step is always (…, 1.0, 1.0)."""
    weights, _ = weigh_actions(_counted(actions, [symbol], adjustment, anchor), [symbol], closes)
    steps = _steps(weights)
    days, first = np.unique(days_of_places(steps.places), return_index=True)
    dates = [EPOCH + timedelta(days=int(day)) for day in days]
    shares, cash = np.append(steps.shares[first], 1.0).tolist(), np.append(steps.cash[first], 1.0).tolist()
    return [FactorStep(begins, c / s, s) for begins, s, c in zip([None, *dates], shares, cash, strict=True)]


def _counted(actions: pa.Table, names: list[str], adjustment: Adjustment, anchor: date | None) -> pa.Table:
    """The actions of these symbols that the adjustment counts, until the anchor."""
    own = actions.filter(pc.is_in(actions["symbol"], pa.array(names, pa.string())))
    wanted = pc.is_in(own["kind"], pa.array(list(COUNTED_KINDS[adjustment]), pa.string()))
    if anchor is not None:
        wanted = pc.and_(wanted, pc.less_equal(own["ex_date"], pa.scalar(anchor, pa.date32())))
    return own.filter(wanted)


def _steps(weights: ActionWeights) -> _Steps:
    """The products of all later weights at each place; the order in which actions come plays no part."""
    order = np.lexsort((weights.cash, weights.shares, weights.places))
    ordered, shares, cash = weights.places[order], weights.shares[order], weights.cash[order]
    owners = symbols_of_places(ordered)
    edges = np.flatnonzero(np.diff(owners, prepend=-2, append=-2)).tolist() if len(owners) else []
    for start, end in pairwise(edges):
        shares[start:end] = np.cumprod(shares[start:end][::-1])[::-1]
        cash[start:end] = np.cumprod(cash[start:end][::-1])[::-1]
    return _Steps(ordered, shares, cash)


def _row_factors(steps: _Steps, codes: Ints, days: Ints) -> tuple[Floats, Floats]:
    """Share ratio and price factor of each row, looked up once for each run of one symbol and day."""
    if not len(codes):
        return np.ones(0), np.ones(0)
    starts = np.flatnonzero(np.append(True, (codes[1:] != codes[:-1]) | (days[1:] != days[:-1])))
    lengths = np.diff(np.append(starts, len(codes)))
    shares, cash = steps.at(codes[starts], days[starts])
    return np.repeat(shares, lengths), np.repeat(cash, lengths)


def _scaled(bars: pa.Table, shares: Floats, cash: Floats) -> pa.Table:
    split, paid = bool((shares != 1).any()), bool((cash != 1).any())
    ratio, factor = pa.array(shares), pa.array(cash)
    for name in (*PRICES, "vwap", "notional", "volume"):
        position = bars.schema.get_field_index(name)
        if position < 0:
            continue
        column = bars[name]
        if paid and name != "volume":
            column = pc.multiply(column, factor)
        if split and name == "volume":
            column = pc.multiply(column, ratio)
        if split and name not in ("volume", "notional"):
            column = pc.divide(column, ratio)
        bars = bars.set_column(position, bars.schema.field(position).with_type(pa.float64()), column)
    return bars


def _instants(column: pa.ChunkedArray) -> Ints:
    values: Ints = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
    return values


def _check(bars: pa.Table, key: str) -> None:
    missing = [name for name in (key, "session_date") if name not in bars.column_names]
    if missing:
        raise SchemaMismatch(f"bars without {' and '.join(missing)} cannot be adjusted; select these columns too")
