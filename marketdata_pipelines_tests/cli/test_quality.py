"""`marketdata quality`, and what other commands say of quality."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from marketdata_pipelines.domain.quality.rule_pages import rules_page
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines_tests.builders import walk_stale
from marketdata_pipelines_tests.cli.conftest import FEEDS, HEADER, Answer, Run
from marketdata_pipelines_tests.quality_tables import finding, scored, store_quality

FRIDAY, MONDAY = "2024-03-08", "2024-03-11"
ROWS = HEADER + (
    "SPY,2024-03-08 09:30:00,10.5,10.75,10.25,10.6,100\n"
    "SPY,2024-03-08 09:31:00,10.6,106.5,10.5,10.55,50\n"
    "SPY,2024-03-08 09:32:00,10.5,10.25,10.75,10.6,70\n"
    "SPY,2024-03-11 09:30:00,10.6,11,10.6,10.9,25\n"
)
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def judged_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions of one file; a wick and a gap on Friday, none on Monday."""
    home = tmp_path_factory.mktemp("judged")
    (home / "feeds.yaml").write_text(FEEDS, encoding="utf-8")
    source = home / "SPY.csv"
    source.write_text(ROWS, encoding="utf-8")
    command = [sys.executable, "-m", "marketdata_pipelines.cli", "ingest", "shares", str(source)]
    subprocess.run(command, env={**os.environ, "MARKETDATA_HOME": str(home)}, check=True, capture_output=True)
    reader = LakeReader(home)
    walk_stale(reader.lake, reader.feed("shares"))
    bad = {"raw_rows": 3, "rejected_rows": 1, "bars": 2, "expected": 2, "findings": 2}
    store_quality(
        reader.lake, "shares", FRIDAY,
        [scored(None, FRIDAY, 72.0, accuracy=80.0, **bad), scored("SPY", FRIDAY, 72.0, accuracy=80.0, **bad)],
        [
            finding(
                "bad_wick", FRIDAY, "SPY", "2024-03-08 14:31", file="SPY.csv", line=3, row=2, value=9.0, limit=0.05,
                part=reader.lake.catalog.standing_parts("shares", [FRIDAY])[0].part.part_id,
            ),
            finding("incomplete_session", FRIDAY, "SPY", message="2 of 390 bars, 390 are usual"),
        ],
    )  # fmt: skip
    store_quality(reader.lake, "shares", MONDAY, [scored(None, MONDAY, 99.95), scored("SPY", MONDAY, 99.95)])
    return home


@pytest.fixture
def ask(marketdata: Run, judged_home: Path) -> Ask:
    """Runs `marketdata quality shares` on the judged home, without reports."""
    return lambda *arguments: marketdata(judged_home, "quality", "shares", *arguments)


@pytest.fixture
def blocked_home(judged_home: Path, tmp_path: Path) -> Path:
    """A session withheld by a rule that blocks."""
    (tmp_path / "feeds.yaml").write_text(FEEDS, encoding="utf-8")
    store_quality(
        LakeReader(tmp_path).lake, "shares", FRIDAY,
        [scored(None, FRIDAY, 29.0, blocked=True), scored("SPY", FRIDAY, 29.0, blocked=True)],
        [finding("long_gap", FRIDAY, "SPY", severity="block", message="200 bars are missing")],
    )  # fmt: skip
    return tmp_path


def test_the_summary_says_how_good_it_is_and_what_was_found(ask: Ask) -> None:
    answer = ask("--no-report")

    assert answer.code == 0
    head = answer.out.splitlines()[:3]
    assert head[0].startswith("shares  A  95.2  Excellent")
    assert head[1].startswith("2024-03-08 to 2024-03-11: 2 sessions, 1 symbol, 12 bars, 1 of 13 rows rejected; level")
    assert head[2] == "latest session 2024-03-11: A 99.9, +27.9 since 2024-03-08 (B 72.0)"
    assert "accuracy" in answer.out
    assert "Findings: 2" in answer.out
    assert "SPY 2024-03-08 14:31:00Z: bad_wick is broken" in answer.out
    assert re.search(r"high_below_low +1 +SPY\.csv line 4", answer.out)
    assert "the rows behind: marketdata rejected shares --start 2024-03-08 --end 2024-03-11 --findings" in answer.out


def test_a_score_is_perfect_only_when_it_is(ask: Ask) -> None:
    answer = ask("--no-report", "--start", MONDAY)

    assert "A  99.9  Excellent" in answer.out
    assert "+27.9 since 2024-03-08 (B 72.0)" in answer.out, "the session before lies outside the range"


