"""The console script: exit codes, messages, and what it does not load."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marketdata_pipelines_tests.cli.conftest import Run

COMMANDS = ("demo", "up", "ingest", "backfill", "bars", "table", "rejected", "gaps", "feeds", "doctor")
HEAVY = ("dagster", "numba", "pandas", "exchange_calendars", "polars")


def _python(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MARKETDATA_HOME": str(home)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_help_names_every_command(marketdata: Run, empty_home: Path) -> None:
    answer = marketdata(empty_home, "--help")

    assert answer.code == 0
    assert all(command in answer.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_examples(command: str, marketdata: Run, empty_home: Path) -> None:
    answer = marketdata(empty_home, command, "--help")

    assert answer.code == 0
    assert f"marketdata {command}" in answer.out.split("Examples")[1]


def test_help_answers_in_under_half_a_second(empty_home: Path) -> None:
    command = [sys.executable, "-c", "from marketdata_pipelines.cli.main import main; main()", "--help"]
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        seconds.append(time.perf_counter() - began)
        if seconds[-1] < 0.5:
            break

    # The best of a few: what the command costs, not what else the machine is doing.
    assert min(seconds) < 0.5


@pytest.mark.parametrize("arguments", ["--help", "bars shares", "bars shares --format csv", "bars shares --json"])
def test_a_short_answer_loads_nothing_heavy(arguments: str, loaded_home: Path) -> None:
    code = f"""
import sys
sys.argv = ["marketdata", *{arguments.split()!r}]
from marketdata_pipelines.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
heavy = [name for name in {HEAVY!r} if name in sys.modules]
sys.exit(f"loaded: {{heavy}}" if heavy else 0)
"""

    assert _python(code, loaded_home).stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["bars", "nope"], 2, "feed 'nope' is not in"),
        (["bars", "shares", "--timeframe", "7m"], 2, "shares has no '7m' bars"),
        (["bars", "shares", "--start", "yesterday"], 2, "is no date"),
        (["bars", "shares"], 1, "run: marketdata backfill shares"),
        (["bars"], 2, "Missing argument"),
        (["bars", "shares", "--format", "xml"], 2, "xml"),
        (["fly"], 2, "No such command"),
        (["backfill", "shares", "--start", "2024-03-09", "--end", "2024-03-10"], 2, "no session"),
        (["ingest", "made_up", "x.csv"], 2, "is fed by simulated"),
        (["ingest", "shares", "nowhere.csv"], 1, "no file is at nowhere.csv"),
    ],
)
def test_a_failure_is_one_message_and_an_exit_code(
    arguments: list[str], code: int, text: str, marketdata: Run, empty_home: Path
) -> None:
    answer = marketdata(empty_home, *arguments)

    assert answer.code == code
    assert text in answer.err
    assert "Traceback" not in answer.err


def test_a_broken_feeds_file_names_the_line(marketdata: Run, tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_text("feeds:\n  shares:\n    intervall: 1m\n", encoding="utf-8")

    answer = marketdata(tmp_path, "feeds")

    assert answer.code == 2
    assert "feeds.yaml, line 3: intervall is no key of shares" in answer.err


def test_a_reader_that_leaves_early_gets_no_traceback(loaded_home: Path) -> None:
    environment = {**os.environ, "MARKETDATA_HOME": str(loaded_home)}
    command = f"{sys.executable} -m marketdata_pipelines.cli bars shares --format csv | true"

    told = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)

    assert told.stderr == ""


def test_a_log_level_that_is_none_is_a_wrong_setting(
    marketdata: Run, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_LOG_LEVEL", "loud")

    answer = marketdata(empty_home, "feeds")

    assert (answer.code, answer.out) == (2, "")
    assert "MARKETDATA_LOG_LEVEL is 'LOUD'; give DEBUG" in answer.err
