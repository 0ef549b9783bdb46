"""Which findings a report lists, how it counts them, and which came and went."""

from datetime import date
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.feeds import PartitionBy
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, QUALITY_FINDINGS, Severity
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.pipeline.reports.findings import LISTED, choose_findings, compare_topics, read_findings
from marketdata_pipelines.quality.report.records import Topic
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import make_feed, us
from marketdata_pipelines_tests.pipeline.report_lakes import finding

SESSION = Session(date(2024, 1, 5), ((us("2024-01-05 14:30"), us("2024-01-05 21:00")),))


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=FINDING_SCHEMA)


def spike(symbol: str = "ALFA", value: float | None = 0.1, **changes: Any) -> dict[str, Any]:
    return finding("price_spike", SESSION, symbol, 5, value=value, limit=0.05, **changes)


def test_blocking_ones_come_first_then_the_furthest_beyond_their_limit() -> None:
    short = finding("incomplete_session", SESSION, "D", None, value=0.01, limit=0.8)
    rows = (spike("A"), spike("B", 0.4), spike("C", 0.06, severity="block"), short, spike("E", None))

    found = choose_findings(table(*rows))

    assert [each.symbol for each in found.listed] == ["C", "D", "B", "A", "E"]
    assert (found.count(Severity.BLOCK), found.count(Severity.WARN)) == (1, 4)


def test_findings_on_replaced_rows_come_last_and_do_not_count() -> None:
    found = choose_findings(table(spike("A", 9.0, standing=False), spike("B")))

    assert [(each.symbol, each.standing) for each in found.listed] == [("B", True), ("A", False)]
    assert (found.replaced, found.rules[0].findings, found.standing.num_rows) == (1, 1, 1)


def test_many_findings_are_counted_and_the_first_listed() -> None:
    rows = [spike(f"S{at % 7}") for at in range(LISTED + 100)]

    found = choose_findings(table(*rows))

    assert len(found.listed) == LISTED
    (rule,) = found.rules
    assert (rule.findings, rule.symbols, rule.sessions) == (LISTED + 100, 7, 1)
    assert rule.text == "No bar leaps away from both its neighbours and back."


def test_a_rule_that_is_not_ours_is_told_as_such() -> None:
    (rule,) = choose_findings(table(spike() | {"rule": "of_a_user"})).rules

    assert (rule.rule, rule.text) == ("of_a_user", "A check of the walk, or an expectation of the feed's own.")


def test_topics_come_and_go_by_rule_and_symbol() -> None:
    now, before = table(spike("A"), spike("A"), spike("B")), table(spike("B"), spike("C"))

    change = compare_topics(now, before)

    assert (change.opened, change.resolved) == ((Topic("price_spike", "A"),), (Topic("price_spike", "C"),))
    assert (change.opened_count, change.resolved_count) == (1, 1)


def test_a_long_partition_gives_the_sessions_of_the_range(lake: Lake) -> None:
    feed = make_feed("XNYS", "1h", partition=PartitionBy.MONTH)
    rows = [
        spike(symbol, session_date=None if day is None else date(2024, 1, day))
        for symbol, day in (("A", 4), ("B", 5), ("C", 8), ("D", None))
    ]
    lake.store(feed.name, [TableWrite(QUALITY_FINDINGS, "2024-01-01", table(*rows), "x")], {})

    days = [date(2024, 1, 4), date(2024, 1, 5)]

    assert read_findings(lake, feed, *days)["symbol"].to_pylist() == ["A", "B", "D"]
    assert read_findings(lake, feed, date(2024, 2, 1), date(2024, 2, 2)).num_rows == 0