def test_json_has_everything(ask: Ask) -> None:
    answer = ask("--json", "--end", FRIDAY)

    found = json.loads(answer.out)
    assert (found["score"], found["grade"], found["level"], found["change"]) == (72.0, "B", "Good", None)
    assert found["first"] == found["last"] == FRIDAY
    assert found["dimensions"]["accuracy"] == 80.0
    assert [(rule["rule"], rule["findings"], rule["first_line"]) for rule in found["rules"]] == [
        ("bad_wick", 1, 3), ("incomplete_session", 1, None),
    ]  # fmt: skip
    assert found["rejected"] == [{"rule": "high_below_low", "rows": 1, "file": "SPY.csv", "line": 4}]
    assert (found["blocked"], found["disputes"], found["reports"]) == ([], 0, {})


def test_findings_as_csv_have_the_promised_columns(ask: Ask) -> None:
    answer = ask("--findings", "--format", "csv")

    assert answer.code == 0
    assert answer.out.splitlines() == [
        "rule,dimension,severity,symbol,session_date,ts,ts_last,bars,value,limit,message,file,line,row,standing",
        'incomplete_session,completeness,warn,SPY,2024-03-08,,,,2,1,"2 of 390 bars, 390 are usual",,,,true',
        "bad_wick,accuracy,warn,SPY,2024-03-08,2024-03-08T14:31:00Z,2024-03-08T14:31:00Z,1,9,0.05,"
        "bad_wick is broken,SPY.csv,3,2,true",
    ]


def test_findings_are_chosen_by_rule_and_severity(ask: Ask) -> None:
    assert len(ask("--findings", "--rule", "bad_wick", "--format", "csv").out.splitlines()) == 2
    assert len(ask("--findings", "--severity", "block", "--format", "csv").out.splitlines()) == 1


def test_scores_and_what_they_are_combined_by(ask: Ask, tmp_path: Path) -> None:
    scores = list(csv.DictReader(io.StringIO(ask("--scores", "--format", "csv").out)))
    days = json.loads(ask("--by", "day", "--json").out)
    symbols = json.loads(ask("--by", "symbol", "--json").out)
    ask("--by", "dimension", "--out", str(tmp_path / "by.parquet"))

    assert [(row["symbol"], row["score"], row["grade"]) for row in scores] == [
        ("", "72", "B"), ("SPY", "72", "B"), ("", "99.95", "A"), ("SPY", "99.95", "A"),
    ]  # fmt: skip
    assert [(row["session_date"], row["findings"]) for row in days] == [(FRIDAY, 2), (MONDAY, 0)]
    assert [(row["symbol"], row["worst"], row["worst_session"]) for row in symbols] == [("SPY", 72.0, FRIDAY)]
    assert pq.read_table(tmp_path / "by.parquet")["dimension"].to_pylist()[0] == "completeness"


def test_a_rule_that_blocks_ends_the_command_with_one(marketdata: Run, blocked_home: Path) -> None:
    summary = marketdata(blocked_home, "quality", "shares", "--no-report")
    warnings = marketdata(blocked_home, "quality", "shares", "--findings", "--severity", "warn", "--format", "csv")

    assert summary.code == 1
    assert "Blocked: 1 partition" in summary.out
    assert "long_gap: SPY 200 bars are missing" in summary.out
    assert (warnings.code, len(warnings.out.splitlines())) == (1, 1), "whatever is listed of it"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("quality",), "name a feed"),
        (("quality", "nope"), "feed 'nope' is not in"),
        (("quality", "shares", "--rules"), "leave FEED out"),
        (("quality", "shares", "--findings", "--scores"), "--findings and --scores ask for two lists"),
        (("quality", "shares", "--scores", "--rule", "bad_wick"), "--rule and --severity choose findings"),
        (("quality", "shares", "--findings", "--rule", "spikes"), "'spikes' is no quality rule"),
        (("quality", "shares", "--format", "csv"), "is for lists: add --findings, --scores or --by"),
        (("quality", "shares", "--by", "week"), "week"),
        (("quality", "shares", "--start", "2024-03-08T10:00"), "give a session date like 2024-03-08"),
        (("bars", "shares", "--min-quality", "101"), "give a score from 0 to 100"),
        (("bars", "shares", "--min-quality", "50", "--as-of", "2030-01-01"), "scores are those of today"),
        (("rejected", "shares", "--findings", "--as-of", "2030-01-01"), "findings are those of today"),
    ],
)
def test_what_makes_no_sense_is_refused(
    marketdata: Run, judged_home: Path, arguments: tuple[str, ...], text: str
) -> None:
    answer = marketdata(judged_home, *arguments)

    assert answer.code == 2
    assert text in " ".join(answer.err.replace("│", " ").split())


