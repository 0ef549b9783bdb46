"""A root's rolls as a table: which series is meant, who is in force when, and the prices that meet.

Bars of a series are in `continuous`; the rules themselves in `domain.rolls`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from marketdata_pipelines.domain.continuous import Holding, RollPrices, holdings, roll_prices, series_name
from marketdata_pipelines.domain.contracts import ContractMonth
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.domain.rolls import ContractDay, RollPolicy, RollRule, due_dates, plan_rolls
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.contract_sessions import ContractSessions, read_contracts
from marketdata_pipelines.serving.notes import with_notes
from marketdata_pipelines.serving.ranges import Moment, date_range

if TYPE_CHECKING:
    from marketdata_pipelines.serving.answers import LakeReader

# One row a roll. from_close and to_close are of `closes_on`, the last session before the roll in which both contracts
# have one; volumes are of `decided_on`, the last session that the decision rests on. Null: there is none.
ROLL_SCHEMA = pa.schema(
    [
        ("root", pa.string()),
        ("from_contract", pa.string()),
        ("to_contract", pa.string()),
        ("roll_date", pa.date32()),
        ("rule", pa.string()),
        ("from_close", pa.float64()),
        ("to_close", pa.float64()),
        ("difference", pa.float64()),
        ("ratio", pa.float64()),
        ("from_volume", pa.float64()),
        ("to_volume", pa.float64()),
        ("cause", pa.string()),
        ("decided_on", pa.date32()),
        ("closes_on", pa.date32()),
        ("is_exact", pa.bool_()),
        ("from_month", pa.string()),
        ("to_month", pa.string()),
        ("from_open_interest", pa.float64()),
        ("to_open_interest", pa.float64()),
    ]
)
# What only says which bars are shown, not which 1d bars decide.
_SHOWN = ("session", "fill")


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """Which series of a root is meant. `months` are codes such as HMUZ, None for every contract month."""

    policy: RollPolicy
    rank: int = 0
    months: str | None = None
    open_interest: pa.Table | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A root's contracts, and who is in force when."""

    contracts: ContractSessions
    choice: SeriesChoice
    held: list[Holding]

    @property
    def symbol(self) -> str:
        """The name of the series, such as ES.v.0."""
        return series_name(self.contracts.root, self.choice.policy.rule, self.choice.rank)

    def prices(self, holding: Holding) -> RollPrices:
        return roll_prices(self.contracts.sessions, holding.roll) if holding.roll else RollPrices()


def series_choice(
    roll: str = RollRule.VOLUME,
    rank: int = 0,
    *,
    sessions_before_expiry: int | None = None,
    sessions_exceeded: int | None = None,
    months: str | None = None,
    open_interest: pa.Table | None = None,
) -> SeriesChoice:
    """A choice of series from plain values; what is None is the rule's default.

    Errors: SettingsInvalid naming the rules there are, or for a number that belongs to another rule.
    """
    if roll not in list(RollRule):
        raise SettingsInvalid(f"roll is {roll!r}; allowed: {', '.join(RollRule)}")
    rule = RollRule(roll)
    if rule is RollRule.CALENDAR and sessions_exceeded is not None:
        raise SettingsInvalid("the calendar rule compares nothing; leave out sessions exceeded")
    if rule is not RollRule.CALENDAR and sessions_before_expiry is not None:
        raise SettingsInvalid(f"the {rule} rule counts no sessions before expiry; roll by calendar, or leave that out")
    if rule is RollRule.OPEN_INTEREST and open_interest is None:
        raise SettingsInvalid(
            "the open_interest rule needs a table of symbol, session_date and open_interest, for bars carry none; "
            "give one, or roll by volume"
        )
    numbers = {"sessions_before_expiry": sessions_before_expiry, "sessions_exceeded": sessions_exceeded}
    policy = RollPolicy(rule, **{name: number for name, number in numbers.items() if number is not None})
    return SeriesChoice(policy, rank, months, open_interest)


def roll_table(series: Series, start: Moment = None, end: Moment = None) -> pa.Table:
    """The rolls of a series, in order.

    Shape:   ROLL_SCHEMA; the last may be for the session after the last one stored.
    Bounds:  roll dates, both included. A session later than a roll never changes it.
    """
    wanted = date_range(start, end)
    first, last = wanted.start_date or date.min, wanted.end_date or date.max
    rolled = [each for each in series.held if each.roll and first <= each.start <= last]
    found = pa.Table.from_pylist([_roll_row(series, each) for each in rolled], ROLL_SCHEMA)
    return with_notes(found, series.contracts.notes)


def read_series(
    reader: "LakeReader",
    references: Mapping[str, Reference],
    feed: str,
    root: str,
    choice: SeriesChoice,
    options: Mapping[str, Any],
) -> Series:
    """A series of a root, decided on all of its 1d bars; `options` go to `LakeReader.bars`.

    Errors: SettingsInvalid when the feed has no such contract, or the rule lacks what it needs.
    """
    deciding = {name: value for name, value in options.items() if name not in _SHOWN}
    contracts = read_contracts(
        reader,
        references,
        reader.feed(feed),
        root,
        months=choice.months,
        open_interest=choice.open_interest,
        options=deciding,
    )
    due = due_dates(contracts.expiries, choice.policy, contracts.exchange_days)
    plan = plan_rolls(contracts.sessions, contracts.feed_days, due, choice.policy)
    return Series(contracts, choice, holdings(plan, contracts.chain, choice.rank, min(contracts.sessions)))


def _roll_row(series: Series, holding: Holding) -> dict[str, Any]:
    roll, contracts = holding.roll, series.contracts
    assert roll is not None
    prices = series.prices(holding)
    left, taken = (_decisive(contracts, month, roll.decided_on) for month in (roll.from_month, roll.to_month))
    return {
        "root": contracts.root,
        "from_contract": contracts.symbol_of(roll.from_month, roll.roll_date),
        "to_contract": contracts.symbol_of(roll.to_month, roll.roll_date),
        "roll_date": roll.roll_date,
        "rule": series.choice.policy.rule.value,
        "from_close": prices.from_close,
        "to_close": prices.to_close,
        "difference": prices.difference,
        "ratio": prices.ratio,
        "from_volume": left.volume if left else None,
        "to_volume": taken.volume if taken else None,
        "from_open_interest": left.open_interest if left else None,
        "to_open_interest": taken.open_interest if taken else None,
        "cause": roll.cause.value,
        "decided_on": roll.decided_on,
        "closes_on": prices.closes_on,
        "is_exact": prices.is_exact,
        "from_month": str(roll.from_month),
        "to_month": str(roll.to_month),
    }


def _decisive(contracts: ContractSessions, month: ContractMonth, day: date | None) -> ContractDay | None:
    return contracts.sessions[day].get(month) if day else None
