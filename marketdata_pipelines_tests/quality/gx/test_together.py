"""Many partitions in one go: what each of them is told is what it is told alone."""

from typing import Any

import pytest

from marketdata_pipelines.quality.gx import together
from marketdata_pipelines.quality.gx.together import run_together
from marketdata_pipelines.quality.gx.validate import run_suite
from marketdata_pipelines.quality.suites.records import Batch, SuiteOutcome, TableSuite
from marketdata_pipelines_tests.quality.suites.bars_of import batch_of, good_bars, with_value


def batches(*faults: Any) -> tuple[TableSuite, dict[str, Batch]]:
    """Batches of 10, 11 … rows a symbol; a fault is (row, column, value) or None."""
    found = {}
    for number, fault in enumerate(faults):
        bars = good_bars(count=10 + number)
        suite, found[str(number)] = batch_of(bars if fault is None else with_value(bars, *fault))
    return suite, found


def told(outcome: SuiteOutcome) -> Any:
    results = [{**each, "meta": None} for each in outcome.result["results"]]
    return outcome.rules, outcome.rows, outcome.result["success"], outcome.result["statistics"], results


@pytest.mark.parametrize(
    "faults",
    [(None, None, None), (None, (3, "high", 1.0), None), ((0, "symbol", None), None)],
    ids=["good", "one bad", "first bad"],
)
def test_each_is_told_what_it_is_told_alone(faults: tuple[Any, ...]) -> None:
    suite, found = batches(*faults)

    at_once = run_together(suite, found)

    assert {key: told(each) for key, each in at_once.items()} == {
        key: told(run_suite(suite, batch)) for key, batch in found.items()
    }


def test_good_partitions_take_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    suite, found = batches(None, None, None)
    goes: list[int] = []

    def counted(suite: TableSuite, batch: Batch, *rest: Any, **named: Any) -> SuiteOutcome:
        goes.append(batch.rows_expected)
        return run_suite(suite, batch, *rest, **named)

    monkeypatch.setattr(together, "run_suite", counted)
    outcomes = run_together(suite, found, {"0": {"partition": "2024-03-08"}})

    assert goes == [20 + 22 + 24]
    assert [each.rows for each in outcomes.values()] == [20, 22, 24]
    assert outcomes["0"].result["meta"] == {
        "partition": "2024-03-08",
        "validated together with": "2 more partitions",
    }


def test_one_bad_partition_is_validated_alone_and_the_others_together(monkeypatch: pytest.MonkeyPatch) -> None:
    suite, found = batches(None, (3, "high", 1.0), None)
    goes: list[int] = []

    def counted(suite: TableSuite, batch: Batch, *rest: Any, **named: Any) -> SuiteOutcome:
        goes.append(batch.rows_expected)
        return run_suite(suite, batch, *rest, **named)

    monkeypatch.setattr(together, "run_suite", counted)
    outcomes = run_together(suite, found)

    assert goes == [20 + 22 + 24, 20 + 24, 22]
    assert [(key, each.passed) for key, each in outcomes.items()] == [("0", True), ("1", False), ("2", True)]


def test_rows_missing_here_and_added_there_are_not_the_same() -> None:
    suite, one = batch_of(good_bars(count=10), written=21)
    _, other = batch_of(good_bars(count=10), written=19)

    outcomes = run_together(suite, {"one": one, "other": other})

    assert [each.passed for each in outcomes.values()] == [False, False]
