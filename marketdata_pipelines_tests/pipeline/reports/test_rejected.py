"""Rejected rows by rule with their first examples, and partitions that serve nothing."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import PartitionBy
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, QUALITY_VERDICTS, VERDICT_SCHEMA
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.domain.tables import REJECTED_BARS
from marketdata_pipelines.pipeline.reports.rejected import read_rejections, withheld_partitions
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import make_feed, minutes, source_of, take_in
from marketdata_pipelines_tests.pipeline.report_lakes import finding, rejected_row

FEED = make_feed("XNYS", "1m", name="stocks_1m")
DAY = date(2024, 1, 5)
NOTHING = FINDING_SCHEMA.empty_table()


def store(lake: Lake, name: str, table: pa.Table, key: str = "2024-01-05") -> None:
    lake.store(FEED.name, [TableWrite(name, key, table, "x")], {})


def rejected(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=REJECTED_SCHEMA)


def test_a_row_counts_for_each_of_its_rules(lake: Lake) -> None:
    rows = [rejected_row("off_interval;price_not_positive", "a"), rejected_row("price_not_positive", "b")]
    store(lake, REJECTED_BARS, rejected(*rows))

    found = read_rejections(lake, FEED, DAY, DAY)

    assert found.rows == 2
    assert [(each.rule, each.rows) for each in found.rules] == [("price_not_positive", 2), ("off_interval", 1)]
    assert [each.original for each in found.rules[0].examples] == ["a", "b"]
    assert found.rules[1].text == "the bar does not start on the feed's interval"


def test_rows_that_a_later_ingest_replaced_are_no_rejections(lake: Lake) -> None:
    rows = [rejected_row("superseded", None), rejected_row("deleted", None), rejected_row("of_tomorrow", "x" * 900)]
    store(lake, REJECTED_BARS, rejected(*rows))

    found = read_rejections(lake, FEED, DAY, DAY)

    assert (found.rows, found.replaced) == (1, 2)
    assert (found.rules[0].rule, found.rules[0].text) == ("of_tomorrow", "")
    assert len(found.rules[0].examples[0].original or "") == 400


def test_of_a_long_partition_the_rows_near_the_range_and_those_without_a_time_are_told(lake: Lake) -> None:
    feed = make_feed("XNYS", "1h", name=FEED.name, partition=PartitionBy.MONTH)
    moments = [datetime(2024, 1, day, 15, tzinfo=UTC) for day in (2, 5, 9)]
    rows = [rejected_row("future", str(moment.day), ts=moment) for moment in moments]
    store(lake, REJECTED_BARS, rejected(*rows, rejected_row("future", "none")), "2024-01-01")

    found = read_rejections(lake, feed, DAY, DAY)

    assert [each.original for each in found.rules[0].examples] == ["5", "none"]


def test_three_examples_come_from_several_partitions(lake: Lake) -> None:
    for day in (4, 5):
        rows = [rejected_row("future", f"{day}-{at}") for at in range(2)]
        store(lake, REJECTED_BARS, rejected(*rows), f"2024-01-0{day}")

    found = read_rejections(lake, FEED, date(2024, 1, 4), DAY)

    assert [each.original for each in found.rules[0].examples] == ["4-0", "4-1", "5-0"]


def test_a_blocked_partition_tells_its_failed_checks(lake: Lake) -> None:
    rows = [
        {"rule": "ohlc_consistent", "dimension": "consistency", "severity": "block", "message": "3 bars"},
        {"rule": "mean_volume", "dimension": "accuracy", "severity": "warn", "message": "high"},
    ]
    store(lake, QUALITY_VERDICTS, pa.Table.from_pylist(rows, schema=VERDICT_SCHEMA))

    (found,) = withheld_partitions(lake, FEED, DAY, DAY, NOTHING)

    assert (found.partition, found.state, found.reason) == ("2024-01-05", "blocked", "ohlc_consistent: 3 bars")


def test_findings_that_block_are_a_reason(lake: Lake) -> None:
    session = Session(DAY, ((0, 1),))
    rows = [finding("price_spike", session, symbol, 0, severity="block") for symbol in ("A", "B")]
    rows.append(finding("bad_wick", session, "A", 0))

    (found,) = withheld_partitions(lake, FEED, DAY, DAY, pa.Table.from_pylist(rows, schema=FINDING_SCHEMA))

    assert (found.state, found.reason) == ("blocked", "price_spike: 2 found")


def test_rows_taken_in_and_never_walked_are_told(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", minutes("ALFA", "2024-01-05 14:30", 3)))

    (found,) = withheld_partitions(lake, FEED, DAY, DAY, NOTHING)

    assert (found.state, found.command) == (
        "no bars",
        "marketdata backfill stocks_1m --start 2024-01-05 --end 2024-01-05",
    )
