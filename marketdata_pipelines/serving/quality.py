"""Scores and findings of a feed, as they are stored, and scores combined by day, symbol or dimension.

How scores come about is `domain.scoring`'s; a summary for people is `quality_summary`'s.
"""

from collections.abc import Sequence
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.domain.quality.records import (
    FINDING_SCHEMA,
    QUALITY_FINDINGS,
    QUALITY_SCORES,
    SCORE_SCHEMA,
    Dimension,
)
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.stores.lake.duck import connect, query_text, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake

Symbols = tuple[str, ...] | None
FINDING_COLUMNS = tuple(name for name in FINDING_SCHEMA.names if name != "part")
_COUNTS = ("bars", "expected", "raw_rows", "rejected_rows", "findings", "blocked")


class By(StrEnum):
    """What scores are combined by."""

    DAY = "day"
    SYMBOL = "symbol"
    DIMENSION = "dimension"


def answer_scores(lake: Lake, feed: Feed, wanted: TimeRange, symbols: Symbols = None) -> pa.Table:
    """The stored scores of session dates, by (session_date, symbol).

    Shape:   SCORE_SCHEMA, symbols as text. A row with symbol null is the session as a whole; with `symbols` there are
             only theirs.
    Errors:  PartitionMissing when nothing was scored in that range.
    """
    stored = lake.catalog.stored(QUALITY_SCORES, feed.name, *wanted.partitions(period_of(feed.partition)))
    if not stored:
        raise _unscored(lake, feed, wanted)
    parameters = {**_dates(wanted), "symbols": None if symbols is None else list(symbols)}
    with connect() as connection:
        relation = relation_sql(lake.layout.root, stored, symbols=symbols)
        connection.execute(f"create temp view quality_scores as {relation}")
        found = connection.sql(query_text("select_quality_scores"), params=parameters).to_arrow_table()
    return found.cast(_as_text(SCORE_SCHEMA))


def answer_findings(
    lake: Lake,
    feed: Feed,
    wanted: TimeRange,
    symbols: Symbols = None,
    rule: str | None = None,
    severity: str | None = None,
) -> pa.Table:
    """What was found on session dates, by (session_date, symbol, ts); also of rows that other files took the place of.

    Shape:   FINDING_SCHEMA, symbols as text. With `symbols` also what concerns the session as a whole.
    Errors:  SettingsInvalid for a rule nobody knows and nothing was found by.
    """
    stored = lake.catalog.stored(QUALITY_FINDINGS, feed.name, *wanted.partitions(period_of(feed.partition)))
    if not stored:
        _check_rule(rule, ())
        return _as_text(FINDING_SCHEMA).empty_table()
    parameters = {
        **_dates(wanted), "symbols": None if symbols is None else list(symbols), "rule": rule, "severity": severity,
    }  # fmt: skip
    with connect() as connection:
        connection.execute(f"create temp view quality_findings as {relation_sql(lake.layout.root, stored)}")
        found = connection.sql(query_text("select_quality_findings"), params=parameters).to_arrow_table()
        known = [name for (name,) in connection.sql("select distinct rule from quality_findings").fetchall()]
    _check_rule(rule, known)
    return found.cast(_as_text(FINDING_SCHEMA))


def scores_by(scores: pa.Table, by: By) -> pa.Table:
    """Scores combined: a row a day, a symbol (worst first) or a dimension, with level and grade.

    `scores` is an answer of `answer_scores`. A day is the session as a whole where that is among them, else the mean of
    its symbols; everything else are means weighted by the bars there was room for.
    """
    if by is By.DIMENSION:
        return _by_dimension(scores)
    totals = scores.filter(pc.is_null(scores["symbol"]))
    if by is By.DAY and totals.num_rows:
        return totals.drop_columns(["symbol"])
    own = combined(scores.filter(pc.is_valid(scores["symbol"])), by)
    names = ["score", "quality", "grade", *_COUNTS]
    if by is By.DAY:
        return own.select(["session_date", *map(str, Dimension), *names])
    worst = own.select(["symbol", "sessions", *map(str, Dimension), *names, "worst", "worst_session"])
    return worst.sort_by([("score", "ascending"), ("symbol", "ascending")])


