"""Repairs through the command line: listed, looked at, applied, told of, withdrawn."""

import json
from pathlib import Path

import pytest

from marketdata_pipelines_tests.cli.conftest import HEADER, Run


def _file(folder: Path) -> Path:
    """An hour of SPY whose bar of 10:00 has high and low swapped, and that of 10:10 a negative open."""
    lines = []
    for at in range(60):
        price = 100 + at % 5 / 100
        opens, high, low, close = price, price + 0.03, price - 0.02, price + 0.01
        if at == 30:
            high, low = low, high
        if at == 40:
            opens = -opens
        minute = 30 + at
        clock = f"{9 + minute // 60:02}:{minute % 60:02}"
        lines.append(f"SPY,2024-03-08 {clock}:00,{opens:.2f},{high:.2f},{low:.2f},{close:.2f},{100 + at}\n")
    path = folder / "SPY.csv"
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def broken_home(marketdata: Run, empty_home: Path) -> Path:
    """A data folder with one session of which two bars are broken."""
    assert marketdata(empty_home, "ingest", "shares", str(_file(empty_home)), "--materialize").code == 0
    return empty_home


def _proposals(marketdata: Run, home: Path, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(marketdata(home, "repair", "shares", "--json", *arguments).out)
    return found


def test_proposals_are_listed_with_why_and_the_next_command(marketdata: Run, broken_home: Path) -> None:
    answer = marketdata(broken_home, "repair", "shares")

    assert answer.code == 0
    assert "high_low_swapped" in answer.out
    assert "high 99.98 and low 100.03 swapped make a bar" in answer.out
    assert "2 proposals for 2 rows" in answer.out
    assert "next: marketdata repair shares --apply 2024-03-08-" in answer.out


def test_proposals_for_machines_can_be_narrowed(marketdata: Run, broken_home: Path) -> None:
    every = _proposals(marketdata, broken_home)
    swapped = _proposals(marketdata, broken_home, "--rule", "high_below_low")

    assert {proposal["kind"] for proposal in every} == {"high_low_swapped", "price_sign"}
    assert [proposal["kind"] for proposal in swapped] == ["high_low_swapped"]
    assert _proposals(marketdata, broken_home, "--symbols", "IBM") == []
    assert _proposals(marketdata, broken_home, "--start", "2024-03-09") == []
    assert _proposals(marketdata, broken_home, "--min-confidence", "1.0") == []


def test_a_dry_run_shows_the_rows_and_writes_nothing(marketdata: Run, broken_home: Path) -> None:
    (proposal,) = _proposals(marketdata, broken_home, "--rule", "high_below_low")

    answer = marketdata(broken_home, "repair", "shares", "--apply", str(proposal["id"]), "--dry-run", "--format", "csv")

    header, row = answer.out.splitlines()
    assert header.startswith("id,kind,symbol,ts,open,high,low,close,volume")
    assert f"{proposal['id']},high_low_swapped,SPY,2024-03-08T15:00:00Z,100,100.03,99.98,100.01,130," in row
    assert len(_proposals(marketdata, broken_home)) == 2


def test_applying_brings_every_table_up_to_date_and_again_does_nothing(marketdata: Run, broken_home: Path) -> None:
    (proposal,) = _proposals(marketdata, broken_home, "--rule", "high_below_low")
    order = ("repair", "shares", "--apply", str(proposal["id"]), "--json")

    first, again = marketdata(broken_home, *order), marketdata(broken_home, *order)

    assert (first.code, again.code) == (0, 0)
    assert json.loads(first.out)["repairs"] == [
        {"id": proposal["id"], "status": "applied", "partition": "2024-03-08", "rows": 1}
    ]
    assert json.loads(first.out)["materialized"]["accepted"] == 59
    assert json.loads(again.out)["repairs"][0]["status"] == "known"
    assert json.loads(again.out)["materialized"] is None
    bars = marketdata(
        broken_home, "bars", "shares", "--start", "2024-03-08T15:00Z", "--end", "2024-03-08T15:01Z", "--json"
    )
    assert [(bar["high"], bar["low"]) for bar in json.loads(bars.out)] == [(100.03, 99.98)]


def test_what_was_applied_is_explained_and_can_be_withdrawn(marketdata: Run, broken_home: Path) -> None:
    marketdata(broken_home, "repair", "shares", "--apply-all", "--min-confidence", "0.5")
    applied = json.loads(marketdata(broken_home, "repair", "shares", "--applied", "--json").out)

    receipt = marketdata(broken_home, "explain", "shares", "SPY", "2024-03-08T15:00Z", "--verify")
    undone = marketdata(broken_home, "repair", "shares", "--undo", ",".join(each["id"] for each in applied))

    assert {each["kind"] for each in applied} == {"high_low_swapped", "price_sign"}
    assert (receipt.code, undone.code) == (0, 0)
    assert '"kind": "high_low_swapped"' in receipt.out
    assert "(repair's record)" in receipt.out
    assert "Verified, all equal" in receipt.out
    assert len(_proposals(marketdata, broken_home)) == 2
    assert json.loads(marketdata(broken_home, "repair", "shares", "--applied", "--json").out) == []


def test_an_unknown_id_fails_and_says_how_to_see_those_there_are(marketdata: Run, broken_home: Path) -> None:
    answer = marketdata(broken_home, "repair", "shares", "--apply", "2024-03-08-00000000")

    assert answer.code == 1
    assert "no repair 2024-03-08-00000000 of shares is proposed; see them: marketdata repair shares" in answer.err


@pytest.mark.parametrize(
    "arguments",
    [("--dry-run",), ("--apply", "x", "--apply-all"), ("--undo", "x", "--applied"), ("--min-confidence", "2")],
)
def test_orders_that_contradict_are_misuse(marketdata: Run, empty_home: Path, arguments: tuple[str, ...]) -> None:
    assert marketdata(empty_home, "repair", "shares", *arguments).code == 2


def test_nothing_to_repair_is_said(marketdata: Run, empty_home: Path) -> None:
    answer = marketdata(empty_home, "repair", "shares")
    order = marketdata(empty_home, "repair", "shares", "--apply-all")

    assert (answer.code, answer.out.strip()) == (0, "shares: nothing to repair was found")
    assert (order.code, order.out.strip()) == (0, "Nothing to apply: no proposal is that sure.")
