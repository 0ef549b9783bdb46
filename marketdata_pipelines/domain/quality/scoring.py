"""Scores from profiles and findings: six dimensions of 0 to 100 and one score, for each symbol-session and session.

A symbol-session's dimensions
-----------------------------
completeness   100 x bars / usual bars, at most 100; usual bars are the median share of the sessions before less two of
               its spreads, times the bars the calendar has room for: a symbol that trades every tenth minute is
               compared with itself. Until enough sessions are known: 100 x (1 - (longest gap / bars there is room
               for)^2).
validity, consistency, uniqueness, timeliness
               100 x (1 - rows rejected for that dimension / (the same + rows accepted)).
accuracy       100.

From each, findings of that dimension take 20 (one that warns) or 60 (one that blocks), and 100 x the share of the
session's bars they concern; from completeness, which has counted what is missing already, only as far as more than
that.

The score is the weighted mean (`WEIGHTS`), but at most 40 + 0.6 x the worst dimension: five perfect dimensions do not
make up for one that is ruined. Without a single bar it is 0. A finding that blocks caps it at 29.

A session's totals
------------------
completeness and what findings take are means over symbols, weighted by usual bars, with symbols that are missing whole
as 0; shares of rejected rows are of the session's rows, those nobody knows the symbol of included. Findings about the
session as a whole take from the total alone. In a blocked partition every session's total is capped.

More rejected rows, more findings or fewer bars never raise a score.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.frames import float_values, number_values, symbol_column
from marketdata_pipelines.domain.quality.grades import Grade, Quality, grade_of, grades, qualities, quality_of
from marketdata_pipelines.domain.quality.history import Floats, Mask, PastSessions
from marketdata_pipelines.domain.quality.records import SCORE_SCHEMA, Dimension
from marketdata_pipelines.domain.quality.rules import QualityRule
from marketdata_pipelines.domain.quality.score_rows import (
    COMPLETENESS,
    Costs,
    ScoreRows,
    finding_costs,
    score_rows,
    session_sums,
)

WEIGHTS: Mapping[Dimension, float] = {
    Dimension.COMPLETENESS: 0.25,
    Dimension.ACCURACY: 0.25,
    Dimension.CONSISTENCY: 0.15,
    Dimension.VALIDITY: 0.15,
    Dimension.TIMELINESS: 0.1,
    Dimension.UNIQUENESS: 0.1,
}
# A ruined dimension leaves at most this much, a perfect one all.
RUINED_LEAVES = 40.0
BLOCKED_CAP = 29.0
_DIMENSIONS = tuple(Dimension)
_WEIGHTS = np.array([WEIGHTS[dimension] for dimension in _DIMENSIONS])


@dataclass(frozen=True, slots=True)
class FeedScore:
    """A feed's sessions together: means weighted by the bars there was room for, counts summed."""

    score: float
    quality: Quality
    grade: Grade
    dimensions: Mapping[Dimension, float]
    sessions: int
    blocked_sessions: int
    bars: int
    raw_rows: int
    rejected_rows: int
    findings: int


def score(
    rules: Mapping[str, QualityRule], profiles: pa.Table, findings: pa.Table, history: pa.Table, blocked: bool
) -> pa.Table:
    """The scores of a partition.

    Shape:   `profiles` (PROFILE_SCHEMA), `findings` (FINDING_SCHEMA) of one partition and `history`, the profiles of
             the sessions before, in any order. Returns SCORE_SCHEMA sorted by (symbol, session_date), null first: a
             total for each session, and a row for each symbol-session that has a profile or a finding of its own.
    Units:   0 to 100 with two decimals; never NaN or infinite.
    Bounds:  findings about rows that others have taken the place of (`standing` false) count for nothing.
    """
    standing = findings.filter(findings["standing"])
    told = [name for name in standing["symbol"].unique().to_pylist() if name]
    past = PastSessions(profiles, history, told)
    rows = score_rows(rules, past, profiles, standing)
    costs, session_costs = finding_costs(rows, past, standing)
    dimensions = _dimensions(rows.completeness, rows.rejected, rows.raw_rows, costs.taken)
    scores = _scores(dimensions, rows.bars, costs.blocks)
    symbols = _table(rows, dimensions, scores, costs, blocked)
    totals = _totals(rows, dimensions, costs, session_costs, blocked)
    return pa.concat_tables([totals, symbols]).unify_dictionaries().combine_chunks()


