"""What a suite is: rules with the SQL that finds what breaks them, the table they are about, and what came out.

Plain records, free of Great Expectations: `gx` makes its expectations of them, `sql_runner` evaluates them without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.quality.records import Severity
from marketdata_pipelines.domain.quality.rules import QualityRule
from marketdata_pipelines.quality.outcome import Example


class Measure(StrEnum):
    """How a rule is measured: by a condition on each row, by the columns' types, or by the number of rows."""

    ROWS = "rows"
    SCHEMA = "schema"
    ROW_COUNT = "row_count"


@dataclass(frozen=True, slots=True)
class SuiteRule:
    """A quality rule and the SQL condition that is true for a row which breaks it; null counts as broken.

    `columns` are the table's columns the condition reads. For SCHEMA and ROW_COUNT there is no condition.
    """

    rule: QualityRule
    violation_sql: str = ""
    columns: tuple[str, ...] = ()
    measure: Measure = Measure.ROWS
    sampled: float | None = None

    @property
    def safe_sql(self) -> str:
        """The condition with null taken as broken."""
        return f"coalesce(({self.violation_sql}), true)"


@dataclass(frozen=True, slots=True)
class TableSuite:
    """The rules of one table. `columns` are (name, DuckDB type); `keys` are shown with each example, in order of rows.

    `exact` tells whether there may be no other columns. A batch without rows breaks every rule on rows, unless the
    table `may_be_empty`; then too it must have as many rows as were written.
    """

    name: str
    table: str
    rules: tuple[SuiteRule, ...]
    columns: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]
    shown: tuple[str, ...] = ()
    exact: bool = True
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows a suite is run on.

    `sql` selects them with the helper columns that conditions read, `plain_sql` the table alone; both name
    `relations`. `types` are the DuckDB types that are there. `rows_expected`: as many rows as were written.
    """

    relations: Mapping[str, pa.Table]
    sql: str
    plain_sql: str
    rows_expected: int
    types: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """One rule over one batch. `violations` None: it could not be evaluated, which is not passing."""

    rule: str
    dimension: str
    severity: Severity
    text: str
    formula: str
    passed: bool
    rows: int
    violations: int | None
    message: str
    examples: tuple[Example, ...] = ()
    sampled: float | None = None


@dataclass(frozen=True, slots=True)
class SuiteOutcome:
    """A suite over one batch; `result` is Great Expectations' own record of it, as JSON (empty without it)."""

    suite: str
    table: str
    rows: int
    rules: tuple[RuleOutcome, ...]
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every rule holds."""
        return all(rule.passed for rule in self.rules)

    @property
    def blocked(self) -> tuple[RuleOutcome, ...]:
        """The broken rules that block."""
        return tuple(rule for rule in self.rules if not rule.passed and rule.severity is Severity.BLOCK)

    @property
    def warned(self) -> tuple[RuleOutcome, ...]:
        """The broken rules that only warn."""
        return tuple(rule for rule in self.rules if not rule.passed and rule.severity is Severity.WARN)
