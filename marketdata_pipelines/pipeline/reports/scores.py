"""The scores a report shows: of each session, of its range as a whole, and of every symbol of late.

Scores are computed in `domain.scoring`; here they are read, and nothing is judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.domain.quality.records import QUALITY_SCORES, SCORE_SCHEMA, Dimension
from marketdata_pipelines.domain.quality.scoring import feed_score
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines.quality.report.records import HeatMap, HeatRow, Score
from marketdata_pipelines.stores.lake.lake import Lake

# Sessions of the trend and of the map of symbols.
SESSIONS = 30
_COUNTS = ("bars", "expected", "raw_rows", "rejected_rows", "findings")
_HEAT_COLUMNS = ["symbol", "session_date", "score", "grade"]


@dataclass(frozen=True, slots=True)
class ScoredSessions:
    """One score a session, oldest first: of the range, and of as many sessions before it, at least SESSIONS together.

    `symbols` holds the rows of single symbols of the last SESSIONS of them.
    """

    inside: tuple[Score, ...]
    before: tuple[Score, ...]
    symbols: pa.Table

    @property
    def all(self) -> tuple[Score, ...]:
        return (*self.before, *self.inside)

    @property
    def compared(self) -> tuple[Score, ...]:
        """The sessions before the range that it is compared with: as many as it has."""
        return self.before[-len(self.inside) :] if self.inside else ()


def read_scores(lake: Lake, feed: Feed, start: date, end: date) -> ScoredSessions:
    """Read the stored scores backwards from `end` until there are enough; partitions without a verdict are left out."""
    found: dict[date, Score] = {}
    tables: list[pa.Table] = []
    newest = partition_key(end, period_of(feed.partition))
    for stored in reversed(lake.catalog.stored(QUALITY_SCORES, feed.name, "", newest)):
        scores = lake.read(QUALITY_SCORES, feed.name, stored.partition)
        scores = scores.filter(pc.less_equal(scores["session_date"], pa.scalar(end, pa.date32())))
        if len(found) < SESSIONS:
            tables.append(scores.filter(pc.is_valid(scores["symbol"])).select(_HEAT_COLUMNS))
        totals = scores.filter(pc.is_null(scores["symbol"])).to_pylist()
        found |= {row["session_date"]: _session_score(row) for row in totals}
        inside = sum(day >= start for day in found)
        if stored.partition <= start.isoformat() and len(found) - inside >= max(SESSIONS - inside, inside, 1):
            break
    dates = sorted(found)
    before = [found[day] for day in dates if day < start]
    inside_scores = [found[day] for day in dates if day >= start]
    kept = max(SESSIONS - len(inside_scores), len(inside_scores), 1)
    return ScoredSessions(tuple(inside_scores), tuple(before[-kept:]), _of_dates(tables, dates[-SESSIONS:]))


def heat_map(scored: ScoredSessions, start: date) -> HeatMap | None:
    """Every symbol by every session of late; the worst symbol of the range first. None where nothing was scored."""
    sessions = [score.end for score in scored.all][-SESSIONS:]
    if not sessions:
        return None
    whole = scored.all[-SESSIONS:]
    feed_row = HeatRow("", tuple(score.score for score in whole), tuple(score.grade for score in whole))
    if not scored.symbols.num_rows:
        return HeatMap(tuple(sessions), feed_row, ())
    codes, symbols = symbol_codes(scored.symbols["symbol"])
    days = np.array([(day - EPOCH).days for day in sessions])
    columns = np.searchsorted(days, int_values(scored.symbols["session_date"]))
    values = np.full((len(symbols), len(sessions)), np.nan)
    values[codes, columns] = float_values(scored.symbols["score"])
    grades = np.full(values.shape, "", dtype=object)
    grades[codes, columns] = scored.symbols["grade"].to_pylist()
    scored_once = ~np.isnan(values).all(axis=1)
    order = [at for at in _worst_first(values[:, [day >= start for day in sessions]]) if scored_once[at]]
    rows = [
        HeatRow(symbols[at], tuple(_numbers(values[at])), tuple(str(grade or "") for grade in grades[at]))
        for at in order
    ]
    return HeatMap(tuple(sessions), feed_row, tuple(rows))


def together(scores: Sequence[Score]) -> Score | None:
    """Several sessions as one, as `domain.scoring.feed_score` has it; None where none has a score."""
    if len(scores) <= 1:
        return scores[0] if scores else None
    known = [score for score in scores if score.score is not None]
    whole = feed_score(pa.Table.from_pylist([_score_row(score) for score in known], schema=SCORE_SCHEMA))
    if whole is None:
        return None
    return Score(
        scores[0].start, scores[-1].end, len(scores), whole.score, whole.quality, whole.grade,
        tuple(whole.dimensions[dimension] for dimension in Dimension),
        *(sum(getattr(score, name) for score in scores) for name in (*_COUNTS, "blocked")),
    )  # fmt: skip


def _score_row(score: Score) -> dict[str, Any]:
    dimensions = {str(dimension): score.of(dimension) for dimension in Dimension}
    counts = {name: getattr(score, name) for name in _COUNTS}
    named = {"session_date": score.end, "score": score.score, "quality": score.quality, "grade": score.grade}
    return named | dimensions | counts | {"blocked": bool(score.blocked)}


def _session_score(row: Mapping[str, Any]) -> Score:
    return Score(
        row["session_date"], row["session_date"], 1, row["score"], row["quality"] or "", row["grade"] or "",
        tuple(row[str(dimension)] for dimension in Dimension), *(int(row[name] or 0) for name in (*_COUNTS, "blocked")),
    )  # fmt: skip


def _of_dates(tables: Sequence[pa.Table], dates: Sequence[date]) -> pa.Table:
    whole = pa.concat_tables([pa.schema([SCORE_SCHEMA.field(name) for name in _HEAT_COLUMNS]).empty_table(), *tables])
    whole = whole.unify_dictionaries().combine_chunks()
    return whole.filter(pc.is_in(whole["session_date"], pa.array(dates, pa.date32())))


def _worst_first(values: np.ndarray) -> list[int]:
    """Positions of rows by their lowest value, then their mean; rows without any come last, ties as they were."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    count = known.sum(axis=1)
    mean = np.divide(filled.sum(axis=1), count, out=np.full(len(values), np.inf), where=count > 0)
    lowest = np.where(known, values, np.inf).min(axis=1, initial=np.inf)
    return [int(at) for at in np.lexsort((mean, lowest))]


def _numbers(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
