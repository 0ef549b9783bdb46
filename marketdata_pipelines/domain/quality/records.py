"""Arrow schemas of the quality tables and the words verdicts are made of; nothing is computed here.

A symbol-session is one symbol on one session date. All counts are of bars of the feed's own interval, times are UTC,
prices in quote currency as traded.
"""

from enum import StrEnum

import pyarrow as pa

from marketdata_pipelines.domain.bars import SYMBOL, TS

SYMBOL_PROFILES = "symbol_profiles"
QUALITY_SUSPECTS = "quality_suspects"
QUALITY_SCORES = "quality_scores"
QUALITY_FINDINGS = "quality_findings"
QUALITY_EVENTS = "quality_events"
QUALITY_DISPUTES = "disputes"
SOURCE_SCORES = "source_scores"
QUALITY_VERDICTS = "quality_verdicts"
# Those of the lake, one file a base partition.
QUALITY_TABLES = (
    SYMBOL_PROFILES,
    QUALITY_SUSPECTS,
    QUALITY_VERDICTS,
    QUALITY_SCORES,
    QUALITY_FINDINGS,
    QUALITY_DISPUTES,
    SOURCE_SCORES,
)


class Dimension(StrEnum):
    """What a rule is about; each has a score of its own."""

    COMPLETENESS = "completeness"
    ACCURACY = "accuracy"
    CONSISTENCY = "consistency"
    VALIDITY = "validity"
    TIMELINESS = "timeliness"
    UNIQUENESS = "uniqueness"


class Severity(StrEnum):
    """What a broken rule does: withhold everything downstream of the partition, or be told only."""

    BLOCK = "block"
    WARN = "warn"


class Level(StrEnum):
    """How much is looked at; each of the first four holds those before it."""

    NONE = "none"
    BASIC = "basic"
    STANDARD = "standard"
    STRICT = "strict"
    CUSTOM = "custom"


class Suspicion(StrEnum):
    """Kinds of bars that stand out beside their own session's: candidates, of which the rules make findings."""

    SPIKE = "spike"  # a close (or open) away from both neighbours, and back
    WICK = "wick"  # a high or low far beyond open and close
    JUMP = "jump"  # a close away from the close before it
    FLAT = "flat"  # a run of bars that repeat one price
    VOLUME = "volume"  # a volume far above the session's median
    ZERO_VOLUME_MOVE = "zero_volume_move"  # bars without volume whose price moves
    TIME_SHIFT = "time_shift"  # a session displaced as a whole
    LABEL_SHIFT = "label_shift"  # bars that seem to be labelled by their end (or start) against what is declared
    GAP = "gap"  # bars missing between two others
    OPENING_JUMP = "opening_jump"  # the session's first open: judged against the session before
    OFF_TICK = "off_tick"  # bars with prices between the instrument's ticks


# One row a symbol-session; regular-session bars only, unless said otherwise. Sorted by (symbol, session_date).
PROFILE_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("session_date", pa.date32()),
        ("session_open", TS),
        ("session_close", TS),
        ("expected", pa.int32()),  # bars the calendar has room for, as far as the data could be known
        ("bars", pa.int32()),
        ("extended_bars", pa.int32()),  # bars outside the regular session
        ("gaps", pa.int32()),  # runs of missing bars, those before the first and after the last included
        ("longest_gap", pa.int32()),
        ("first_ts", TS),
        ("last_ts", TS),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),  # null where any bar's is unknown
        ("zero_volume_bars", pa.int32()),
        ("unchanged_bars", pa.int32()),  # open = high = low = close = the close before
        ("return_scale", pa.float64()),  # 1.4826 x median |ln(close / close before)|
        ("range_scale", pa.float64()),  # median (high - low) / close
        ("volume_median", pa.float64()),
        ("bar_at_close", pa.bool_()),  # whether a bar is labelled with the session's close
        ("raw_rows", pa.int32()),  # rows the sources gave, rejected ones included
        ("rejected_validity", pa.int32()),  # of them kept out, by the dimension of their first rule
        ("rejected_consistency", pa.int32()),
        ("rejected_uniqueness", pa.int32()),
        ("rejected_timeliness", pa.int32()),
    ]
)

# Where the first bar came from; null where it is made of trades or several files.
_PLACE = [("file", pa.string()), ("line", pa.int64()), ("row", pa.int64()), ("part", pa.string())]

# One row a suspicion. `value` and `scale` mean what its kind says (see `suspects`); `standing` is false where another
# file's rows have taken the place of these.
SUSPECT_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("session_date", pa.date32()),
        ("kind", pa.string()),
        ("ts", TS),
        ("ts_last", TS),
        ("bars", pa.int32()),
        ("value", pa.float64()),
        ("scale", pa.float64()),
        *_PLACE,
        ("standing", pa.bool_()),
    ]
)

# One row a check of the walk that failed as a whole, as an expectation may; the table is there only while there is
# one. `bars` is null where that is not known.
VERDICT_SCHEMA = pa.schema(
    [
        ("rule", pa.string()),
        ("dimension", pa.string()),
        ("severity", pa.string()),
        ("bars", pa.int32()),
        ("message", pa.string()),
    ]
)

# One row a broken rule at one place. `symbol` null: the whole session or partition. `ts` .. `ts_last` are opens of the
# first and last bar concerned, both inclusive; `value` was measured, `limit` allowed.
FINDING_SCHEMA = pa.schema(
    [
        ("rule", pa.string()),
        ("dimension", pa.string()),
        ("severity", pa.string()),
        ("symbol", SYMBOL),
        ("session_date", pa.date32()),
        ("ts", TS),
        ("ts_last", TS),
        ("bars", pa.int32()),
        ("value", pa.float64()),
        ("limit", pa.float64()),
        ("message", pa.string()),
        *_PLACE,
        ("standing", pa.bool_()),
    ]
)

# One row a symbol-session, and one with symbol null for each session as a whole. Scores are 0 to 100.
SCORE_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("session_date", pa.date32()),
        *[(str(dimension), pa.float64()) for dimension in Dimension],
        ("score", pa.float64()),
        ("quality", pa.string()),  # Excellent, Good, Fair, Poor, Unacceptable
        ("grade", pa.string()),  # A to F
        ("bars", pa.int32()),
        ("expected", pa.int32()),
        ("raw_rows", pa.int32()),
        ("rejected_rows", pa.int32()),
        ("findings", pa.int32()),
        ("blocked", pa.bool_()),
    ]
)
