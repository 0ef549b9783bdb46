"""Many partitions of a table in one go of Great Expectations, whose fixed cost is that of some 300,000 rows.

What holds for all rows together holds for each partition; those where it does not are validated by themselves.
"""

import json
from collections.abc import Mapping
from typing import Any

from marketdata_pipelines.quality.gx.names import ROWS_EXPECTED
from marketdata_pipelines.quality.gx.validate import run_suite
from marketdata_pipelines.quality.sql_runner import outcomes, run_suite_sql
from marketdata_pipelines.quality.suites.batches import ROWS, joined
from marketdata_pipelines.quality.suites.records import Batch, Measure, SuiteOutcome, TableSuite

_TOGETHER = "validated together with"


def run_together(
    suite: TableSuite,
    batches: Mapping[str, Batch],
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    threads: int | None = None,
) -> dict[str, SuiteOutcome]:
    """The outcome of each batch, by its key; `facts` by key as for `run_suite`.

    All batches are of the suite's table and are held in memory at once: a million rows or two are plenty.
    """
    said = facts or {}
    found = _passed_together(suite, batches, said, threads)
    if not found and len(batches) > 1:
        # DuckDB alone says the same in a fraction of the time: which are worth another go.
        good = {key: batch for key, batch in batches.items() if run_suite_sql(suite, batch, threads=threads).passed}
        found = _passed_together(suite, good, said, threads) if len(good) < len(batches) else {}
    alone = {key: batch for key, batch in batches.items() if key not in found}
    found |= {key: run_suite(suite, batch, said.get(key), threads=threads) for key, batch in alone.items()}
    return {key: found[key] for key in batches}


def _passed_together(
    suite: TableSuite, batches: Mapping[str, Batch], facts: Mapping[str, Mapping[str, Any]], threads: int | None
) -> dict[str, SuiteOutcome]:
    """The outcomes where all of several pass; none where one does not, or where they are no several."""
    if len(batches) < 2 or not all(_may_join(suite, batch, batches) for batch in batches.values()):
        return {}
    whole = run_suite(suite, joined(list(batches.values())), threads=threads)
    if not whole.passed:
        return {}
    return {key: _of_one(suite, whole, batch, facts.get(key, {}), len(batches)) for key, batch in batches.items()}


def _may_join(suite: TableSuite, batch: Batch, batches: Mapping[str, Batch]) -> bool:
    """Whether a batch, as far as its own counts tell, passes: sums of rows must not hide a difference."""
    rows = batch.relations[ROWS].num_rows
    first = next(iter(batches.values()))
    return rows == batch.rows_expected and (rows > 0 or suite.may_be_empty) and batch.types == first.types


def _of_one(suite: TableSuite, whole: SuiteOutcome, batch: Batch, facts: Mapping[str, Any], count: int) -> SuiteOutcome:
    """What the passing whole says of one of its batches: the same verdicts, with the batch's own rows."""
    rows = batch.rows_expected
    result: dict[str, Any] = json.loads(json.dumps(whole.result))
    for each in result["results"]:
        told, asked = each["result"], each["expectation_config"]["kwargs"]
        if "rows_expected" in asked:
            asked["rows_expected"] = rows
            told |= {"observed_value": f"{rows:,} rows", "element_count": rows}
        elif "element_count" in told:
            told |= {"observed_value": f"0 of {rows:,} rows break it", "element_count": rows}
    result["suite_parameters"] = {ROWS_EXPECTED: rows}
    result["meta"] = dict(facts) | {_TOGETHER: f"{count - 1} more partitions"}
    none = {rule.rule.id: 0 for rule in suite.rules if rule.measure is Measure.ROWS}
    return SuiteOutcome(suite.name, suite.table, rows, outcomes(suite, batch, rows, none, {}), result)
