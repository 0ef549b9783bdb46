"""Users' expectations through Great Expectations: whether it knows them, and what they say of a partition's rows.

Where its own semantics would pass what nobody looked at, they do not pass here: an empty batch, a column whose values
are all null, NaN and infinities in columns an expectation reads.
"""

import difflib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from marketdata_pipelines.quality.expectations import UserExpectation
from marketdata_pipelines.quality.gx.loading import load_great_expectations, quietly
from marketdata_pipelines.quality.gx.names import ROWS_VIEW
from marketdata_pipelines.quality.gx.validate import as_json, exception_of, graph_results, suite_result, validator_on
from marketdata_pipelines.quality.sql_runner import SHOWN, connected, plain
from marketdata_pipelines.quality.suites.columns import duckdb_columns
from marketdata_pipelines.quality.suites.conditions import quoted
from marketdata_pipelines.quality.suites.records import Batch, RuleOutcome, SuiteOutcome, TableSuite

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult

_ROWS, _AT = "user_rows", "position"
_COLUMN_KEYS = ("column", "column_A", "column_B")
# They are about nulls, which is why these find them.
_ABOUT_NULLS = ("expect_column_values_to_be_null", "expect_column_values_to_not_be_null", "expect_column_to_exist")


def check_expectations(expectations: Sequence[UserExpectation], suite: TableSuite) -> None:
    """Whether Great Expectations knows each type and its arguments, and the suite's table the columns.

    Errors: SettingsInvalid naming the file and the key.
    """
    load_great_expectations()
    for each in expectations:
        with quietly():
            _check_type(each)
        if suite.exact:
            _check_columns(each, dict(suite.columns))


def run_expectations(
    name: str,
    table: str,
    expectations: Sequence[UserExpectation],
    rows: pa.Table,
    facts: Mapping[str, Any] | None = None,
    *,
    threads: int | None = None,
) -> SuiteOutcome:
    """Run checked expectations over a partition's rows of a table.

    An expectation that raises does not pass; its message says why.
    """
    load_great_expectations()
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    types = dict(duckdb_columns(rows.schema))
    batch = Batch({_ROWS: rows}, f"select * from {_ROWS}", f"select * from {_ROWS}", rows.num_rows, types)
    unseen = _unseen(batch, sorted({column for each in expectations for column in _columns(each) if column in types}))
    with quietly(), validator_on(batch, ROWS_VIEW, threads) as validator:
        # Results come in an order of their own: each says which it is of.
        asked = [ExpectationConfiguration(**each.config, meta={_AT: at}) for at, each in enumerate(expectations)]
        results = sorted(graph_results(validator, asked, batch), key=_position)
    names = _names(expectations)
    outcomes = tuple(
        _outcome(rule, each, result, rows.num_rows, unseen)
        for rule, each, result in zip(names, expectations, results, strict=True)
    )
    for outcome, result in zip(outcomes, results, strict=True):
        if result.success and not outcome.passed:
            result.success = False
            result.result["observed_value"] = outcome.message
    told = as_json(suite_result(name, results, batch, facts))
    return SuiteOutcome(name, table, rows.num_rows, outcomes, told)


def _position(result: "ExpectationValidationResult") -> int:
    assert result.expectation_config
    return int(result.expectation_config.meta[_AT])


def _check_type(each: UserExpectation) -> None:
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError, InvalidExpectationConfigurationError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    try:
        get_expectation_impl(each.type)
    except ExpectationNotFoundError as error:
        known = sorted(list_registered_expectation_implementations())
        near = difflib.get_close_matches(each.type, known, 3) or known[:3]
        raise each.fail(
            "type", f"{each.type!r} is unknown to Great Expectations; near it: {', '.join(near)}"
        ) from error
    try:
        ExpectationConfiguration(**each.config).to_domain_obj()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "__root__")
        raise each.fail(f"kwargs.{place}" if place else "kwargs", f"is wrong: {first['msg']}") from error
    except (InvalidExpectationConfigurationError, ValueError, TypeError) as error:
        raise each.fail("kwargs", f"is wrong: {error}") from error


def _check_columns(each: UserExpectation, columns: Mapping[str, str]) -> None:
    for key in _COLUMN_KEYS:
        name = each.kwargs.get(key)
        if name is not None and name not in columns:
            raise each.fail(f"kwargs.{key}", f"{name!r} is no column of {each.table}; it has {', '.join(columns)}")
    for name in each.kwargs.get("column_list") or ():
        if name not in columns:
            raise each.fail("kwargs.column_list", f"{name!r} is no column of {each.table}; it has {', '.join(columns)}")


def _columns(each: UserExpectation) -> list[str]:
    named = [each.kwargs[key] for key in _COLUMN_KEYS if key in each.kwargs]
    return [str(name) for name in (*named, *(each.kwargs.get("column_list") or ()))]


def _unseen(batch: Batch, columns: Sequence[str]) -> dict[str, str]:
    """Why an expectation on a column says nothing, by column: what it has that comparisons pass over."""
    if not columns or not batch.rows_expected:
        return {}
    found = {}
    with connected(batch) as connection:
        for name in columns:
            odd = f"count_if(not isfinite({quoted(name)}))" if batch.types[name] == "DOUBLE" else "0"
            [(known, infinite)] = connection.execute(f"select count({quoted(name)}), {odd} from {_ROWS}").fetchall()
            if infinite:
                found[name] = f"{infinite} values of {name} are NaN or infinite"
            elif not known:
                found[name] = f"every value of {name} is null: there was nothing to look at"
    return found


def _names(expectations: Sequence[UserExpectation]) -> list[str]:
    """An id for each: its type and columns, numbered where several have the same."""
    found: list[str] = []
    seen: Counter[str] = Counter()
    for each in expectations:
        columns = ",".join(_columns(each))
        name = f"{each.type}({columns})" if columns else each.type
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def _outcome(
    rule: str, each: UserExpectation, result: "ExpectationValidationResult", rows: int, unseen: Mapping[str, str]
) -> RuleOutcome:
    told: Mapping[str, Any] = result.result or {}
    raised = exception_of(result)
    passed, message = (
        bool(result.success),
        f"observed {plain(told.get('observed_value', told.get('unexpected_count')))}",
    )
    if raised:
        passed, message = False, f"not evaluated: {raised}"
    elif rows == 0:
        passed, message = False, "no rows to look at"
    elif passed and each.type not in _ABOUT_NULLS:
        blind = [unseen[column] for column in _columns(each) if column in unseen]
        passed, message = not blind, "; ".join(blind) or message
    broken = told.get("unexpected_count")
    violations = None if raised else int(broken) if broken is not None else int(not passed)
    examples = tuple({"value": plain(value)} for value in (told.get("partial_unexpected_list") or ())[:SHOWN])
    return RuleOutcome(
        rule=rule,
        dimension=str(each.dimension),
        severity=each.severity,
        text=each.description or f"{each.type} ({each.file})",
        formula=json.dumps(dict(each.kwargs), default=str),
        passed=passed,
        rows=rows,
        violations=violations,
        message=message,
        examples=examples,
    )
