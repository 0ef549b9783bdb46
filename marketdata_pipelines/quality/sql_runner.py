"""A suite without Great Expectations: the same conditions in one SELECT of DuckDB.

What Great Expectations is measured against (`benchmarks/quality_five_million.py`), and a second opinion in tests.
`outcomes` words what either of them counted.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache

import duckdb

from marketdata_pipelines.domain.quality.records import Severity
from marketdata_pipelines.quality.outcome import Example
from marketdata_pipelines.quality.suites.columns import schema_differences, unusable_columns
from marketdata_pipelines.quality.suites.conditions import quoted
from marketdata_pipelines.quality.suites.records import (
    Batch,
    Measure,
    RuleOutcome,
    SuiteOutcome,
    SuiteRule,
    TableSuite,
)

SHOWN = 10


def run_suite_sql(suite: TableSuite, batch: Batch, *, threads: int | None = None) -> SuiteOutcome:
    """Evaluate every rule of a suite in one statement, and look at examples of what is broken.

    Errors: duckdb.Error where a condition is no SQL.
    """
    with connected(batch, threads) as connection:
        rules = row_rules(suite, batch)
        counts = [f"count_if({rule.safe_sql})" for rule in rules]
        [row] = connection.execute(f"select {', '.join(['count(*)', *counts])} from ({batch.sql}) b").fetchall()
        violations = {rule.rule.id: int(count or 0) for rule, count in zip(rules, row[1:], strict=True)}
        broken = [rule for rule in rules if violations[rule.rule.id]]
        examples = {rule.rule.id: examples_of(connection, suite, batch, rule) for rule in broken}
    return SuiteOutcome(suite.name, suite.table, int(row[0]), outcomes(suite, batch, int(row[0]), violations, examples))


def connected(batch: Batch, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """A connection of its own that knows the batch's relations; nobody else's are in its reach."""
    connection = _database(os.getpid(), threads).cursor()
    for name, table in batch.relations.items():
        connection.register(name, table)
    return connection


@cache
def _database(_process: int, threads: int | None) -> duckdb.DuckDBPyConnection:
    """An empty database of this process: making one takes longer than most suites, and a fork must not share it."""
    return duckdb.connect(":memory:", config={} if threads is None else {"threads": threads})


def row_rules(suite: TableSuite, batch: Batch) -> list[SuiteRule]:
    """The rules on rows that can be evaluated: those whose columns are there with their types."""
    unusable = unusable_columns(suite, batch.types)
    return [rule for rule in suite.rules if rule.measure is Measure.ROWS and not unusable & set(rule.columns)]


def examples_of(
    connection: duckdb.DuckDBPyConnection, suite: TableSuite, batch: Batch, rule: SuiteRule
) -> tuple[Example, ...]:
    """The first rows that break a rule: their keys, and what the condition reads."""
    names = [name for name in dict.fromkeys((*suite.keys, *suite.shown, *rule.columns)) if name in batch.types]
    select = ", ".join(quoted(name) for name in names) or "*"
    found = connection.sql(f"select {select} from ({batch.sql}) b where {rule.safe_sql} limit {SHOWN}")
    rows = found.to_arrow_table().to_pylist()
    return tuple({name: plain(value) for name, value in row.items()} for row in rows)


def outcomes(
    suite: TableSuite,
    batch: Batch,
    rows: int,
    violations: Mapping[str, int],
    examples: Mapping[str, Sequence[Example]],
) -> tuple[RuleOutcome, ...]:
    """What was counted, in words, for every rule of the suite; a rule that was not counted does not pass."""
    found = []
    broken: int | None
    for each in suite.rules:
        if each.measure is Measure.SCHEMA:
            passed, broken, message = _schema_verdict(suite, batch)
        elif each.measure is Measure.ROW_COUNT:
            passed, broken, message = _row_count_verdict(suite, batch, rows)
        else:
            passed, broken, message = _row_verdict(suite, batch, each, rows, violations.get(each.rule.id))
        found.append(_outcome(each, passed, rows, broken, message, tuple(examples.get(each.rule.id, ()))))
    return tuple(found)


def _outcome(
    each: SuiteRule, passed: bool, rows: int, broken: int | None, message: str, examples: tuple[Example, ...]
) -> RuleOutcome:
    rule = each.rule
    return RuleOutcome(
        rule=rule.id,
        dimension=str(rule.dimension),
        severity=Severity(rule.severity),
        text=rule.text,
        formula=rule.formula,
        passed=passed,
        rows=rows,
        violations=broken,
        message=message,
        examples=examples,
        sampled=each.sampled,
    )


def _schema_verdict(suite: TableSuite, batch: Batch) -> tuple[bool, int, str]:
    differences = schema_differences(suite, batch.types)
    told = "; ".join(differences.values()) or f"{len(suite.columns)} columns as declared"
    return not differences, len(differences), told


def _row_count_verdict(suite: TableSuite, batch: Batch, rows: int) -> tuple[bool, int, str]:
    if rows == 0 and not suite.may_be_empty:
        return False, abs(batch.rows_expected), f"no rows; {batch.rows_expected} were written"
    missing = abs(rows - batch.rows_expected)
    return missing == 0, missing, f"{rows} rows; {batch.rows_expected} were written"


def _row_verdict(
    suite: TableSuite, batch: Batch, each: SuiteRule, rows: int, broken: int | None
) -> tuple[bool, int | None, str]:
    if broken is None:
        unusable = sorted(unusable_columns(suite, batch.types) & set(each.columns))
        return False, None, f"not evaluated: {', '.join(unusable) or 'its condition'} cannot be read"
    if rows == 0 and not suite.may_be_empty:
        return False, 0, "no rows to look at"
    sampled = f", {each.sampled:.0%} of the symbols sampled" if each.sampled else ""
    return broken == 0, broken, f"{broken} of {rows} rows{sampled}"


def plain(value: object) -> str | int | float | None:
    """A cell as JSON has it: instants in UTC with Z, dates as ISO texts, what is no number as text."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    return str(value)
