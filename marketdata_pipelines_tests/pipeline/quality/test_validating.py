"""Partitions validated from stored tables; suites are evaluated by DuckDB alone, which says what Great Expectations
says (`quality/gx`) and need not be imported."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.quality.records import Severity
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting
from marketdata_pipelines.pipeline.quality.validating import (
    PartitionValidator,
    quality_inputs,
    suite_tables,
    suites_version,
)
from marketdata_pipelines.quality.sql_runner import run_suite_sql
from marketdata_pipelines.quality.suites.records import Batch, SuiteOutcome, TableSuite
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import LATER, bar_table, make_feed, minutes, source_of, take_in
from marketdata_pipelines_tests.verdict_tables import finding_row, finding_table, score_row, score_table

DAY = "2024-03-08"
FEED = make_feed(name="shares")


Batches = Mapping[str, Batch]
Facts = Mapping[str, Mapping[str, str]]


def run(suite: TableSuite, batches: Batches, _facts: Facts) -> dict[str, SuiteOutcome]:
    return {key: run_suite_sql(suite, batch) for key, batch in batches.items()}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with one session of two symbols, judged and good."""
    lake = Lake(tmp_path / "lake")
    rows = [*minutes("AAA", f"{DAY} 14:30", 30), *minutes("BBB", f"{DAY} 14:30", 30)]
    take_in(lake, FEED, source_of("a.csv", rows), known_at=LATER)
    store(lake, validated_bars=bar_table(rows), rejected_bars=REJECTED_SCHEMA.empty_table())
    store(lake, quality_scores=score_table(score_row("AAA"), score_row("BBB"), score_row(None, 95)))
    return lake


def store(lake: Lake, inputs: str = "first", **tables: pa.Table) -> None:
    lake.store("shares", [TableWrite(name, DAY, table, inputs) for name, table in tables.items()], {})


def test_every_stored_table_is_validated_with_all_its_rows(lake: Lake) -> None:
    done = PartitionValidator(lake, FEED, run).validate([DAY], now_us=7)[DAY]

    assert done is not None
    assert {outcome.table: outcome.rows for outcome in done.outcomes} == {
        "validated_bars": 60,
        "rejected_bars": 0,
        "symbol_sessions": 3,
    }
    validation = done.validation
    assert (validation.tables, validation.rows, validation.at_us, validation.judged) == (3, 63, 7, True)
    assert (validation.blocking, validation.warned, validation.agrees) == ((), (), True)
    assert validation.inputs == quality_inputs(lake, FEED)[DAY]
    assert done.grade == "A"


def test_bars_that_break_a_rule_unknown_to_the_walk_are_a_disagreement(lake: Lake) -> None:
    rows = [
        {**row, "high": row["low"] - 1} if at == 3 else row for at, row in enumerate(minutes("AAA", f"{DAY} 14:30", 9))
    ]
    store(lake, validated_bars=bar_table(rows))

    done = PartitionValidator(lake, FEED, run).validate([DAY], now_us=7)[DAY]

    assert done is not None
    assert (done.validation.blocking, done.validation.walk_blocking) == (("ohlc_relations",), ())
    assert not done.validation.agrees


def test_a_blocking_finding_of_the_walk_is_found_by_the_suites_too(lake: Lake) -> None:
    strict = QualitySpec(rules=(RuleSetting("price_spike", Severity.BLOCK),))
    feed = replace(FEED, quality=strict)
    findings = [finding_row("price_spike", "AAA", severity="block"), finding_row("bad_wick", "BBB")]
    store(lake, quality_findings=finding_table(findings))

    done = PartitionValidator(lake, feed, run).validate([DAY], now_us=7)[DAY]

    assert done is not None
    assert (done.validation.blocking, done.validation.walk_blocking) == (("price_spike",), ("price_spike",))
    assert done.validation.warned == ("bad_wick",)
    assert done.validation.agrees


