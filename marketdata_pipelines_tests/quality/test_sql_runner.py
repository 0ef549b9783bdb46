"""What a suite must not pass: each fault breaks the rule that names it, and nothing else is broken in good bars."""

from typing import Any

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.quality.sql_runner import run_suite_sql
from marketdata_pipelines.quality.suites.records import SuiteOutcome
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.quality.suites.bars_of import batch_of, good_bars, with_value

NAN, INF = float("nan"), float("inf")
FAULTS = [
    ("symbol", None, "key_present"),
    ("symbol", "", "key_present"),
    ("ts", None, "key_present"),
    ("ts_close", None, "key_present"),
    ("session_date", None, "key_present"),
    ("open", None, "prices_finite"),
    ("high", NAN, "prices_finite"),
    ("low", -INF, "prices_finite"),
    ("close", INF, "prices_finite"),
    ("low", 0.0, "prices_positive"),
    ("low", -1.0, "prices_positive"),
    ("high", 1.0, "ohlc_relations"),
    ("open", 1e6, "ohlc_relations"),
    ("volume", -1.0, "volume_valid"),
    ("volume", NAN, "volume_valid"),
    ("volume", INF, "volume_valid"),
    ("vwap", 1e6, "vwap_in_range"),
    ("vwap", NAN, "vwap_in_range"),
    ("trade_count", -1, "trade_count_valid"),
    ("ts_close", us("2024-03-08 14:30"), "bar_has_length"),
    ("ts_close", us("2030-03-08 14:30"), "not_future"),
    ("session_date", 19_789, "in_session"),
    ("regular", None, "in_session"),
]


def broken(outcome: SuiteOutcome) -> set[str]:
    return {rule.rule for rule in outcome.rules if not rule.passed}


def test_good_bars_keep_every_rule() -> None:
    suite, batch = batch_of(good_bars())

    outcome = run_suite_sql(suite, batch)

    assert broken(outcome) == set()
    assert (outcome.passed, outcome.rows, outcome.blocked) == (True, 40, ())


@pytest.mark.parametrize(("column", "value", "rule"), FAULTS, ids=lambda each: str(each))
def test_a_fault_breaks_the_rule_that_names_it(column: str, value: Any, rule: str) -> None:
    suite, batch = batch_of(with_value(good_bars(), 5, column, value))

    outcome = run_suite_sql(suite, batch)

    found = {each.rule: each for each in outcome.blocked}
    assert rule in found
    assert found[rule].violations
    assert found[rule].examples


@pytest.mark.parametrize("volume", [None, 0.0, 0.5])
def test_unknown_and_no_volume_are_no_faults(volume: float | None) -> None:
    suite, batch = batch_of(with_value(good_bars(), 5, "volume", volume))

    assert broken(run_suite_sql(suite, batch)) == set()


def test_an_empty_batch_breaks_every_rule_on_rows() -> None:
    suite, batch = batch_of(BAR_SCHEMA.empty_table())

    outcome = run_suite_sql(suite, batch)

    assert broken(outcome) == {rule.rule.id for rule in suite.rules} - {"schema_types"}


def test_fewer_rows_than_were_written_break_the_row_count() -> None:
    suite, batch = batch_of(good_bars(), written=41)

    outcome = run_suite_sql(suite, batch)

    assert broken(outcome) == {"row_count"}
    assert outcome.blocked[0].message == "40 rows; 41 were written"


def test_repeated_and_unsorted_keys_break_the_key() -> None:
    bars = good_bars()
    for rows in (
        pa.concat_tables([bars.slice(0, 3), bars.slice(2)]),
        pa.concat_tables([bars.slice(20), bars.slice(0, 20)]),
    ):
        suite, batch = batch_of(rows.combine_chunks())

        assert broken(run_suite_sql(suite, batch)) == {"key_unique"}


def test_repeated_keys_with_nulls_break_the_key() -> None:
    bars = with_value(good_bars(), 5, "symbol", None)
    suite, batch = batch_of(pa.concat_tables([bars.slice(5, 1), bars.slice(5, 1)]).combine_chunks())

    assert {"key_unique", "key_present"} <= broken(run_suite_sql(suite, batch))


def test_the_first_row_may_have_any_key() -> None:
    suite, batch = batch_of(good_bars(count=1, symbols=("AAA",)))

    assert broken(run_suite_sql(suite, batch)) == set()


def test_what_reads_a_missing_column_does_not_pass() -> None:
    suite, batch = batch_of(good_bars().drop_columns(["volume"]))

    outcome = run_suite_sql(suite, batch)

    found = {rule.rule: rule for rule in outcome.rules if not rule.passed}
    assert set(found) == {"schema_types", "volume_valid"}
    assert found["schema_types"].message == "volume is missing"
    assert found["volume_valid"].violations is None


@pytest.mark.parametrize("column", BAR_SCHEMA.names)
def test_no_column_may_be_missing_whichever_it_is(column: str) -> None:
    suite, batch = batch_of(good_bars().drop_columns([column]))

    assert "schema_types" in broken(run_suite_sql(suite, batch))


def test_a_column_of_another_type_or_one_too_many_breaks_the_schema() -> None:
    bars = good_bars()
    textual = bars.set_column(BAR_SCHEMA.names.index("close"), "close", bars["close"].cast(pa.string()))
    wider = bars.append_column("note", pa.nulls(bars.num_rows, pa.string()))

    told = [run_suite_sql(*batch_of(table)).rules[0].message for table in (textual, wider)]

    assert told == ["close is VARCHAR, not DOUBLE", "note is not declared"]


def test_prices_below_zero_are_good_where_the_feed_allows_them() -> None:
    bars = good_bars()
    for name in ("open", "high", "low", "close"):
        bars = with_value(bars, 5, name, -37.63)
    suite, batch = batch_of(bars, allow_nonpositive_prices=True)

    assert broken(run_suite_sql(suite, batch)) == set()
