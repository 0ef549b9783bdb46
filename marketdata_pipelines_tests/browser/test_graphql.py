"""Dagster's own GraphQL client against a running server: backfills, checks, freshness."""

from collections import Counter
from typing import Any

from dagster import DagsterRunStatus
from dagster_graphql import ReloadRepositoryLocationStatus

from marketdata_pipelines_tests.browser.conftest import Backfill
from marketdata_pipelines_tests.browser.live import LOCATION, LiveDagster, wait_for

CANCEL = "mutation($id: String!) { cancelPartitionBackfill(backfillId: $id) { __typename } }"
REEXECUTE = """
mutation($id: String!) {
  reexecutePartitionBackfill(reexecutionParams: {parentRunId: $id, strategy: FROM_FAILURE}) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
CHECKS = """
query($key: AssetKeyInput!, $check: String!, $partition: String) {
  assetCheckExecutions(assetKey: $key, checkName: $check, partition: $partition, limit: 1) {
    status evaluation { success severity description partition metadataEntries { label } }
  }
}"""
FRESHNESS = """
query($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) { ... on AssetNode { freshnessStatusInfo { freshnessStatus } } }
}"""


def ranges(backfill: dict[str, Any]) -> list[tuple[str, str]]:
    """The first and last partition of each run."""
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in backfill["runs"]]
    return [
        (found.get("dagster/asset_partition_range_start", ""), found.get("dagster/asset_partition_range_end", ""))
        for found in tags
    ]


def check(live: LiveDagster, feed: str, asset: str, name: str, partition: str | None = None) -> dict[str, Any] | None:
    """The latest evaluation of a check, if there is one."""
    found = live.ask(CHECKS, key={"path": [feed, asset]}, check=name, partition=partition)["assetCheckExecutions"]
    return found[0] if found and found[0]["evaluation"] else None


def test_a_ranged_backfill_is_one_run_for_days_one_for_weeks_one_for_months(
    live: LiveDagster, filled: Backfill
) -> None:
    backfill = live.backfill(filled.id)

    assert (backfill["status"], backfill["title"]) == ("COMPLETED_SUCCESS", "Five sessions")
    assert Counter(run["status"] for run in backfill["runs"]) == {"SUCCESS": 3}
    assert (filled.keys[0], filled.keys[-1]) in ranges(backfill)
    assert all(live.client.get_run_status(run["id"]) is DagsterRunStatus.SUCCESS for run in backfill["runs"])


def test_a_cancelled_backfill_goes_on_where_it_was_when_launched_again(live: LiveDagster, running: Backfill) -> None:
    live.ask(CANCEL, id=running.id)
    cancelled = live.ended(running.id)
    done = live.materialized_of("crypto_1m", "validated_bars", running.keys)

    answer = live.ask(REEXECUTE, id=running.id)["reexecutePartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    again = live.ended(answer["backfillId"])

    assert cancelled["status"] == "CANCELED"
    assert {run["status"] for run in cancelled["runs"]} == {"CANCELED"}
    assert done == running.keys[: len(done)]
    assert 0 < len(done) < len(running.keys)
    assert again["status"] == "COMPLETED_SUCCESS"
    assert live.materialized_of("crypto_1m", "validated_bars", running.keys) == running.keys
    # Only what was missing was made again.
    assert ranges(again) == [(running.keys[len(done)], running.keys[-1])]


def test_checks_are_read_by_partition(live: LiveDagster, filled: Backfill, blocked: Backfill) -> None:
    passed = [check(live, "us_equities_1m", "validated_bars", "rows_conserved", key) for key in filled.keys]
    failed = check(live, "desk_5m", "validated_bars", "not_empty_when_open", "2024-07-02")

    assert [found and found["status"] for found in passed] == ["SUCCEEDED"] * 5
    assert failed is not None
    assert failed["status"] == "FAILED"
    assert (failed["evaluation"]["severity"], failed["evaluation"]["partition"]) == ("ERROR", "2024-07-02")
    assert {"by rule", "read it"} <= {entry["label"] for entry in failed["evaluation"]["metadataEntries"]}


def test_freshness_is_told_by_the_calendar_and_by_dagster(live: LiveDagster, up_to_date: Backfill) -> None:
    key = {"path": ["etfs_1d", "daily_bars"]}

    healthy = wait_for(
        "Dagster's verdict",
        lambda: live.ask(FRESHNESS, key=key)["assetNodeOrError"]["freshnessStatusInfo"]["freshnessStatus"] == "HEALTHY",
    )
    late = wait_for("the calendar's verdict", lambda: check(live, "desk_5m", "daily_bars", "is_fresh"))

    assert healthy
    assert late["evaluation"]["success"] is False
    assert "marketdata backfill desk_5m" in late["evaluation"]["description"]


def test_the_code_location_can_be_loaded_again(live: LiveDagster) -> None:
    answer = live.client.reload_repository_location(LOCATION)

    assert answer.status is ReloadRepositoryLocationStatus.SUCCESS
    assert wait_for("its assets to be back", lambda: live.partition_keys("us_equities_1m", "raw_bars"))