def combined(scores: pa.Table, by: By) -> pa.Table:
    """Scores of symbol-sessions combined by symbol or by day, with level and grade of their mean."""
    from marketdata_pipelines.domain.quality.grades import grade_of, quality_of

    with connect() as connection:
        connection.register("scores", scores)
        found = connection.sql(query_text("combine_quality_scores"), params={"by": str(by)}).to_arrow_table()
    values = found["score"].to_pylist()
    levels = pa.array([None if value is None else str(quality_of(value)) for value in values], pa.string())
    grades = pa.array([None if value is None else str(grade_of(value)) for value in values], pa.string())
    return found.append_column("quality", levels).append_column("grade", grades)


def _by_dimension(scores: pa.Table) -> pa.Table:
    days = scores_by(scores, By.DAY)
    own = scores.filter(pc.is_valid(scores["symbol"]))
    rows = []
    for name in map(str, Dimension):
        known = days.filter(pc.is_valid(days[name]))
        below = known.filter(pc.less(known[name], 100.0))
        worst = below.sort_by([(name, "ascending"), ("session_date", "ascending")]).slice(0, 1).to_pylist()
        lowest = own.filter(pc.less(own[name], 100.0)).sort_by([(name, "ascending"), ("session_date", "ascending")])
        symbol = lowest.slice(0, 1).to_pylist()
        rows.append(
            {
                "dimension": name,
                "score": mean_of(known, name),
                "latest": known[name][-1].as_py() if known.num_rows else None,
                "sessions": known.num_rows,
                "worst": worst[0][name] if worst else None,
                "worst_session": worst[0]["session_date"] if worst else None,
                "worst_symbol": symbol[0]["symbol"] if symbol else None,
                "worst_symbol_score": symbol[0][name] if symbol else None,
                "symbol_sessions_below_100": lowest.num_rows,
            }
        )
    return pa.Table.from_pylist(rows, schema=_DIMENSION_SCHEMA)


def mean_of(days: pa.Table, name: str) -> float | None:
    """The mean of a column of day rows as `scoring.feed_score` weights them, unknown ones left out; None for none."""
    rows = zip(*(days[column].to_pylist() for column in (name, "expected", "bars")), strict=True)
    known = [(value, max(expected or 0, bars or 0, 1)) for value, expected, bars in rows if value is not None]
    weight = sum(room for _, room in known)
    return sum(value * room for value, room in known) / weight if known else None


def _check_rule(rule: str | None, found: Sequence[str]) -> None:
    """A rule may also be a user's expectation or a check: any that found something is known."""
    if rule is not None and rule not in QUALITY_RULE_BY_ID and rule not in found:
        raise SettingsInvalid(f"{rule!r} is no quality rule; see: marketdata quality --rules")


def _unscored(lake: Lake, feed: Feed, wanted: TimeRange) -> PartitionMissing:
    everything = lake.catalog.stored(QUALITY_SCORES, feed.name)
    where = f"; scored: {everything[0].partition} to {everything[-1].partition}" if everything else ""
    start, end = wanted.start_date or feed.start or "DATE", wanted.end_date or "DATE"
    if str(feed.quality.level) == "none":
        return PartitionMissing(f"{feed.name} is not scored: its quality level is none; give it another in feeds.yaml")
    return PartitionMissing(
        f"{feed.name} has no quality scores in that range{where}; "
        f"run: marketdata backfill {feed.name} --start {start} --end {end}"
    )


def _dates(wanted: TimeRange) -> dict[str, object]:
    return {"start_date": wanted.start_date, "end_date": wanted.end_date}


def _as_text(schema: pa.Schema) -> pa.Schema:
    return schema.set(schema.get_field_index("symbol"), pa.field("symbol", pa.string()))


_DIMENSION_SCHEMA = pa.schema(
    [
        ("dimension", pa.string()),
        ("score", pa.float64()),
        ("latest", pa.float64()),
        ("sessions", pa.int64()),
        ("worst", pa.float64()),
        ("worst_session", pa.date32()),
        ("worst_symbol", pa.string()),
        ("worst_symbol_score", pa.float64()),
        ("symbol_sessions_below_100", pa.int64()),
    ]
)
