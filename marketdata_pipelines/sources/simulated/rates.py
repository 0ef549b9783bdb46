"""What `source.faults` of a feed asks for: how often each fault is written, and how often nothing trades.

How rows are chosen and rewritten is in `injection` and `rewriting`.
"""

from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import Anchor, DataKind, Feed
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.simulated.traits import traits_of

QUIET = "quiet_minutes"
DEFAULT_QUIET_RATE = 0.002

GAP = "gap_missing_minutes"
# Faults that add a row after a good one; all others but the gap spoil a row in place.
ADDING_KINDS = ("dup_exact", "dup_conflict", "out_of_session")

_ANY_ROW_KINDS = (
    "negative_price",
    "zero_price",
    "nan_or_missing_price",
    "negative_volume",
    "volume_overflow",
    "volume_bad_format",
    "future_timestamp",
    "bad_timestamp",
    "out_of_session",
    "symbol_case_space",
    "symbol_csv_injection",
    "symbol_path_traversal",
    "symbol_unicode",
    "ragged_short",
    "ragged_long",
)
_BAR_KINDS = ("high_lt_low", "open_close_outside_range", "ts_off_interval", "dup_exact", "dup_conflict", GAP)
FAULT_KINDS = (*_BAR_KINDS[:2], *_ANY_ROW_KINDS, *_BAR_KINDS[2:])

_VOLUME_KINDS = ("negative_volume", "volume_overflow", "volume_bad_format")


@dataclass(frozen=True, slots=True)
class FaultRate:
    """How often a kind is written: a share of a day's rows below 1, or a count a day."""

    kind: str
    rate: float

    @property
    def count(self) -> int | None:
        return int(self.rate) if self.rate >= 1 else None


def quiet_rate(feed: Feed) -> float:
    """The share of minutes without a trade: `quiet_minutes` among the feed's faults, else 0.2 %."""
    rate = dict(feed.source.faults).get(QUIET, DEFAULT_QUIET_RATE)
    if not 0 <= rate < 1:
        raise SettingsInvalid(f"{feed.name}: {QUIET} is {rate}; give a share of minutes from 0 to below 1")
    return rate


def fault_rates(feed: Feed) -> tuple[FaultRate, ...]:
    """The faults a feed asks for, in its order.

    Errors: SettingsInvalid for an unknown kind, for one this feed's rows cannot have (a trade has no high), and
            for a rate below 0 or a count that is no whole number.
    """
    rates = tuple(FaultRate(kind, rate) for kind, rate in feed.source.faults if kind != QUIET)
    for asked in rates:
        if asked.kind not in FAULT_KINDS:
            known = ", ".join((*FAULT_KINDS, QUIET))
            raise SettingsInvalid(f"{feed.name}: fault {asked.kind!r} is unknown; use one of: {known}")
        reason = _impossible(feed, asked.kind)
        if reason:
            raise SettingsInvalid(f"{feed.name}: fault {asked.kind} cannot occur, {reason}; remove it from `faults`")
        if asked.rate < 0 or (asked.rate > 1 and asked.rate != int(asked.rate)):
            raise SettingsInvalid(
                f"{feed.name}: fault {asked.kind} has rate {asked.rate}; "
                "give a share of rows below 1 or a whole number of rows a day"
            )
    return tuple(asked for asked in rates if asked.rate > 0)


def _impossible(feed: Feed, kind: str) -> str | None:
    if feed.data is DataKind.TRADES and kind in _BAR_KINDS:
        return "it is a fault of bars and the feed has trades"
    if kind == "out_of_session" and (feed.anchor is Anchor.UTC or feed.calendar.name == "24/7"):
        return "nothing is out of session with `anchor: utc` or calendar 24/7"
    if not feed.interval.is_intraday and kind in ("ts_off_interval", GAP):
        return f"bars of {feed.interval} carry a date only"
    if not traits_of(feed.asset_class).volume_known and kind in _VOLUME_KINDS:
        return f"simulated {feed.asset_class} feeds have no volume"
    return None