def test_a_range_without_scores_says_what_to_run(ask: Ask) -> None:
    answer = ask("--no-report", "--start", "2024-05-01")

    assert answer.code == 1
    assert "shares has no quality scores in that range; scored: 2024-03-08 to 2024-03-11; run: marketdata" in answer.err
    assert "has no scores of XX in that range" in ask("--symbols", "XX", "--no-report").err


def test_rules_are_printed_without_a_feed(marketdata: Run, tmp_path: Path) -> None:
    answer = marketdata(tmp_path / "nowhere", "quality", "--rules")

    assert (answer.code, answer.out) == (0, rules_page())


def test_rows_behind_findings_have_the_text_of_the_source(marketdata: Run, judged_home: Path) -> None:
    answer = marketdata(judged_home, "rejected", "shares", "--findings", "--format", "csv")

    assert answer.code == 0
    assert answer.out.splitlines() == [
        "file,line,row,symbol,ts,rules,original",
        'SPY.csv,3,2,SPY,2024-03-08T14:31:00Z,bad_wick,"SPY,2024-03-08 09:31:00,10.6,106.5,10.5,10.55,50"',
        'SPY.csv,4,3,SPY,2024-03-08T14:32:00Z,high_below_low,"SPY,2024-03-08 09:32:00,10.5,10.25,10.75,10.6,70"',
        'SPY.csv,,,SPY,,incomplete_session,"2 of 390 bars, 390 are usual"',
    ]


def test_bars_and_views_of_good_sessions_only(marketdata: Run, judged_home: Path) -> None:
    bars = marketdata(judged_home, "bars", "shares", "--min-quality", "90", "--format", "csv")
    summary = marketdata(judged_home, "table", "shares", "daily_summary", "--min-quality", "90", "--json")

    assert [line[:27] for line in bars.out.splitlines()[1:]] == ["SPY,1m,2024-03-11T13:30:00Z"]
    assert "note: min quality 90: 1 of 2 symbol-sessions left out" in bars.err
    assert [row["session_date"] for row in json.loads(summary.out)] == [MONDAY]


def test_open_shows_the_report_of_the_last_session(
    ask: Ask, judged_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def browse(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", browse)

    without = ask("--no-report", "--open")
    page = judged_home / "quality" / "reports" / "shares" / f"{MONDAY}.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>fine</p>", encoding="utf-8")
    answer = ask("--no-report", "--open")
    page.unlink()

    assert without.code == 1
    assert "shares has no report yet; run: marketdata quality shares --report --open" in without.err
    assert (answer.code, opened) == (0, [page.as_uri()])
    assert f"report: {page}" in answer.out


def test_a_look_loads_neither_dagster_nor_great_expectations(judged_home: Path) -> None:
    code = """
import sys
sys.argv = ["marketdata", "quality", "shares", "--no-report"]
from marketdata_pipelines.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
names = ("dagster", "great_expectations", "numba", "pandas", "exchange_calendars")
heavy = [name for name in names if name in sys.modules]
sys.exit(f"loaded: {heavy}" if heavy else 0)
"""
    environment = {**os.environ, "MARKETDATA_HOME": str(judged_home)}

    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert told.stderr == ""


def test_reports_are_brought_up_to_date_once(marketdata: Run, tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_text(FEEDS, encoding="utf-8")
    source = tmp_path / "SPY.csv"
    source.write_text(ROWS, encoding="utf-8")
    marketdata(tmp_path, "ingest", "shares", str(source), "--materialize")

    first = marketdata(tmp_path, "quality", "shares", "--report")
    again = marketdata(tmp_path, "quality", "shares")

    assert re.search(r"\d partitions validated, 2 reports written in \d+\.\d s", first.err), first.err
    assert f"report: {tmp_path / 'quality' / 'reports' / 'shares' / f'{MONDAY}.html'}" in first.out
    assert "Data Docs: " in first.out
    assert (again.err, again.out) == ("", first.out)


def test_lists_for_people_begin_with_what_matters(ask: Ask) -> None:
    findings, days = ask("--findings"), ask("--by", "day")

    assert findings.out.split()[:8] == [
        "symbol",
        "session_date",
        "dimension",
        "rule",
        "severity",
        "ts",
        "ts_last",
        "bars",
    ]
    assert days.out.split()[:4] == ["session_date", "score", "grade", "quality"]
    assert re.search(r"2024-03-11 +99\.9 +A +Excellent", days.out)


def test_help_shows_examples(marketdata: Run, judged_home: Path) -> None:
    answer = marketdata(judged_home, "quality", "--help")

    assert answer.code == 0
    assert "marketdata quality" in answer.out.split("Examples")[1]
