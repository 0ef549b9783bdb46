"""The findings a report tells: how many by rule, the most severe ones, and which came or went since before.

Findings are made in `domain.judging`; here they are read and chosen from.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, QUALITY_FINDINGS, Severity
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.quality.report.records import FindingRow, RuleCount, Topic
from marketdata_pipelines.stores.lake.lake import Lake

# Findings listed one by one; all of them are counted.
LISTED = 500
_TOPICS_NAMED = 6
_OTHER_RULE = "A check of the walk, or an expectation of the feed's own."


@dataclass(frozen=True, slots=True)
class FoundFindings:
    """The findings of a range. `standing` are those that count; `replaced` is the number of the others."""

    standing: pa.Table
    replaced: int
    listed: tuple[FindingRow, ...]
    rules: tuple[RuleCount, ...]

    def count(self, severity: Severity) -> int:
        """How many of them have a severity."""
        return sum(each.findings for each in self.rules if each.severity == severity)


@dataclass(frozen=True, slots=True)
class TopicChange:
    """Topics that were not found before, and those that are found no more: how many, and the first few."""

    opened_count: int
    resolved_count: int
    opened: tuple[Topic, ...]
    resolved: tuple[Topic, ...]


def read_findings(lake: Lake, feed: Feed, start: date, end: date) -> pa.Table:
    """The stored findings of the sessions from start to end; those of a whole partition are of its first day."""
    period = period_of(feed.partition)
    tables = [FINDING_SCHEMA.empty_table()]
    for key, found in lake.read_many(
        QUALITY_FINDINGS, feed.name, partition_key(start, period), partition_key(end, period)
    ):
        first = max(start, date.fromisoformat(key))
        dates = pc.fill_null(found["session_date"], pa.scalar(first, pa.date32()))
        inside = pc.and_(
            pc.greater_equal(dates, pa.scalar(start, pa.date32())), pc.less_equal(dates, pa.scalar(end, pa.date32()))
        )
        tables.append(found.filter(inside).select(FINDING_SCHEMA.names))
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def choose_findings(found: pa.Table) -> FoundFindings:
    """Count findings (FINDING_SCHEMA) by rule, and list the most severe."""
    stands = pc.fill_null(found["standing"], True)
    standing = found.filter(stands)
    listed = [_finding(row) for row in found.take(_most_severe(found, stands)).to_pylist()]
    return FoundFindings(standing, found.num_rows - standing.num_rows, tuple(listed), _by_rule(standing))


def compare_topics(now: pa.Table, before: pa.Table) -> TopicChange:
    """Which topics of standing findings came and went."""
    found, known = _topics(now), _topics(before)
    opened, resolved = _ordered(found - known), _ordered(known - found)
    return TopicChange(len(opened), len(resolved), opened[:_TOPICS_NAMED], resolved[:_TOPICS_NAMED])


def _most_severe(found: pa.Table, stands: pa.ChunkedArray) -> pa.Array:
    """Positions of the first LISTED: blocking ones, those that stand, and the furthest beyond their limit, first."""
    warns = pc.not_equal(found["severity"], Severity.BLOCK.value).to_numpy().astype(bool)
    replaced = ~stands.to_numpy().astype(bool)
    values, limits = np.abs(float_values(found["value"])), np.abs(float_values(found["limit"]))
    known = (values > 0) & (limits > 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        beyond = np.where(known, np.abs(np.log(values) - np.log(limits)), 0.0)
    place = np.arange(found.num_rows)
    return pa.array(np.lexsort((place, -beyond, warns, replaced))[:LISTED], pa.int64())


def _by_rule(standing: pa.Table) -> tuple[RuleCount, ...]:
    if not standing.num_rows:
        return ()
    keys = ["rule", "dimension", "severity"]
    plain = standing.select([*keys, "session_date"]).append_column("symbol", standing["symbol"].cast(pa.string()))
    counted = plain.group_by(keys, use_threads=False).aggregate(
        [([], "count_all"), ("symbol", "count_distinct"), ("session_date", "count_distinct")]
    )
    rules = [
        RuleCount(
            row["rule"], row["dimension"] or "", row["severity"] or "", row["count_all"], row["symbol_count_distinct"],
            row["session_date_count_distinct"], _rule_text(row["rule"]),
        )
        for row in counted.to_pylist()
    ]  # fmt: skip
    return tuple(sorted(rules, key=lambda each: (each.severity != Severity.BLOCK, -each.findings, each.rule)))


def _rule_text(rule: str) -> str:
    known = QUALITY_RULE_BY_ID.get(rule)
    return known.text if known else _OTHER_RULE


def _topics(found: pa.Table) -> set[Topic]:
    pairs = pa.table({"rule": found["rule"], "symbol": found["symbol"].cast(pa.string())})
    unique = pairs.group_by(["rule", "symbol"], use_threads=False).aggregate([])
    return {Topic(row["rule"], row["symbol"]) for row in unique.to_pylist()}


def _ordered(topics: set[Topic]) -> tuple[Topic, ...]:
    return tuple(sorted(topics, key=lambda topic: (topic.rule, topic.symbol or "")))


def _finding(row: dict[str, Any]) -> FindingRow:
    return FindingRow(
        rule=row["rule"] or "",
        dimension=row["dimension"] or "",
        severity=row["severity"] or "",
        symbol=row["symbol"],
        session_date=row["session_date"],
        ts_us=_instant(row["ts"]),
        ts_last_us=_instant(row["ts_last"]),
        bars=row["bars"],
        value=row["value"],
        limit=row["limit"],
        message=row["message"] or "",
        file=row["file"],
        line=row["line"],
        row=row["row"],
        standing=row["standing"] is not False,
    )


def _instant(moment: Any) -> int | None:
    return None if moment is None else to_us(moment)
