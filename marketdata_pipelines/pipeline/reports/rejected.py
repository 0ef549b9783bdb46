"""What was kept out of a report's range: rejected rows by rule with their first examples, and partitions withheld.

Rows are rejected in `domain.validation`; here they are read, a partition at a time.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, partition_key, partition_keys, period_of
from marketdata_pipelines.domain.quality.records import QUALITY_SCORES, QUALITY_VERDICTS, Level, Severity
from marketdata_pipelines.domain.rules import RULE_BY_ID
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS
from marketdata_pipelines.quality.report.records import RejectedExample, RejectedRule, Rejections, Withheld
from marketdata_pipelines.stores.lake.lake import Lake

EXAMPLES = 3
_LONGEST_ORIGINAL = 400
# Good rows that a later ingest replaced: recorded, but no defects.
_REPLACED = ("superseded", "deleted")
_COLUMNS = ["file", "line", "row", "symbol", "ts", "rules", "original"]


def read_rejections(lake: Lake, feed: Feed, start: date, end: date) -> Rejections:
    """Count the rejected rows of a range by rule; the rules that keep out most come first."""
    rows = replaced = 0
    counts: dict[str, int] = {}
    examples: dict[str, list[RejectedExample]] = {}
    for rejected in _tables(lake, feed, start, end):
        rules = pc.fill_null(rejected["rules"], "")
        for item in pc.value_counts(rules).to_pylist():
            if item["values"] in _REPLACED:
                replaced += item["counts"]
                continue
            rows += item["counts"]
            named = [rule for rule in item["values"].split(";") if rule]
            for rule in named:
                counts[rule] = counts.get(rule, 0) + item["counts"]
            wanting = [rule for rule in named if len(examples.setdefault(rule, [])) < EXAMPLES]
            if wanting:
                first = rejected.filter(pc.equal(rules, item["values"])).slice(0, EXAMPLES)
                for rule in wanting:
                    examples[rule] += [_example(row) for row in first.to_pylist()]
    ordered = sorted(counts, key=lambda rule: (-counts[rule], rule))
    found = [RejectedRule(rule, _text(rule), counts[rule], tuple(examples[rule][:EXAMPLES])) for rule in ordered]
    return Rejections(rows, replaced, tuple(found))


def withheld_partitions(lake: Lake, feed: Feed, start: date, end: date, findings: pa.Table) -> tuple[Withheld, ...]:
    """Partitions of a range that took in rows and serve none, or have no verdict; with why, and what to run.

    `findings` are the standing ones of the range (FINDING_SCHEMA).
    """
    keys = partition_keys(start, end, period_of(feed.partition))
    first, last = keys[0], keys[-1]
    ingested = set(lake.catalog.horizons(feed.name, first, last))
    served, judged = (
        {stored.partition for stored in lake.catalog.stored(table, feed.name, first, last)}
        for table in (VALIDATED_BARS, QUALITY_SCORES)
    )
    reasons = _found_reasons(feed, findings) | dict(_reasons(lake, feed, first, last))
    found = []
    for key in sorted(ingested | set(reasons)):
        again = f"marketdata backfill {feed.name} --start {key} --end {key}"
        if key in reasons:
            command = f"marketdata rejected {feed.name} --findings --start {key} --end {key}"
            found.append(Withheld(key, "blocked", reasons[key], command))
        elif key not in served:
            found.append(Withheld(key, "no bars", "rows were taken in, but no validated bars are stored", again))
        elif key not in judged and feed.quality.level is not Level.NONE:
            found.append(Withheld(key, "not judged", "its bars are stored, but nobody has judged them yet", again))
    return tuple(found)


def _found_reasons(feed: Feed, findings: pa.Table) -> dict[str, str]:
    """Which rules that block were broken in each partition, and how often."""
    blocking = findings.filter(pc.equal(findings["severity"], Severity.BLOCK.value)).select(["session_date", "rule"])
    counted = blocking.group_by(["session_date", "rule"], use_threads=False).aggregate([([], "count_all")]).to_pylist()
    found: dict[str, dict[str, int]] = {}
    for row in counted:
        if row["session_date"] is not None:
            rules = found.setdefault(partition_key(row["session_date"], period_of(feed.partition)), {})
            rules[row["rule"]] = rules.get(row["rule"], 0) + row["count_all"]
    return {
        key: "; ".join(f"{rule}: {count:,} found" for rule, count in sorted(rules.items()))
        for key, rules in found.items()
    }


def _reasons(lake: Lake, feed: Feed, first: str, last: str) -> Iterator[tuple[str, str]]:
    """Why partitions are blocked: the checks of their walk that failed."""
    for key, verdicts in lake.read_many(QUALITY_VERDICTS, feed.name, first, last):
        told = [f"{row['rule']}: {row['message']}" for row in verdicts.to_pylist() if row["severity"] == Severity.BLOCK]
        if told:
            yield key, "; ".join(told)


def _tables(lake: Lake, feed: Feed, start: date, end: date) -> Iterator[pa.Table]:
    keys = partition_keys(start, end, period_of(feed.partition))
    for _, rejected in lake.read_many(REJECTED_BARS, feed.name, keys[0], keys[-1], _COLUMNS):
        yield rejected if period_of(feed.partition) is Period.DAY else _within(rejected, start, end)


def _within(rejected: pa.Table, start: date, end: date) -> pa.Table:
    """Rows near the range; those without a readable time stay. Sessions are local: a day either side is every zone."""
    for day, shift, keep in ((start, -1, pc.greater_equal), (end, 2, pc.less)):
        bound = datetime.combine(day, time(), UTC) + timedelta(days=shift)
        inside = keep(rejected["ts"], pa.scalar(bound, rejected["ts"].type))
        rejected = rejected.filter(pc.fill_null(inside, True))
    return rejected


def _text(rule: str) -> str:
    known = RULE_BY_ID.get(rule)
    return known.text if known else ""


def _example(row: dict[str, Any]) -> RejectedExample:
    original = row["original"]
    if original is not None and len(original) > _LONGEST_ORIGINAL:
        original = f"{original[: _LONGEST_ORIGINAL - 1]}…"
    ts_us = None if row["ts"] is None else to_us(row["ts"])
    return RejectedExample(row["file"] or "", row["line"], row["row"], row["symbol"], ts_us, original)
