"""What two feeds say differently about the same bars: the tables of disputes and of source scores, and their words.

The comparing is in `comparing`, who is likelier right in `credibility`, what becomes a finding in `dispute_findings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from marketdata_pipelines.domain.bars import SYMBOL, TS
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID, QualityRule

SOURCE_DISPUTE, DAILY_DIFFERS = "source_dispute", "daily_differs"


class Disputed(StrEnum):
    """What is disputed: a value of a bar, whether there is a bar at all, or the scale of a whole stretch's prices."""

    OPEN = "open"
    HIGH = "high"
    LOW = "low"
    CLOSE = "close"
    VOLUME = "volume"
    BAR = "bar"
    SCALE = "scale"


class Likelier(StrEnum):
    """Which side is likelier right."""

    OWN = "own"
    OTHER = "other"
    UNKNOWN = "unknown"


class Witness(StrEnum):
    """What tells who is likelier right: a third feed that agrees with one side, or the bars around."""

    THIRD = "third"
    NEIGHBOURS = "neighbours"
    NONE = "none"


# One row a disputed value, sorted by (symbol, ts, other_feed, field). Symbols are the feed's own. `ts` .. `ts_last` are
# opens, both inclusive, of `bars` bars: of one bar, of a run that only one side has (then the close of its first bar is
# the value of the side that has it, the other's is null), or of a stretch with prices on two scales, or with volumes
# that differ throughout (then the values are the first close, and the sums of volume). `difference` is
# (value - other_value) / the greater of both, by size; null where a side has no bar. `rule` is the rule it breaks,
# `timeframe` that of the bars compared, `begins` false for what an earlier partition has told already.
DISPUTE_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("ts", TS),
        ("ts_last", TS),
        ("session_date", pa.date32()),
        ("timeframe", pa.string()),
        ("field", pa.string()),
        ("value", pa.float64()),
        ("other_feed", pa.string()),
        ("other_value", pa.float64()),
        ("difference", pa.float64()),
        ("bars", pa.int32()),
        ("likelier", pa.string()),
        ("witness", pa.string()),
        ("rule", pa.string()),
        ("begins", pa.bool_()),
    ]
)

# One row a session, pair of feeds and side (`source`), sorted so. `compared` are bars that either side has, of symbols
# and times that both cover; `present` those this side has, `agreeing` those without a dispute. Shares are 0 to 1,
# `score` 0 to 100 (see `source_scores`).
SOURCE_SCORE_SCHEMA = pa.schema(
    [
        ("session_date", pa.date32()),
        ("other_feed", pa.string()),
        ("source", pa.string()),
        ("timeframe", pa.string()),
        ("compared", pa.int64()),
        ("present", pa.int64()),
        ("agreeing", pa.int64()),
        ("agreement", pa.float64()),
        ("coverage", pa.float64()),
        ("score", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two sides may be apart, as a share of the greater one: prices, volumes.

    A symbol-session is found when more than `share` of its bars are disputed, or one price by more than `gross`.
    """

    price: float
    volume: float
    share: float
    gross: float


def tolerance_of(rules: Mapping[str, QualityRule], rule: str) -> Tolerance:
    """The limits of one of the two rules; those declared where a feed does not ask for it."""
    limits = rules.get(rule, QUALITY_RULE_BY_ID[rule]).limits
    return Tolerance(
        price=limits["tolerance"],
        volume=limits["volume_tolerance"],
        share=limits.get("share", 0.0),
        gross=limits.get("gross", 0.0),
    )
