"""Runs suites through Great Expectations over DuckDB, without a context: nothing is shared, nothing is stored.

`run_suite` gives records free of its types, and its own result as JSON beside them (for Data Docs, see `docs`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from marketdata_pipelines.quality.gx.loading import load_great_expectations
from marketdata_pipelines.quality.gx.names import BATCH_VIEW, ROWS_EXPECTED, ROWS_VIEW
from marketdata_pipelines.quality.gx.suite import to_expectation_suite
from marketdata_pipelines.quality.outcome import Example
from marketdata_pipelines.quality.sql_runner import connected, outcomes, row_rules
from marketdata_pipelines.quality.suites.records import Batch, Measure, RuleOutcome, SuiteOutcome, TableSuite

if TYPE_CHECKING:
    import great_expectations as gx
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.validator.validator import Validator


def run_suite(
    suite: TableSuite, batch: Batch, facts: Mapping[str, Any] | None = None, *, threads: int | None = None
) -> SuiteOutcome:
    """Validate a batch by a suite of the project.

    `facts` (feed, partition, run …; plain JSON) go into the result's meta and are shown on its page. A rule that could
    not be evaluated does not pass. The first call imports Great Expectations, which takes seconds.
    """
    usable = {rule.rule.id for rule in row_rules(suite, batch)}
    usable |= {rule.rule.id for rule in suite.rules if rule.measure is not Measure.ROWS}
    made = to_expectation_suite(suite, usable)
    result = validate_suite(made, batch, facts, threads=threads)
    by_rule = {each.expectation_config.kwargs["rule_id"]: each for each in result.results if each.expectation_config}
    violations, examples, failures = _counted(by_rule)
    rows = _row_count(by_rule, batch)
    found = outcomes(suite, batch, rows, violations, examples)
    settled = tuple(_settled(each, by_rule.get(each.rule), failures.get(each.rule)) for each in found)
    return SuiteOutcome(suite.name, suite.table, rows, settled, as_json(result))


def validate_suite(
    suite: "gx.ExpectationSuite", batch: Batch, facts: Mapping[str, Any] | None = None, *, threads: int | None = None
) -> "ExpectationSuiteValidationResult":
    """Validate a batch by any Great Expectations suite, such as `expectation_suite` gives with your own added.

    Its expectations see the table's columns, and beside them those the project's conditions need.
    """
    configurations = [deepcopy(expectation.configuration) for expectation in suite.expectations]
    with validator_on(batch, BATCH_VIEW, threads) as validator:
        return suite_result(suite.name, graph_results(validator, configurations, batch), batch, facts)


def graph_results(
    validator: "Validator", configurations: Sequence[Any], batch: Batch
) -> list["ExpectationValidationResult"]:
    """The result of each expectation; an expectation that raised has its exception in place of a verdict."""
    parameters = {ROWS_EXPECTED: batch.rows_expected}
    for configuration in configurations:
        configuration.process_suite_parameters(parameters, True, None)
    return validator.graph_validate(
        configurations=list(configurations),
        runtime_configuration={"result_format": "SUMMARY", "catch_exceptions": True},
    )


def suite_result(
    name: str, results: list["ExpectationValidationResult"], batch: Batch, facts: Mapping[str, Any] | None
) -> "ExpectationSuiteValidationResult":
    """The results of one validation together, with the figures Great Expectations keeps beside them."""
    from great_expectations.core import ExpectationSuiteValidationResult

    passed = sum(bool(each.success) for each in results)
    statistics = {
        "evaluated_expectations": len(results),
        "successful_expectations": passed,
        "unsuccessful_expectations": len(results) - passed,
        "success_percent": 100.0 * passed / len(results) if results else None,
    }
    return ExpectationSuiteValidationResult(
        success=passed == len(results),
        results=results,
        suite_name=name,
        suite_parameters={ROWS_EXPECTED: batch.rows_expected},
        statistics=statistics,
        meta=dict(facts or {}),
    )


def as_json(result: Any) -> dict[str, Any]:
    """Great Expectations' result as plain JSON; some of its metrics leave numpy's scalars in it."""
    found: dict[str, Any] = json.loads(json.dumps(result.to_json_dict(), default=_scalar))
    return found


def _scalar(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


@contextmanager
def validator_on(batch: Batch, view: str, threads: int | None = None) -> Iterator["Validator"]:
    """A validator over one of the batch's views, on a connection of its own."""
    load_great_expectations()
    from great_expectations.core.batch import Batch as GxBatch
    from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.validator.validator import Validator
    from sqlalchemy.dialects import postgresql

    from marketdata_pipelines.quality.gx.duckdb_dialect import engine_on

    class QuietValidator(Validator):
        def _determine_progress_bars(self) -> bool:
            return False

    with connected(batch, threads) as connection:
        connection.execute(f"create temp view {ROWS_VIEW} as {batch.plain_sql}")
        connection.execute(f"create temp view {BATCH_VIEW} as {batch.sql}")
        with engine_on(connection) as engine:
            execution = SqlAlchemyExecutionEngine(engine=engine)
            # DuckDB has PostgreSQL's operators and types, by which expectations on patterns and types are told.
            execution.dialect_module = postgresql
            data: Any = SqlAlchemyBatchData(execution_engine=execution, table_name=view)
            yield QuietValidator(execution_engine=execution, batches=[GxBatch(data=data)])


def _counted(
    by_rule: Mapping[str, "ExpectationValidationResult"],
) -> tuple[dict[str, int], dict[str, Sequence[Example]], dict[str, str]]:
    """Violations and examples of each rule, and why a rule could not be evaluated."""
    violations: dict[str, int] = {}
    examples: dict[str, Sequence[Example]] = {}
    failures: dict[str, str] = {}
    for rule, each in by_rule.items():
        raised = exception_of(each)
        if raised:
            failures[rule] = raised
        elif "unexpected_count" in each.result:
            violations[rule] = int(each.result["unexpected_count"])
            examples[rule] = tuple(each.result.get("examples", ()))
    return violations, examples, failures


def exception_of(result: "ExpectationValidationResult") -> str | None:
    """The message of what an expectation raised instead of a verdict."""
    info = result.exception_info or {}
    found = [info] if "raised_exception" in info else [each for each in info.values() if isinstance(each, dict)]
    return next((str(each.get("exception_message")) for each in found if each.get("raised_exception")), None)


def _row_count(by_rule: Mapping[str, "ExpectationValidationResult"], batch: Batch) -> int:
    counts = (each.result.get("element_count") for each in by_rule.values())
    return next((int(count) for count in counts if count is not None), batch.rows_expected)


def _settled(outcome: RuleOutcome, result: "ExpectationValidationResult | None", failure: str | None) -> RuleOutcome:
    """The outcome with Great Expectations' verdict: what either of both calls broken is broken."""
    if failure is not None:
        return replace(outcome, passed=False, violations=None, message=f"not evaluated: {failure}")
    if result is None or result.success:
        return outcome
    return replace(outcome, passed=False)
