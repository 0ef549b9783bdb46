"""Every quality rule: what it says, what it is about, how severe it is, and by which limits. Row rules are in `rules`.

A rule holds for good data; what breaks it is a finding. The measuring is in the modules that `origin` names; the
documentation page is made from this list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from marketdata_pipelines.domain.quality.records import Dimension, Level, Severity


class Scope(StrEnum):
    """What a rule is asked of: each bar, each symbol-session, a whole partition, or two feeds side by side."""

    BAR = "bar"
    SYMBOL_SESSION = "symbol-session"
    PARTITION = "partition"
    FEEDS = "feeds"


# The modules of the rules that are judged in the walk.
_LOCAL = ("local_rules", "shifts")


@dataclass(frozen=True, slots=True)
class QualityRule:
    """One rule. `formula` is what holds, in words of the tables' columns; `limits` its numbers by name.

    `needs_history`: it reads earlier sessions, and so can only warn. `kinds` are the defects it names.
    """

    id: str
    dimension: Dimension
    severity: Severity
    level: Level
    scope: Scope
    text: str
    formula: str
    origin: str
    limits: Mapping[str, float] = field(default_factory=dict)
    needs_history: bool = False
    kinds: tuple[str, ...] = ()
    why: str = ""

    @property
    def can_block(self) -> bool:
        """Whether it is judged before anything downstream of its partition is written."""
        if self.severity is Severity.BLOCK:
            return True
        return not self.needs_history and self.origin in _LOCAL


_C, _A, _K, _V, _T, _U = (
    Dimension.COMPLETENESS,
    Dimension.ACCURACY,
    Dimension.CONSISTENCY,
    Dimension.VALIDITY,
    Dimension.TIMELINESS,
    Dimension.UNIQUENESS,
)
_BLOCK, _WARN = Severity.BLOCK, Severity.WARN
_BAR, _SESSION, _PARTITION, _FEEDS = Scope.BAR, Scope.SYMBOL_SESSION, Scope.PARTITION, Scope.FEEDS

# Bars that stand must keep these: a broken one is a fault in the data's way here, so it blocks.
_BASIC = (
    QualityRule(
        "schema_types", _V, _BLOCK, Level.BASIC, _PARTITION,
        "Every column is there with its declared type.", "columns and types equal the table's schema", "suites",
    ),
    QualityRule(
        "row_count", _C, _BLOCK, Level.BASIC, _PARTITION,
        "As many rows are read as were written, and not none where rows were accepted.",
        "count(*) = rows of the file's footer", "suites",
    ),
    QualityRule(
        "key_present", _V, _BLOCK, Level.BASIC, _BAR,
        "Symbol, time and session date are there.",
        "symbol, ts, ts_close and session_date are not null, symbol is not empty", "suites",
    ),
    QualityRule(
        "key_unique", _U, _BLOCK, Level.BASIC, _BAR,
        "(symbol, ts) increases strictly from row to row.", "(symbol, ts) > (symbol, ts) of the row before", "suites",
    ),
    QualityRule(
        "prices_finite", _V, _BLOCK, Level.BASIC, _BAR,
        "All four prices are finite numbers.", "isfinite(open, high, low, close)", "suites",
    ),
    QualityRule(
        "prices_positive", _V, _BLOCK, Level.BASIC, _BAR,
        "All four prices are above zero, unless the feed allows others.", "open, high, low, close > 0", "suites",
    ),
    QualityRule(
        "ohlc_relations", _K, _BLOCK, Level.BASIC, _BAR,
        "The range holds open and close.", "low <= open <= high and low <= close <= high", "suites",
    ),
    QualityRule(
        "volume_valid", _V, _BLOCK, Level.BASIC, _BAR,
        "Volume is unknown, or finite and not negative.",
        "volume is null or (isfinite(volume) and volume >= 0)", "suites",
    ),
    QualityRule(
        "vwap_in_range", _K, _BLOCK, Level.BASIC, _BAR,
        "The volume-weighted price lies in the bar's range.", "vwap is null or low <= vwap <= high (to 1e-6)", "suites",
    ),
    QualityRule(
        "trade_count_valid", _V, _BLOCK, Level.BASIC, _BAR,
        "The number of trades is unknown or not negative.", "trade_count is null or trade_count >= 0", "suites",
    ),
    QualityRule(
        "bar_has_length", _V, _BLOCK, Level.BASIC, _BAR,
        "A bar is complete after it opens.", "ts_close > ts", "suites",
    ),
    QualityRule(
        "on_interval", _V, _BLOCK, Level.BASIC, _BAR,
        "Bars start on the feed's interval, from UTC, the exchange's clock or the session's open.",
        "(ts - start) mod interval = 0", "suites",
    ),
    QualityRule(
        "in_session", _V, _BLOCK, Level.BASIC, _BAR,
        "Regular bars lie inside their session, on half-days and across clock changes too.",
        "regular implies session_open <= ts < session_close (= with a bar of the closing auction)", "suites",
    ),
    QualityRule(
        "not_future", _T, _BLOCK, Level.BASIC, _BAR,
        "No bar ends after the newest ingest of its partition.", "ts_close <= known_at", "suites",
    ),
)  # fmt: skip

_STANDARD = (
    QualityRule(
        "tick_size", _V, _WARN, Level.STANDARD, _BAR,
        "Prices are whole multiples of the tick that the feed's instruments declare.",
        "price / tick is whole (to 0.02), but for <= share of a symbol-session's bars", "local_rules",
        limits={"share": 0.0},
    ),
    QualityRule(
        "incomplete_session", _C, _WARN, Level.STANDARD, _SESSION,
        "A symbol has about as many bars as it usually has, or the calendar has room for.",
        "bars / expected >= share x the median of the sessions before, or lies within 6 of its spreads", "absences",
        limits={"share": 0.8, "usual_least": 30, "sessions": 5}, needs_history=True, kinds=("gap_missing_minutes",),
    ),
    QualityRule(
        "long_gap", _C, _WARN, Level.STANDARD, _SESSION,
        "A symbol that trades nearly every interval has no long run of missing bars.",
        "bars missing between two others <= most, where the rest of the session is filled to >= dense", "local_rules",
        limits={"most": 15, "dense": 0.9}, kinds=("gap_missing_minutes",),
    ),
    QualityRule(
        "market_gap", _C, _WARN, Level.STANDARD, _PARTITION,
        "Not all symbols miss the same intervals while the market is open.",
        "no run of >= most intervals without a bar of any of >= symbols liquid symbols", "market_gaps",
        limits={"most": 5, "symbols": 3},
    ),
    QualityRule(
        "missing_symbol", _C, _WARN, Level.STANDARD, _SESSION,
        "Symbols that were there in the sessions before are there.",
        "present, where present in >= share of the sessions before and in the last one", "absences",
        limits={"share": 0.9, "sessions": 5}, needs_history=True,
    ),
    QualityRule(
        "stale_run", _A, _WARN, Level.STANDARD, _SESSION,
        "Prices do not stand still for longer than this symbol's do.",
        "no run of >= least bars that repeat the one before, where the symbol's share of such bars makes it improbable",
        "local_rules", limits={"least": 15, "improbable": 1e-5}, kinds=("stale_flat_run",),
    ),
    QualityRule(
        "zero_volume_move", _K, _WARN, Level.STANDARD, _SESSION,
        "A bar without volume does not move the price.",
        "volume = 0 implies (high - low) / close <= floor, where no more than share of the bars have no volume",
        "local_rules", limits={"floor": 0.0005, "share": 0.5},
    ),
    QualityRule(
        "price_spike", _A, _WARN, Level.STANDARD, _BAR,
        "No bar leaps away from both its neighbours and back.",
        "min(|leap in|, |leap back|) <= min(ceiling, max(floor, scales x the return scale of session and neighbours))",
        "local_rules", limits={"floor": 0.05, "scales": 15, "ceiling": 0.5}, kinds=("price_spike_10x",),
    ),
    QualityRule(
        "bad_wick", _A, _WARN, Level.STANDARD, _BAR,
        "No high or low lies far outside open and close beside the bars around it.",
        "wick / price <= min(ceiling, max(floor, scales x the median range of session and neighbours)); "
        "daily bars: daily_scales", "local_rules",
        limits={"floor": 0.05, "scales": 25, "daily_scales": 10, "ceiling": 0.25}, kinds=("bad_print_wick",),
    ),
    QualityRule(
        "return_outlier", _A, _WARN, Level.STANDARD, _BAR,
        "No return is out of all proportion to those of the sessions before.",
        "|ln return| <= max(floor, scales x the median return scale, 2 x the median range of the sessions before, 5 x "
        "where most intervals have no bar); from the close before to an intraday open: max(opening, ...)", "outliers",
        limits={"floor": 0.05, "opening": 1.0, "scales": 40, "sessions": 5}, needs_history=True,
        kinds=("price_spike_10x",),
    ),
    QualityRule(
        "split_like_jump", _K, _WARN, Level.STANDARD, _SESSION,
        "A jump between sessions of the size of a split has a corporate action.",
        "open and close, beside the close before, adjusted, are not near one ratio of splits", "split_jumps",
        limits={"least": 0.25, "tolerance": 0.06}, needs_history=True, kinds=("split_unadjusted",),
    ),
    QualityRule(
        "volume_spike", _A, _WARN, Level.STANDARD, _BAR,
        "No volume is out of all proportion to those of the sessions before.",
        "session volume <= scales x the second greatest before; a bar's <= max(1, scales / root of usual bars) x it",
        "outliers",
        limits={"scales": 20, "sessions": 5}, needs_history=True, kinds=("volume_overflow",),
    ),
    QualityRule(
        "time_shift", _T, _WARN, Level.STANDARD, _SESSION,
        "A session's bars lie where the exchange was open, not hours away from it.",
        "the bars do not fill a whole session that begins hours before or after the open", "shifts",
        kinds=("tz_shift",),
    ),
    QualityRule(
        "label_shift", _K, _WARN, Level.STANDARD, _PARTITION,
        "Bars are labelled as the feed declares, by their start or their end.",
        "not: sessions begin one interval after the open and end with a bar at the close", "label_shifts",
        kinds=("label_end_convention",),
    ),
    QualityRule(
        "unannounced_revision", _K, _WARN, Level.STANDARD, _PARTITION,
        "What was delivered before is delivered again unchanged.",
        "bars changed or removed by one later file <= share x bars of the partition; late bars and repairs aside",
        "revisions", limits={"share": 0.01},
    ),
    QualityRule(
        "daily_differs", _K, _WARN, Level.STANDARD, _FEEDS,
        "A daily bar agrees with the one made of a finer feed.",
        "|own - other| <= tolerance x greater, for each price; volume to volume_tolerance; one constant ratio aside",
        "comparing", limits={"tolerance": 0.002, "volume_tolerance": 0.05},
    ),
    QualityRule(
        "source_dispute", _A, _WARN, Level.STANDARD, _FEEDS,
        "Two sources of one instrument agree.",
        "|own - other| > tolerance x greater (prices; volume: volume_tolerance), or a bar that one side lacks, in "
        "<= share of a symbol-session's bars; no price beyond gross; one scale",
        "comparing", limits={"tolerance": 0.005, "volume_tolerance": 0.2, "share": 0.01, "gross": 0.05},
    ),
)  # fmt: skip

QUALITY_RULES = (*_BASIC, *_STANDARD)
QUALITY_RULE_BY_ID = {rule.id: rule for rule in QUALITY_RULES}