def test_a_finding_about_rows_that_were_replaced_breaks_nothing(lake: Lake) -> None:
    feed = replace(FEED, quality=QualitySpec(rules=(RuleSetting("price_spike", Severity.BLOCK),)))
    store(lake, quality_findings=finding_table([finding_row("price_spike", "AAA", severity="block", standing=False)]))

    done = PartitionValidator(lake, feed, run).validate([DAY], now_us=7)[DAY]

    assert done is not None
    assert (done.validation.blocking, done.validation.walk_blocking) == ((), ())


def test_a_partition_that_was_never_judged_is_validated_and_compared_with_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    store(lake, validated_bars=bar_table(minutes("AAA", f"{DAY} 14:30", 3)))

    done = PartitionValidator(lake, FEED, run).validate([DAY], now_us=7)[DAY]

    assert done is not None
    assert (done.validation.judged, done.grade, done.validation.agrees) == (False, None, True)


def test_tables_stored_meanwhile_leave_it_undone(lake: Lake) -> None:
    def run_slowly(suite: TableSuite, batches: Batches, facts: Facts) -> dict[str, SuiteOutcome]:
        store(lake, "second", validated_bars=bar_table(minutes("AAA", f"{DAY} 14:30", 5)))
        return run(suite, batches, facts)

    def remove(suite: TableSuite, batches: Batches, facts: Facts) -> dict[str, SuiteOutcome]:
        lake.store("shares", [TableWrite("rejected_bars", DAY, None, "")], {})
        return run(suite, batches, facts)

    assert PartitionValidator(lake, FEED, run_slowly).validate([DAY], now_us=7) == {DAY: None}
    assert PartitionValidator(lake, FEED, remove).validate([DAY], now_us=7) == {DAY: None}


def test_partitions_are_validated_together_and_told_apart(lake: Lake) -> None:
    later, gone = "2024-03-11", "2024-03-12"
    rows = minutes("AAA", f"{later} 13:30", 7)
    broken = [{**row, "high": row["low"] - 1} if at == 3 else row for at, row in enumerate(rows)]
    for key in (later, gone):
        lake.store("shares", [TableWrite("validated_bars", key, bar_table(broken), "one")], {})
    asked: list[tuple[str, list[str]]] = []

    def noting(suite: TableSuite, batches: Batches, facts: Facts) -> dict[str, SuiteOutcome]:
        asked.append((suite.table, list(batches)))
        lake.store("shares", [TableWrite("validated_bars", gone, None, "")], {})
        return run(suite, batches, facts)

    done = PartitionValidator(lake, FEED, noting).validate([gone, later, DAY], now_us=7)

    alone = {key: PartitionValidator(lake, FEED, run).validate([key], now_us=7)[key] for key in (later, DAY)}
    assert list(done) == [gone, later, DAY]
    assert done[gone] is None
    assert {key: done[key] for key in alone} == alone
    assert asked[0] == ("validated_bars", [gone, later, DAY])
    broke = [each is not None and "ohlc_relations" in each.validation.blocking for each in done.values()]
    assert broke == [False, True, False]


def test_inputs_change_with_any_table_and_with_what_is_asked_of_it(lake: Lake) -> None:
    before = quality_inputs(lake, FEED)[DAY]
    asked_more = replace(FEED, quality=QualitySpec(rules=(RuleSetting("bad_wick", Severity.BLOCK),)))
    others = quality_inputs(lake, asked_more)[DAY]
    store(lake, "second", quality_scores=score_table(score_row(None, 40)))

    after = quality_inputs(lake, FEED)[DAY]

    assert len({before, others, after}) == 3
    assert PartitionValidator(lake, FEED, run).inputs(DAY) == after


def test_every_table_of_bars_has_a_suite_and_raw_rows_have_none() -> None:
    tables = suite_tables(FEED)

    assert {"validated_bars", "rejected_bars", "bars_5m", "bars_1d", "bars_1w", "bars_1mo", "latest_bars"} <= set(
        tables
    )
    assert "raw_bars" not in tables
    assert suites_version(FEED) == suites_version(make_feed(name="shares"))
