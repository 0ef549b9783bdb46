"""Which corrections of a partition are revisions that nobody announced."""

from typing import Any

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.corrections import CORRECTION_SCHEMA
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA
from marketdata_pipelines.domain.quality.revisions import revision_findings
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting, active_rules
from marketdata_pipelines_tests.builders import column, day, us

RULES = active_rules(QualitySpec())


def correction(minute: int, symbol: str = "A", **changes: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "ts": us(f"2024-03-08 15:{minute:02}"), "session_date": day("2024-03-08"), "kind": "changed",
        "old_close": 100.0, "new_close": 101.0, "known_at": us("2024-03-10 00:00"), "seq": 2, "file": "fix.csv",
        "part": "p2", "cause": "upsert", "previous_file": "a.csv", "previous_seq": 1,
    } | changes  # fmt: skip


def corrections(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=CORRECTION_SCHEMA)


def test_a_file_that_changes_more_than_the_share_is_one_finding_that_names_both_files() -> None:
    changes = corrections(*(correction(minute) for minute in range(5)), correction(7, new_close=120.0))

    findings = revision_findings(changes, RULES, bars=390)

    (row,) = findings.to_pylist()
    assert (row["rule"], row["dimension"], row["symbol"], row["bars"]) == (
        "unannounced_revision", "consistency", "A", 6,
    )  # fmt: skip
    assert (row["file"], row["part"], row["limit"], row["standing"]) == ("fix.csv", "p2", 0.01, True)
    assert row["value"] == pytest.approx(6 / 390)
    assert (column(findings, "ts"), column(findings, "ts_last")) == (["2024-03-08 15:00"], ["2024-03-08 15:07"])
    assert row["message"] == "fix.csv changed 6 bars of A (1.5%) that a.csv had brought; closes by up to 20.00%"


def test_a_share_within_the_limit_is_no_finding() -> None:
    few = corrections(*(correction(minute) for minute in range(3)))

    assert revision_findings(few, RULES, bars=390).equals(FINDING_SCHEMA.empty_table())
    assert revision_findings(few, RULES, bars=200).num_rows == 1


@pytest.mark.parametrize("changes", [{"kind": "late"}, {"kind": "restored"}, {"cause": "repair"}, {"cause": "reparse"}])
def test_late_bars_repairs_and_contents_read_anew_are_no_revisions(changes: dict[str, Any]) -> None:
    assert revision_findings(corrections(*(correction(at, **changes) for at in range(20))), RULES, 390).num_rows == 0


def test_removed_bars_count_and_what_is_left_is_not_all_there_was() -> None:
    gone = corrections(*(correction(at, kind="removed", new_close=None, cause="replace_window") for at in range(4)))

    (row,) = revision_findings(gone, RULES, bars=96).to_pylist()

    assert row["value"] == pytest.approx(0.04)
    assert row["message"] == "fix.csv removed 4 bars of A (4.0%) that a.csv had brought"


def test_each_ingest_is_judged_by_itself() -> None:
    rows = [correction(at, symbol=symbol) for at in range(3) for symbol in ("A", "B")]
    rows += [correction(at, seq=3, file="again.csv", part="p3") for at in range(30, 50)]

    found = revision_findings(corrections(*rows), RULES, bars=400).to_pylist()

    assert [(row["file"], row["symbol"], row["bars"]) for row in found] == [
        ("fix.csv", None, 6),
        ("again.csv", "A", 20),
    ]


def test_a_feed_that_turned_the_rule_off_is_told_nothing() -> None:
    off = active_rules(QualitySpec(rules=(RuleSetting("unannounced_revision", off=True),)))

    assert revision_findings(corrections(*(correction(at) for at in range(20))), off, bars=390).num_rows == 0


def test_an_old_close_of_zero_is_no_infinite_change() -> None:
    (row,) = revision_findings(corrections(correction(1, old_close=0.0)), RULES, bars=1).to_pylist()

    assert row["message"] == "fix.csv changed 1 bar of A (100.0%) that a.csv had brought"
