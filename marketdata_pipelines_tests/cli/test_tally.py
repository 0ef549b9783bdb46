"""Adding up what a run of the graph did."""

from marketdata_pipelines.cli.tally import Tally
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.quality.outcome import CheckOutcome, Facts


def _result(asset: str, rows: int, tables: dict[str, int], facts: Facts) -> AssetResult:
    return AssetResult(asset, rows, 1, None, None, 0, tables, facts)


def _outcome(
    *results: AssetResult, checks: tuple[CheckOutcome, ...] = (), blocked: str | None = None
) -> PartitionOutcome:
    return PartitionOutcome("shares", "2024-03-08", results, checks, blocked)


def test_rows_rules_and_bars_add_up_over_partitions() -> None:
    tally = Tally("1m")
    walked = _outcome(
        _result("validated_bars", 3, {"validated_bars": 3}, {"raw_rows": 5, "accepted_rows": 3}),
        _result("rejected_bars", 2, {"rejected_bars": 2}, {"high_below_low": 2, "off_interval": 1}),
        _result("intraday_bars", 2, {"bars_5m": 1, "bars_1h": 1}, {}),
    )

    tally.add(walked)
    tally.add(walked)

    assert (tally.partitions, tally.raw_rows, tally.accepted, tally.rejected_rows) == (2, 10, 6, 4)
    assert tally.rejected == {"high_below_low": 4, "off_interval": 2}
    assert tally.bars == {"1m": 6, "5m": 2, "1h": 2}
    assert tally.succeeded


def test_a_blocked_partition_is_a_failure_told_once() -> None:
    tally = Tally("1m")
    failed = CheckOutcome("not_empty_when_open", "validated_bars", False, True, "0 bars")

    tally.add(_outcome(checks=(failed,), blocked="not_empty_when_open: 0 bars"))
    tally.add_run(succeeded=False, message="1 partition was blocked")

    assert not tally.succeeded
    assert tally.as_json()["blocked"] == {"2024-03-08": "not_empty_when_open: 0 bars"}
    assert tally.failures == []
    assert tally.failed_checks == []


def test_a_failed_check_that_blocks_nothing_is_a_finding() -> None:
    tally = Tally("1m")

    tally.add(_outcome(checks=(CheckOutcome("one_row_a_key", "latest_bars", False, False, "1 repeated key"),)))

    assert tally.failed_checks == ["2024-03-08 latest_bars one_row_a_key: 1 repeated key"]
    assert not tally.succeeded


def test_what_a_run_that_went_well_says_is_a_note() -> None:
    tally = Tally("1m")

    tally.add_run(succeeded=True, message="left out: 2030-01-01")

    assert tally.succeeded
    assert tally.notes == ["left out: 2030-01-01"]
