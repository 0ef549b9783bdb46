"""Great Expectations over DuckDB: it says what plain SQL says of the same rows, and passes nothing by not looking."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.quality.records import Level, Severity
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting
from marketdata_pipelines.quality.gx.suite import expectation_suite
from marketdata_pipelines.quality.gx.validate import run_suite, validate_suite
from marketdata_pipelines.quality.sql_runner import run_suite_sql
from marketdata_pipelines.quality.suites.batches import BarFacts
from marketdata_pipelines.quality.suites.records import SuiteOutcome
from marketdata_pipelines_tests.builders import LATER, make_feed, us
from marketdata_pipelines_tests.quality.suites.bars_of import DAY, batch_of, good_bars, with_value

FEW = settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate))
ODD = [None, float("nan"), float("inf"), -1.0, 0.0, 1e9]


def verdicts(outcome: SuiteOutcome) -> list[Any]:
    return [(rule.rule, rule.passed, rule.violations, rule.message, rule.examples) for rule in outcome.rules]


def broken(outcome: SuiteOutcome) -> set[str]:
    return {rule.rule for rule in outcome.rules if not rule.passed}


def test_good_bars_pass_with_a_result_of_great_expectations() -> None:
    suite, batch = batch_of(good_bars())

    outcome = run_suite(suite, batch, {"feed": "feed"})

    assert outcome.passed
    assert outcome.result["success"] is True
    assert outcome.result["statistics"]["evaluated_expectations"] == len(suite.rules)
    assert outcome.result["meta"] == {"feed": "feed"}


@given(
    faults=st.lists(
        st.tuples(
            st.integers(0, 39),
            st.sampled_from(["open", "high", "low", "close", "volume", "vwap"]),
            st.sampled_from(ODD),
        ),
        max_size=4,
    ),
    nulls=st.lists(
        st.tuples(st.integers(0, 39), st.sampled_from(["symbol", "ts", "session_date", "regular"])), max_size=2
    ),
    written=st.sampled_from([40, 39]),
)
@FEW
def test_it_says_what_plain_sql_says(
    faults: list[tuple[int, str, Any]], nulls: list[tuple[int, str]], written: int
) -> None:
    bars = good_bars()
    for row, name, value in faults:
        bars = with_value(bars, row, name, value)
    for row, name in nulls:
        bars = with_value(bars, row, name, None)
    suite, batch = batch_of(bars, written=written)

    assert verdicts(run_suite(suite, batch)) == verdicts(run_suite_sql(suite, batch))


@pytest.mark.parametrize("column", ["open", "symbol", "ts", "volume"])
def test_a_missing_column_fails_in_both_alike(column: str) -> None:
    suite, batch = batch_of(good_bars().drop_columns([column]))

    found = run_suite(suite, batch)

    assert "schema_types" in broken(found)
    assert found.result["success"] is False
    assert verdicts(found) == verdicts(run_suite_sql(suite, batch))


def test_an_empty_batch_fails() -> None:
    suite, batch = batch_of(BAR_SCHEMA.empty_table(), written=0)

    outcome = run_suite(suite, batch)

    assert broken(outcome) == {rule.rule.id for rule in suite.rules} - {"schema_types"}
    assert outcome.result["success"] is False


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("close", None),
        ("close", float("nan")),
        ("high", float("inf")),
        ("symbol", None),
        ("ts", None),
        ("session_date", None),
    ],
)
def test_null_nan_infinity_and_null_keys_fail(column: str, value: Any) -> None:
    suite, batch = batch_of(with_value(good_bars(), 7, column, value))

    outcome = run_suite(suite, batch)

    assert outcome.blocked
    assert outcome.result["success"] is False


def test_repeated_keys_with_null_fail() -> None:
    bars = with_value(good_bars(), 5, "ts", None)
    suite, batch = batch_of(pa.concat_tables([bars.slice(5, 1), bars.slice(5, 1)]).combine_chunks())

    assert "key_unique" in broken(run_suite(suite, batch))


def test_severities_are_those_the_feed_asks_for() -> None:
    spec = QualitySpec(rules=(RuleSetting("volume_valid", Severity.WARN), RuleSetting("vwap_in_range", off=True)))
    feed = make_feed(quality=spec)
    suite, batch = batch_of(with_value(good_bars(), 5, "volume", -1.0), feed)

    outcome = run_suite(suite, batch)

    assert [rule.rule for rule in outcome.warned] == ["volume_valid"]
    assert outcome.blocked == ()
    assert "vwap_in_range" not in {rule.rule for rule in outcome.rules}
    severities = {each["expectation_config"]["severity"] for each in outcome.result["results"]}
    assert severities == {"critical", "warning"}


def test_a_feed_without_quality_has_no_rules() -> None:
    suite, _ = batch_of(good_bars(), quality=QualitySpec(level=Level.NONE))

    assert suite.rules == ()


def test_rules_that_warn_look_at_the_sample_and_say_so() -> None:
    symbols = tuple(f"S{number:03}" for number in range(60))
    setting = (RuleSetting("volume_valid", Severity.WARN),)
    half = make_feed(quality=QualitySpec(sample=0.5, rules=setting))
    bars = good_bars(symbols, count=2)
    bars = bars.set_column(8, "volume", pa.array([-1.0] * bars.num_rows))
    bars = bars.set_column(4, "open", pa.array([None] * bars.num_rows, pa.float64()))

    suite, batch = batch_of(bars, half)
    found = {rule.rule: rule for rule in run_suite(suite, batch).rules}

    assert 20 <= (found["volume_valid"].violations or 0) <= 100
    assert found["volume_valid"].sampled == 0.5
    assert found["volume_valid"].message.endswith("50% of the symbols sampled")
    assert found["prices_finite"].violations == 120
    assert verdicts(run_suite_sql(suite, batch)) == [
        (rule.rule, rule.passed, rule.violations, rule.message, rule.examples) for rule in found.values()
    ]


def test_prices_off_the_tick_warn_where_ticks_are_known() -> None:
    facts = BarFacts(LATER, DAY, DAY, ticks={"AAA": 0.01, "CCC": 0.25})
    suite, batch = batch_of(with_value(good_bars(), 25, "close", 100.003), facts=facts)
    known, other = batch_of(with_value(good_bars(), 5, "close", 100.003), facts=facts)

    assert run_suite(suite, batch).passed
    assert [rule.rule for rule in run_suite(known, other).warned] == ["tick_size"]


def test_users_add_expectations_of_their_own_to_a_suite() -> None:
    _, batch = batch_of(good_bars())
    suite = expectation_suite(make_feed(), "validated_bars")
    from great_expectations.expectations.core.expect_column_max_to_be_between import ExpectColumnMaxToBeBetween

    suite.add_expectation(ExpectColumnMaxToBeBetween(column="high", max_value=50))

    result = validate_suite(suite, batch)

    failed = [each.expectation_config.type for each in result.results if not each.success and each.expectation_config]
    assert failed == ["expect_column_max_to_be_between"]
    assert result.statistics["evaluated_expectations"] == len(suite.expectations)


def test_one_suite_serves_several_batches() -> None:
    suite = expectation_suite(make_feed(), "validated_bars")
    batches = [batch_of(good_bars(count=count))[1] for count in (10, 20)]

    assert [validate_suite(suite, batch).success for batch in batches] == [True, True]


def test_half_days_end_where_they_end() -> None:
    day = date(2023, 11, 24)
    facts = BarFacts(LATER, day, day)
    late = good_bars(("AAA",), 1)
    for name, value in (("ts", "2023-11-24 18:30"), ("ts_close", "2023-11-24 18:31")):
        late = with_value(late, 0, name, us(value))
    late = with_value(late, 0, "session_date", day)
    suite, batch = batch_of(late, facts=facts)

    assert broken(run_suite(suite, batch)) == {"in_session"}
