from datetime import UTC, datetime

import pyarrow as pa
from dagster import AssetCheckKey, AssetCheckSeverity, AssetKey, DagsterInstance, TableMetadataValue

from marketdata_pipelines.orchestration.events import (
    evaluation,
    markdown_table,
    materialization,
    outcome_events,
    withheld,
)
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.quality.outcome import CheckOutcome

FIRST, LAST = datetime(2024, 5, 1, 13, 30, tzinfo=UTC), datetime(2024, 5, 1, 19, 59, tzinfo=UTC)
PREVIEW = pa.table({"symbol": ["AAA"], "ts": pa.array([FIRST], pa.timestamp("us", "UTC")), "close": [1.25]})
REJECTED = AssetResult("rejected_bars", 3, 1, FIRST, LAST, 900, {"rejected_bars": 3}, {"high_lt_low": 3})
DAILY = AssetResult("daily_bars", 3, 2, FIRST, LAST, 1200, {"bars_1d": 2, "bars_2d": 1}, {}, PREVIEW)
CHECK = CheckOutcome("rows_conserved", "rejected_bars", False, True, "1 row is missing", {"raw": 4})
OUTCOME = PartitionOutcome("demo", "2024-05-01", (REJECTED, DAILY), (CHECK,), "rows_conserved: 1 row is missing")
REJECTED_KEY, DAILY_KEY = AssetKey(["demo", "rejected_bars"]), AssetKey(["demo", "daily_bars"])


def test_materialization_tells_rows_symbols_span_bytes_and_tables() -> None:
    event = materialization(OUTCOME, DAILY)

    assert (event.asset_key, event.partition) == (DAILY_KEY, "2024-05-01")
    assert event.metadata["dagster/row_count"].value == 3
    assert event.metadata["symbols"].value == 2
    assert event.metadata["bytes"].value == 1200
    assert event.metadata["first_ts"].value == FIRST.timestamp()
    assert event.metadata["last_ts"].value == LAST.timestamp()
    tables = event.metadata["rows by table"]
    assert isinstance(tables, TableMetadataValue)
    assert [record.data for record in tables.records] == [
        {"table": "bars_1d", "rows": 2},
        {"table": "bars_2d", "rows": 1},
    ]


def test_rejects_are_told_by_rule() -> None:
    assert materialization(OUTCOME, REJECTED).metadata["rejected/high_lt_low"].value == 3


def test_preview_is_a_markdown_table() -> None:
    assert markdown_table(PREVIEW) == (
        "| symbol | ts | close |\n| --- | --- | --- |\n| AAA | 2024-05-01T13:30:00Z | 1.25 |"
    )


def test_blocking_checks_are_errors_and_others_warnings() -> None:
    other = CheckOutcome("one_row_a_key", "top_volume", False, False, "2 repeated keys")

    assert evaluation(OUTCOME, CHECK, None).severity is AssetCheckSeverity.ERROR
    assert evaluation(OUTCOME, other, None).severity is AssetCheckSeverity.WARN


def test_evaluation_names_its_partition_and_says_what_it_found() -> None:
    event = evaluation(OUTCOME, CHECK, None)

    assert event.partition == "2024-05-01"
    assert (event.passed, event.blocking, event.description) == (False, True, "1 row is missing")
    assert event.metadata["raw"].value == 4


def test_only_what_was_selected_is_reported() -> None:
    with DagsterInstance.ephemeral() as instance:
        none = list(outcome_events(OUTCOME, frozenset(), frozenset(), instance))
        asset = list(outcome_events(OUTCOME, frozenset({DAILY_KEY}), frozenset(), instance))
        check = list(
            outcome_events(OUTCOME, frozenset(), frozenset({AssetCheckKey(REJECTED_KEY, "rows_conserved")}), instance)
        )

    assert none == []
    assert [event.asset_key for event in asset] == [DAILY_KEY]
    assert [event.asset_key for event in check] == [REJECTED_KEY]


def test_withheld_are_the_selected_assets_a_blocked_partition_did_not_write() -> None:
    selected = frozenset({REJECTED_KEY, DAILY_KEY, AssetKey(["demo", "top_volume"])})
    passed = PartitionOutcome("demo", "2024-05-01", (REJECTED,), (), None)

    assert withheld(OUTCOME, selected) == [AssetKey(["demo", "top_volume"])]
    assert withheld(passed, selected) == []
