"""What one corporate action multiplies shares and prices by, and the places of actions in time.

Which actions count and what they add up to is in `adjustment`.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.actions import ACTION_SCHEMA, ActionKind

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

EPOCH = date(1970, 1, 1)
# A close older than this says nothing about the price an amount was paid out of. The longest closures of
# exchanges (New York 2001, golden weeks) are shorter.
OLDEST_CLOSE_DAYS = 14
NO_CLOSE = "no close before it"
TOO_LARGE = "the amount is not below the close before it"
NO_VALUE = "it has no ratio, amount or factor above 0"

# Actions that were not applied, and why.
UNAPPLIED_SCHEMA = pa.schema([*ACTION_SCHEMA, ("reason", pa.string())])

_DAY_ZERO = 1 << 31
_DAY_BITS = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class ActionWeights:
    """N actions: where each stands (`places`), what it multiplies shares by, and prices for what was paid out."""

    places: Ints
    shares: Floats
    cash: Floats


def weigh_actions(
    actions: pa.Table, names: list[str], closes: pa.Table | None = None, key: str = "symbol"
) -> tuple[ActionWeights, pa.Table]:
    """The weights of actions of these symbols, and the actions that have none (UNAPPLIED_SCHEMA).

    Values:  a split weighs its ratio, a stock dividend 1 + ratio. An amount weighs 1 - amount / reference close: of the
             action, else the last raw close before its ex date in `closes` (`key`, session_date, close), not older than
             OLDEST_CLOSE_DAYS. Amounts of one day come out of the same close: their sum weighs once. A vendor's price
             factor is taken as it is, before amounts.
    """
    actions = actions.combine_chunks()
    owners = symbol_positions(actions["symbol"], names)
    days = day_numbers(actions["ex_date"])
    kind = actions["kind"]
    ratio, amount, factor, reference = (_floats(actions[name]) for name in _VALUES)
    paid = pc.is_in(kind, pa.array([ActionKind.CASH_DIVIDEND, ActionKind.SPIN_OFF])).to_numpy()
    by_amount = paid & np.isnan(factor)
    wanting = by_amount & np.isnan(reference)
    if closes is not None and wanting.any():
        reference[wanting] = _closes_before(closes, key, names, owners[wanting], days[wanting])
    at = places(owners, days)
    with np.errstate(invalid="ignore", divide="ignore"):
        left, first = _left_over(at, np.where(by_amount & (amount > 0), amount / reference, np.nan))
        cash = np.where(by_amount, left, factor)
        shares = np.where(pc.equal(kind, ActionKind.STOCK_DIVIDEND).to_numpy(), 1 + ratio, ratio)
        of_shares = pc.is_in(kind, pa.array([ActionKind.SPLIT, ActionKind.STOCK_DIVIDEND])).to_numpy()
        weight = np.where(of_shares, shares, cash)
        good = np.isfinite(weight) & (weight > 0) & ~(by_amount & ~(amount > 0))
    reason = np.where(by_amount & (amount > 0), np.where(reference > 0, TOO_LARGE, NO_CLOSE), NO_VALUE)[~good]
    unapplied = actions.select(ACTION_SCHEMA.names).filter(pa.array(~good))
    unapplied = unapplied.append_column("reason", pa.array(reason.tolist(), pa.string()))
    counts_cash = ~of_shares & (first | ~by_amount)
    weights = ActionWeights(at[good], np.where(of_shares, shares, 1.0)[good], np.where(counts_cash, cash, 1.0)[good])
    return weights, unapplied.cast(UNAPPLIED_SCHEMA)


def places(codes: Ints, days: Ints) -> Ints:
    """Symbol code and day in one number that sorts by both."""
    return (codes << 32) + days + _DAY_ZERO


def symbols_of_places(found: Ints) -> Ints:
    """The symbol codes of places."""
    return found >> 32


def days_of_places(found: Ints) -> Ints:
    """The days of places, since 1970."""
    return (found & _DAY_BITS) - _DAY_ZERO


def symbol_numbers(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """A number for each row's symbol, -1 for none, and the symbols that occur."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    whole = encoded.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        return np.zeros(0, np.int64), []
    numbers = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    # A slice keeps the dictionary of the whole.
    occurs = np.bincount(numbers + 1, minlength=len(whole.dictionary) + 1)[1:] > 0
    renumbered = np.append(np.cumsum(occurs) - 1, -1)
    return renumbered[numbers], whole.dictionary.filter(pa.array(occurs)).to_pylist()


def symbol_positions(symbols: pa.ChunkedArray | pa.Array, names: list[str]) -> Ints:
    """Where each symbol is in `names`, -1 where it is not."""
    found: Ints = pc.index_in(symbols, pa.array(names, pa.string())).fill_null(-1).to_numpy().astype(np.int64)
    return found


def day_numbers(column: pa.ChunkedArray) -> Ints:
    """Dates as days since 1970."""
    return column.cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.int64)


_VALUES = ("ratio", "amount", "price_factor", "reference_close")


def _left_over(at: Ints, parts: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """What the parts paid out at one place leave of the price, for each of them, and which is the first there."""
    left, first = np.full(len(at), np.nan), np.zeros(len(at), bool)
    paying = np.flatnonzero(np.isfinite(parts))
    # In order of size, so that sums have the same bits whatever the order of rows.
    order = paying[np.lexsort((parts[paying], at[paying]))]
    starts = np.flatnonzero(np.append(True, np.diff(at[order]) != 0)[: len(order)])
    if len(starts):
        sums = np.add.reduceat(parts[order], starts)
        left[order] = np.repeat(1 - sums, np.diff(np.append(starts, len(order))))
        first[order[starts]] = True
    return left, first


def _closes_before(closes: pa.Table, key: str, names: list[str], owners: Ints, days: Ints) -> Floats:
    """The last known close of each symbol before a day, NaN where there is none near enough."""
    numbers, own = symbol_numbers(closes[key])
    # One more for rows without symbol, which are -1.
    wanted = np.append(symbol_positions(pa.array(own, pa.string()), names), -1)
    codes = wanted[numbers]
    values = _floats(closes["close"])
    known = (codes >= 0) & (values > 0)
    at = places(codes[known], day_numbers(closes["session_date"])[known])
    order = np.argsort(at, kind="stable")
    # A place before all others, so that there always is one to look at.
    at = np.append(-1, at[order])
    values = np.append(np.nan, values[known][order])
    last = np.searchsorted(at, places(owners, days), "left") - 1
    near = (symbols_of_places(at[last]) == owners) & (days - days_of_places(at[last]) <= OLDEST_CLOSE_DAYS)
    return np.where(near, values[last], np.nan)


def _floats(column: pa.ChunkedArray) -> Floats:
    values: Floats = column.to_numpy().astype(np.float64)
    return values
