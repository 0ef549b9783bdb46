"""The suites of every table of a feed: what good tables keep, and what a fault breaks."""

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, SCORE_SCHEMA, Level
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.domain.tables import REJECTED_BARS, feed_tables
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.quality.sql_runner import run_suite_sql
from marketdata_pipelines.quality.suites.batches import table_batch
from marketdata_pipelines.quality.suites.records import SuiteOutcome
from marketdata_pipelines.quality.suites.symbol_sessions import symbol_sessions
from marketdata_pipelines.quality.suites.table_suites import SYMBOL_SESSIONS, VIEW_KEYS, suite_of
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed, minutes, source_of, take_in, us, walk_stale
from marketdata_pipelines_tests.quality.suites.bars_of import with_value

FEED = make_feed()


def run(table: str, rows: pa.Table, written: int | None = None) -> SuiteOutcome:
    suite = suite_of(FEED, table)
    return run_suite_sql(suite, table_batch(suite, rows, rows.num_rows if written is None else written))


def broken(outcome: SuiteOutcome) -> set[str]:
    return {rule.rule for rule in outcome.rules if not rule.passed}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    found = Lake(Path(tmp_path_factory.mktemp("lake")))
    rows = minutes("AAA", "2024-03-07 14:30", 390) + minutes("BBB", "2024-03-07 14:30", 390)
    rows += [*minutes("AAA", "2024-03-08 14:30", 390), {**minutes("CCC", "2024-03-08 15:00", 1)[0], "high": 1.0}]
    take_in(found, FEED, source_of("one.csv", rows))
    walk_stale(found, FEED)
    return found


def suite_tables() -> list[str]:
    names = {name for table_set in feed_tables(FEED) for name in table_set.tables}
    return sorted(name for name in names if name in (*VIEW_KEYS, REJECTED_BARS) or name.startswith("bars_"))


@pytest.mark.parametrize("table", suite_tables())
def test_what_a_walk_writes_keeps_the_suite_of_its_table(lake: Lake, table: str) -> None:
    stored = lake.catalog.stored(table, FEED.name)

    outcomes = [run(table, lake.read(table, FEED.name, each.partition), each.rows) for each in stored]

    assert outcomes
    assert [broken(outcome) for outcome in outcomes] == [set()] * len(outcomes)


@pytest.mark.parametrize("view", sorted(VIEW_KEYS))
def test_a_repeated_key_breaks_a_view(lake: Lake, view: str) -> None:
    rows = lake.read(view, FEED.name, "2024-03-07")

    repeated = pa.concat_tables([rows.slice(0, 1), rows])

    assert broken(run(view, repeated)) == {"key_unique"}


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("bar_count", 0, "bar_count_positive"),
        ("bar_count", None, "bar_count_positive"),
        ("first_ts", us("2024-03-09 00:00"), "members_in_bucket"),
        ("last_ts", us("2024-03-09 00:00"), "members_in_bucket"),
        ("ts_close", us("2024-01-01 00:00"), "bar_has_length"),
        ("high", 0.5, "ohlc_relations"),
        ("symbol", None, "key_present"),
    ],
)
def test_a_fault_in_a_combined_bar_breaks_its_rule(lake: Lake, column: str, value: Any, rule: str) -> None:
    rows = lake.read("bars_1h", FEED.name, "2024-03-07")

    assert rule in broken(run("bars_1h", with_value(rows, 3, column, value)))


def test_combined_bars_that_were_written_must_be_there(lake: Lake) -> None:
    rows = lake.read("bars_2d", FEED.name, "2024-03-07")

    assert broken(run("bars_2d", rows.slice(0, 0), 0)) == set()
    assert broken(run("bars_2d", rows.slice(0, 0), 2)) == {"row_count"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("high_below_low", set()),
        ("high_below_low;future", set()),
        (None, {"reason_given", "reason_known"}),
        ("", {"reason_given", "reason_known"}),
        ("high_below_low;because", {"reason_known"}),
    ],
)
def test_a_rejected_row_says_why_in_known_words(rules: str | None, expected: set[str]) -> None:
    row = {"file": "one.csv", "line": 2, "row": 1, "symbol": "AAA", "rules": rules, "part": "p"}
    rows = pa.Table.from_pylist([row], schema=REJECTED_SCHEMA)

    assert broken(run(REJECTED_BARS, rows)) == expected


def test_no_rejected_rows_are_good() -> None:
    assert run(REJECTED_BARS, REJECTED_SCHEMA.empty_table(), 0).passed
    assert broken(run(REJECTED_BARS, REJECTED_SCHEMA.empty_table(), 3)) == {"row_count"}


def score_row(symbol: str | None, score: float | None) -> dict[str, Any]:
    figures = dict.fromkeys(("completeness", "accuracy", "consistency", "validity", "timeliness", "uniqueness"), 100.0)
    return {"symbol": symbol, "session_date": date(2024, 3, 8), **figures, "score": score, "grade": "A", "bars": 390}


def finding_row(rule: str, symbol: str | None, *, standing: bool | None = True) -> dict[str, Any]:
    return {"rule": rule, "severity": "warn", "symbol": symbol, "session_date": date(2024, 3, 8), "standing": standing}


def test_findings_are_counted_by_symbol_and_session() -> None:
    scores = pa.Table.from_pylist([score_row(None, 90.0), score_row("AAA", 80.0), score_row("BBB", 99.0)], SCORE_SCHEMA)
    rows = [finding_row("price_spike", "AAA"), finding_row("price_spike", "AAA", standing=None)]
    rows += [
        finding_row("price_spike", "AAA", standing=False),
        finding_row("market_gap", None),
        finding_row("other", "BBB"),
    ]
    findings = pa.Table.from_pylist(rows, FINDING_SCHEMA)
    rules = [rule.rule.id for rule in suite_of(FEED, SYMBOL_SESSIONS).rules]

    table = symbol_sessions(scores, findings, [rule for rule in rules if rule in ("price_spike", "market_gap")])

    assert table["price_spike"].to_pylist() == [0, 2, 0]
    assert table["market_gap"].to_pylist() == [1, 0, 0]


@pytest.mark.parametrize(("score", "expected"), [(90.0, set()), (100.1, {"score_bounded"}), (None, {"score_bounded"})])
def test_symbol_sessions_keep_a_rule_where_nothing_was_found(score: float | None, expected: set[str]) -> None:
    suite = suite_of(FEED, SYMBOL_SESSIONS)
    scores = pa.Table.from_pylist([score_row(None, score), score_row("AAA", 80.0)], SCORE_SCHEMA)
    rules = [name for name, _ in suite.columns if name not in SCORE_SCHEMA.names]
    found = pa.Table.from_pylist([finding_row("bad_wick", "AAA")], FINDING_SCHEMA)

    outcome = run(SYMBOL_SESSIONS, symbol_sessions(scores, found, rules))

    assert broken(outcome) == {"bad_wick"} | expected
    assert [rule.examples[0]["symbol"] for rule in outcome.warned] == ["AAA"]


def test_a_table_without_a_suite_is_named() -> None:
    with pytest.raises(SettingsInvalid, match="feed has no suite for 'nothing'; use one of: validated_bars"):
        suite_of(FEED, "nothing")


@pytest.mark.parametrize("table", ["validated_bars", REJECTED_BARS, "bars_5m", "daily_summary", SYMBOL_SESSIONS])
def test_a_feed_that_asks_for_nothing_has_empty_suites(table: str) -> None:
    assert suite_of(make_feed(quality=QualitySpec(level=Level.NONE)), table).rules == ()