def feed_score(scores: pa.Table) -> FeedScore | None:
    """The scores of any number of sessions (SCORE_SCHEMA) as one; None where there is no session's total among them.

    Only totals (symbol null) count. They are weighted by the bars there was room for, not by those that came: a session
    that lost half of them would count half.
    """
    totals = scores.filter(scores["symbol"].is_null())
    if not totals.num_rows:
        return None
    room, bars = (number_values(totals[name]) for name in ("expected", "bars"))
    weights = np.maximum(np.maximum(room, bars), 1.0)
    means = {name: _mean(float_values(totals[name]), weights) for name in ("score", *map(str, _DIMENSIONS))}
    sums = {name: _sum(totals[name]) for name in ("bars", "raw_rows", "rejected_rows", "findings")}
    return FeedScore(
        score=means["score"],
        quality=quality_of(means["score"]),
        grade=grade_of(means["score"]),
        dimensions={dimension: means[str(dimension)] for dimension in _DIMENSIONS},
        sessions=totals.num_rows,
        blocked_sessions=_sum(totals["blocked"].cast(pa.int32())),
        **sums,
    )


def _mean(values: Floats, weights: Floats) -> float:
    return round(float((values * weights).sum() / weights.sum()), 2)


def _sum(column: pa.ChunkedArray) -> int:
    return int(number_values(column).sum())


def _dimensions(completeness: Floats, rejected: Floats, raw_rows: Floats, taken: Floats) -> Floats:
    """The dimensions of N rows, in the order of `Dimension`: what is left after rejected rows and findings."""
    # Of the rows that but for this dimension would stand: rows rejected for another one must not make it look better.
    accepted = np.maximum(raw_rows - rejected.sum(axis=1), 0.0)[:, None]
    shares = rejected / np.maximum(accepted + rejected, 1.0)
    left = np.clip(100.0 * (1.0 - shares) - taken, 0.0, 100.0)
    left[:, COMPLETENESS] = np.clip(np.minimum(completeness, 100.0 - taken[:, COMPLETENESS]), 0.0, 100.0)
    return left


def _scores(dimensions: Floats, bars: Floats, capped: Mask) -> Floats:
    worst = dimensions.min(axis=1, initial=100.0)
    whole = np.minimum(dimensions @ _WEIGHTS, RUINED_LEAVES + (1 - RUINED_LEAVES / 100) * worst)
    whole = np.where(capped, np.minimum(whole, BLOCKED_CAP), whole)
    return np.where(bars > 0, whole, 0.0)


def _totals(rows: ScoreRows, dimensions: Floats, costs: Costs, own: Costs, blocked: bool) -> pa.Table:
    """The totals of the sessions; `own` are the costs of findings about a session as a whole."""
    sums = session_sums(rows)
    # Symbols that are missing whole add what findings take from them, and no weight by which others look better.
    weights = rows.summed(rows.usual * rows.is_there)
    means = rows.summed(rows.usual[:, None] * costs.taken) / np.where(weights > 0, weights, 1.0)[:, None]
    # What findings took from completeness is in the symbols' own already.
    means[:, COMPLETENESS] = 0.0
    completeness = rows.summed(rows.usual * dimensions[:, COMPLETENESS]) / sums.usual
    taken = np.minimum(means + own.taken, 100.0)
    whole = _dimensions(completeness, sums.rejected, sums.raw_rows, taken)
    together = Costs(taken, rows.summed(costs.findings) + own.findings, (rows.summed(costs.blocks) + own.blocks) > 0)
    return _table(sums, whole, _scores(whole, sums.bars, together.blocks | blocked), together, blocked)


def _table(rows: ScoreRows, dimensions: Floats, scores: Floats, costs: Costs, blocked: bool) -> pa.Table:
    rounded = np.round(scores, 2)
    count = len(rows.codes)
    columns = {
        "symbol": symbol_column(rows.codes.astype(np.int32), rows.names),
        "session_date": pa.array(rows.session_days[rows.session].astype(np.int32)).view(pa.date32()),
        **{str(name): np.round(dimensions[:, at], 2) for at, name in enumerate(_DIMENSIONS)},
        "score": rounded,
        "quality": pa.array(qualities(rounded), pa.string()),
        "grade": pa.array(grades(rounded), pa.string()),
        "bars": rows.bars.astype(np.int32),
        "expected": rows.expected.astype(np.int32),
        "raw_rows": rows.raw_rows.astype(np.int32),
        "rejected_rows": rows.rejected.sum(axis=1).astype(np.int32),
        "findings": costs.findings.astype(np.int32),
        "blocked": np.full(count, blocked) | costs.blocks,
    }
    return pa.table(columns, schema=SCORE_SCHEMA)
