"""Dirty files with labelled defects: every one located, none crashing, no clean row rejected."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from marketdata_pipelines.domain.quality.defect_kinds import named_kinds
from marketdata_pipelines_tests.acceptance.commands import read_csv, run, shared_data

FEEDS = """
feeds:
  dirty: {source: {kind: files}, interval: 1m, calendar: XNYS}
  clocks: {source: {kind: files}, interval: 1m, calendar: 24/7, asset_class: equity}
"""
# Both passes of the repeated hour are in the file, in order: the rows are resolved, not rejected.
RESOLVED = {"dst_ambiguous"}
COLUMNS = ["file", "line", "row", "symbol", "ts", "rules", "original"]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, tuple[int, int, int]], str]:
    """Home and rejected.csv of all dirty files, {kind: (located, named, labels)}, and the scorer's last lines."""
    data = shared_data() / "dirty"
    home = tmp_path_factory.mktemp("dirty")
    (home / "feeds.yaml").write_text(FEEDS)
    paths = [path for path in sorted(data.iterdir()) if path.name not in ("labels.csv", "natural_oddities.csv")]
    rejected = home / "rejected.csv"
    with rejected.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(COLUMNS)
        for feed, files in (
            ("dirty", [path for path in paths if not path.name.startswith("dst_")]),
            ("clocks", [path for path in paths if path.name.startswith("dst_")]),
        ):
            ended = run(home, "ingest", feed, *map(str, files), "--materialize")
            assert ended.returncode in (0, 1), ended.stdout + ended.stderr
            assert "Traceback" not in ended.stderr
            rows = read_csv(home, "rejected", feed, "--findings").astype({"line": "Int64", "row": "Int64"})
            assert list(rows.columns) == COLUMNS
            rows.to_csv(target, index=False, header=False)
    kinds = home / "kinds.json"
    kinds.write_text(json.dumps(named_kinds()))
    command = [sys.executable, str(data.parent / "score.py"), str(rejected), "--kinds", str(kinds)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return home, rejected, _scores(output), output


def test_every_defect_is_located(
    scored: tuple[Path, Path, dict[str, tuple[int, int, int]], str],
) -> None:
    _, rejected, scores, _ = scored
    beyond_reach = _unlocatable(rejected)

    missed = {
        kind: (located, labels)
        for kind, (located, _, labels) in scores.items()
        if kind not in RESOLVED and located + beyond_reach.get(kind, 0) < labels
    }

    assert missed == {}


def test_at_least_nine_of_ten_located_defects_are_named(
    scored: tuple[Path, Path, dict[str, tuple[int, int, int]], str],
) -> None:
    _, _, scores, _ = scored

    shares = [named / labels for kind, (_, named, labels) in scores.items() if kind not in RESOLVED]

    assert sum(shares) / len(shares) >= 0.9


def test_no_clean_row_and_no_clean_file_is_rejected(
    scored: tuple[Path, Path, dict[str, tuple[int, int, int]], str],
) -> None:
    assert "false alarms 0 rows + 0 rows of files refused without cause" in scored[3]


def test_the_missing_minutes_are_reported_as_a_gap(
    scored: tuple[Path, Path, dict[str, tuple[int, int, int]], str], tmp_path: Path
) -> None:
    data = shared_data() / "dirty"
    (tmp_path / "feeds.yaml").write_text(FEEDS)
    assert run(tmp_path, "ingest", "dirty", str(data / "gap_missing_minutes.csv"), "--materialize").returncode == 0

    gaps = read_csv(tmp_path, "gaps", "dirty")

    assert ["SPY", "2013-10-07", "2013-10-07T17:30:00Z", "2013-10-07T18:06:00Z", 37, "missing_minutes"] in (
        gaps.to_numpy().tolist()
    )


def test_both_passes_of_the_repeated_hour_are_kept(
    scored: tuple[Path, Path, dict[str, tuple[int, int, int]], str],
) -> None:
    bars = read_csv(scored[0], "bars", "clocks", "--symbols", "SPY", "--start", "2013-11-03", "--end", "2013-11-03")

    assert len(bars[(bars["ts"] >= "2013-11-03T05:00:00Z") & (bars["ts"] < "2013-11-03T07:00:00Z")]) == 120


def test_the_survivors_of_a_file_with_every_defect_equal_the_golden_answer(tmp_path: Path) -> None:
    import pandas as pd

    data = shared_data()
    (tmp_path / "feeds.yaml").write_text(FEEDS)
    run(tmp_path, "ingest", "dirty", str(data / "dirty" / "mixed_all.csv"), "--materialize")

    bars = read_csv(tmp_path, "bars", "dirty", "--timeframe", "1m")

    expected = pd.read_parquet(data / "golden" / "mixed_all_survivors_1m.parquet")
    survivors = bars.assign(ts=pd.to_datetime(bars["ts"])).merge(
        expected, on=["symbol", "ts"], suffixes=("", "_golden")
    )
    # The four 10x spikes need statistics and are still among ours.
    assert len(survivors) == len(expected) == len(bars) - 4
    for column in ("open", "high", "low", "close", "volume"):
        assert (survivors[column] == survivors[f"{column}_golden"]).all()


def _scores(output: str) -> dict[str, tuple[int, int, int]]:
    scores = {}
    for line in output.splitlines():
        words = line.replace("/", " ").split()
        if "located" in words and "named" in words and words[1] == "located":
            scores[words[0]] = (int(words[2]), int(words[5]), int(words[3]))
    return scores


def _unlocatable(rejected: Path) -> dict[str, int]:
    """Labels we did find but the scorer passes over, because the row is also listed as a natural oddity."""
    data = shared_data() / "dirty"
    with (data / "natural_oddities.csv").open(newline="") as handle:
        natural = {(row["symbol"], row["ts_utc"]) for row in csv.DictReader(handle)}
    with rejected.open(newline="", encoding="utf-8") as handle:
        found = {(row["file"], row["row"]) for row in csv.DictReader(handle)}
    counts: dict[str, int] = {}
    with (data / "labels.csv").open(newline="", encoding="utf-8") as handle:
        for label in csv.DictReader(handle):
            passed_over = (label["symbol"], label["ts_utc"]) in natural
            if passed_over and (label["file"], label["row"]) in found:
                counts[label["defect"]] = counts.get(label["defect"], 0) + 1
    return counts
