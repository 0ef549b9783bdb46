"""When a futures series leaves a contract for a later one: the rules, and the rolls they make of a root's sessions.

Decisions rest on sessions that are over. Which prices meet at a roll is in `continuous`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from marketdata_pipelines.domain.contracts import ContractMonth
from marketdata_pipelines.domain.trading_days import TradingDays
from marketdata_pipelines.errors import SettingsInvalid

# The second Thursday of the month, when index futures used to roll: six sessions before their third Friday.
SESSIONS_BEFORE_EXPIRY = 6
# As many sessions without a bar, while a later contract trades, are no gap: the contract no longer trades.
SILENT_SESSIONS = 5


class RollRule(StrEnum):
    CALENDAR = "calendar"
    VOLUME = "volume"
    OPEN_INTEREST = "open_interest"

    @property
    def letter(self) -> str:
        """What stands for the rule in a series' name: ES.v.0."""
        return {"calendar": "c", "volume": "v", "open_interest": "n"}[self.value]


class RollCause(StrEnum):
    """Why a roll took place: its rule, or what forces any rule."""

    CALENDAR = "calendar"
    VOLUME = "volume"
    OPEN_INTEREST = "open_interest"
    EXPIRY = "expiry"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class RollPolicy:
    """A rule with its numbers: each counts for its own rule only.

    `sessions_before_expiry`: the first session on the next contract is that many before the expiry's.
    `sessions_exceeded`: for how many sessions in a row a later contract must have more than the one in force.
    """

    rule: RollRule = RollRule.VOLUME
    sessions_before_expiry: int = SESSIONS_BEFORE_EXPIRY
    sessions_exceeded: int = 1

    def __post_init__(self) -> None:
        if self.sessions_before_expiry < 0:
            raise SettingsInvalid(f"{self.sessions_before_expiry} sessions before expiry; give 0 or more")
        if self.sessions_exceeded < 1:
            raise SettingsInvalid(f"a roll after {self.sessions_exceeded} sessions; give 1 or more")


@dataclass(frozen=True, slots=True)
class ContractDay:
    """One contract in one session, for volume in the feed's units. What is not known yet or at all is None.

    A session that is not over has a bar but neither close nor volume to decide by: `is_final` is false.
    """

    close: float
    volume: float | None
    open_interest: float | None = None
    is_final: bool = True


Sessions = Mapping[date, Mapping[ContractMonth, ContractDay]]


@dataclass(frozen=True, slots=True)
class Roll:
    """From `roll_date` on the series holds `to_month`; `decided_on` is the last session that this rests on, if any."""

    from_month: ContractMonth
    to_month: ContractMonth
    roll_date: date
    cause: RollCause
    decided_on: date | None


@dataclass(frozen=True, slots=True)
class RollPlan:
    """The contract a series begins with, and its rolls in order: always to a later contract."""

    first: ContractMonth
    rolls: tuple[Roll, ...]


def due_dates(
    expiries: Mapping[ContractMonth, date | None], policy: RollPolicy, exchange_days: TradingDays
) -> dict[ContractMonth, date | None]:
    """The session at which each contract must have been left: its expiry's, by the calendar rule some before it.

    Bounds:  counted in the exchange's own sessions; an expiry that is none counts as the session before it.
    Errors:  SettingsInvalid where the calendar rule meets a contract whose expiry is unknown, unless it is the last.
    """
    by_calendar = policy.rule is RollRule.CALENDAR
    unknown = [month for month in sorted(expiries)[:-1] if expiries[month] is None]
    if by_calendar and unknown:
        raise SettingsInvalid(
            f"the calendar rule needs the expiry of {', '.join(map(str, unknown[:6]))}"
            f"{' …' if len(unknown) > 6 else ''}, and no rule is known for this root; give the feed an `instruments` "
            "reference with root, contract_month and expiry, or roll by volume"
        )
    count = policy.sessions_before_expiry if by_calendar else 0
    return {
        month: exchange_days.before(exchange_days.until(expiry), count) if expiry else None
        for month, expiry in expiries.items()
    }


def plan_rolls(
    sessions: Sessions, days: TradingDays, due: Mapping[ContractMonth, date | None], policy: RollPolicy
) -> RollPlan:
    """The rolls of one root, at the latest for the session after the last one given.

    Shape:   `sessions` by date in order; `days` the feed's sessions, in which a decision takes effect at the next.
    Begin:   the nearest contract with a bar in the first session that is not due.
    Errors:  SettingsInvalid without sessions, or where nothing is known of what the rule compares.
    """
    if not sessions:
        raise SettingsInvalid("no sessions to roll in")
    _check_known(sessions, policy.rule)
    traded = sorted(sessions)
    book = _Holding(due, policy, traded[0], sessions[traded[0]])
    end = days.after(traded[-1])
    for day in sorted({*days.between(traded[0], end), *traded, end}):
        bars = sessions.get(day, {})
        book.roll(day, bars)
        if bars:
            book.close(day, bars, days)
    return RollPlan(book.first, tuple(book.rolls))


