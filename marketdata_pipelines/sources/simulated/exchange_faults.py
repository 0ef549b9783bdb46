"""What goes wrong at the simulated exchange, on demand and reproducibly: which fault the n-th call gets."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from marketdata_pipelines.errors import SettingsInvalid


class ExchangeFault(StrEnum):
    """`throttle`: 429 with Retry-After; `error`: 500; `timeout`: no answer; `truncated`: the body ends early though the
    response is whole; `reset`: the connection ends inside the body; `duplicate`: rows of the page repeat; `overlap`:
    the page begins with rows of the page before it; `unfinished`: the candle of this moment is there too."""

    THROTTLE = "throttle"
    ERROR = "error"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    RESET = "reset"
    DUPLICATE = "duplicate"
    OVERLAP = "overlap"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults of the exchange's calls: those of `schedule` first, in order (None: none), then by chance.

    `rates`: the share of calls that get each kind. The same seed gives the same calls the same faults.
    """

    rates: tuple[tuple[ExchangeFault, float], ...] = ()
    schedule: tuple[ExchangeFault | None, ...] = ()
    seed: int = 0

    def fault_of(self, call: int) -> ExchangeFault | None:
        """The fault of the call with this number, from 0."""
        if call < len(self.schedule):
            return self.schedule[call]
        chance = random.Random(f"{self.seed}:{call}").random()
        for kind, rate in self.rates:
            if chance < rate:
                return kind
            chance -= rate
        return None


def fault_rates(texts: Sequence[str]) -> tuple[tuple[ExchangeFault, float], ...]:
    """Rates from texts such as `error=0.1`; `all=0.02` means each kind.

    Errors: SettingsInvalid for an unknown kind or rates that are no shares.
    """
    rates: dict[ExchangeFault, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        kinds = list(ExchangeFault) if name == "all" else [kind for kind in ExchangeFault if kind.value == name]
        if not kinds:
            raise SettingsInvalid(f"fault {name!r} is unknown; use all or one of: {', '.join(ExchangeFault)}")
        rates |= dict.fromkeys(kinds, _share(text, number))
    return checked_rates(rates)


def checked_rates(rates: Mapping[ExchangeFault, float]) -> tuple[tuple[ExchangeFault, float], ...]:
    """Rates as they may be.

    Errors: SettingsInvalid when together they are not below 1.
    """
    if sum(rates.values()) >= 1:
        raise SettingsInvalid(f"the faults' shares add up to {sum(rates.values()):.2f}; leave some calls without any")
    return tuple(rates.items())


def _share(text: str, number: str) -> float:
    try:
        share = float(number)
    except ValueError as error:
        raise SettingsInvalid(f"{text!r} gives no share; write it like error=0.1") from error
    if not 0 <= share < 1:
        raise SettingsInvalid(f"{text!r}: a share is from 0 to below 1")
    return share
