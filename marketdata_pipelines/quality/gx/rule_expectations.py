"""The project's rules as Great Expectations knows them: a metric, an expectation class for each scope, their pages.

All conditions of a suite are aggregates over one table, so Great Expectations bundles them into one SELECT.
Imported only by functions: Great Expectations takes seconds to import.
"""

from typing import Any, ClassVar

import sqlalchemy as sa
from great_expectations.compatibility import pydantic
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.core.suite_parameters import SuiteParameterDict
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_partial, metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render.components import (
    LegacyDiagnosticRendererType,
    LegacyRendererType,
    RenderedStringTemplateContent,
    RenderedTableContent,
)
from great_expectations.render.renderer.renderer import renderer

from marketdata_pipelines.quality.gx.names import COLUMN_TYPES, ROWS_VIEW, VIOLATIONS
from marketdata_pipelines.quality.sql_runner import SHOWN, plain

_ROWS = "table.row_count"


class RuleViolations(TableMetricProvider):
    """How many rows a condition is true or null for."""

    metric_name = VIOLATIONS
    value_keys = ("violation_sql",)

    @metric_partial(
        engine=SqlAlchemyExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _sqlalchemy(cls, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any) -> Any:  # noqa: N805
        condition: Any = sa.literal_column(metric_value_kwargs["violation_sql"])
        # Of no rows it is null.
        return sa.func.coalesce(sa.func.count_if(condition), 0), metric_domain_kwargs, {}


class TableColumnTypes(TableMetricProvider):
    """DuckDB's type of each column of the rows, without the columns that conditions need beside them."""

    metric_name = COLUMN_TYPES

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, execution_engine: Any, **_: Any) -> Any:  # noqa: N805
        query = f"select column_name, data_type from duckdb_columns() where table_name = '{ROWS_VIEW}'"
        return dict(tuple(row) for row in execution_engine.execute_query(sa.text(query)).fetchall())


class RuleExpectation(BatchExpectation):
    """No row breaks the rule; an empty batch breaks it too, unless it may be empty.

    `violation_sql` is true (or null) for a row that breaks it. `shown` are the columns of the examples.
    """

    rule_id: str
    text: str
    formula: str
    dimension: str
    violation_sql: str
    shown: list[str] = []  # noqa: RUF012
    may_be_empty: bool = False
    sampled: float | None = None

    _configuration: Any = pydantic.PrivateAttr(default=None)

    metric_dependencies: ClassVar[tuple[str, ...]] = (_ROWS, VIOLATIONS)
    success_keys: ClassVar[tuple[str, ...]] = ("violation_sql", "may_be_empty")
    args_keys: ClassVar[tuple[str, ...]] = ("rule_id",)
    library_metadata: ClassVar[dict[str, Any]] = {"maturity": "production", "tags": ["market data"]}

    @property
    def configuration(self) -> Any:
        """As Great Expectations makes it, once: it is asked for some 30 times in a validation."""
        if self._configuration is None:
            self._configuration = super().configuration
        return self._configuration

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: dict[str, Any] | None = None, execution_engine: Any = None
    ) -> Any:
        rows, broken = int(metrics[_ROWS]), int(metrics[VIOLATIONS])
        told: dict[str, Any] = {
            "element_count": rows,
            "unexpected_count": broken,
            "unexpected_percent": 100.0 * broken / rows if rows else 0.0,
            "observed_value": f"{broken:,} of {rows:,} rows break it" if rows else "no rows to look at",
        }
        if broken and execution_engine is not None:
            told["examples"] = self._examples(execution_engine)
        return {"success": broken == 0 and (rows > 0 or self.may_be_empty), "result": told}

    def _examples(self, execution_engine: Any) -> list[dict[str, Any]]:
        # A literal column is written as it stands, so names are quoted here.
        columns: list[Any] = [sa.literal_column(f'"{name}"').label(name) for name in self.shown] or [
            sa.literal_column("*")
        ]
        source = execution_engine.get_domain_records({})
        query = sa.select(*columns).select_from(source).where(sa.literal_column(self.violation_sql)).limit(SHOWN)
        found = execution_engine.execute_query(query)
        names = list(found.keys())
        return [{name: plain(value) for name, value in zip(names, row, strict=True)} for row in found.fetchall()]

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _rule_in_words(cls, configuration: Any = None, result: Any = None, **_: Any) -> list[Any]:
        found = configuration or result.expectation_config
        said = {name: found.kwargs.get(name, "") for name in ("rule_id", "text", "formula", "dimension")}
        said["severity"] = "blocks" if str(getattr(found.severity, "value", found.severity)) == "critical" else "warns"
        template = "$rule_id $dimension $severity\n$text\nHolds where: $formula"
        if found.kwargs.get("sampled"):
            said["sampled"] = f"{found.kwargs['sampled']:.0%}"
            template += "\nLooked at $sampled of the symbols."
        badge = {"classes": ["badge", "badge-secondary"]}
        styling = {
            "params": {"rule_id": {"classes": ["badge", "badge-primary"]}, "dimension": badge, "severity": badge}
        }
        return [_text(template, said, styling)]

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.OBSERVED_VALUE)
    def _observed(cls, configuration: Any = None, result: Any = None, **_: Any) -> Any:
        return str(result.result.get("observed_value", "--"))

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_STATEMENT)
    def _statement(cls, configuration: Any = None, result: Any = None, **_: Any) -> list[Any]:
        if not result.result.get("unexpected_count"):
            return []
        said = {
            "broken": f"{result.result['unexpected_count']:,}",
            "share": f"{result.result['unexpected_percent']:.4g}%",
        }
        return [_text("\n$broken rows break it, $share of all.", said)]

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_TABLE)
    def _examples_table(cls, configuration: Any = None, result: Any = None, **_: Any) -> list[Any] | None:
        examples = result.result.get("examples")
        if not examples:
            return None
        header = list(examples[0])
        # A template's parameters are escaped; a plain cell would not be.
        rows = [
            [_text("$cell", {"cell": "" if row.get(name) is None else row[name]}) for name in header]
            for row in examples
        ]
        styling = {"body": {"classes": ["table-bordered", "table-sm", "mt-3"]}}
        return [RenderedTableContent(table=rows, header_row=header, styling=styling)]


