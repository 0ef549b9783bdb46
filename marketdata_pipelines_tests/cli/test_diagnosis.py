"""What doctor finds."""

import json
import shutil
from pathlib import Path

import pytest

from marketdata_pipelines_tests.cli.conftest import Run


def _states(out: str) -> dict[str, str]:
    return {finding["what"]: finding["state"] for finding in json.loads(out)}


def test_a_loaded_folder_is_well(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "doctor", "--json")

    states = _states(answer.out)
    assert answer.code == 0
    assert "broken" not in states.values()
    assert {states[what] for what in ("catalog", "raw files", "table files", "dagster", "calendar of shares")} == {"ok"}


def test_a_damaged_and_a_missing_file_are_named_with_what_to_do(
    marketdata: Run, loaded_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(loaded_home, folder)
    (folder / "lake/bars_5m/shares/2024-03-08.parquet").write_bytes(b"PAR1")
    (folder / "lake/bars_1d/shares/2024-03-08.parquet").unlink()

    answer = marketdata(folder, "doctor", "--json")

    finding = next(item for item in json.loads(answer.out) if item["what"] == "table files")
    assert answer.code == 1
    assert finding["state"] == "broken"
    assert finding["text"].startswith("2 of ")
    assert "marketdata backfill" in finding["advice"]


def test_missing_feeds_are_broken(marketdata: Run, tmp_path: Path) -> None:
    answer = marketdata(tmp_path, "doctor", "--json")

    assert answer.code == 1
    assert _states(answer.out)["feeds.yaml"] == "broken"


def test_the_files_or_the_server_that_keep_dagsters_history_are_told(
    marketdata: Run, empty_home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _finding(marketdata(empty_home, "doctor", "--json").out, "dagster storage")
    monkeypatch.setenv("MARKETDATA_DAGSTER_STORAGE", postgres_url)
    server = marketdata(empty_home, "doctor", "--json")

    told = _finding(server.out, "dagster storage")
    assert (files["state"], files["text"]) == ("ok", f"files below {empty_home / 'dagster'}")
    assert told["state"] == "ok"
    assert "on 127.0.0.1:" in told["text"]
    assert "answers (PostgreSQL " in told["text"]
    assert postgres_url.split(":")[2].split("@")[0] not in server.out + server.err


def test_a_server_that_does_not_answer_is_broken_and_its_password_hidden(
    marketdata: Run, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_DAGSTER_STORAGE", "postgresql://ann:hunter2@127.0.0.1:1/history")

    answer = marketdata(empty_home, "doctor")

    assert answer.code == 1
    assert "MARKETDATA_DAGSTER_STORAGE names database history on 127.0.0.1:1" in " ".join(answer.out.split())
    assert "hunter2" not in answer.out + answer.err


def test_a_configuration_edited_by_hand_is_noted(marketdata: Run, empty_home: Path) -> None:
    (empty_home / "dagster").mkdir()
    (empty_home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: true}\n", "utf-8")

    finding = _finding(marketdata(empty_home, "doctor", "--json").out, "dagster.yaml")

    assert finding["state"] == "note"
    assert "was edited by hand and stays as it is" in finding["text"]


def _finding(out: str, what: str) -> dict[str, str]:
    return next(item for item in json.loads(out) if item["what"] == what)
