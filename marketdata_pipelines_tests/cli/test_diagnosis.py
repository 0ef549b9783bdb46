"""What doctor finds."""

import json
import shutil
from pathlib import Path

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
