"""What a feed is: its definition as plain records, its defaults, and its version.

No YAML here (see `settings.feeds_file`) and no calendar arithmetic (see `sessions`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date, time
from enum import StrEnum
from functools import lru_cache
from typing import Any

from marketdata_pipelines.domain.intervals import HOUR_US, Interval, coarser_timeframes
from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.domain.schedules import Schedule


class SourceKind(StrEnum):
    FILES = "files"
    SIMULATED = "simulated"
    SAMPLE = "sample"
    EXCHANGE = "exchange"
    CCXT = "ccxt"
    YFINANCE = "yfinance"


# Kinds whose source is a vendor that is asked for windows of history (see `sources.pulled`).
PULLED_KINDS = (SourceKind.EXCHANGE, SourceKind.CCXT, SourceKind.YFINANCE)


class DataKind(StrEnum):
    BARS = "bars"
    TRADES = "trades"


class Anchor(StrEnum):
    SESSION = "session"
    UTC = "utc"


class Label(StrEnum):
    START = "start"
    END = "end"


class AssetClass(StrEnum):
    EQUITY = "equity"
    ETF = "etf"
    INDEX = "index"
    FUTURE = "future"
    OPTION = "option"
    FX = "fx"
    CRYPTO = "crypto"
    BOND = "bond"


class VolumeUnit(StrEnum):
    BASE = "base"
    QUOTE = "quote"
    LOTS = "lots"


class ClosingAuction(StrEnum):
    LAST_BAR = "last_bar"
    OWN_BAR = "own_bar"


class PartitionBy(StrEnum):
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


# What decides nothing of what the tables hold.
_BESIDE_THE_TABLES = (
    "description", "owners", "start", "schedule", "corporate_actions", "instruments", "keep", "quality", "publish",
)  # fmt: skip
# How a vendor is reached, which says nothing about what it has.
_NETWORK_KEYS = ("url", "key_env", "calls", "per_seconds", "attempts", "timeout_seconds", "page_rows")


@dataclass(frozen=True, slots=True)
class CalendarSpec:
    """An `exchange_calendars` name, `24/7` or `fx`, with overlays.

    `breaks` are exchange-local (start, end) times closed every session; `closed` are extra closures.
    """

    name: str
    breaks: tuple[tuple[time, time], ...] = ()
    closed: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Where rows come from and how to read them; None means: recognise it.

    `columns` maps the source's column names (several joined by `+`) to field names.
    `symbol` is one symbol for every row; `symbol_from_name` a regular expression whose group 1 is it.
    The fields from `url` on are for vendors; `key_env` names the environment variable that holds a secret.
    """

    kind: SourceKind
    path: str | None = None
    format: str | None = None
    timezone: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    label: Label = Label.START
    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    time_format: str | None = None
    sheet: str | None = None
    symbol: str | None = None
    symbol_from_name: str | None = None
    symbols: tuple[str, ...] = ()
    seed: int = 0
    symbol_count: int = 0
    faults: tuple[tuple[str, float], ...] = ()
    url: str | None = None
    venue: str | None = None
    key_env: str | None = None
    calls: int | None = None
    per_seconds: float | None = None
    attempts: int | None = None
    timeout_seconds: float | None = None
    page_rows: int | None = None
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TradeFilter:
    """Which trades count: conditions or exchanges listed here are left out of OHLC, or of volume."""

    ohlc_exclude_conditions: tuple[str, ...] = ()
    volume_exclude_conditions: tuple[str, ...] = ()
    exclude_exchanges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keep:
    """How long is kept what nothing needs today; None: for ever.

    `superseded_raw_days`: files of raw parts of which nothing counts any more, from when that became known.
    """

    superseded_raw_days: int | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """One stream of bars or trades from one source at one base interval on one calendar."""

    name: str
    source: SourceSpec
    interval: Interval
    calendar: CalendarSpec
    asset_class: AssetClass
    data: DataKind | None
    anchor: Anchor
    partition: PartitionBy
    extended_hours: tuple[time, time] | None = None
    closing_auction: ClosingAuction = ClosingAuction.LAST_BAR
    volume_unit: VolumeUnit = VolumeUnit.BASE
    multiplier: float = 1.0
    allow_nonpositive_prices: bool = False
    trade_filter: TradeFilter = field(default_factory=TradeFilter)
    start: date | None = None
    description: str = ""
    owners: tuple[str, ...] = ()
    schedule: Schedule | None = None
    # References that answers are adjusted and resolved by; what the tables hold does not depend on them.
    corporate_actions: str | None = None
    instruments: str | None = None
    keep: Keep = field(default_factory=Keep)
    quality: QualitySpec = field(default_factory=QualitySpec)
    publish: Publication = field(default_factory=Publication)

    @property
    def timeframes(self) -> tuple[str, ...]:
        """The timeframes this feed's bars are aggregated to, finest first."""
        return coarser_timeframes(self.interval)

    @property
    def version(self) -> str:
        """12 hex digits that change when anything changes which decides what the tables hold."""
        return _versions(self)[0]

    @property
    def parse_version(self) -> str:
        """12 hex digits that change when the way a source file is read changes."""
        return _versions(self)[1]

    @property
    def is_pulled(self) -> bool:
        """Whether a vendor is asked for this feed's history."""
        return self.source.kind in PULLED_KINDS


def default_asset_class(calendar: str) -> AssetClass:
    """The asset class a calendar suggests when the feed names none."""
    if calendar == "24/7":
        return AssetClass.CRYPTO
    if calendar == "fx":
        return AssetClass.FX
    if calendar in ("CMES", "CME", "IEPA", "us_futures") or calendar.startswith(("CME", "CBOT")):
        return AssetClass.FUTURE
    return AssetClass.EQUITY


def default_anchor(calendar: str) -> Anchor:
    """Round-the-clock markets are cut on UTC, exchanges on their sessions."""
    return Anchor.UTC if calendar in ("24/7", "fx") else Anchor.SESSION


def default_partition(interval: Interval) -> PartitionBy:
    """A day finer than an hour, a month for hours, a year from daily bars on."""
    if interval.is_month or not interval.is_intraday:
        return PartitionBy.YEAR
    return PartitionBy.MONTH if interval.us >= HOUR_US else PartitionBy.DAY


@lru_cache(maxsize=256)
def _versions(feed: Feed) -> tuple[str, str]:
    """The versions of a feed: of its definition, and of the part of it that decides how sources are read."""
    definition = _definition(feed)
    version = _digest(definition)
    keys = ("source", "interval", "data", "asset_class", "calendar", "partition", "anchor")
    if feed.source.kind in PULLED_KINDS:
        # Which symbols a vendor was asked for is recorded with each pull.
        definition["source"].pop("symbols")
    return version, _digest({key: definition[key] for key in keys})


def _definition(feed: Feed) -> dict[str, Any]:
    definition = asdict(feed)
    for key in _BESIDE_THE_TABLES:
        definition.pop(key)
    for key in ("path", *_NETWORK_KEYS):
        definition["source"].pop(key)
    # Left out while unset, so that feeds without them keep the version they had before there were such fields.
    for key in ("venue", "options"):
        if not definition["source"][key]:
            definition["source"].pop(key)
    return definition


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
