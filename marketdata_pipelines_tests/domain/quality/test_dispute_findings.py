"""What of the disputes of two feeds becomes a finding."""

from dataclasses import replace

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.quality.dispute_findings import dispute_findings
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, Severity
from marketdata_pipelines.domain.quality.scales import Ratio
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting, active_rules
from marketdata_pipelines_tests.builders import column, day
from marketdata_pipelines_tests.domain.dispute_rows import (
    RULES,
    changed,
    compare_daily,
    compared,
    daily,
    scaled,
    session,
)


def test_a_symbol_session_with_few_small_disputes_is_not_found() -> None:
    found = compared(session(), changed(session(), {10: {"close": 103.0, "high": 103.0}, 11: {"volume": 900.0}}))

    assert dispute_findings([found], RULES).equals(FINDING_SCHEMA.empty_table())


def test_more_disputed_bars_than_the_share_are_one_finding() -> None:
    places = {at: {"close": 103.0, "high": 103.0} for at in range(10, 15)}

    findings = dispute_findings([compared(session(), changed(session(), places))], RULES)

    (row,) = findings.to_pylist()
    assert (row["rule"], row["dimension"], row["severity"], row["symbol"]) == (
        "source_dispute",
        "accuracy",
        "warn",
        "A",
    )
    assert (row["session_date"], row["bars"], row["limit"], row["standing"]) == (day("2024-03-08"), 5, 0.01, True)
    assert row["value"] == pytest.approx(5 / 390)
    assert (column(findings, "ts"), column(findings, "ts_last")) == (["2024-03-08 14:40"], ["2024-03-08 14:44"])
    assert row["message"] == (
        "5 of 390 bars differ from b (1.3%), most: close 100.02 against 103 at 14:44:00 UTC (2.9%)"
        "; this feed is likelier right"
    )


def test_one_gross_price_is_found_by_itself() -> None:
    found = compared(changed(session(), {200: {"low": 50.0}}), session())

    (row,) = dispute_findings([found], RULES).to_pylist()
    assert row["value"] == pytest.approx(0.4994, abs=1e-3)
    assert row["limit"] == 0.05
    assert row["message"].endswith("; b is likelier right")


def test_missing_bars_count_like_false_ones() -> None:
    found = compared(session(), changed(session(), dict.fromkeys(range(100, 110))))

    (row,) = dispute_findings([found], RULES).to_pylist()
    assert row["bars"] == 10
    assert "10 of 390 bars differ from b (2.6%), most: only this feed has 10 bars from at" not in row["message"]
    assert "most: only this feed has 10 bars from 16:10:00 UTC" in row["message"]


def test_a_scale_and_volumes_throughout_are_one_finding_each() -> None:
    own = compared(session(price=700.0), scaled(session(price=700.0), 1 / 7, volume=2.0))

    messages = column(dispute_findings([own], RULES), "message")

    assert len(messages) == 2
    assert "prices of 390 bars are 7 times those of b: adjusted differently" in messages
    assert any(text.startswith("volumes of 390 bars together are") for text in messages)


def test_a_scale_that_goes_on_from_the_session_before_is_not_found_again() -> None:
    before = {"A": Ratio(price=1.9459101490553132, volume=None)}

    found = compared(session(price=700.0), scaled(session(price=700.0), 1 / 7), before=before)

    assert found.disputes.num_rows == 1
    assert dispute_findings([found], RULES).num_rows == 0


def test_a_daily_bar_beyond_its_tolerance_is_found() -> None:
    own = daily([100.0, 101.0, 102.0, 103.0])
    other = daily([100.0, 101.0, 102.5, 103.0])

    (row,) = dispute_findings([compare_daily(own, other)], RULES).to_pylist()

    assert (row["rule"], row["dimension"], row["session_date"]) == ("daily_differs", "consistency", day("2024-03-06"))
    assert (row["value"], row["limit"]) == (pytest.approx(0.5 / 102.5), 0.002)
    assert row["message"].startswith("close 102 against 102.5 of b on 2024-03-06 (0.5%)")


def test_a_rule_a_feed_turned_off_finds_nothing_and_a_changed_one_is_followed() -> None:
    found = compared(changed(session(), {200: {"low": 50.0}}), session())
    off = active_rules(QualitySpec(rules=(RuleSetting("source_dispute", off=True),)))
    blocking = active_rules(QualitySpec(rules=(RuleSetting("source_dispute", severity=Severity.BLOCK),)))
    wide = active_rules(QualitySpec(rules=(RuleSetting("source_dispute", limits=(("gross", 0.6),)),)))

    assert dispute_findings([found], off).num_rows == 0
    assert column(dispute_findings([found], blocking), "severity") == ["block"]
    assert dispute_findings([found], wide).num_rows == 0


def test_findings_of_several_feeds_and_symbols_are_sorted() -> None:
    rows = session("B") + session("A")
    bad = [{**row, "low": 50.0} if row["ts"] == rows[5]["ts"] else row for row in rows]
    pairs = [compared(rows, bad, feed=name) for name in ("y", "x")]

    findings = dispute_findings([replace(pair) for pair in pairs], RULES)

    assert column(findings, "symbol") == ["A", "A", "B", "B"]
    assert findings.schema == FINDING_SCHEMA
    assert pa.compute.count(findings["message"]).as_py() == 4
