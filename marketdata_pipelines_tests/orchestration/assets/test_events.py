from datetime import UTC, datetime

from dagster import AssetCheckKey, AssetCheckSeverity, AssetKey
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from marketdata_pipelines.orchestration.assets.events import (
    check_evaluations,
    evaluation,
    materialization,
    materializations,
    withheld,
)
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.quality.outcome import CheckOutcome

FIRST, LAST = datetime(2024, 5, 1, 13, 30, tzinfo=UTC), datetime(2024, 5, 1, 19, 59, tzinfo=UTC)
REJECTED = AssetResult("rejected_bars", 3, 1, FIRST, LAST, 900, {"rejected_bars": 3}, {"high_lt_low": 3})
DAILY = AssetResult("daily_bars", 3, 2, FIRST, LAST, 1200, {"bars_1d": 2, "bars_2d": 1})
CHECK = CheckOutcome("rows_conserved", "rejected_bars", False, True, "1 row is missing", {"raw": 4})
OUTCOME = PartitionOutcome("demo", "2024-05-01", (REJECTED, DAILY), (CHECK,), "rows_conserved: 1 row is missing")
REJECTED_KEY, DAILY_KEY = AssetKey(["demo", "rejected_bars"]), AssetKey(["demo", "daily_bars"])


def test_a_materialization_names_its_partition_and_tells_of_it() -> None:
    event = materialization(OUTCOME, DAILY)

    assert (event.asset_key, event.partition) == (DAILY_KEY, "2024-05-01")
    assert event.metadata["dagster/row_count"].value == 3


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
    chosen = frozenset({AssetCheckKey(REJECTED_KEY, "rows_conserved")})
    target = AssetCheckEvaluationTargetMaterializationData(storage_id=7, run_id="a run", timestamp=1.5)

    (check,) = check_evaluations(OUTCOME, chosen, {REJECTED_KEY: target})

    assert materializations(OUTCOME, frozenset()) == []
    assert [event.asset_key for event in materializations(OUTCOME, frozenset({DAILY_KEY}))] == [DAILY_KEY]
    assert check_evaluations(OUTCOME, frozenset(), {}) == []
    assert (check.asset_key, check.target_materialization_data) == (REJECTED_KEY, target)


def test_withheld_are_the_selected_assets_a_blocked_partition_did_not_write() -> None:
    selected = frozenset({REJECTED_KEY, DAILY_KEY, AssetKey(["demo", "top_volume"])})
    passed = PartitionOutcome("demo", "2024-05-01", (REJECTED,), (), None)

    assert withheld(OUTCOME, selected) == [AssetKey(["demo", "top_volume"])]
    assert withheld(passed, selected) == []
