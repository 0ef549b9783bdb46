"""A table's suite as a real Great Expectations suite, to which users may add expectations of their own."""

from typing import TYPE_CHECKING, Any

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.quality.records import Severity
from marketdata_pipelines.domain.quality.rules import Scope
from marketdata_pipelines.quality.gx.loading import load_great_expectations
from marketdata_pipelines.quality.gx.names import ROWS_EXPECTED
from marketdata_pipelines.quality.suites.records import Measure, SuiteRule, TableSuite
from marketdata_pipelines.quality.suites.table_suites import suite_of

if TYPE_CHECKING:
    import great_expectations as gx


def expectation_suite(feed: Feed, table: str) -> "gx.ExpectationSuite":
    """The suite of a feed's table as Great Expectations has it; add what you like with `suite.add_expectation`.

    Its row count is the suite parameter `rows_expected`. `gx.validate.validate_suite` runs it on a batch, without a
    context; adding to a suite needs one, so an ephemeral one is made. Importing Great Expectations takes seconds.

    Errors: SettingsInvalid for a table that has no suite.
    """
    load_great_expectations()
    import great_expectations as gx

    gx.get_context(mode="ephemeral")
    return to_expectation_suite(suite_of(feed, table))


def to_expectation_suite(suite: TableSuite, names: set[str] | None = None) -> "gx.ExpectationSuite":
    """A suite of the project as one of Great Expectations: all of its rules, or those with the given ids."""
    load_great_expectations()
    import great_expectations as gx

    chosen = [rule for rule in suite.rules if names is None or rule.rule.id in names]
    return gx.ExpectationSuite(name=suite.name, expectations=[_expectation(suite, rule) for rule in chosen])


def _expectation(suite: TableSuite, each: SuiteRule) -> Any:
    from great_expectations.expectations.metadata_types import FailureSeverity

    from marketdata_pipelines.quality.gx import rule_expectations as classes

    rule = each.rule
    said: dict[str, Any] = {
        "rule_id": rule.id,
        "text": rule.text,
        "formula": rule.formula,
        "dimension": str(rule.dimension),
        "severity": FailureSeverity.CRITICAL if rule.severity is Severity.BLOCK else FailureSeverity.WARNING,
        "may_be_empty": suite.may_be_empty,
    }
    if each.measure is Measure.SCHEMA:
        return classes.ExpectColumnsAsDeclared(declared=dict(suite.columns), exact=suite.exact, **said)
    if each.measure is Measure.ROW_COUNT:
        return classes.ExpectRowsAsWritten(rows_expected={"$PARAMETER": ROWS_EXPECTED}, **said)
    by_scope = {
        Scope.BAR: classes.ExpectBarsToKeepRule,
        Scope.SYMBOL_SESSION: classes.ExpectSymbolSessionsToKeepRule,
        Scope.PARTITION: classes.ExpectPartitionsToKeepRule,
        Scope.FEEDS: classes.ExpectFeedsToKeepRule,
    }
    shown = list(dict.fromkeys((*suite.keys, *suite.shown, *each.columns)))
    return by_scope[rule.scope](violation_sql=each.safe_sql, shown=shown, sampled=each.sampled, **said)