def figure(day: ContractDay | None, rule: RollRule) -> float | None:
    """What a rule compares of a contract's session; None where it is unknown or not final."""
    if day is None or not day.is_final:
        return None
    return day.open_interest if rule is RollRule.OPEN_INTEREST else day.volume


class _Holding:
    """The contract in force while the sessions pass, and what is known by then."""

    def __init__(
        self,
        due: Mapping[ContractMonth, date | None],
        policy: RollPolicy,
        day: date,
        bars: Mapping[ContractMonth, ContractDay],
    ) -> None:
        self._due, self._policy = due, policy
        live = [month for month in bars if not self._is_due(month, day)]
        self.first = self._held = min(live) if live else max(bars)
        self.rolls: list[Roll] = []
        self._seen: set[ContractMonth] = set()
        self._latest: Mapping[ContractMonth, ContractDay] = {}
        self._latest_day: date | None = None
        self._ahead: dict[ContractMonth, int] = {}
        self._silent = 0
        self._decided: tuple[ContractMonth, RollCause, date] | None = None

    def roll(self, day: date, bars: Mapping[ContractMonth, ContractDay]) -> None:
        """Before a session: take up what was decided, or leave a contract that is due."""
        if self._decided is not None:
            chosen, cause, decided_on = self._decided
            self._take_up(Roll(self._held, chosen, day, cause, decided_on))
        elif self._is_due(self._held, day):
            # A contract not seen before may still be taken at its first bar: that it trades is known by then.
            following = self._next(day, self._seen) or self._next(day, set(bars))
            if following is not None:
                by_calendar = self._policy.rule is RollRule.CALENDAR
                cause = RollCause.CALENDAR if by_calendar else RollCause.EXPIRY
                self._take_up(Roll(self._held, following, day, cause, self._latest_day))

    def close(self, day: date, bars: Mapping[ContractMonth, ContractDay], days: TradingDays) -> None:
        """After a session: compare what traded in it, and decide for the next."""
        self._seen.update(bars)
        if not all(found.is_final for found in bars.values()):
            return
        self._latest, self._latest_day = bars, day
        if self._policy.rule is not RollRule.CALENDAR:
            self._compare(day, bars, days.after(day))

    def _compare(self, day: date, bars: Mapping[ContractMonth, ContractDay], following: date) -> None:
        rule = self._policy.rule
        figures = {month: figure(found, rule) for month, found in bars.items() if month > self._held}
        later = {month: value for month, value in figures.items() if value}
        own = figure(bars.get(self._held), rule)
        if own is not None:
            self._silent = 0
            self._ahead = {month: self._ahead.get(month, 0) + 1 for month, value in later.items() if value > own}
            ready = {month for month, count in self._ahead.items() if count >= self._policy.sessions_exceeded}
            self._decide(ready, later, RollCause(rule.value), day, following)
        elif self._held not in bars and later:
            # Its bars may be missing or it may be dead: only a lasting silence decides.
            self._silent += 1
            ready = set(later) if self._silent >= SILENT_SESSIONS else set()
            self._decide(ready, later, RollCause.SILENCE, day, following)

    def _decide(
        self, ready: set[ContractMonth], figures: Mapping[ContractMonth, float], cause: RollCause, day: date, then: date
    ) -> None:
        """Of the contracts that are ready, and not due by the session the roll would be in, the busiest."""
        live = [month for month in sorted(ready) if not self._is_due(month, then)]
        if live:
            self._decided = (max(live, key=lambda month: (figures[month], -month.number)), cause, day)

    def _next(self, day: date, known: set[ContractMonth]) -> ContractMonth | None:
        """The contract to take up in place of one that is due: the busiest of those that are not, else the nearest."""
        live = [month for month in sorted(known) if month > self._held and not self._is_due(month, day)]
        if self._policy.rule is RollRule.CALENDAR or not live:
            return live[0] if live else None
        return max(live, key=lambda month: (figure(self._latest.get(month), self._policy.rule) or 0.0, -month.number))

    def _take_up(self, roll: Roll) -> None:
        self.rolls.append(roll)
        self._held, self._decided, self._silent = roll.to_month, None, 0
        self._ahead = {}

    def _is_due(self, month: ContractMonth, day: date) -> bool:
        due = self._due.get(month)
        return due is not None and due <= day


def _check_known(sessions: Sessions, rule: RollRule) -> None:
    if rule is RollRule.CALENDAR:
        return
    if any(figure(found, rule) is not None for bars in sessions.values() for found in bars.values()):
        return
    if rule is RollRule.VOLUME:
        raise SettingsInvalid("the volume rule needs volumes, and none is known of these contracts; roll by calendar")
    raise SettingsInvalid(
        "the open-interest rule needs a table of symbol, session_date and open_interest, and bars carry none; "
        "give one, or roll by volume"
    )
