"""Splicing a root's contracts into one series: who is in force when, the prices that meet at a roll, adjustment.

Which day a roll is on is decided in `rolls`.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.contracts import ContractMonth
from marketdata_pipelines.domain.rolls import Roll, RollPlan, RollRule, Sessions
from marketdata_pipelines.errors import SettingsInvalid

RANKS = (0, 1)


class Adjust(StrEnum):
    """How the prices before a roll are brought to those after it."""

    NONE = "none"
    RATIO = "ratio"
    DIFFERENCE = "difference"


class OnMissing(StrEnum):
    """What an adjusted series does at a roll whose two contracts have no close of the same session right before it.

    `error`: refuse. `last`: use their last common session, however old. `keep`: leave the step in the series.
    """

    ERROR = "error"
    LAST = "last"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class RollPrices:
    """The closes of both contracts in the last session before a roll in which both have one.

    `is_exact`: the contract left has no later bar, so a holder could have changed at these two prices.
    """

    closes_on: date | None = None
    from_close: float | None = None
    to_close: float | None = None
    is_exact: bool = False

    @property
    def difference(self) -> float | None:
        if self.from_close is None or self.to_close is None:
            return None
        return self.to_close - self.from_close

    @property
    def ratio(self) -> float | None:
        """None also where a price is not above zero: a ratio of such prices says nothing."""
        if self.from_close is None or self.to_close is None or self.from_close <= 0 or self.to_close <= 0:
            return None
        return self.to_close / self.from_close


@dataclass(frozen=True, slots=True)
class Holding:
    """A stretch of session dates on one contract, both included; the last has no end. `roll` led into it."""

    month: ContractMonth
    start: date
    end: date | None
    roll: Roll | None = None


def series_name(root: str, rule: RollRule, rank: int) -> str:
    """A series' symbol: `ES.v.0` is the contract in force by volume, `ES.v.1` the one after it."""
    return f"{root}.{rule.letter}.{rank}"


def holdings(plan: RollPlan, chain: Sequence[ContractMonth], rank: int, begin: date) -> list[Holding]:
    """The contracts of a rank in order of time; where the chain ends there are none.

    `chain`: all contracts of the root in order. Rank 1 is the one after the contract in force, and rolls with it.

    Errors: SettingsInvalid for other ranks.
    """
    if rank not in RANKS:
        raise SettingsInvalid(f"rank is {rank}; allowed: {', '.join(map(str, RANKS))}")
    starts: list[tuple[date, ContractMonth, Roll | None]] = [(begin, plan.first, None)]
    starts += [(roll.roll_date, roll.to_month, roll) for roll in plan.rolls]
    made: list[Holding] = []
    for position, (start, held, roll) in enumerate(starts):
        at = chain.index(held) + rank
        if at >= len(chain):
            break
        led = Roll(made[-1].month, chain[at], start, roll.cause, roll.decided_on) if roll and made else None
        end = starts[position + 1][0] - date.resolution if position + 1 < len(starts) else None
        made.append(Holding(chain[at], start, end, led))
    return made


def roll_prices(sessions: Sessions, roll: Roll) -> RollPrices:
    """The prices that meet at a roll, of sessions before it that are over."""
    dates = sorted(sessions)
    is_exact = True
    for day in reversed(dates[: bisect_left(dates, roll.roll_date)]):
        left, taken = sessions[day].get(roll.from_month), sessions[day].get(roll.to_month)
        if left is None or not left.is_final:
            continue
        if taken is not None and taken.is_final:
            return RollPrices(day, left.close, taken.close, is_exact)
        is_exact = False
    return RollPrices()


def amounts(
    held: Sequence[Holding], prices: Sequence[RollPrices], adjust: Adjust, on_missing: OnMissing
) -> list[float]:
    """What each holding's prices are multiplied by (ratio) or increased by (difference); the last one's stay.

    Shape:   `prices[n]` are those of the roll into `held[n]`; of the first they do not matter.
    Errors:  SettingsInvalid naming the roll whose prices do not meet, unless told what to do then.
    """
    neutral = 1.0 if adjust is Adjust.RATIO else 0.0
    found = [neutral] * len(held)
    if adjust is Adjust.NONE:
        return found
    for at in range(len(held) - 1, 0, -1):
        step = _step(held[at], prices[at], adjust, on_missing)
        if adjust is Adjust.RATIO:
            found[at - 1] = found[at] * (1.0 if step is None else step)
        else:
            found[at - 1] = found[at] + (0.0 if step is None else step)
    return found


def adjusted(bars: pa.Table, amount: float, adjust: Adjust) -> pa.Table:
    """Bars with their prices (and vwap) adjusted; volume is the contract's own."""
    if adjust is Adjust.NONE or amount == (1.0 if adjust is Adjust.RATIO else 0.0):
        return bars
    combine = pc.multiply if adjust is Adjust.RATIO else pc.add
    for name in (*PRICES, "vwap"):
        bars = bars.set_column(bars.schema.get_field_index(name), name, combine(bars[name], amount))
    return bars


def _step(held: Holding, prices: RollPrices, adjust: Adjust, on_missing: OnMissing) -> float | None:
    """A roll's ratio or difference; None to leave the step as it is."""
    step = prices.ratio if adjust is Adjust.RATIO else prices.difference
    if step is not None and (prices.is_exact or on_missing is OnMissing.LAST):
        return step
    if on_missing is OnMissing.KEEP:
        return None
    roll = held.roll
    assert roll is not None
    where = f"the roll from {roll.from_month} to {roll.to_month} on {roll.roll_date}"
    if prices.closes_on is None:
        raise SettingsInvalid(
            f"{where} has no session before it with a close of both; --on-missing keep leaves the step"
        )
    if step is None:
        raise SettingsInvalid(
            f"{where} meets prices not above zero ({prices.from_close}, {prices.to_close}), which have no ratio; "
            "adjust by difference, or --on-missing keep leaves the step"
        )
    raise SettingsInvalid(
        f"{where} has no close of both right before it, the last are of {prices.closes_on}; "
        "--on-missing last uses these, --on-missing keep leaves the step"
    )
