"""The rows `marketdata publish` answers with."""

from datetime import UTC, datetime

from marketdata_pipelines.cli.publish_report import lines_of, lines_table
from marketdata_pipelines.pipeline.publishing import PublishOutcome, TablePublished
from marketdata_pipelines.stores.timescale.records import Difference

AT = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)


def published(*names: str) -> tuple[TablePublished, ...]:
    return tuple(TablePublished(name, 7, 2, "x", True) for name in names)


def test_a_difference_is_told_with_its_table_and_one_of_a_rollup_with_the_bars() -> None:
    days = (Difference("bars_1d", "SPY", AT, "high", 1.5, 2.5),)
    hours = (Difference("rollup_1h", "SPY", AT, "volume", 1.0, 2.0),)

    daily = list(lines_of(PublishOutcome("f", "timescale_daily_bars", "p", published("bars_1d", "bars_2d"), 0.1, days)))
    bars = list(lines_of(PublishOutcome("f", "timescale_bars", "p", published("validated_bars"), 0.1, (), hours)))

    assert daily[0].problem == "SPY 2024-03-08T14:30:00Z in bars_1d: high is 1.5 in the store, 2.5 in the lake"
    assert daily[1].problem is None
    assert "volume is 1.0 in the store" in str(bars[0].problem)


def test_a_partition_that_failed_is_one_row_with_the_reason() -> None:
    (line,) = lines_of(PublishOutcome("f", "timescale_bars", "p", (), 0.1, failed="disk full"))

    assert (line.table, line.rows, line.problem) == ("timescale_bars", 0, "disk full")


def test_nothing_to_do_is_an_answer_without_rows() -> None:
    assert lines_table([]).num_rows == 0
    assert lines_table([]).column_names == ["store", "table", "partition", "rows", "changed", "seconds", "problem"]
