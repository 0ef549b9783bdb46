"""Questions about bars as records, and what every store that answers them gives back. Who answers is `routing`'s."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.bars import SESSIONS
from marketdata_pipelines.serving.ranges import TimeRange


class Ranking(StrEnum):
    """What symbols are ranked by: shares or coins, traded value, or the return from the session's open to its close."""

    VOLUME = "volume"
    NOTIONAL = "notional"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class BarsRequest:
    """Bars of one timeframe; symbols None: all. `session` all adds the extended hours."""

    feed: Feed
    timeframe: str
    symbols: tuple[str, ...] | None = None
    wanted: TimeRange = field(default_factory=TimeRange)
    session: str = "regular"

    def __post_init__(self) -> None:
        _check_session(self.session)


@dataclass(frozen=True, slots=True)
class LatestRequest:
    """The last bar of each symbol, extended hours included."""

    feed: Feed
    symbols: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TotalsRequest:
    """All bars of a window as one for each symbol: session dates (both included) or opens (the end excluded)."""

    feed: Feed
    symbols: tuple[str, ...] | None = None
    wanted: TimeRange = field(default_factory=TimeRange)
    session: str = "regular"

    def __post_init__(self) -> None:
        _check_session(self.session)


@dataclass(frozen=True, slots=True)
class TopRequest:
    """The first `count` symbols of one session (None: the newest), greatest `by` first; unknown ones are left out."""

    feed: Feed
    by: Ranking = Ranking.NOTIONAL
    count: int = 10
    session_date: date | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise SettingsInvalid(f"the first {self.count} symbols were asked for; give a count of 1 or more")


@dataclass(frozen=True, slots=True)
class CrossSectionRequest:
    """Every symbol's bar of a timeframe at one time.

    An instant means the bar that covers it: ts <= at < ts_close. Bars of a day or more are asked for by a session
    date, which means the bucket that it is in.
    """

    feed: Feed
    timeframe: str
    at: date | datetime
    symbols: tuple[str, ...] | None = None


class BarStore(Protocol):
    """Answers requests; every store gives the same rows, columns and types for the same request.

    Errors: SettingsInvalid for a timeframe the feed does not have; PartitionMissing where nothing is held in the
            range. Unknown symbols have no rows.
    """

    def bars(self, request: BarsRequest) -> pa.Table:
        """Sorted by (symbol, ts), in the columns of `LakeReader.bars`."""
        ...

    def latest(self, request: LatestRequest) -> pa.Table:
        """Sorted by symbol: symbol, ts, ts_close, session_date, open, high, low, close, volume, regular."""
        ...

    def totals(self, request: TotalsRequest) -> pa.Table:
        """Sorted by symbol: symbol, first_ts, last_ts, open … volume, notional, vwap, trade_count, bar_count."""
        ...

    def top(self, request: TopRequest) -> pa.Table:
        """Sorted by rank: session_date, rank, symbol, open, close, volume, notional, return."""
        ...

    def cross_section(self, request: CrossSectionRequest) -> pa.Table:
        """Sorted by symbol, in the columns of `LakeReader.bars`."""
        ...


def _check_session(session: str) -> None:
    if session not in SESSIONS:
        raise SettingsInvalid(f"session is {session!r}; allowed: {', '.join(SESSIONS)}")
