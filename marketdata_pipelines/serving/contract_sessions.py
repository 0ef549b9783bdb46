"""What is known of a root's contracts session by session: their 1d bars, expiries and the days around them.

What a series makes of them is in `continuous`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.contracts import (
    MONTH_CODES,
    ContractBook,
    ContractMonth,
    ListedContract,
    parse_month,
    roots_of,
)
from marketdata_pipelines.domain.expiries import expiry_by_rule
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.domain.rolls import ContractDay
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import open_calendar
from marketdata_pipelines.domain.trading_days import TradingDays
from marketdata_pipelines.errors import SchemaMismatch, SettingsInvalid
from marketdata_pipelines.serving.notes import answer_notes
from marketdata_pipelines.serving.ranges import Moment, instant_us

if TYPE_CHECKING:
    from marketdata_pipelines.serving.answers import LakeReader

OPEN_INTEREST_COLUMNS = ("symbol", "session_date", "open_interest")
_AROUND = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class ContractSessions:
    """One root's contracts. `sessions` and `symbols` are by session date, then by contract month.

    `notes` are what the bars they were read from have to say about themselves.
    """

    root: str
    sessions: dict[date, dict[ContractMonth, ContractDay]]
    symbols: dict[date, dict[ContractMonth, str]]
    expiries: dict[ContractMonth, date | None]
    feed_days: TradingDays
    exchange_days: TradingDays
    notes: tuple[str, ...] = ()

    @property
    def chain(self) -> list[ContractMonth]:
        """The contracts in order."""
        return sorted(self.expiries)

    def days_of(self, month: ContractMonth) -> list[date]:
        """The session dates on which a contract has a bar."""
        return [day for day in sorted(self.symbols) if month in self.symbols[day]]

    def symbol_of(self, month: ContractMonth, day: date) -> str:
        """The symbol a contract bore last until a day, else the first after it."""
        days = self.days_of(month)
        at = max(bisect_right(days, day) - 1, 0)
        return self.symbols[days[at]][month]


def read_contracts(
    reader: "LakeReader",
    references: Mapping[str, Reference],
    feed: Feed,
    root: str,
    *,
    months: str | None = None,
    open_interest: pa.Table | None = None,
    options: dict[str, Any],
) -> ContractSessions:
    """The contracts of a root that have bars, from the feed's 1d bars of all times.

    `months`: codes such as HMUZ leave out other contract months. `options` go to `LakeReader.bars`.

    Errors: SettingsInvalid when there is none, naming the roots there are, or two symbols are one contract on a day.
    """
    daily = reader.bars(feed.name, None, "1d", **options)
    listed = _listed_contracts(reader, references, feed, options.get("as_of"))
    gathered = _Gathered(ContractBook(root, listed), _wanted_months(months), _open_interest(open_interest))
    names = pc.unique(daily["symbol"]).to_pylist()
    own = pa.array([name for name in names if gathered.book.can_name(name)], pa.string())
    for row in _rows(daily.filter(pc.is_in(daily["symbol"], own))):
        gathered.add(feed, *row)
    if not gathered.sessions:
        there = ", ".join(roots_of(names, listed)) or "none"
        only = f" of the months {months}" if months else ""
        raise SettingsInvalid(f"{feed.name} has no contract of {root.upper()!r}{only}; roots there: {there}")
    root = gathered.book.root
    expiries = {month: expiry or expiry_by_rule(root, month) for month, expiry in gathered.expiries.items()}
    sessions = {day: gathered.sessions[day] for day in sorted(gathered.sessions)}
    days = _days(feed, sessions, expiries.values())
    return ContractSessions(root, sessions, gathered.symbols, expiries, *days, tuple(answer_notes(daily)))


@dataclass(frozen=True, slots=True)
class _Gathered:
    """Contracts as their bars come in, symbol by symbol."""

    book: ContractBook
    wanted: str
    interest: Mapping[tuple[str, date], float]
    sessions: dict[date, dict[ContractMonth, ContractDay]] = field(default_factory=dict)
    symbols: dict[date, dict[ContractMonth, str]] = field(default_factory=dict)
    expiries: dict[ContractMonth, date | None] = field(default_factory=dict)

    def add(self, feed: Feed, symbol: str, day: date, close: float, volume: float | None, is_final: bool) -> None:
        month = self.book.month_of(symbol, day)
        if month is None or month.code not in self.wanted:
            return
        bearer = self.symbols.setdefault(day, {}).setdefault(month, symbol)
        if bearer != symbol:
            raise SettingsInvalid(
                f"{bearer} and {symbol} of {feed.name} are both {self.book.root} {month} on {day}; name one contract "
                "by one symbol a feed, or say in the feed's `instruments` reference what they are"
            )
        found = ContractDay(close, volume, self.interest.get((symbol, day)), is_final)
        self.sessions.setdefault(day, {})[month] = found
        self.expiries[month] = self.expiries.get(month) or self.book.listed_expiry(symbol, day)


def _rows(daily: pa.Table) -> Iterable[tuple[str, date, float, float | None, bool]]:
    names = ("symbol", "session_date", "close", "volume", "is_final")
    return zip(*(daily[name].to_pylist() for name in names), strict=True)


def _wanted_months(codes: str | None) -> str:
    if codes is None:
        return MONTH_CODES
    unknown = set(codes.upper()) - set(MONTH_CODES)
    if unknown or not codes:
        raise SettingsInvalid(f"months are {codes!r}; give codes of {MONTH_CODES}, such as HMUZ for quarterly")
    return codes.upper()


def _days(
    feed: Feed, sessions: dict[date, dict[ContractMonth, ContractDay]], expiries: Iterable[date | None]
) -> tuple[TradingDays, TradingDays]:
    """The feed's own days, and the exchange's sessions, around bars and expiries."""
    first, last = min(sessions) - _AROUND, max(sessions) + _AROUND
    until = max([last, *(expiry + _AROUND for expiry in expiries if expiry)])
    since = min([first, *(expiry - _AROUND for expiry in expiries if expiry)])
    own = TradingDays(session.date for session in feed_calendar(feed).sessions(first, last))
    exchange = TradingDays(session.date for session in open_calendar(feed.calendar).sessions(since, until))
    return own, exchange


def _open_interest(table: pa.Table | None) -> dict[tuple[str, date], float]:
    """The caller's figures by symbol and session date, unknown ones left out.

    Errors: SchemaMismatch when columns are missing or cannot be read as text, date and number.
    """
    if table is None:
        return {}
    missing = [name for name in OPEN_INTEREST_COLUMNS if name not in table.column_names]
    if missing:
        raise SchemaMismatch(
            f"the open interest has no {', '.join(missing)}; give the columns {', '.join(OPEN_INTEREST_COLUMNS)}"
        )
    kinds = (pa.string(), pa.date32(), pa.float64())
    try:
        columns = [table[name].cast(kind) for name, kind in zip(OPEN_INTEREST_COLUMNS, kinds, strict=True)]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaMismatch(f"the open interest cannot be read as symbol, date and number: {error}") from error
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return {(symbol, day): value for symbol, day, value in rows if value is not None}


def _listed_contracts(
    reader: "LakeReader", references: Mapping[str, Reference], feed: Feed, as_of: Moment
) -> list[ListedContract]:
    """What the feed's reference of instruments says of contracts, where it names one."""
    if feed.instruments is None:
        return []
    from marketdata_pipelines.pipeline.references import instruments_of

    known = instruments_of(reader.lake, feed, references, instant_us(as_of))
    names = ("symbol", "root", "contract_month", "expiry", "from_date", "to_date")
    columns = () if known is None else (known[name].to_pylist() for name in names)
    return [
        ListedContract(symbol, root, parse_month(month), expiry, begins, ends)
        for symbol, root, month, expiry, begins, ends in zip(*columns, strict=True)
        if symbol is not None
    ]
