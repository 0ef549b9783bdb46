"""Taking in files through the command line."""

import json
from pathlib import Path

from marketdata_pipelines_tests.cli.conftest import GOOD_FILE, HEADER, Run


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_refused_file_is_told_with_its_cause_and_the_others_go_on(marketdata: Run, empty_home: Path) -> None:
    good = _write(empty_home, "SPY.csv", GOOD_FILE)
    empty = _write(empty_home, "empty.csv", "")

    answer = marketdata(empty_home, "ingest", "shares", str(empty), str(good), "--json")

    assert answer.code == 1
    files = {file["file"]: (file["status"], file["rule"], file["rows"]) for file in json.loads(answer.out)["files"]}
    assert files == {"empty.csv": ("refused", "empty_file", 0), "SPY.csv": ("accepted", None, 4)}


def test_the_summary_names_the_next_command(marketdata: Run, empty_home: Path) -> None:
    good = _write(empty_home, "SPY.csv", GOOD_FILE)

    answer = marketdata(empty_home, "ingest", "shares", str(good))

    assert answer.code == 0
    assert "1 file: 1 accepted; 4 rows, 1 partition changed" in answer.out
    assert "next: marketdata backfill shares --start 2024-03-08 --end 2024-03-08" in answer.out


def test_a_known_content_is_not_read_again_unless_restarted(marketdata: Run, empty_home: Path) -> None:
    good = _write(empty_home, "SPY.csv", GOOD_FILE)
    statuses = []
    for extra in ([], [], ["--restart"]):
        answer = marketdata(empty_home, "ingest", "shares", str(good), "--json", *extra)
        statuses.append(json.loads(answer.out)["files"][0]["status"])

    assert statuses == ["accepted", "known", "accepted"]


def test_strict_minds_rows_that_are_known_bad(marketdata: Run, empty_home: Path) -> None:
    bad = _write(empty_home, "bad.csv", GOOD_FILE)
    good = _write(empty_home, "good.csv", HEADER + "AAPL,2024-03-08 09:30:00,1,1,1,1,1\n")

    assert marketdata(empty_home, "ingest", "shares", str(good), "--strict").code == 0
    assert marketdata(empty_home, "ingest", "shares", str(bad)).code == 0
    assert marketdata(empty_home, "ingest", "shares", str(bad), "--strict").code == 1


def test_strict_minds_guesses_that_should_be_pinned(marketdata: Run, empty_home: Path) -> None:
    headless = _write(empty_home, "headless.csv", GOOD_FILE.split("\n", 1)[1].replace('"70"', "70"))

    assert marketdata(empty_home, "ingest", "shares", str(headless), "--strict").code == 1


def test_two_workers_take_in_what_one_does(marketdata: Run, empty_home: Path) -> None:
    names = [_write(empty_home, f"{symbol}.csv", GOOD_FILE.replace("SPY", symbol)) for symbol in ("AAA", "BBB")]

    answer = marketdata(empty_home, "ingest", "shares", *map(str, names), "--workers", "2", "--json")

    assert [(file["file"], file["rows"]) for file in json.loads(answer.out)["files"]] == [
        ("AAA.csv", 4),
        ("BBB.csv", 4),
    ]


def test_materialize_catches_up_with_what_was_ingested_before(marketdata: Run, empty_home: Path) -> None:
    good = _write(empty_home, "SPY.csv", GOOD_FILE)
    marketdata(empty_home, "ingest", "shares", str(good))

    first = marketdata(empty_home, "ingest", "shares", str(good), "--materialize", "--json")
    again = marketdata(empty_home, "ingest", "shares", str(good), "--materialize")

    done = json.loads(first.out)["materialized"]
    assert (done["partitions"], done["accepted"], done["rejected_by_rule"]) == (3, 3, {"high_below_low": 1})
    assert again.code == 0
    assert "Nothing to materialize: every partition is up to date." in again.out


def test_a_blocked_partition_is_told_and_ends_with_1(marketdata: Run, empty_home: Path) -> None:
    row = "SPY,2024-03-08 09:30:00,1,0.5,1,1,1\n"
    bad = _write(empty_home, "bad.csv", HEADER + row)

    answer = marketdata(empty_home, "ingest", "shares", str(bad), "--materialize")

    assert answer.code == 1
    assert "blocked: 2024-03-08: not_empty_when_open" in answer.out


def test_plan_shows_how_a_file_is_read_and_loads_nothing(marketdata: Run, empty_home: Path) -> None:
    good = _write(empty_home, "SPY.csv", GOOD_FILE)

    answer = marketdata(empty_home, "ingest", "shares", str(good), "--plan")

    assert answer.code == 0
    assert "timestamp → ts" in answer.out
    assert "time_format: '%Y-%m-%d %H:%M:%S'" in answer.out or "time_format: iso" in answer.out
    assert not (empty_home / "lake").exists()


def test_plan_for_machines_has_what_to_pin_and_the_first_rows(marketdata: Run, empty_home: Path) -> None:
    good = _write(empty_home, "SPY.csv", GOOD_FILE)
    empty = _write(empty_home, "empty.csv", "")

    answer = marketdata(empty_home, "ingest", "shares", str(good), str(empty), "--plan", "--json")

    planned, refused = json.loads(answer.out)
    assert answer.code == 1
    assert refused["refused"] == "empty_file"
    assert planned["pin"]["columns"]["timestamp"] == "ts"
    assert planned["first_rows"][0]["ts"] == "2024-03-08T14:30:00Z"