def _text(template: str, params: dict[str, Any], styling: dict[str, Any] | None = None) -> Any:
    string_template = {"template": template, "params": params, "styling": styling or {}}
    return RenderedStringTemplateContent(content_block_type="string_template", string_template=string_template)


class ExpectBarsToKeepRule(RuleExpectation):
    """Every row of the table keeps a rule about single bars or rows."""


class ExpectSymbolSessionsToKeepRule(RuleExpectation):
    """Every symbol-session keeps a rule: its count of findings is 0."""


class ExpectPartitionsToKeepRule(RuleExpectation):
    """Every session as a whole keeps a rule: its count of findings is 0."""


class ExpectFeedsToKeepRule(RuleExpectation):
    """No symbol-session differs from that of another feed by more than a rule allows."""


class ExpectColumnsAsDeclared(RuleExpectation):
    """Every declared column is there with its type, and no other one where the table is exact."""

    violation_sql: str = ""
    declared: dict[str, str]
    exact: bool = True

    metric_dependencies: ClassVar[tuple[str, ...]] = (COLUMN_TYPES,)
    success_keys: ClassVar[tuple[str, ...]] = ("declared", "exact")

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: dict[str, Any] | None = None, execution_engine: Any = None
    ) -> Any:
        found = metrics[COLUMN_TYPES]
        wrong = [
            f"{name} is {found.get(name, 'missing')}" for name, kind in self.declared.items() if found.get(name) != kind
        ]
        if self.exact:
            wrong += [f"{name} is not declared" for name in found if name not in self.declared]
        return {"success": not wrong, "result": {"observed_value": "; ".join(wrong) or f"{len(found)} columns"}}


class ExpectRowsAsWritten(RuleExpectation):
    """As many rows are read as were written; none only where the table may be empty."""

    violation_sql: str = ""
    rows_expected: int | SuiteParameterDict[str, Any]

    metric_dependencies: ClassVar[tuple[str, ...]] = (_ROWS,)
    success_keys: ClassVar[tuple[str, ...]] = ("rows_expected", "may_be_empty")

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: dict[str, Any] | None = None, execution_engine: Any = None
    ) -> Any:
        rows = int(metrics[_ROWS])
        success = rows == self.rows_expected and (rows > 0 or self.may_be_empty)
        return {"success": success, "result": {"observed_value": f"{rows:,} rows", "element_count": rows}}
