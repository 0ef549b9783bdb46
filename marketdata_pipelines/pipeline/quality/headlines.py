"""How a feed scores of late: its sessions' totals and its worst symbols, read from the stored scores.

Scores are computed in `domain.scoring`; a report of everything is `data`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.quality.records import QUALITY_SCORES, SCORE_SCHEMA, Dimension
from marketdata_pipelines.stores.lake.lake import Lake

SESSIONS = 30


@dataclass(frozen=True, slots=True)
class SessionScore:
    """One session of a feed as a whole. Scores are 0 to 100; a dimension that was not judged is left out."""

    partition: str
    session: date
    score: float
    level: str
    grade: str
    dimensions: Mapping[str, float]
    bars: int
    rejected_rows: int
    findings: int
    blocked: bool


@dataclass(frozen=True, slots=True)
class SymbolScore:
    """One symbol on one session."""

    symbol: str
    session: date
    score: float
    grade: str
    findings: int


def recent_sessions(lake: Lake, feed: str, count: int = SESSIONS) -> list[SessionScore]:
    """The newest scored sessions of a feed, oldest first; empty where nothing was scored."""
    found: list[SessionScore] = []
    for stored in reversed(lake.catalog.stored(QUALITY_SCORES, feed)):
        found = [*session_scores(stored.partition, lake.read(QUALITY_SCORES, feed, stored.partition)), *found]
        if len(found) >= count:
            break
    return found[-count:]


def session_scores(partition: str, scores: pa.Table) -> list[SessionScore]:
    """The sessions' totals among the rows of SCORE_SCHEMA of a partition, in order of date."""
    totals = scores.filter(pc.is_null(scores["symbol"])).sort_by("session_date")
    return [_session(partition, row) for row in totals.to_pylist() if row["score"] is not None]


def worst_symbols(scores: pa.Table, count: int) -> list[SymbolScore]:
    """The symbol-sessions with the lowest scores below 100, worst first; of equal ones the first by symbol and date."""
    own = scores.filter(pc.and_(pc.is_valid(scores["symbol"]), pc.less(scores["score"], 100.0)))
    if own.num_rows > count:
        bound = own["score"].take(pc.select_k_unstable(own, count, [("score", "ascending")]))[count - 1]
        own = own.filter(pc.less_equal(own["score"], bound))
    rows = sorted(own.to_pylist(), key=lambda row: (row["score"], row["symbol"], row["session_date"]))
    return [
        SymbolScore(row["symbol"], row["session_date"], row["score"], row["grade"], row["findings"] or 0)
        for row in rows[:count]
    ]


def scores_of(lake: Lake, feed: str, partitions: Sequence[str]) -> pa.Table:
    """The stored scores of some partitions, one after the other."""
    tables = [lake.read(QUALITY_SCORES, feed, key) for key in partitions]
    return pa.concat_tables(tables) if tables else SCORE_SCHEMA.empty_table()


def _session(partition: str, row: Mapping[str, object]) -> SessionScore:
    values = {name: row[name] for name in map(str, Dimension)}
    return SessionScore(
        partition=partition,
        session=_date(row["session_date"]),
        score=_number(row["score"]),
        level=str(row["quality"] or ""),
        grade=str(row["grade"] or ""),
        dimensions={name: value for name, value in values.items() if isinstance(value, float)},
        bars=int(_number(row["bars"])),
        rejected_rows=int(_number(row["rejected_rows"])),
        findings=int(_number(row["findings"])),
        blocked=bool(row["blocked"]),
    )


def _date(value: object) -> date:
    assert isinstance(value, date)
    return value


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
